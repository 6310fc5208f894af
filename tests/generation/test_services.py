"""Batches on a real PostgreSQL, with the shipped model: claimed once, written once, given up in the end."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models import Count
from django.db.models.functions import Now
from django.utils import timezone

from game.pool.models import Author, Category, Kind, Split, Status, Tweet
from game.pool.services import NewTweet, add_tweets, get_author
from generation import batches, services, versions, writing
from generation.backends.base import BackendError, Sample, UnusableModelError
from generation.batches import claim_batch, run_batch
from generation.claims import Claim, LostClaimError
from generation.folders import read_knowledge
from generation.models import Batch, ModelVersion
from generation.rules import Drop
from generation.services import keep_pool_ready
from generation.versions import register_model
from tests.generation.conftest import SHIPPED, copy_model
from tests.threads import at_once

NOW = timezone.now()
# Flattens every probability until no sample ends, past the model's last position.
HOPELESS = {"topk": 0, "topp": 1.0, "temperature": 5.0, "max_tokens": 1_000}


def expire(batch: Batch) -> None:
    Batch.objects.filter(pk=batch.pk).update(lease_until=Now() - timedelta(seconds=1))


def stand(batch: Batch) -> tuple[str, int, int]:
    batch.refresh_from_db()
    return batch.state, batch.tries, batch.kept


def test_a_batch_ends_with_the_tweets_it_was_asked_for(batch: Batch, model: ModelVersion) -> None:
    done = run_batch(batch_id=batch.pk, now=NOW)
    assert done is not None
    assert stand(done) == ("done", 1, 20)
    assert done.made == done.kept + sum(done.dropped.values())
    assert set(done.dropped) <= set(Drop)
    tweets = list(Tweet.objects.all())
    assert len(tweets) == 20
    for tweet in tweets:
        assert (tweet.author, tweet.category, tweet.kind) == (model.author, model.category, Kind.MACHINE)
        assert (tweet.status, tweet.split, tweet.posted_at) == (Status.APPROVED, Split.PLAY, NOW)
        sampling = {key: model.sampling[key] for key in ("temperature", "topk", "topp")}
        assert tweet.facts == {"model": "tiny", "version": 1, **sampling}


def test_a_batch_run_twice_writes_once(batch: Batch) -> None:
    run_batch(batch_id=batch.pk, now=NOW)
    before = list(Tweet.objects.order_by("pk").values_list("pk", "text"))
    assert run_batch(batch_id=batch.pk, now=NOW) is None
    assert list(Tweet.objects.order_by("pk").values_list("pk", "text")) == before
    assert stand(batch) == ("done", 1, 20)


@pytest.mark.django_db(transaction=True)
def test_of_many_claimers_at_once_one_wins(batch: Batch) -> None:
    won = at_once(8, lambda _: claim_batch(batch_id=batch.pk) is not None)
    assert sum(won) == 1
    assert stand(batch) == ("running", 1, 0)


def test_an_expired_lease_goes_to_another_and_the_first_writes_nothing(batch: Batch) -> None:
    first = claim_batch(batch_id=batch.pk)
    assert first is not None
    assert claim_batch(batch_id=batch.pk) is None
    expire(batch)
    assert keep_pool_ready(now=NOW)[0] == batch.pk
    run_batch(batch_id=batch.pk, now=NOW)
    with pytest.raises(LostClaimError), first:
        first.renew()
    with pytest.raises(LostClaimError), transaction.atomic(), first:
        first.finish(made=9, kept=9, dropped={})
    assert stand(batch) == ("done", 2, 20)
    assert Tweet.objects.count() == 20


def test_a_worker_that_was_only_slow_may_still_finish_first(batch: Batch) -> None:
    slow = claim_batch(batch_id=batch.pk)
    assert slow is not None
    expire(batch)
    keep_pool_ready(now=NOW)
    assert stand(batch) == ("pending", 1, 0)
    slow.renew()
    assert stand(batch) == ("running", 1, 0)
    assert claim_batch(batch_id=batch.pk) is None


def test_a_batch_that_dies_before_its_commit_leaves_no_tweet(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(claim: Claim, **result: object) -> None:
        assert Tweet.objects.count() == 20
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Claim, "finish", die)
        with pytest.raises(SystemExit):
            run_batch(batch_id=batch.pk, now=NOW)
    assert Tweet.objects.count() == 0
    # Its worker was told to stop, which is not its fault.
    assert stand(batch) == ("pending", 0, 0)
    assert keep_pool_ready(now=NOW)[0] == batch.pk
    run_batch(batch_id=batch.pk, now=NOW)
    assert stand(batch) == ("done", 1, 20)


def test_a_poisoned_batch_fails_after_three_tries_with_its_error(
    register: Callable[..., ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CHUNK", 4)
    batch = batches.create_batch(model_version=register(sampling=HOPELESS), wanted=2)
    for tries in (1, 2, 3):
        with pytest.raises(BackendError):
            run_batch(batch_id=batch.pk, now=NOW)
        assert stand(batch) == ("pending" if tries < 3 else "failed", tries, 0)
    assert batch.error == "BackendError: No position encodings are defined for positions >= 128, but got position 128"
    assert run_batch(batch_id=batch.pk, now=NOW) is None
    assert batch.pk not in keep_pool_ready(now=NOW)


def test_a_batch_that_kills_three_workers_fails_too(batch: Batch) -> None:
    for tries in (1, 2, 3):
        assert claim_batch(batch_id=batch.pk) is not None
        expire(batch)
        enqueued = keep_pool_ready(now=NOW)
        assert (batch.pk in enqueued) is (tries < 3)
    assert stand(batch) == ("failed", 3, 0)
    assert batch.error == services.GIVEN_UP


def test_an_error_that_another_try_cannot_mend_fails_the_batch_at_once(register: Callable[..., ModelVersion]) -> None:
    model = register(lambda folder: (folder / "model.bin").write_bytes(b"cut off"))
    batch = batches.create_batch(model_version=model, wanted=20)
    with pytest.raises(UnusableModelError, match=f"^{model.folder} holds no model that can be loaded on cpu"):
        run_batch(batch_id=batch.pk, now=NOW)
    assert stand(batch) == ("failed", 1, 0)
    assert batch.error.startswith(f"UnusableModelError: {model.folder} holds no model")


def test_a_failing_model_is_not_asked_again_and_again(register: Callable[..., ModelVersion], settings) -> None:
    settings.GENERATION_READY = 50
    model = register(lambda folder: (folder / "model.bin").write_bytes(b"cut off"))
    at = NOW
    for minutes in (1, 2, 4):
        (batch_id,) = keep_pool_ready(now=at)
        with pytest.raises(UnusableModelError):
            run_batch(batch_id=batch_id, now=at)
        Batch.objects.filter(pk=batch_id).update(finished_at=at)
        at += timedelta(minutes=minutes)
        assert keep_pool_ready(now=at - timedelta(seconds=1)) == []
    assert Batch.objects.filter(model_version=model, state="failed").count() == 3
    assert len(keep_pool_ready(now=at)) == 1


def test_the_plan_fills_every_active_category_and_asks_for_nothing_twice(model: ModelVersion, settings) -> None:
    settings.GENERATION_READY, settings.GENERATION_BATCH_SIZE = 60, 25
    Category.objects.create(slug="herons", name="No model writes for them")
    planned = keep_pool_ready(now=NOW)
    assert list(Batch.objects.filter(pk__in=planned).order_by("pk").values_list("wanted", flat=True)) == [25, 25, 10]
    assert keep_pool_ready(now=NOW) == []
    for batch_id in planned:
        run_batch(batch_id=batch_id, now=NOW)
    assert Tweet.objects.filter(kind=Kind.MACHINE).count() == 60
    assert keep_pool_ready(now=NOW) == []
    dealt = Tweet.objects.order_by("pk").values("pk")[:7]
    Tweet.objects.filter(pk__in=dealt).update(first_dealt_at=NOW)
    assert [Batch.objects.get(pk=pk).wanted for pk in keep_pool_ready(now=NOW)] == [7]


def test_where_moderators_look_at_everything_no_more_is_written_than_waits_for_them(model: ModelVersion, settings) -> None:
    settings.GENERATION_READY, settings.GENERATION_BATCH_SIZE = 30, 30
    Category.objects.filter(pk=model.category_id).update(approves_clean=False)
    for batch_id in keep_pool_ready(now=NOW):
        run_batch(batch_id=batch_id, now=NOW)
    assert dict(Tweet.objects.values_list("status").annotate(Count("pk"))) == {Status.PENDING: 30}
    assert keep_pool_ready(now=NOW) == []
    rejected = Tweet.objects.order_by("pk").values("pk")[:4]
    Tweet.objects.filter(pk__in=rejected).update(status=Status.REJECTED)
    assert [Batch.objects.get(pk=pk).wanted for pk in keep_pool_ready(now=NOW)] == [4]


def test_a_batch_whose_message_was_lost_is_enqueued_again(model: ModelVersion) -> None:
    planned = keep_pool_ready(now=NOW)
    for batch_id in planned:
        expire(Batch.objects.get(pk=batch_id))
    assert keep_pool_ready(now=NOW) == planned
    assert keep_pool_ready(now=NOW) == []


def test_what_redis_may_have_lost_is_enqueued_again_at_once(model: ModelVersion) -> None:
    planned = keep_pool_ready(now=NOW)
    claim = claim_batch(batch_id=planned[0])
    assert claim is not None
    assert keep_pool_ready(now=NOW, messages_may_be_lost=True) == planned[1:]
    assert stand(claim.job) == ("running", 1, 0)


def test_while_no_worker_is_there_messages_come_ever_more_seldom(batch: Batch, settings) -> None:
    for minutes, wait in ((1, 60), (5, 300), (30, 600), (600, 600)):
        Batch.objects.update(created_at=Now() - timedelta(minutes=minutes), lease_until=Now() - timedelta(seconds=1))
        assert keep_pool_ready(now=NOW)[0] == batch.pk
        batch.refresh_from_db()
        assert (batch.lease_until - timezone.now()).total_seconds() == pytest.approx(wait, abs=5)
        Batch.objects.exclude(pk=batch.pk).delete()


def test_a_category_that_is_played_is_filled_further_ahead_and_before_one_that_is_not(
    model: ModelVersion, category: Category, tmp_path: Path, settings
) -> None:
    settings.GENERATION_READY, settings.GENERATION_HOURS_AHEAD, settings.GENERATION_READY_AT_MOST = 10, 2.0, 25
    quiet = Category.objects.create(slug="owls", name="Owls")
    folder = copy_model(tmp_path / "owls", name="owls", category="owls")
    calm = versions.promote_model(model_version=register_model(category=quiet, folder=folder), by=None)
    for each, count in ((model, 20), (calm, 4)):
        tweets = [NewTweet(each.author, f"Bird {n} of {each.category} sat on the roof.") for n in range(count)]
        add_tweets(category=each.category, tweets=tweets, status=Status.APPROVED)
    dealt = Tweet.objects.filter(category=category).order_by("pk").values("pk")
    Tweet.objects.filter(pk__in=dealt[:9]).update(first_dealt_at=NOW - timedelta(minutes=1))
    planned = [Batch.objects.get(pk=pk) for pk in keep_pool_ready(now=NOW)]
    # Eleven are left of the one, of which nine an hour go; four of the other, of which none.
    assert [(each.model_version, each.wanted) for each in planned] == [(model, 7), (calm, 6)]
    Batch.objects.all().delete()
    Tweet.objects.filter(pk__in=dealt[:18]).update(first_dealt_at=NOW - timedelta(minutes=1))
    assert sorted(Batch.objects.get(pk=pk).wanted for pk in keep_pool_ready(now=NOW)) == [6, 23]
    Batch.objects.all().delete()
    Tweet.objects.filter(pk__in=dealt[:18]).update(first_dealt_at=NOW - timedelta(minutes=61))
    assert sorted(Batch.objects.get(pk=pk).wanted for pk in keep_pool_ready(now=NOW)) == [6, 8]


@pytest.mark.django_db(transaction=True)
def test_of_two_planners_at_once_one_plans(model: ModelVersion) -> None:
    with transaction.atomic():
        planned = keep_pool_ready(now=NOW)

        def plan_elsewhere() -> list[int]:
            try:
                return keep_pool_ready(now=NOW)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(plan_elsewhere).result() == []
    assert len(planned) == Batch.objects.count() > 0


def test_whoever_asks_twice_with_one_key_gets_one_batch(model: ModelVersion) -> None:
    first = batches.create_batch(model_version=model, wanted=20, key="monday")
    assert batches.create_batch(model_version=model, wanted=50, key="monday") == first
    assert batches.create_batch(model_version=model, wanted=20) != first
    assert Batch.objects.count() == 2


class Parrot:
    """A backend that always says the same few things."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def generate(self, *, count: int, sampling: object, prompt: str = "") -> list[Sample]:
        return [Sample(self.texts[i % len(self.texts)], True) for i in range(count)]

    def likelihoods(self, texts: Sequence[str], *, max_tokens: int) -> list[float]:
        return [-3.0] * len(texts)


