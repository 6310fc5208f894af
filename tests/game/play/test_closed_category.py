"""What players find who were playing when a category was switched off."""

from collections.abc import Callable

from django.test import Client

from game.play.models import Guess, Round
from game.pool.models import Category
from tests.game.play.test_views import HTMX, token_in


def test_a_round_whose_category_is_switched_off_ends_on_a_page_that_says_what_is_kept(
    ada: Client, mallory: Client, fill: Callable[..., Category]
) -> None:
    fill("painters")
    category = fill("gardeners")
    ada.post(f"/guess/{token_in(ada.get('/play/gardeners/'))}/", {"verdict": "human"}, headers=HTMX)
    Category.objects.filter(pk=category.pk).update(active=False)
    # *Next*, which asks for a fragment, leads to the whole page.
    assert ada.get("/play/gardeners/", headers=HTMX)["HX-Redirect"] == "/play/gardeners/"
    round_ = Round.objects.get()
    right = Guess.objects.get().right
    for path in ("/play/gardeners/", "/leaderboard/gardeners/"):
        response = ada.get(path)
        page = response.content.decode()
        assert response.status_code == 404
        assert "This deck is closed for now." in page
        assert f"Your round and your score are kept: {int(right)} right of 1 so far." in page
        assert 'href="/play/painters/"' in page
        assert f'href="/round/{round_.token}/"' in page
        assert "are kept" not in mallory.get(path).content.decode()
    assert mallory.get(f"/round/{round_.token}/").status_code == 404
    so_far = ada.get(f"/round/{round_.token}/").content.decode()
    assert "Your round so far" in so_far
    # It can't be played on, and to others it is not there.
    assert 'href="/play/gardeners/"' not in so_far
    assert "Dare a friend" not in so_far


def test_the_guess_on_the_card_that_lay_there_when_the_category_was_switched_off_is_revealed(ada: Client, category: Category) -> None:
    token = token_in(ada.get(f"/play/{category.slug}/"))
    Category.objects.update(active=False)
    response = ada.post(f"/guess/{token}/", {"verdict": "human"}, follow=True)
    assert "You said Human." in response.content.decode()
    assert ada.get(f"/play/{category.slug}/").context["score"].guessed == 1


def test_next_leads_to_the_page_that_says_that_tweets_ran_out(ada: Client, fill: Callable[..., Category]) -> None:
    fill(human=60, machine=9)
    assert ada.get("/play/gardeners/", headers=HTMX)["HX-Redirect"] == "/play/gardeners/"
