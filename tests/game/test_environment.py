"""Settings from the environment: what makes no sense is refused by name, and what does is read as it is meant."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from game import environment as env

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("read", "value", "line"),
    [
        (lambda name: env.flag(name, False), "maybe", "X is 'maybe': use true or false."),
        (lambda name: env.whole(name, 5, minimum=1, maximum=9), "many", "X is 'many': use a whole number from 1 to 9."),
        (lambda name: env.whole(name, 5, minimum=1, maximum=9), "0", "X is '0': use a whole number from 1 to 9."),
        (lambda name: env.whole(name, 5, minimum=1, maximum=9), "10", "X is '10': use a whole number from 1 to 9."),
        (lambda name: env.whole(name, 5, minimum=1, maximum=9), "2.0", "X is '2.0': use a whole number from 1 to 9."),
        (lambda name: env.seconds(name, 5.0, maximum=60), "0", "X is '0': use a number above 0 and up to 60."),
        (lambda name: env.seconds(name, 5.0, maximum=60), "nan", "X is 'nan': use a number above 0 and up to 60."),
        (lambda name: env.seconds(name, 5.0, maximum=60), "soon", "X is 'soon': use a number above 0 and up to 60."),
        (lambda name: env.choice(name, "auto", "cpu", "cuda"), "tpu", "X is 'tpu': use auto, cpu or cuda."),
        (lambda name: env.device(name, "auto"), "cuda:", "X is 'cuda:': use auto, cpu, cuda, or one GPU of several, as in cuda:1."),
        (lambda name: env.device(name, "auto"), "gpu", "X is 'gpu': use auto, cpu, cuda, or one GPU of several, as in cuda:1."),
        (lambda name: env.choice(name, "drop", "strip"), "keep", "X is 'keep': use drop or strip."),
        (lambda name: env.level(name, "INFO"), "loud", "X is 'loud': use DEBUG, INFO, WARNING, ERROR or CRITICAL."),
        (env.origins, "play.example.org", "X is 'play.example.org': use a scheme and a host, as in https://play.example.org."),
        (env.origins, "https://a.example/path", "X is 'https://a.example/path': use a scheme and a host, as in https://play.example.org."),
        (lambda name: env.hosts(name, "localhost"), "https://a.example", "X is 'https://a.example': use names without scheme and port"),
        (lambda name: env.hosts(name, "localhost"), "a.example:8000", "X is 'a.example:8000': use names without scheme and port"),
        (lambda name: env.hosts(name, "localhost"), " , ", "X is '': use names without scheme and port"),
    ],
)
def test_a_bad_value_is_refused_by_name(monkeypatch, read: Callable[[str], object], value: str, line: str) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        read("X")
    assert str(refused.value).startswith(line)


@pytest.mark.parametrize("value", ["lots", "0/m", "00/m", "5", "5/", "/m", "-1/m", "5/0m", "5/w", "5/m and more", "1.5/s"])
def test_a_rate_that_django_ratelimit_would_choke_on_or_never_reach_is_refused(monkeypatch, value: str) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.rate("X", "40/s")
    assert str(refused.value) == f"X is {value!r}: use a count above 0, a slash, and s, m, h or d, as in 40/s."


@pytest.mark.parametrize("value", ["1/s", "120/m", "5/10m", "7/30", "1000/d"])
def test_a_rate_in_the_notation_is_kept(monkeypatch, value: str) -> None:
    monkeypatch.setenv("X", value)
    assert env.rate("X", "40/s") == value


@pytest.mark.parametrize(
    "value",
    [
        "mysql://me:hidden@db/game",
        "sqlite:///game",
        "postgresql://me:hidden@db",
        "postgresql://me:hid/den@db/game",
        "postgresql://me:hidden@db:port/game",
        "db.example",
    ],
)
def test_an_address_that_is_no_postgresql_is_refused_without_telling_its_password(monkeypatch, value: str) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.postgres("DATABASE_URL", "")
    assert str(refused.value).startswith("DATABASE_URL is no address of a PostgreSQL database: use postgresql://user:password@host/name")
    assert "hid" not in str(refused.value)


def test_an_address_of_a_postgresql_is_read(monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me:a%2Fb@db:5433/game?sslmode=require")
    assert env.postgres("DATABASE_URL", "") == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "game",
        "USER": "me",
        "PASSWORD": "a/b",
        "HOST": "db",
        "PORT": 5433,
        "OPTIONS": {"sslmode": "require"},
    }


@pytest.mark.parametrize(
    "value", ["http://cache", "cache:6379", "redis://", "unix://", "redis://:hidden@cache:port/0", "redis://cache?db=x"]
)
def test_an_address_that_is_no_redis_is_refused_without_telling_its_password(monkeypatch, value: str) -> None:
    monkeypatch.setenv("REDIS_URL", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.redis_address("REDIS_URL", "")
    assert str(refused.value) == "REDIS_URL is no address of a Redis: use redis://host:6379/0, rediss://… or unix:///path?db=0."


@pytest.mark.parametrize("value", ["redis://cache:6379/0", "rediss://:word@cache/1", "unix:///run/redis.sock?db=0"])
def test_an_address_of_a_redis_is_kept(monkeypatch, value: str) -> None:
    monkeypatch.setenv("REDIS_URL", value)
    assert env.redis_address("REDIS_URL", "") == value


@pytest.mark.parametrize(
    ("value", "meant"), [("TRUE", True), ("1", True), ("on", True), ("yes", True), ("False", False), ("0", False), ("", True)]
)
def test_a_flag_is_read_as_it_is_meant_and_empty_is_the_default(monkeypatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("X", value)
    assert env.flag("X", True) is meant


def test_lists_are_read_with_spaces_or_without(monkeypatch) -> None:
    monkeypatch.setenv("X", "a.example, .b.example,[::1]")
    assert env.hosts("X", "localhost") == ["a.example", ".b.example", "[::1]"]
    monkeypatch.setenv("X", "https://*.a.example , http://b:8000")
    assert env.origins("X") == ["https://*.a.example", "http://b:8000"]


def test_a_folder_that_is_a_file_is_refused_by_name(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAR", str(tmp_path / "file"))
    with pytest.raises(ImproperlyConfigured) as refused:
        env.folder("VAR", tmp_path)
    assert str(refused.value) == f"VAR is '{tmp_path / 'file'}', which is a file: use a folder."


def test_a_secret_that_cannot_be_kept_names_the_folder(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SECRET_KEY")
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured, match=f"^VAR is '{tmp_path}/file': Not a directory. Use a folder that you may write to.$"):
        env.secret("SECRET_KEY", kept_in=tmp_path / "file" / "secret-key")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "maybe"),
        ("HTTPS", "perhaps"),
        ("ALLOWED_HOSTS", ""),
        ("CSRF_TRUSTED_ORIGINS", "play.example.org"),
        ("TRUSTED_PROXIES", "-1"),
        ("DATABASE_URL", "mysql://db/game"),
        ("DB_POOL_SIZE", "1"),
        ("REDIS_URL", "memory://"),
        ("GENERATION_READY", "9"),
        ("GENERATION_BATCH_SIZE", "0"),
        ("GENERATION_LEASE_SECONDS", "1"),
        ("GENERATION_CHECK_SECONDS", "0"),
        ("GENERATION_DEVICE", "gpu"),
        ("GENERATION_DEVICE", "cuda:x"),
        ("GENERATION_HOURS_AHEAD", "0"),
        ("GENERATION_STOP_SECONDS", "never"),
        ("RATE_GENERATION", "some"),
        ("RATE_START", "0/m"),
        ("RATE_GUESS", "lots"),
        ("RATE_SIGN_IN", "10"),
        ("RATE_SIGN_UP", "10 a minute"),
        ("IMPORT_TRAILING_LINKS", "keep"),
        ("LOG_LEVEL", "loud"),
        ("VAR", __file__),
    ],
)
def test_manage_refuses_each_setting_in_one_line_that_names_it(name: str, value: str) -> None:
    done = subprocess.run([sys.executable, "manage.py", "check"], cwd=ROOT, env=os.environ | {name: value}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith(f"{name} is ")


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"TASK_SOFT_LIMIT_SECONDS": "300"}, "TASK_SOFT_LIMIT_SECONDS is '300': use less than TASK_LIMIT_SECONDS (300)."),
        ({"TASK_LIMIT_SECONDS": "240"}, "TASK_SOFT_LIMIT_SECONDS is '240': use less than TASK_LIMIT_SECONDS (240)."),
        ({"TASK_LIMIT_SECONDS": "600"}, "TASK_LIMIT_SECONDS is '600': use less than TASK_VISIBILITY_SECONDS (600)."),
        ({"TASK_VISIBILITY_SECONDS": "300"}, "TASK_LIMIT_SECONDS is '300': use less than TASK_VISIBILITY_SECONDS (300)."),
    ],
)
@pytest.mark.parametrize("command", [["manage.py", "check"], ["-m", "celery", "-A", "game", "worker"]], ids=["manage", "worker"])
def test_a_task_that_redis_would_hand_out_twice_is_refused_at_start(command: list[str], variables: dict[str, str], line: str) -> None:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode != 0
    assert line in done.stdout + done.stderr
