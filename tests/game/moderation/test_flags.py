import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from game.moderation import flags
from game.moderation.flags import flag_easy_tweets, flag_new_tweets, look_again
from game.moderation.models import Lease
from game.moderation.tasks import look_through_new_tweets
from game.play.models import Tally
from game.pool.models import Category, Kind, ModerationEvent, NearMarks, Status, Tweet, TweetFlag
from game.pool.services import NewTweet, add_tweets, erase_tweets, get_author, moderate_tweets
from generation.models import ModelVersion
from generation.rules import RUN_BYTES, WORD_BYTES, HashedSet, run_hashes
from tests.game.moderation.moderators import decide, log_of, moderator, take
from tests.threads import at_once

Waiting = Callable[..., list[Tweet]]
CLEAN = "The harbour lay quiet under a thin moon."
UNSAFE = "That is bullshit, said the owl."
PERSONAL = "Write to the owl at minerva@example.com if you dare."
LEARNED = "and then the whole village went down to the river to look for the mayor"


def flags_of(tweet: Tweet) -> dict[str, str]:
    """Return a tweet's flags, each with its detail."""
    return dict(TweetFlag.objects.filter(tweet=tweet).values_list("flag", "detail"))


def status_of(tweet: Tweet) -> str:
    return Tweet.objects.get(pk=tweet.pk).status


def set_rules(category: Category, **rules: object) -> None:
    Category.objects.filter(pk=category.pk).update(**rules)


def write_model(category: Category, folder: Path, name: str = "owls") -> ModelVersion:
    """Register a model that has learned LEARNED."""
    (folder / "words.bin").write_bytes(HashedSet.of([], WORD_BYTES).to_bytes())
    (folder / "runs.bin").write_bytes(HashedSet.of(run_hashes(LEARNED), RUN_BYTES).to_bytes())
    (folder / "profile.json").write_text(json.dumps({"bin": 20, "probabilities": [1.0]}))
    author = get_author(kind=Kind.MACHINE, platform="model", handle="machine-owl")
    state = ModelVersion.State.ACTIVE
    return ModelVersion.objects.create(
        author=author, category=category, name=name, version=1, path=str(folder), state=state, corpus_sha256=""
    )


def test_unsafe_words_and_personal_data_are_named(waiting: Waiting) -> None:
    clean, unsafe, personal = waiting(CLEAN, UNSAFE, PERSONAL)
    assert flag_new_tweets(limit=10) == 3
    assert [flags_of(tweet) for tweet in (clean, unsafe, personal)] == [{}, {"unsafe": "bullshit"}, {"personal": "e-mail address"}]


def test_the_later_of_two_that_are_alike_names_the_other(owls: Category, waiting: Waiting) -> None:
    [first] = waiting("The owl slept through the whole meeting on Monday.")
    [second] = waiting("The owl slept through the whole meeting on Tuesday.", kind=Kind.MACHINE)
    assert flag_new_tweets(limit=10) == 2
    assert flags_of(first) == {}
    flag = TweetFlag.objects.get(tweet=second)
    assert (flag.flag, flag.other, flag.detail[-7:]) == ("near", first, "% alike")
    geese = Category.objects.create(slug="geese", name="Geese", approves_clean=False)
    ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    add_tweets(category=geese, tweets=[NewTweet(ada, first.text)], status=Status.PENDING)
    flag_new_tweets(limit=10)
    assert TweetFlag.objects.count() == 1


def test_words_from_training_are_found_whoever_wrote_them(owls: Category, waiting: Waiting, tmp_path: Path) -> None:
    write_model(owls, tmp_path)
    [machine] = waiting(f"Yesterday it rained, {LEARNED}.", kind=Kind.MACHINE)
    [human] = waiting(f"It is Monday, {LEARNED}!")
    [trained] = waiting(f"Who knows why, {LEARNED}?")
    Tweet.objects.filter(pk=human.pk).update(split="play")
    # What models learn from is copied from nobody.
    Tweet.objects.filter(pk=trained.pk).update(split="train")
    flag_new_tweets(limit=10)
    run = "and then the whole village went down to"
    assert [flags_of(tweet).get("copied") for tweet in (machine, human, trained)] == [run, run, None]


