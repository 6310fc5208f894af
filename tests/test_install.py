"""requirements/install.sh where everything is installed already: nothing to do, but something to say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose .venv holds what `play` needs."""
    (tmp_path / "requirements").mkdir()
    for name in ("requirements.txt", *(f"requirements/{file.name}" for file in (ROOT / "requirements").iterdir())):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    stamp = subprocess.run(["cksum"], input=(ROOT / "requirements/play.txt").read_bytes(), capture_output=True, check=True).stdout
    (tmp_path / ".venv" / "play.stamp").write_bytes(stamp)
    return tmp_path


def install(clone: Path, wanted: str = "play", /, **changes: str) -> tuple[int, str]:
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHON", "VAR"}} | changes
    done = subprocess.run(["sh", "requirements/install.sh", wanted], cwd=clone, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


OURS = f"Python {sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize("changes", [{}, {"PYTHON": ""}, {"PYTHON": sys.executable}])
def test_nothing_is_said_where_the_interpreter_is_the_one_asked_for(clone: Path, changes: dict[str, str]) -> None:
    assert install(clone, **changes) == (0, "")


def test_another_version_than_that_of_the_environment_is_told_and_not_used(clone: Path) -> None:
    other = clone / "python3.99"
    other.write_text("#!/bin/sh\necho Python 3.99\n")
    other.chmod(0o755)
    line = f"PYTHON is {other} (Python 3.99), but .venv stays with {OURS}: delete .venv to have it made anew.\n"
    assert install(clone, PYTHON=str(other)) == (0, line)


def test_an_interpreter_that_does_not_run_is_told(clone: Path) -> None:
    line = f"PYTHON is /nowhere/python3 (which does not run), but .venv stays with {OURS}: delete .venv to have it made anew.\n"
    assert install(clone, PYTHON="/nowhere/python3") == (0, line)


def test_a_folder_of_data_that_is_a_file_is_told_by_name_before_anything_is_installed(clone: Path) -> None:
    (clone / ".venv" / "play.stamp").unlink()
    (clone / "file").touch()
    line = "VAR is 'file': nothing can be written there. Use a folder that you may write to.\n"
    assert install(clone, VAR="file") == (1, line)


def stamp(clone: Path, name: str, *requirements: str) -> None:
    """Mark the files as installed."""
    content = b"".join((clone / file).read_bytes() for file in requirements)
    done = subprocess.run(["cksum"], input=content, capture_output=True, check=True)
    (clone / ".venv" / f"{name}.stamp").write_bytes(done.stdout)


SETS = {
    "train": "Installing the packages to play and to train, torch included (minutes, once) …",
    "scrape": "Installing the packages to play and to scrape with twint (minutes, once) …",
}


@pytest.mark.parametrize("name", SETS)
def test_what_one_task_needs_is_installed_once_and_not_where_everything_is(clone: Path, name: str) -> None:
    stamp(clone, name, "requirements/play.txt", f"requirements/{name}.txt")
    assert install(clone, name) == (0, "")
    (clone / ".venv" / f"{name}.stamp").unlink()
    listed = [line.split()[1] for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith("-r ")]
    stamp(clone, "all", "requirements.txt", *listed)
    assert install(clone, name) == (0, "")
    # A package index that is none: it would have been asked.
    (clone / "requirements" / f"{name}.txt").write_text("torch==0\n")
    status, said = install(clone, name, PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0", VAR=str(clone / "var"))
    assert (status, said.splitlines()[0]) == (1, SETS[name])


def test_what_training_installed_is_not_what_scraping_needs(clone: Path) -> None:
    stamp(clone, "train", "requirements/play.txt", "requirements/train.txt")
    (clone / "requirements" / "scrape.txt").write_text("twint==0\n")
    status, said = install(clone, "scrape", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0", VAR=str(clone / "var"))
    assert (status, said.splitlines()[0]) == (1, SETS["scrape"])
    assert not (clone / ".venv" / "scrape.stamp").exists()
