"""Pages of challenges."""

import re
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from game.classroom.identity import COOKIE
from game.classroom.models import ClassSession
from game.classroom.rules import Action
from game.classroom.services import act
from game.play.models import Card, Round
from game.pool.models import Category, Status, Tweet
from tests.game.classroom.own_pace import dare, finish, page_of, play_round
from tests.people import client_of


def test_a_round_is_made_a_challenge_by_its_player_and_nobody_else(ada: Client, mallory: Client, category: Category) -> None:
    round_ = play_round(ada, category)
    mallory.get(f"/play/{category.slug}/")
    assert mallory.post("/challenge/new/", {"round": round_.token}).status_code == 404
    assert Client().post("/challenge/new/", {"round": round_.token}).status_code == 404
    assert ada.post("/challenge/new/", {"round": "nonsense"}).status_code == 404
    assert ClassSession.objects.count() == 0
    session = dare(ada, round_)
    assert dare(ada, round_) == session
    assert "Dare somebody with these cards" in ada.get(page_of(session)).content.decode()


def test_a_round_that_is_not_finished_makes_no_challenge(ada: Client, category: Category) -> None:
    ada.get(f"/play/{category.slug}/")
    assert ada.post("/challenge/new/", {"round": Round.objects.get().token}).status_code == 404


def test_a_round_whose_tweets_have_all_left_makes_no_challenge(ada: Client, category: Category) -> None:
    round_ = play_round(ada, category)
    Tweet.objects.update(status=Status.WITHDRAWN)
    response = ada.post("/challenge/new/", {"round": round_.token})
    assert response.status_code == 409
    assert "Its tweets have all left the game." in response.content.decode()


def test_looking_at_a_challenge_seats_nobody_and_one_press_does_once(ada: Client, mallory: Client, category: Category) -> None:
    session = dare(ada, play_round(ada, category))
    door = mallory.get(page_of(session))
    assert f'action="/class/{session.code}/pace/begin/"' in door.content.decode()
    assert COOKIE not in mallory.cookies
    assert session.seats.count() == 1
    for _ in range(2):
        assert mallory.post(f"/class/{session.code}/pace/begin/")["Location"] == page_of(session)
    assert session.seats.count() == 2
    assert "Card 1 of 10" in mallory.get(page_of(session)).content.decode()


def test_the_door_of_a_challenge_and_its_share_text_say_nothing_of_the_cards(ada: Client, mallory: Client, category: Category) -> None:
    session = dare(ada, play_round(ada, category))
    door = mallory.get(page_of(session)).content.decode()
    own = ada.get(page_of(session)).content.decode()
    shared = re.search(r'data-text="([^"]*)"', own)
    assert shared
    for card in session.cards.all():
        assert card.body not in door
        assert card.token not in door
    for sign in ("🐦", "🤖", "mark--", "stamp"):
        assert sign not in door + shared[1]


def test_a_challenge_is_played_by_anybody_and_compared(ada: Client, mallory: Client, category: Category) -> None:
    session = dare(ada, play_round(ada, category))
    maker = session.seats.get()
    mallory.post(f"/class/{session.code}/pace/begin/")
    page = finish(mallory, session, verdict="machine")
    assert page.count(f"{maker.name} said Human.") == 10
    assert page.count("You said Bot: ") == 10
    assert page.count("In all, 1 said Human, 1 Bot.") == 10
    assert len(re.findall(r'<td class="ranks__rate">\d+ of 10</td>', page)) == 2
    assert "Play on with new cards" in page


def test_players_come_to_a_challenge_under_their_own_name(ada: Client, mallory: Client, category: Category) -> None:
    session = dare(ada, play_round(ada, category))
    mallory.get(f"/play/{category.slug}/")
    name = Card.objects.exclude(player=session.player).select_related("player")[0].player.name
    mallory.post(f"/class/{session.code}/pace/begin/")
    assert session.seats.order_by("pk").values_list("name", flat=True)[1] == name


def test_a_challenge_that_is_over_lets_nobody_in(ada: Client, mallory: Client, category: Category) -> None:
    session = dare(ada, play_round(ada, category))
    act(session_id=session.pk, action=Action.END, version=session.version, now=timezone.now())
    response = mallory.post(f"/class/{session.code}/pace/begin/")
    assert response.status_code == 409
    assert "This challenge is over." in response.content.decode()
    assert session.seats.count() == 1


def test_a_teacher_makes_a_challenge_that_whoever_has_the_link_plays(mallory: Client, category: Category) -> None:
    teacher = client_of("teacher")
    form = {"mode": "challenge", "categories": [category.slug], "cards": 5, "show": "end", "keep_days": 90, "title": "Dare"}
    response = teacher.post("/class/new/", form)
    session = ClassSession.objects.get()
    assert response["Location"] == f"/class/{session.code}/host/"
    assert session.deadline is None
    # Challenges go after thirty days, whatever was chosen.
    assert session.delete_at - session.created_at < timedelta(days=30, minutes=1)
    assert f"http://testserver{page_of(session)}" in teacher.get(response["Location"]).content.decode()
    assert "The same cards for everybody." in mallory.get(page_of(session)).content.decode()
    mallory.post(f"/class/{session.code}/pace/begin/")
    assert "Card 1 of 5" in mallory.get(page_of(session)).content.decode()
