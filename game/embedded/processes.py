"""Child processes that do not outlive the one that started them."""

import ctypes
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LOG_LIMIT = 5_000_000


class Problem(Exception):
    """What keeps a server from starting, in one line for the person at the terminal."""


def make_private(folder: Path, *, owner: int) -> None:
    """Make a folder that only `owner` can enter; refuse one that somebody else laid there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {owner, os.geteuid()}:
        raise Problem(f"{folder} belongs to somebody else: remove it, or set VAR to another folder.")
    if found.st_uid != owner:
        os.chown(folder, owner, -1)
    folder.chmod(0o700)


def die_with_parent(parent: int, signum: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send `signum` to this process when `parent` dies, be it by kill -9.

    Linux only; elsewhere nothing happens, and `end_orphan` cleans up at the next start.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)
    # The parent may have died before the line above.
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, its output appended to `log`.

    Call it from the main thread: the kernel ties the death signal to the thread that starts the child.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid(), death_signal),
        )


def stop(*processes: subprocess.Popen[bytes], signum: signal.Signals = signal.SIGTERM, grace: float = 10.0) -> None:
    """End spawned processes, all at once, and everything left in their sessions."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.send_signal(signum)
    deadline = time.monotonic() + grace
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for process in processes:
        # What a process left behind keeps its group alive, so the number is still ours.
        with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(process.pid, signal.SIGKILL)


def end_orphan(pid_file: Path, *, marker: str, signum: signal.Signals = signal.SIGINT, grace: float = 20.0) -> None:
    """End the server that a killed supervisor left behind, and forget its pid file.

    Only a process whose command line holds `marker` is touched: after a reboot the pid may be anybody's.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if marker in " ".join(process.cmdline()):
            process.send_signal(signum)
            try:
                process.wait(grace)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(grace)
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        pass
    pid_file.unlink(missing_ok=True)


def last_line(log: Path) -> str:
    """Return the last line of a log that says something, for a one-line error."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    return lines[-1] if lines else "it said nothing"
