"""Model versions on a real PostgreSQL: registered, promoted, rolled back, retired; and found stale when data is withdrawn."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.rules import fingerprint
from game.pool.services import NewTweet, add_tweets, get_author, moderate_tweets
from generation import batches, versions
from generation.backends.base import UnusableModelError
from generation.batches import create_batch, run_batch
from generation.claims import LostClaimError
from generation.models import Batch, Corpus, CorpusEntry, ModelEvent, ModelVersion
from generation.rules import learned
from generation.services import keep_pool_ready
from generation.versions import (
    PromotionError,
    StaleModel,
    model_before,
    promote_model,
    register_model,
    retire_model,
    roll_back,
    stale_models,
)
from tests.generation.conftest import copy_model

NOW = timezone.now()
TEXTS = [f"The {bird} counted its eggs twice before breakfast." for bird in ("wren", "heron", "robin", "owl")]

Register = Callable[..., ModelVersion]


@pytest.fixture
def olga(db: None) -> User:
    return User.objects.create_user("olga")


def history(category: Category) -> list[tuple[str, int, str, str]]:
    """Return action, version, before, after of each event, the oldest first."""
    events = ModelEvent.objects.filter(model_version__category=category).order_by("pk")
    return list(events.values_list("action", "model_version__version", "before", "after"))


def states(category: Category) -> dict[int, str]:
    return dict(ModelVersion.objects.filter(category=category).values_list("version", "state"))


def test_a_registered_model_is_a_candidate_and_writes_nothing(category: Category, tmp_path: Path) -> None:
    model = register_model(category=category, folder=copy_model(tmp_path / "model"))
    assert (model.state, history(category)) == ("candidate", [])
    assert keep_pool_ready(now=NOW) == []


def test_a_promotion_is_written_down_on_both_sides(register: Register, category: Category, olga: User) -> None:
    first = register()
    second = register_model(category=category, folder=copy_model(first.folder.parent / "second", version=2))
    promote_model(model_version=second, by=olga, reason="reads better")
    assert states(category) == {1: "retired", 2: "active"}
    assert history(category) == [
        ("promotion", 1, "candidate", "active"),
        ("replacement", 1, "active", "retired"),
        ("promotion", 2, "candidate", "active"),
    ]
    last = ModelEvent.objects.first()
    assert last is not None
    assert (last.by, last.reason) == (olga, "reads better")


def test_rollbacks_go_back_one_model_after_the_other(register: Register, category: Category, olga: User) -> None:
    for version in (1, 2, 3):
        register(version=version)
    assert roll_back(category=category, by=olga).version == 2
    assert roll_back(category=category, by=olga).version == 1
    assert states(category) == {1: "active", 2: "retired", 3: "retired"}
    with pytest.raises(PromotionError, match=r"^starlings has no earlier model to go back to\.$"):
        roll_back(category=category, by=olga)
    assert history(category)[-1] == ("rollback", 1, "retired", "active")


def test_what_was_retired_by_hand_is_not_gone_back_to(register: Register, category: Category, olga: User) -> None:
    first, second = register(version=1), register(version=2)
    retire_model(model_version=second, by=olga, reason="rude")
    assert states(category) == {1: "retired", 2: "retired"}
    assert model_before(category=category) == first
    assert keep_pool_ready(now=NOW) == []
    with pytest.raises(PromotionError, match=r"^tiny v2 is retired already\.$"):
        retire_model(model_version=second, by=olga)
    assert roll_back(category=category, by=olga) == first


def test_a_model_whose_folder_is_gone_is_not_promoted(register: Register, category: Category) -> None:
    register()
    second = register_model(category=category, folder=copy_model(Path(ModelVersion.objects.get().path).parent / "b", version=2))
    (second.folder / "card.json").unlink()
    with pytest.raises(PromotionError, match=r"card\.json is missing: export the model again"):
        promote_model(model_version=second, by=None)
    assert states(category) == {1: "active", 2: "candidate"}


def test_a_model_whose_folder_holds_the_next_version_is_not_promoted(register: Register, category: Category) -> None:
    first, _ = register(version=1), register(version=2)
    path = first.folder / "card.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"version": 1', '"version": 3'), encoding="utf-8")
    with pytest.raises(PromotionError, match=r"holds tiny v3 by now, not tiny v1\.$"):
        promote_model(model_version=first, by=None)


def test_an_active_model_is_not_promoted_again(model: ModelVersion) -> None:
    with pytest.raises(PromotionError, match=r"^tiny v1 is active already\.$"):
        promote_model(model_version=model, by=None)
    assert ModelEvent.objects.count() == 1


@pytest.mark.parametrize("statement", ["UPDATE generation_modelevent SET reason = 'no'", "DELETE FROM generation_modelevent"])
def test_events_can_be_neither_changed_nor_removed(model: ModelVersion, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert ModelEvent.objects.filter(reason="").count() == 1


def test_batches_of_a_replaced_model_write_nothing(register: Register, category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    first = register()
    waiting, running = create_batch(model_version=first, wanted=5), create_batch(model_version=first, wanted=5)
    store = batches._store

    def promote_meanwhile(*args: object) -> None:
        register(version=2)
        store(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(batches, "_store", promote_meanwhile)
        with pytest.raises(LostClaimError):
            run_batch(batch_id=running.pk, now=NOW)
    assert run_batch(batch_id=waiting.pk, now=NOW) is None
    assert (Tweet.objects.count(), Batch.objects.count()) == (0, 0)


def test_a_batch_planned_while_its_model_was_replaced_is_forgotten(register: Register, category: Category) -> None:
    first = register()
    register(version=2)
    late = create_batch(model_version=first, wanted=5)
    assert run_batch(batch_id=late.pk, now=NOW) is None
    Batch.objects.update(lease_until=Now() - timedelta(seconds=1))
    planned = keep_pool_ready(now=NOW)
    assert late.pk not in planned
    assert {batch.model_version.version for batch in Batch.objects.all()} == {2}


def test_a_promoted_model_fills_the_pool_however_full_its_predecessor_left_it(register: Register, category: Category, settings) -> None:
    settings.GENERATION_READY = 20
    first = register()
    texts = [f"The starlings sang {count} songs about the cold river." for count in range(20)]
    add_tweets(category=category, tweets=[NewTweet(author=first.author, text=text) for text in texts], status=Status.APPROVED)
    assert keep_pool_ready(now=NOW) == []
    register(version=2)
    (planned,) = keep_pool_ready(now=NOW)
    batch = Batch.objects.get(pk=planned)
    assert (batch.model_version.version, batch.wanted) == (2, 20)


# --- stale models


@pytest.fixture
def pool(category: Category) -> Category:
    author = get_author(kind=Kind.HUMAN, platform="twitter", handle="nan")
    add_tweets(category=category, tweets=[NewTweet(author=author, text=text) for text in TEXTS], status=Status.APPROVED)
    return category


def teach(folder: Path, texts: list[str]) -> None:
    (folder / "learned.bin").write_bytes(learned(map(fingerprint, texts)).to_bytes())


def withdraw(text: str, by: User, after: str = Status.WITHDRAWN) -> None:
    moderate_tweets(tweets=Q(text=text), by=by, after=after)


def test_a_withdrawn_tweet_makes_the_models_stale_that_learned_it_and_an_undo_takes_that_back(
    pool: Category, register: Register, olga: User
) -> None:
    learner = register(lambda folder: teach(folder, TEXTS[:3]), version=1)
    register(lambda folder: teach(folder, TEXTS[3:]), version=2)
    assert stale_models() == []
    for text in TEXTS[1:3]:
        withdraw(text, olga)
    (stale,) = stale_models()
    assert (stale.model_version, stale.tweets, stale.authors) == (learner, 2, ("nan",))
    out = StringIO()
    call_command("stale_models", stdout=out)
    assert out.getvalue() == "starlings: tiny v1 (retired) learned from 2 withdrawn tweets by @nan\n"
    for text in TEXTS[1:3]:
        withdraw(text, olga, after=Status.APPROVED)
    assert stale_models() == []


def test_a_model_is_stale_too_if_only_its_base_learned_the_tweet(pool: Category, tmp_path: Path, olga: User) -> None:
    base = tmp_path / "base"
    base.mkdir()
    teach(base, TEXTS[2:])
    folder = copy_model(tmp_path / "model")
    teach(folder, TEXTS[:2])
    model = register_model(category=pool, folder=folder, base=base)
    assert {(corpus.name, corpus.tweets) for corpus in model.corpora.all()} == {("train split of starlings", 2), ("corpus of base", 2)}
    withdraw(TEXTS[3], olga)
    assert stale_models(among=[model]) == [StaleModel(model, tweets=1, through_base=1, authors=("nan",))]
    withdraw(TEXTS[0], olga)
    assert stale_models() == [StaleModel(model, tweets=2, through_base=1, authors=("nan",))]
    said = "starlings: tiny v1 (candidate) learned from 2 withdrawn tweets by @nan, 1 of them through its base\n"
    assert say("stale_models") == said


def test_a_machine_tweet_that_is_withdrawn_makes_nothing_stale(pool: Category, register: Register, olga: User) -> None:
    model = register(lambda folder: teach(folder, TEXTS))
    other = Category.objects.create(slug="owls", name="Owls")
    add_tweets(category=other, tweets=[NewTweet(author=model.author, text=TEXTS[0])], status=Status.APPROVED)
    moderate_tweets(tweets=Q(kind=Kind.MACHINE), by=olga, after=Status.WITHDRAWN)
    assert stale_models() == []


def test_equal_corpora_are_kept_once_however_many_tweets_they_hold(category: Category, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    many = learned(hashlib.blake2b(str(i).encode(), digest_size=16).digest() for i in range(114_000))
    (base / "learned.bin").write_bytes(many.to_bytes())
    for version in (1, 2):
        register_model(category=category, folder=copy_model(tmp_path / f"v{version}", version=version), base=base)
    own, corpus = Corpus.objects.order_by("tweets")
    assert (corpus.tweets, corpus.entries.count(), corpus.model_versions.count()) == (114_000, 114_000, 2)
    assert (own.entries.count(), own.model_versions.count()) == (own.tweets, 2)
    mark = int.from_bytes(hashlib.blake2b(b"7", digest_size=16).digest()[:8], "big", signed=True)
    assert CorpusEntry.objects.filter(mark=mark).count() == 1


def test_spoilt_marks_are_refused_and_nothing_is_registered(category: Category, tmp_path: Path) -> None:
    folder = copy_model(tmp_path / "model")
    (folder / "learned.bin").write_bytes(b"123")
    with pytest.raises(UnusableModelError, match=r"learned\.bin can't be used"):
        register_model(category=category, folder=folder)
    assert ModelVersion.objects.count() == 0


# --- the shipped models


def test_a_shipped_model_writes_at_once_but_does_not_oust_one_that_was_trained_here(
    category: Category, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "STARTER", tmp_path / "shipped")
    copy_model(tmp_path / "shipped" / "starlings")
    (shipped,) = versions.register_starter_models()
    assert shipped.state == "active"
    trained = register_model(category=category, folder=copy_model(tmp_path / "trained", name="mine"))
    promote_model(model_version=trained, by=None)
    card = tmp_path / "shipped" / "starlings" / "card.json"
    card.write_text(card.read_text().replace('"version": 1', '"version": 2'))
    (newer,) = versions.register_starter_models()
    assert (newer.version, newer.state) == (2, "candidate")
    assert versions.register_starter_models() == [newer]
    trained.refresh_from_db()
    assert trained.state == "active"


# --- commands


def say(command: str, *words: str) -> str:
    out = StringIO()
    call_command(command, *words, stdout=out)
    return out.getvalue()


def test_the_commands_promote_and_roll_back(register: Register, category: Category) -> None:
    first = register()
    register_model(category=category, folder=copy_model(first.folder.parent / "second", version=2))
    assert say("promote_model", "tiny") == "tiny v2 writes for starlings.\n"
    assert say("roll_back_model", "starlings") == "tiny v1 writes for starlings again.\n"
    assert say("promote_model", "tiny", "2") == "tiny v2 writes for starlings.\n"
    assert say("stale_models") == "No model learned from a tweet that is withdrawn.\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("promote_model", "huge"), "No such model. There are: tiny v1."),
        (("promote_model", "tiny", "7"), "No such model. There are: tiny v1."),
        (("promote_model", "tiny"), "tiny v1 is active already."),
        (("roll_back_model", "starlings"), "starlings has no earlier model to go back to."),
        (("roll_back_model", "ostriches"), "No category 'ostriches'."),
    ],
)
def test_what_a_command_cannot_do_it_says_in_one_line(model: ModelVersion, words: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(CommandError) as error:
        say(*words)
    assert str(error.value) == complaint
