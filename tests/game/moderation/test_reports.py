"""What players report: after the reveal, once each, and three take a tweet out of play until somebody looks."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from game.accounts.models import Player
from game.accounts.services import attach_player, create_guest
from game.moderation.flags import look_through
from game.moderation.models import TweetReport
from game.moderation.reports import report_tweet
from game.play.models import Card, Guess, Round, Standing
from game.pool.models import Category, ModerationEvent, Status, Tweet, TweetFlag
from tests.game.moderation.moderators import decide, moderator

NOW = timezone.now()


@pytest.fixture
def tweet(category: Category) -> Tweet:
    found = Tweet.objects.filter(category=category, kind="human").first()
    assert found
    return found


def card_of(tweet: Tweet, guesses: int = 10, player: Player | None = None) -> Card:
    """Return a guessed card of a player who has made so many guesses."""
    player = player or create_guest()
    Standing.objects.get_or_create(player=player, category=None, defaults={"guesses": guesses, "right": 0})
    round_ = Round.objects.create(player=player, category=tweet.category, finished_at=NOW)
    card = Card.objects.create(round=round_, player=player, tweet=tweet, position=1, shown_at=NOW)
    Guess.objects.create(card=card, verdict="human", right=True, elapsed=timedelta(seconds=1))
    return card


def report(tweet: Tweet, count: int, guesses: int = 10) -> None:
    for _ in range(count):
        report_tweet(card=card_of(tweet, guesses), reason="cruel", now=timezone.now())
    tweet.refresh_from_db()


def test_two_reports_only_wait_and_the_third_takes_it_out_of_play(tweet: Tweet) -> None:
    report(tweet, 2)
    assert (tweet.status, TweetFlag.objects.count()) == ("approved", 0)
    report(tweet, 1)
    assert tweet.status == "pending"
    assert TweetFlag.objects.values_list("flag", "detail").get() == ("reported", "3 players: cruel")
    assert ModerationEvent.objects.values_list("by", "before", "after", "reason").get() == (
        None,
        "approved",
        "pending",
        "reported by 3 players",
    )


def test_one_player_counts_once_however_often_they_report(tweet: Tweet) -> None:
    player = create_guest()
    answers = [report_tweet(card=card_of(tweet, player=player), reason="cruel", now=NOW) for _ in range(4)]
    assert (answers, TweetReport.objects.count()) == ([True, False, False, False], 1)


def test_players_who_have_hardly_played_are_heard_and_do_not_count(tweet: Tweet) -> None:
    report(tweet, 5, guesses=9)
    assert (tweet.status, TweetReport.objects.count()) == ("approved", 5)


def test_what_a_moderator_has_restored_the_same_reports_do_not_take_out_again(tweet: Tweet) -> None:
    report(tweet, 3)
    decide("mo", tweet, "approve", now=timezone.now())
    report(tweet, 1)
    assert (tweet.status, TweetReport.objects.filter(settled=True).count()) == ("approved", 3)
    report(tweet, 2)
    assert tweet.status == "pending"
    assert TweetFlag.objects.get().detail == "3 players: cruel"


def test_a_category_may_reject_what_is_reported_by_itself(tweet: Tweet) -> None:
    Category.objects.update(rejects=["reported"])
    report(tweet, 3)
    look_through([tweet.pk])
    tweet.refresh_from_db()
    assert tweet.status == "rejected"


def test_reports_on_what_is_not_in_play_change_nothing(tweet: Tweet) -> None:
    Tweet.objects.filter(pk=tweet.pk).update(status=Status.REJECTED)
    report(tweet, 3)
    assert (tweet.status, ModerationEvent.objects.count()) == ("rejected", 0)


def test_reports_of_a_guest_go_with_them_when_they_sign_in(tweet: Tweet) -> None:
    user = moderator("ada")
    player = attach_player(user=user, guest_id=None)
    guest = create_guest()
    report_tweet(card=card_of(tweet, player=guest), reason="cruel", now=NOW)
    Standing.objects.all().delete()
    attach_player(user=user, guest_id=guest.pk)
    assert list(TweetReport.objects.values_list("player", flat=True)) == [player.pk]


@pytest.fixture
def token(category: Category, ada: Client) -> str:
    """Return the token of the card that lies before Ada."""
    found: str = ada.get(f"/play/{category.slug}/").context["card"]["token"]
    return found


def test_before_the_guess_there_is_nothing_to_report_and_nothing_told(token: str, ada: Client) -> None:
    assert [ada.get(f"/report/{token}/").status_code, ada.post(f"/report/{token}/", {"reason": "cruel"}).status_code] == [404, 404]
    assert TweetReport.objects.count() == 0


def test_after_the_guess_the_reveal_leads_there_and_it_works_without_scripts(token: str, ada: Client) -> None:
    reveal = ada.post(f"/guess/{token}/", {"verdict": "human"}, follow=True)
    assert f'href="/report/{token}/"' in reveal.content.decode()
    assert ada.get(f"/report/{token}/").status_code == 200
    answer = ada.post(f"/report/{token}/", {"reason": "private"})
    assert "A moderator will look at it." in answer.content.decode()
    assert TweetReport.objects.values_list("reason", flat=True).get() == "private"
    assert "Once is enough" in ada.post(f"/report/{token}/", {"reason": "cruel"}).content.decode()


def test_nobody_reports_the_card_of_somebody_else(token: str, ada: Client, mallory: Client) -> None:
    ada.post(f"/guess/{token}/", {"verdict": "human"})
    mallory.get("/play/gardeners/")
    assert mallory.post(f"/report/{token}/", {"reason": "cruel"}).status_code == 404


@pytest.mark.parametrize("reason", ["", "nonsense"])
def test_a_report_needs_one_of_the_reasons(reason: str, token: str, ada: Client) -> None:
    ada.post(f"/guess/{token}/", {"verdict": "human"})
    assert (ada.post(f"/report/{token}/", {"reason": reason}).status_code, TweetReport.objects.count()) == (422, 0)


def test_who_reports_too_often_is_told_to_wait(token: str, ada: Client, settings: pytest.FixtureRequest) -> None:
    settings.RATE_REPORT = "1/h"  # type: ignore[attr-defined]
    ada.post(f"/guess/{token}/", {"verdict": "human"})
    assert [ada.post(f"/report/{token}/", {"reason": "cruel"}).status_code for _ in range(2)] == [200, 429]


def test_a_player_of_the_result_can_report_what_fooled_them(category: Category, ada: Client) -> None:
    for _ in range(10):
        page = ada.get(f"/play/{category.slug}/")
        found = page.context["card"]["token"]
        kind = Card.objects.get(token=found).tweet.kind
        ada.post(f"/guess/{found}/", {"verdict": "human" if kind == "machine" else "machine"})
    result = ada.get(f"/round/{Round.objects.get().token}/").content.decode()
    assert all(f'href="/report/{each}/"' in result for each in Card.objects.values_list("token", flat=True))