def test_what_the_pool_or_the_batch_holds_already_is_a_duplicate(batch: Batch, category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    person = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    spoken = "We have to go home and see what they want to do."
    add_tweets(category=category, tweets=[NewTweet(person, spoken)], status=Status.APPROVED)
    knowledge = read_knowledge(SHIPPED)
    parrot = Parrot(spoken.upper(), "It is a great day for all of the people here!", "it is a great day, for all of the people here")
    monkeypatch.setattr(batches, "load_writer", lambda _: writing.Writer(parrot, knowledge))
    done = run_batch(batch_id=batch.pk, now=NOW)
    assert done is not None
    assert stand(done) == ("done", 1, 1)
    # It gives up at six samples a text, less than a chunk over.
    assert 360 <= done.made < 360 + writing.CHUNK
    assert done.dropped == {"duplicate": done.made - 1}
    assert Tweet.objects.get(kind=Kind.MACHINE).text == "It is a great day for all of the people here!"


def test_registering_a_version_again_changes_nothing(model: ModelVersion, category: Category) -> None:
    assert register_model(category=category, folder=model.folder) == model
    model.refresh_from_db()
    assert model.state == "active"
    assert (ModelVersion.objects.count(), Author.objects.count()) == (1, 1)


def test_a_new_version_takes_over_and_the_old_one_retires(model: ModelVersion, register: Callable[..., ModelVersion]) -> None:
    newer = register(version=2)
    model.refresh_from_db()
    assert (model.state, newer.state) == ("retired", "active")
    assert (newer.author.kind, newer.author.platform, newer.author.handle) == (Kind.MACHINE, "model", "tiny-v2")
    assert {batch.model_version for batch in Batch.objects.filter(pk__in=keep_pool_ready(now=NOW))} == {newer}


def test_a_shipped_model_is_registered_by_its_place_in_the_repository(db: None) -> None:
    category = Category.objects.create(slug="donald-trump", name="Donald Trump")
    (model,) = versions.register_starter_models()
    assert (model.category, model.path, model.folder) == (category, "generation/starter/donald-trump", SHIPPED)
    assert model.corpus_sha256 == json.loads((SHIPPED / "card.json").read_text())["corpus_sha256"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("card.json", None, "is missing: export the model again."),
        ("card.json", "{", "can't be used: Expecting property name"),
        ("card.json", '{"name": "tiny"}', "can't be used: lacks 'version'."),
    ],
)
def test_a_folder_without_a_card_is_refused(category: Category, tmp_path: Path, name: str, content: str | None, complaint: str) -> None:
    folder = copy_model(tmp_path / "model")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(UnusableModelError) as error:
        register_model(category=category, folder=folder)
    assert str(error.value).startswith(f"{folder / name} {complaint}")


def test_a_model_of_another_category_is_refused(category: Category) -> None:
    with pytest.raises(UnusableModelError, match="is a model of donald-trump, not of starlings"):
        register_model(category=category, folder=SHIPPED)


@pytest.mark.parametrize("name", ["words.bin", "runs.bin", "profile.json"])
def test_spoilt_knowledge_is_named(tmp_path: Path, name: str) -> None:
    folder = copy_model(tmp_path / "model")
    (folder / name).write_bytes(b"\xff\xff\xff\xff\x00")
    with pytest.raises(UnusableModelError, match=f"^{folder / name} can't be used: "):
        read_knowledge(folder)
