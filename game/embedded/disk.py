"""Room on the disk of VAR."""

import shutil
from pathlib import Path

from game.embedded import addresses
from game.embedded.processes import Problem

FIRST_START_BYTES = 500_000_000
LATER_START_BYTES = 100_000_000
LOW_BYTES = 100_000_000
# PostgreSQL needs 16 MB in one piece for its next log segment.
FULL_BYTES = 20_000_000


def check_disk(var: Path) -> None:
    """Refuse to start where the data would not fit."""
    needed = LATER_START_BYTES if addresses.postgres_folder(var).exists() else FIRST_START_BYTES
    if (free := shutil.disk_usage(var).free) < needed:
        sizes = f"{_megabytes(needed)} are needed, {_megabytes(free)} are free"
        raise Problem(f"Too little room in {var}: {sizes}. Make room, or set VAR to a folder on another disk.")


def warn_of_disk(var: Path) -> str:
    """Return the line to say while there is little room, else nothing."""
    free = shutil.disk_usage(var).free
    if free < FULL_BYTES:
        return describe_full_disk(var)
    if free < LOW_BYTES:
        return f"The disk of VAR is nearly full: {_megabytes(free)} are free in {var}. Make room."
    return ""


def is_full(var: Path) -> bool:
    """Say whether the servers can no longer write."""
    return shutil.disk_usage(var).free < FULL_BYTES


def describe_full_disk(var: Path) -> str:
    """Say in one line that nothing more can be written."""
    return f"The disk of VAR is full: {_megabytes(shutil.disk_usage(var).free)} are free in {var}. Make room, or set VAR to another disk."


def _megabytes(size: int) -> str:
    return f"{size // 1_000_000} MB"
