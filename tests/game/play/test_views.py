import re
from collections import defaultdict
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from game.play.models import Card, Guess, Round, Tally
from game.pool.models import Category, Tweet

HTMX = {"HX-Request": "true"}


def token_in(response) -> str:
    found = re.search(r'action="/guess/([\w-]+)/"', response.content.decode())
    assert found, response.content.decode()
    return found[1]


def play(client: Client, category: Category) -> Round:
    """Play a whole round, guessing Human every time."""
    for _ in range(10):
        token = token_in(client.get(f"/play/{category.slug}/"))
        client.post(f"/guess/{token}/", {"verdict": "human"}, headers=HTMX)
    return Round.objects.get(cards__token=token)


def test_a_card_says_nothing_of_its_author(ada: Client, category: Category) -> None:
    page = ada.get(f"/play/{category.slug}/").content.decode()
    card = Card.objects.get(token=token_in(ada.get(f"/play/{category.slug}/")))
    assert card.tweet.text in page
    for secret in ("Ada Spade", "tiny", f'"{card.tweet_id}"', card.tweet.fingerprint.hex()):
        assert secret not in page


def test_before_the_guess_pages_of_both_kinds_are_the_same_but_for_text_and_token(ada: Client, category: Category) -> None:
    pages: dict[int, dict[str, str]] = defaultdict(dict)
    for _ in range(8 * 10):
        response = ada.get(f"/play/{category.slug}/", headers=HTMX)
        card = Card.objects.get(token=token_in(response))
        page = response.content.decode().replace(card.tweet.text, "").replace(card.token, "")
        page = re.sub(r'value="\w{64}"', "", page)  # the CSRF token, masked anew each time
        kind = card.tweet.author.kind
        assert pages[card.position].setdefault(kind, page) == page
        # Always right, so that the score is the same at the same position.
        ada.post(f"/guess/{card.token}/", {"verdict": kind}, headers=HTMX)
    both = [kinds for kinds in pages.values() if len(kinds) == 2]
    assert len(both) >= 5
    assert all(kinds["human"] == kinds["machine"] for kinds in both)


def test_reloading_shows_the_same_card(ada: Client, category: Category) -> None:
    assert token_in(ada.get(f"/play/{category.slug}/")) == token_in(ada.get(f"/play/{category.slug}/"))


