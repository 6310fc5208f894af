"""What the steps share: whole files or none, and one line for a person when something is wrong."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.steps.recipe import Recipe, StepError, load_recipe


def run_step(step: Callable[[Recipe], None]) -> None:
    """Run a step on the recipe named on the command line; exit 1 with one line if it can't be done."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m training.steps.{step.__name__} RECIPE.toml")
    try:
        step(load_recipe(Path(sys.argv[1])))
    except (StepError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted")


def read_texts(path: Path) -> list[str]:
    """Read the texts of a file of JSON lines."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def write_texts(path: Path, texts: list[str]) -> None:
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise StepError(f"{path}: {error}") from error


def write_json(path: Path, value: Any) -> None:
    with written_aside(path) as aside:
        aside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path to write a file or a folder to, which takes the place of `path` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    _remove(aside)  # of a run that was killed
    try:
        yield aside
        if path.is_dir():
            _remove(path)
        aside.replace(path)
    finally:
        _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
