"""PostgreSQL and Redis from pip wheels, for the embedded default."""

import os
import secrets
from pathlib import Path


def local_secret(path: Path) -> str:
    """Return the secret kept in the file `path`, making it (mode 600) on first use."""
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and linked, so that two processes that start at once end with one secret.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(50), encoding="ascii")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii")
