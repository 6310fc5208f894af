"""Where the embedded servers listen: Unix sockets, so that no port is taken and nobody else gets in."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

DATABASE = "birdorbot"
# The kernel's limit for a socket path is 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 103


def postgres_folder(var: Path) -> Path:
    """Return the folder of PostgreSQL's files."""
    return var / "postgres"


def redis_folder(var: Path) -> Path:
    """Return the folder of Redis's files."""
    return var / "redis"


def socket_folder(folder: Path) -> Path:
    """Return where a server of `folder` puts its socket: there, or under /tmp where that path would be too long."""
    if len(os.fsencode(folder / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return folder
    # Not TMPDIR, which differs between shells; the server refuses a folder that somebody else laid there.
    return Path("/tmp") / f"birdorbot-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"  # noqa: S108


def drop_socket_folder(folder: Path) -> None:
    """Remove the folder under /tmp that a server of `folder` had its socket in, unless something is in it."""
    if (sockets := socket_folder(folder)) != folder:
        with suppress(OSError):
            sockets.rmdir()


def database_url(var: Path, name: str = DATABASE) -> str:
    """Return the DATABASE_URL of the embedded PostgreSQL under `var`."""
    return f"postgresql://postgres@/{name}?host={quote(str(socket_folder(postgres_folder(var))), safe='/')}"


def redis_socket(var: Path) -> Path:
    """Return the socket of the embedded Redis under `var`."""
    return socket_folder(redis_folder(var)) / "redis.sock"


def redis_url(var: Path) -> str:
    """Return the REDIS_URL of the embedded Redis under `var`."""
    return f"unix://{quote(str(redis_socket(var)), safe='/')}?db=0"