def test_a_model_whose_folder_is_gone_is_no_hindrance(
    owls: Category, waiting: Waiting, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_model(owls, tmp_path)
    (tmp_path / "runs.bin").unlink()
    tweets = waiting(UNSAFE, LEARNED, kind=Kind.MACHINE)
    flag_new_tweets(limit=10)
    assert [flags_of(tweet) for tweet in tweets] == [{"unsafe": "bullshit"}, {}]
    assert "runs.bin is missing" in caplog.text


def test_each_is_looked_through_once_a_few_at_a_time(waiting: Waiting) -> None:
    waiting(count=5)
    assert [flag_new_tweets(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert NearMarks.objects.count() == 5


def test_the_clock_goes_on_until_its_second_is_over(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting(count=5)
    monkeypatch.setattr("game.moderation.tasks.CHUNK", 2)
    monkeypatch.setattr("game.moderation.tasks.SECONDS", 0.0)
    look_through_new_tweets()
    assert Tweet.objects.filter(checked_at=None).count() == 3
    monkeypatch.setattr("game.moderation.tasks.SECONDS", 60.0)
    look_through_new_tweets()
    assert not Tweet.objects.filter(checked_at=None).exists()


def test_a_category_rejects_by_the_flags_it_names(owls: Category, waiting: Waiting) -> None:
    set_rules(owls, rejects=["unsafe", "near"])
    unsafe, personal = waiting(UNSAFE, PERSONAL)
    played = waiting("What bullshit the heron talks, day and night!")[0]
    moderate_tweets(tweets=Q(pk=played.pk), by=None, after=Status.APPROVED)
    flag_new_tweets(limit=10)
    assert [status_of(tweet) for tweet in (unsafe, personal, played)] == ["rejected", "pending", "rejected"]
    assert log_of(unsafe) == [(None, "pending", "rejected", "flag: unsafe")]


def test_what_a_person_decided_no_rule_decides_anew(owls: Category, waiting: Waiting) -> None:
    set_rules(owls, rejects=["unsafe"], approves_clean=True)
    approved, flagged = waiting(UNSAFE, "What bullshit the heron talks, day and night!", kind=Kind.MACHINE)
    decide("ann", approved)
    decide("ann", flagged, "flag")
    flag_new_tweets(limit=10)
    assert [status_of(tweet) for tweet in (approved, flagged)] == ["approved", "pending"]
    assert "unsafe" in flags_of(approved)


def test_clean_machine_tweets_are_approved_by_themselves_where_a_category_says_so(owls: Category, waiting: Waiting) -> None:
    set_rules(owls, approves_clean=True)
    human, (clean, personal, prompted) = waiting(CLEAN)[0], waiting(LEARNED, PERSONAL, "Once upon a time an owl", kind=Kind.MACHINE)
    Tweet.objects.filter(pk=prompted.pk).update(facts={"prompt": "Once upon a time"})
    flag_new_tweets(limit=10)
    assert [status_of(tweet) for tweet in (human, clean, personal, prompted)] == ["pending", "approved", "pending", "pending"]
    assert log_of(clean) == [(None, "pending", "approved", "no flag")]


def test_a_machine_tweet_in_play_waits_once_it_has_a_flag(owls: Category, waiting: Waiting) -> None:
    set_rules(owls, approves_clean=True)
    clean, personal = waiting(CLEAN, PERSONAL, kind=Kind.MACHINE)
    Tweet.objects.update(status=Status.APPROVED)
    flag_new_tweets(limit=10)
    assert [status_of(tweet) for tweet in (clean, personal)] == ["approved", "pending"]
    assert log_of(personal) == [(None, "approved", "pending", "flag: personal")]


def test_changed_rules_are_applied_to_what_waits(owls: Category, waiting: Waiting) -> None:
    unsafe, clean = waiting(UNSAFE, CLEAN, kind=Kind.MACHINE)
    flag_new_tweets(limit=10)
    assert not ModerationEvent.objects.exists()
    set_rules(owls, rejects=["unsafe"], approves_clean=True)
    assert look_again(category=owls) == 2
    flag_new_tweets(limit=10)
    assert [status_of(tweet) for tweet in (unsafe, clean)] == ["rejected", "approved"]
    assert TweetFlag.objects.count() == 1


def test_nobody_is_given_what_was_not_looked_through(owls: Category, waiting: Waiting) -> None:
    set_rules(owls, rejects=["unsafe"])
    unsafe, personal, clean = waiting(UNSAFE, PERSONAL, CLEAN)
    assert take("ann", owls, count=2) == sorted([personal.pk, clean.pk])
    assert (status_of(unsafe), flags_of(personal)) == ("rejected", {"personal": "e-mail address"})


def test_of_many_that_rules_reject_somebody_who_waits_is_not_kept_waiting(owls: Category, waiting: Waiting) -> None:
    set_rules(owls, rejects=["unsafe"])
    tweets = waiting(*(f"{UNSAFE} {number}" for number in range(7)))
    assert take("ann", owls, count=1) == []
    assert [status_of(tweet) for tweet in tweets].count("rejected") == 5
    assert not Lease.objects.exists()


@pytest.mark.parametrize(("right", "wrong", "easy"), [(30, 0, True), (57, 3, True), (56, 4, False), (29, 0, False)])
@pytest.mark.parametrize("kind", Kind.values)
def test_too_easy_is_what_players_see_through(owls: Category, waiting: Waiting, kind: str, right: int, wrong: int, easy: bool) -> None:
    [tweet] = waiting(CLEAN, kind=Kind(kind))
    said = {"said_human": right, "said_machine": wrong} if kind == Kind.HUMAN else {"said_human": wrong, "said_machine": right}
    Tally.objects.create(tweet=tweet, **said)
    assert flag_easy_tweets() == int(easy)
    assert flags_of(tweet) == ({"easy": f"{right} of {right + wrong} were right"} if easy else {})
    assert flag_easy_tweets() == 0


def test_too_easy_takes_back_what_was_approved_before_anybody_could_know(owls: Category, waiting: Waiting) -> None:
    set_rules(owls, rejects=["easy"])
    early, late = waiting(CLEAN, "An owl in the barn counts its feathers.")
    decide("ann", early)
    for tweet in (early, late):
        Tally.objects.create(tweet=tweet, said_human=40)
    flag_easy_tweets()
    # Ann sees the flag, and approves it all the same.
    decide("ann", late)
    flag_new_tweets(limit=10)
    assert [status_of(tweet) for tweet in (early, late)] == ["rejected", "approved"]
    assert log_of(early)[-1] == (None, "approved", "rejected", "flag: easy")


def test_all_tallies_are_gone_through_piece_by_piece(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flags, "_TALLIES", 2)
    tweets = waiting(count=5)
    Tally.objects.bulk_create(Tally(tweet=tweet, said_human=40) for tweet in tweets)
    assert [flag_easy_tweets() for _ in range(4)] == [2, 2, 1, 0]
    waiting("An owl in the barn counts its feathers.")
    Tally.objects.create(tweet=Tweet.objects.latest("pk"), said_human=40)
    assert sum(flag_easy_tweets() for _ in range(3)) == 1


def test_erased_tweets_keep_no_flag_that_quotes_them(waiting: Waiting) -> None:
    erased, other = waiting(UNSAFE, PERSONAL)
    flag_new_tweets(limit=10)
    erase_tweets(tweets=Q(pk=erased.pk), by=None, reason="asked")
    Tweet.objects.update(checked_at=None)
    assert flag_new_tweets(limit=10) == 2
    assert (flags_of(erased), flags_of(other)) == ({}, {"personal": "e-mail address"})


@pytest.mark.parametrize("count", [2, 12])
def test_more_tweets_take_no_more_queries(owls: Category, waiting: Waiting, count: int) -> None:
    waiting(*(f"{number} {word} {word * 3} {word * 5}" for number, word in enumerate("abcdefghijkl"[:count])))
    with CaptureQueriesContext(connection) as queries:
        flag_new_tweets(limit=20)
    assert len(queries) == 13


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_flag_each_once() -> None:
    owls = Category.objects.create(slug="owls", name="Owls", rejects=["unsafe"])
    ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada")
    texts = [NewTweet(ada, f"{number} owls say bullshit, and {number * 7} herons nod") for number in range(60)]
    add_tweets(category=owls, tweets=texts, status=Status.PENDING)

    def work(_: int) -> None:
        while flag_new_tweets(limit=20):
            pass

    at_once(3, work)
    assert TweetFlag.objects.filter(flag="unsafe").count() == ModerationEvent.objects.count() == 60
    assert moderator("ann").pk not in ModerationEvent.objects.values_list("by", flat=True)