def test_a_guess_by_htmx_is_answered_with_the_reveal(ada: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    response = ada.post(f"/guess/{token}/", {"verdict": "human"}, headers=HTMX)
    truth = Card.objects.get(token=token).tweet.author
    assert response.status_code == 200
    body = response.content.decode()
    assert body.lstrip().startswith('<section id="table"')
    assert ("Ada Spade" if truth.kind == "human" else "tiny") in body
    assert "7 likes" in body if truth.kind == "human" else "temperature 1.0" in body


def test_without_scripts_a_guess_leads_to_a_page_with_the_reveal(ada: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    response = ada.post(f"/guess/{token}/", {"verdict": "human"})
    assert (response.status_code, response["Location"]) == (302, f"/play/{category.slug}/?card={token}")
    page = ada.get(response["Location"]).content.decode()
    assert "<!doctype html>" in page
    assert "You said Human." in page


def test_a_card_without_a_guess_reveals_nothing_at_its_reveal_address(ada: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    response = ada.get(f"/play/{category.slug}/?card={token}")
    assert (response.status_code, response["Location"]) == (302, f"/play/{category.slug}/")


def test_a_retry_with_the_other_verdict_gets_the_first_answer(ada: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    answers = [ada.post(f"/guess/{token}/", {"verdict": verdict}, headers=HTMX).context["reveal"] for verdict in ("human", "machine")]
    assert answers[0] | {"first_verdict_kept": True} == answers[1]
    assert Guess.objects.get().verdict == "human"


def test_nobody_guesses_or_sees_the_card_of_somebody_else(ada: Client, mallory: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    mallory.get(f"/play/{category.slug}/")
    assert mallory.post(f"/guess/{token}/", {"verdict": "human"}).status_code == 404
    assert Client().post(f"/guess/{token}/", {"verdict": "human"}).status_code == 404
    ada.post(f"/guess/{token}/", {"verdict": "human"})
    assert mallory.get(f"/play/{category.slug}/?card={token}").status_code == 302
    assert Guess.objects.count() == 1


def test_a_forged_player_cookie_is_nobody(ada: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    player = Card.objects.get(token=token).player_id
    forger = Client()
    forger.cookies["player"] = str(player)
    assert forger.post(f"/guess/{token}/", {"verdict": "human"}).status_code == 404


def test_a_guess_needs_the_csrf_token(category: Category) -> None:
    client = Client(enforce_csrf_checks=True)
    token = token_in(client.get(f"/play/{category.slug}/"))
    assert client.post(f"/guess/{token}/", {"verdict": "human"}).status_code == 403
    assert not Guess.objects.exists()


@pytest.mark.parametrize("verdict", ["", "bird", "human\x00", "HUMAN"])
def test_an_unknown_verdict_is_refused_in_words(ada: Client, category: Category, verdict: str) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    response = ada.post(f"/guess/{token}/", {"verdict": verdict})
    assert (response.status_code, response.content) == (400, b"Say human or machine in `verdict`.")
    assert not Guess.objects.exists()


@pytest.mark.parametrize("token", ["nonsense", "a" * 500, "%00", "..%2f"])
def test_an_unknown_token_is_not_found(ada: Client, category: Category, token: str) -> None:
    ada.get(f"/play/{category.slug}/")
    assert ada.post(f"/guess/{token}/", {"verdict": "human"}).status_code == 404
    assert ada.get(f"/play/{category.slug}/?card={token}").status_code == 302


def test_a_round_ends_at_its_result_and_the_next_begins(ada: Client, category: Category) -> None:
    round_ = play(ada, category)
    page = ada.get(reverse("play:result", args=[round_.token])).content.decode()
    right = Guess.objects.filter(card__round=round_, right=True).count()
    assert f"{right} of 10" in page
    for guess in Guess.objects.filter(card__round=round_):
        assert (guess.card.tweet.text in page) is (not guess.right)
    assert Card.objects.get(token=token_in(ada.get(f"/play/{category.slug}/"))).round_id != round_.pk


def test_a_shared_result_shows_the_score_and_none_of_the_tweets(ada: Client, mallory: Client, category: Category) -> None:
    round_ = play(ada, category)
    page = mallory.get(reverse("play:result", args=[round_.token])).content.decode()
    assert round_.player.name in page
    for card in round_.cards.select_related("tweet"):
        assert card.tweet.text not in page


def test_an_unfinished_round_has_no_result_yet(ada: Client, mallory: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    result = reverse("play:result", args=[Round.objects.get(cards__token=token).token])
    assert ada.get(result)["Location"] == f"/play/{category.slug}/"
    assert mallory.get(result).status_code == 404


def test_a_category_with_too_few_tweets_says_so(ada: Client, fill: Callable[..., Category]) -> None:
    category = fill(human=60, machine=9)
    # Nine would do for almost every round, but dealing only those would bend the coin.
    assert {Client().get(f"/play/{category.slug}/").status_code for _ in range(5)} == {503}
    response = ada.get(f"/play/{category.slug}/")
    assert response["Retry-After"] == "30"
    assert "Not enough tweets to play yet." in response.content.decode()


def test_a_category_that_nobody_made_is_not_found(ada: Client, category: Category) -> None:
    for path in ("/play/nobody/", "/leaderboard/nobody/"):
        response = ada.get(path)
        assert response.status_code == 404
        assert "closed for now" not in response.content.decode()


def test_a_seen_out_pool_says_that_tweets_come_again(ada: Client, fill: Callable[..., Category]) -> None:
    category = fill(human=10, machine=10)
    for _ in range(3):
        play(ada, category)
    assert "Some come again." in ada.get(f"/play/{category.slug}/").content.decode()


def test_the_home_page_offers_what_can_be_played(ada: Client, fill: Callable[..., Category]) -> None:
    fill("gardeners")
    fill("painters", machine=2)
    page = ada.get("/").content.decode()
    assert 'href="/play/gardeners/"' in page
    assert 'href="/play/painters/"' not in page
    assert "Painters" in page


def test_the_home_page_without_categories_says_what_is_missing(ada: Client, db: None) -> None:
    assert "No decks yet" in ada.get("/").content.decode()


def test_a_guess_takes_the_same_few_queries_at_every_pool_size(fill: Callable[..., Category]) -> None:
    counts = []
    for size in (30, 300):
        category, client = fill(f"size-{size}", human=size, machine=size), Client()
        token = token_in(client.get(f"/play/{category.slug}/"))
        with CaptureQueriesContext(connection) as queries:
            client.post(f"/guess/{token}/", {"verdict": "human"}, headers=HTMX)
        counts.append(len(queries))
    assert counts == [3, 3]


def test_the_reveal_tells_what_everybody_said(fill: Callable[..., Category]) -> None:
    category, client = fill(human=10, machine=10), Client()
    token = token_in(client.get(f"/play/{category.slug}/"))
    Tally.objects.create(tweet=Card.objects.get(token=token).tweet, said_human=2, said_machine=1)
    page = client.post(f"/guess/{token}/", {"verdict": "human"}, headers=HTMX).content.decode()
    assert "said 4 players" in page
    assert "75% Human" in page


def test_text_is_escaped_wherever_it_shows(ada: Client, category: Category) -> None:
    Tweet.objects.update(text="<script>alert('hi')</script> is what the gardener posted today")
    token = token_in(ada.get(f"/play/{category.slug}/"))
    pages = [ada.get(f"/play/{category.slug}/"), ada.post(f"/guess/{token}/", {"verdict": "human"}, headers=HTMX)]
    for page in pages:
        assert "<script>alert" not in page.content.decode()


def test_too_many_rounds_from_one_address_are_told_to_wait(ada: Client, category: Category, settings) -> None:
    settings.RATE_START = "2/m"
    assert [Client().get(f"/play/{category.slug}/").status_code for _ in range(3)] == [200, 200, 429]
    response = ada.get(f"/play/{category.slug}/")
    assert 1 <= int(response["Retry-After"]) <= 60
    assert "Slow down" in response.content.decode()
    assert Round.objects.count() == 2


def test_a_round_once_begun_is_not_held_up_by_its_limit(ada: Client, category: Category, settings) -> None:
    settings.RATE_START = "1/m"
    play(ada, category)
    assert Guess.objects.count() == 10


def test_the_leaderboard_ranks_by_what_is_sure(ada: Client, mallory: Client, category: Category) -> None:
    play(ada, category)
    page = ada.get("/leaderboard/").content.decode()
    assert Round.objects.get().player.name in page
    assert page == page.replace('data-mine=""', "")
    assert 'data-mine=""' in Client().get("/leaderboard/").content.decode()
    assert Round.objects.get().player.name in mallory.get(f"/leaderboard/{category.slug}/").content.decode()
    assert str(Round.objects.get().player_id) not in page


def test_pages_of_the_game_are_never_cached(ada: Client, category: Category) -> None:
    for path in ("/", f"/play/{category.slug}/", "/leaderboard/"):
        assert "no-store" in ada.get(path)["Cache-Control"]


def test_every_page_forbids_inline_scripts(ada: Client, category: Category) -> None:
    for path in ("/", f"/play/{category.slug}/", "/leaderboard/", "/account/sign-in/", "/no-such-page"):
        policy = ada.get(path)["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_a_withdrawn_tweet_is_read_nowhere_any_more(ada: Client, category: Category) -> None:
    round_ = play(ada, category)
    cards = list(round_.cards.select_related("tweet"))
    Tweet.objects.update(status="withdrawn")
    pages = [ada.get(reverse("play:result", args=[round_.token])), ada.get(f"/play/{category.slug}/?card={cards[0].token}")]
    for page in pages:
        assert page.status_code == 200
        assert not [card for card in cards if card.tweet.text in page.content.decode()]
    assert "withdrawn" in pages[1].content.decode()


def test_a_reload_after_the_last_guess_still_leads_to_the_result(ada: Client, category: Category) -> None:
    for _ in range(10):
        token = token_in(ada.get(f"/play/{category.slug}/"))
        answer = ada.post(f"/guess/{token}/", {"verdict": "human"}, headers=HTMX)
    # Where htmx moves the browser's address, and so what a reload asks for.
    page = ada.get(answer["HX-Replace-Url"]).content.decode()
    assert f"/round/{Round.objects.get().token}/" in page
    assert Round.objects.count() == 1


def test_going_on_takes_the_reveal_out_of_the_address(ada: Client, category: Category) -> None:
    assert ada.get(f"/play/{category.slug}/", headers=HTMX)["HX-Replace-Url"] == f"/play/{category.slug}/"


def test_the_answer_to_another_verdict_says_that_the_first_counts(ada: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    contexts = [ada.post(f"/guess/{token}/", {"verdict": verdict}, headers=HTMX).context for verdict in ("human", "human", "machine")]
    assert [context["reveal"]["first_verdict_kept"] for context in contexts] == [False, False, True]


def test_somebody_signed_in_without_the_players_cookie_plays_as_themselves(category: Category, django_user_model) -> None:
    user = django_user_model.objects.create_user("newton")
    client = Client()
    client.force_login(user)
    client.get(f"/play/{category.slug}/")
    assert Round.objects.get().player.user == user
