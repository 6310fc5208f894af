"""Pages of homework and challenges."""

import re
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from game.classroom.identity import COOKIE, read_seats
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.rules import Action
from game.classroom.services import act, kick
from game.play.models import Card, Round
from game.pool.models import Category, Status, Tweet
from tests.game.classroom.classes import hold_class
from tests.people import client_of

HTMX = {"HX-Request": "true"}
WEEK = timedelta(days=7)


def homework(category: Category, **chosen: Any) -> ClassSession:
    now = timezone.now()
    return hold_class([category], now=now, mode="homework", card_time=None, **{"deadline": now + WEEK, **chosen})


def sit(client: Client, session: ClassSession) -> Seat:
    """Join as a student does."""
    client.post(f"/join/{session.code}/", {"offered": "yes"})
    return Seat.objects.get(token=read_seats({COOKIE: client.cookies[COOKIE].value})[session.code])


def page_of(session: ClassSession) -> str:
    return f"/class/{session.code}/"


def token_in(response: Any) -> str:
    found = re.search(r'action="/class/\w+/pace/([\w-]{22})/"', response.content.decode())
    assert found, response.content.decode()
    return found[1]


def answer(client: Client, session: ClassSession, verdict: str = "human", **headers: Any) -> Any:
    """Answer the card on the table."""
    token = token_in(client.get(page_of(session)))
    return client.post(f"/class/{session.code}/pace/{token}/", {"verdict": verdict}, **headers)


def finish(client: Client, session: ClassSession, verdict: str = "human") -> str:
    """Answer every card, and return the result page."""
    while (response := client.get(page_of(session))) and 'class="answers"' in response.content.decode():
        answer(client, session, verdict)
    return str(response.content.decode())


def play_round(client: Client, category: Category) -> Round:
    """Play a whole round, guessing Human throughout."""
    for _ in range(10):
        found = re.search(r'action="/guess/([\w-]+)/"', client.get(f"/play/{category.slug}/").content.decode())
        assert found
        client.post(f"/guess/{found[1]}/", {"verdict": "human"}, headers=HTMX)
    return Round.objects.get(cards__token=found[1])


def dare(client: Client, round_: Round) -> ClassSession:
    """Make a challenge of a round."""
    response = client.post("/challenge/new/", {"round": round_.token})
    assert response.status_code == 302
    return ClassSession.objects.get(code=response["Location"].split("/")[2])


def withdraw(token: str) -> None:
    Tweet.objects.filter(pk=ClassCard.objects.get(token=token).tweet_id).update(status=Status.WITHDRAWN)


def test_a_card_is_shown_with_its_place_the_date_and_the_students_own_code(ada: Client, category: Category) -> None:
    session = homework(category)
    seat = sit(ada, session)
    page = ada.get(page_of(session)).content.decode()
    card = ClassCard.objects.get(token=token_in(ada.get(page_of(session))))
    assert card.body in page
    assert "Card 1 of 4" in page
    assert seat.code in page
    assert session.deadline
    assert f'datetime="{session.deadline.isoformat()}"' in page


def test_a_card_says_nothing_of_its_author_before_the_answer(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    response = ada.get(page_of(session))
    card = ClassCard.objects.select_related("tweet").get(token=token_in(response))
    assert card.tweet
    sent = response.content.decode() + str(response.headers)
    for secret in ("Ada Spade", "tiny", f'"{card.tweet_id}"', card.tweet.fingerprint.hex()):
        assert secret not in sent


def test_before_the_answer_pages_of_both_kinds_are_the_same_but_for_text_and_token(category: Category) -> None:
    pages: dict[int, dict[str, str]] = defaultdict(dict)
    for seed in (1, 2):
        session, client = homework(category, cards=20, seed=seed), Client()
        seat = sit(client, session)
        for position in range(1, 21):
            response = client.get(page_of(session), headers=HTMX)
            card = ClassCard.objects.select_related("tweet__author").get(token=token_in(response))
            page = response.content.decode().replace(card.body, "").replace(card.token, "")
            for own in (session.code, seat.code, seat.name):
                page = page.replace(own, "")
            page = re.sub(r'value="\w{64}"|<time.*?</time>', "", page)
            assert pages[position].setdefault(card.kind, page) == page
            client.post(f"/class/{session.code}/pace/{card.token}/", {"verdict": card.kind}, headers=HTMX)
    both = [kinds for kinds in pages.values() if len(kinds) == 2]
    assert len(both) >= 5
    assert all(kinds["human"] == kinds["machine"] for kinds in both)


def test_an_answer_by_htmx_is_answered_with_the_reveal(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    response = answer(ada, session, headers=HTMX)
    card = ClassCard.objects.get(position=1)
    body = response.content.decode()
    assert body.lstrip().startswith('<section id="table"')
    assert ("Ada Spade" if card.kind == "human" else "tiny") in body
    assert f"It was a {'person' if card.kind == 'human' else 'bot'}." in body
    assert response["HX-Replace-Url"] == f"{page_of(session)}?card={card.token}"
    assert "/report/" not in body


def test_without_scripts_an_answer_leads_to_a_page_with_the_reveal(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    response = answer(ada, session)
    token = ClassCard.objects.get(position=1).token
    assert (response.status_code, response["Location"]) == (302, f"{page_of(session)}?card={token}")
    page = ada.get(response["Location"]).content.decode()
    assert "<!doctype html>" in page
    assert "You said Human." in page
    assert "Card 1 of 4" in page


def test_an_answer_given_again_gets_the_first_one_back(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    answer(ada, session)
    token = ClassCard.objects.get(position=1).token
    again = ada.post(f"/class/{session.code}/pace/{token}/", {"verdict": "machine"}, headers=HTMX).content.decode()
    assert "You said Human." in again
    assert "Your first answer counted." in again
    assert [each.verdict for each in Answer.objects.all()] == ["human"]


def test_a_card_without_an_answer_reveals_nothing_at_its_reveal_address(ada: Client, mallory: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    sit(mallory, session)
    answer(mallory, session)
    page = ada.get(f"{page_of(session)}?card={ClassCard.objects.get(position=1).token}").content.decode()
    assert 'class="answers"' in page
    assert "You said" not in page


def test_on_another_device_one_is_where_one_was(ada: Client, category: Category) -> None:
    session = homework(category)
    seat = sit(ada, session)
    answer(ada, session)
    token = token_in(ada.get(page_of(session)))
    phone = Client()
    phone.post(f"/join/{session.code}/", {"seat_code": seat.code})
    response = phone.get(page_of(session))
    assert token_in(response) == token
    assert "Card 2 of 4" in response.content.decode()


def test_what_is_no_verdict_is_refused(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    assert answer(ada, session, verdict="owl").status_code == 400
    assert Answer.objects.count() == 0


def test_nobody_answers_for_another_seat(ada: Client, mallory: Client, category: Category) -> None:
    session, other = homework(category), homework(category, seed=2)
    sit(ada, session)
    token = token_in(ada.get(page_of(session)))
    assert mallory.post(f"/class/{session.code}/pace/{token}/", {"verdict": "human"}).status_code == 404
    # A seat elsewhere is none here, and a forged cookie is none at all.
    sit(mallory, other)
    assert mallory.post(f"/class/{session.code}/pace/{token}/", {"verdict": "human"}).status_code == 404
    mallory.post(f"/class/{other.code}/pace/{token}/", {"verdict": "human"})
    mallory.cookies[COOKIE] = f"{session.code}:{Seat.objects.get(session=session).token}"
    assert mallory.post(f"/class/{session.code}/pace/{token}/", {"verdict": "human"}).status_code == 404
    assert Answer.objects.count() == 0


def test_who_was_sent_out_is_refused(ada: Client, category: Category) -> None:
    session = homework(category)
    seat = sit(ada, session)
    token = token_in(ada.get(page_of(session)))
    kick(seat=seat, now=timezone.now())
    assert ada.get(page_of(session)).status_code == 403
    assert ada.post(f"/class/{session.code}/pace/{token}/", {"verdict": "human"}).status_code == 404
    assert Answer.objects.count() == 0


def test_answers_need_the_token_against_forgery(category: Category) -> None:
    session, client = homework(category), Client(enforce_csrf_checks=True)
    assert client.post(f"/class/{session.code}/pace/{'a' * 22}/", {"verdict": "human"}).status_code == 403


def test_a_live_class_is_not_answered_here(ada: Client, category: Category) -> None:
    session = hold_class([category], now=timezone.now())
    sit(ada, session)
    assert ada.post(f"/class/{session.code}/pace/{'a' * 22}/", {"verdict": "human"}).status_code == 404


def test_a_tweet_that_has_just_left_the_game_gives_way_to_the_next_one(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    token = token_in(ada.get(page_of(session)))
    withdraw(token)
    gone = ada.post(f"/class/{session.code}/pace/{token}/", {"verdict": "human"}, headers=HTMX)
    assert "has just left the game" in gone.content.decode()
    assert "Card 1 of 3" in gone.content.decode()
    assert token_in(gone) == ClassCard.objects.get(position=2).token
    plain = ada.post(f"/class/{session.code}/pace/{token}/", {"verdict": "human"})
    assert plain["Location"] == f"{page_of(session)}?gone"
    assert "has just left the game" in ada.get(plain["Location"]).content.decode()
    assert Answer.objects.count() == 0


def test_a_tweet_withdrawn_after_the_answer_is_not_shown_on_any_page(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    card = ClassCard.objects.get(session=session, position=1)
    text = card.body
    answer(ada, session, verdict="human" if card.kind == "machine" else "machine")
    withdraw(card.token)
    reveal = ada.get(f"{page_of(session)}?card={card.token}").content.decode()
    result = finish(ada, session)
    assert text not in reveal + result
    assert "This tweet has been withdrawn." in reveal
    assert "This tweet has been withdrawn." in result


def test_the_result_tells_what_fooled_one_and_how_all_stand(ada: Client, mallory: Client, category: Category) -> None:
    session = homework(category)
    mine, other = sit(ada, session), sit(mallory, session)
    answer(mallory, session)
    page = finish(ada, session)
    kinds = [card.kind for card in session.cards.all()]
    right = kinds.count("human")
    assert f'<strong>{right}</strong><span class="result__of"> of 4</span>' in page
    assert page.count("fooled__card") == 4 - right
    assert re.findall(r"mark mark--(\w+)", page) == kinds
    assert re.findall(r'ranks__name"><span dir="auto">([^<]+)', page) == [mine.name, other.name]
    assert f'<td class="ranks__rate">{right} of 4</td>' in page


@pytest.mark.parametrize(("show", "are_shown"), [("each", True), ("end", True), ("never", False)])
def test_standings_are_shown_as_the_teacher_says(ada: Client, category: Category, show: str, are_shown: bool) -> None:
    session = homework(category, show=show)
    sit(ada, session)
    assert "Standings" not in ada.get(page_of(session)).content.decode()
    assert ("Standings" in finish(ada, session)) == are_shown


def test_after_the_date_one_sees_what_one_did_and_no_more_cards(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    answer(ada, session)
    token = token_in(ada.get(page_of(session)))
    ClassSession.objects.update(deadline=timezone.now() - timedelta(minutes=1))
    late = ada.post(f"/class/{session.code}/pace/{token}/", {"verdict": "human"})
    assert late["Location"] == f"{page_of(session)}?late"
    page = ada.get(late["Location"]).content.decode()
    assert "Your last answer came after the end, and does not count." in page
    assert "Closed since" in page
    assert "You did not come to 3 more cards." in page
    assert 'class="answers"' not in page
    assert ClassSession.objects.get().phase == "podium"
    by_htmx = ada.post(f"/class/{session.code}/pace/{token}/", {"verdict": "human"}, headers=HTMX)
    assert by_htmx["HX-Redirect"] == f"{page_of(session)}?late"
    assert Answer.objects.count() == 1


def test_who_answered_nothing_before_the_date_is_told_so(ada: Client, category: Category) -> None:
    session = homework(category)
    sit(ada, session)
    act(session_id=session.pk, action=Action.END, version=session.version, now=timezone.now())
    assert "You judged no card." in ada.get(page_of(session)).content.decode()


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


def test_homework_is_not_begun_without_its_door(ada: Client, category: Category) -> None:
    session = homework(category)
    assert ada.post(f"/class/{session.code}/pace/begin/").status_code == 404
    assert ada.get(page_of(session))["Location"] == f"/join/{session.code}/"
    assert session.seats.count() == 0


def test_a_challenge_that_is_over_lets_nobody_in(ada: Client, mallory: Client, category: Category) -> None:
    session = dare(ada, play_round(ada, category))
    act(session_id=session.pk, action=Action.END, version=session.version, now=timezone.now())
    response = mallory.post(f"/class/{session.code}/pace/begin/")
    assert response.status_code == 409
    assert "This challenge is over." in response.content.decode()
    assert session.seats.count() == 1


def test_a_teachers_homework_page_tells_how_far_everybody_is(ada: Client, mallory: Client, category: Category) -> None:
    teacher, session = client_of("teacher"), homework(category)
    mine, other = sit(ada, session), sit(mallory, session)
    answer(ada, session)
    page = teacher.get(f"/class/{session.code}/host/").content.decode()
    lines = re.findall(r'<summary dir="auto">([^<]+)</summary>.*?far__count">([^<]+)<', page, re.DOTALL)
    assert sorted(lines) == sorted([(mine.name, "1 of 4"), (other.name, "Not begun")])
    assert f"/join/{session.code}/" in page
    part = teacher.get(f"/class/{session.code}/host/", headers=HTMX).content.decode()
    assert part.lstrip().startswith('<div id="far"')
    assert all(card.body not in page for card in session.cards.all())


def test_its_teacher_puts_the_date_off_and_closes_it(ada: Client, category: Category) -> None:
    teacher, session = client_of("teacher"), homework(category)
    sit(ada, session)
    before = session.deadline
    assert before
    for _ in range(2):  # pressed twice, with the same page
        response = teacher.post(f"/class/{session.code}/pace/extend/", {"by": "day", "version": session.version})
        assert response["Location"] == f"/class/{session.code}/host/"
    session.refresh_from_db()
    assert session.deadline == before + timedelta(days=1)
    teacher.post(f"/class/{session.code}/act/", {"action": "end", "version": session.version, "view": "host"})
    assert "It is over" in teacher.get(f"/class/{session.code}/host/").content.decode()
    assert "Closed since" in ada.get(page_of(session)).content.decode()


@pytest.mark.parametrize(("who", "code"), [("anonymous", 302), ("player", 403), ("moderator", 403), ("other", 404)])
def test_nobody_else_watches_or_puts_off_the_date(category: Category, who: str, code: int) -> None:
    session = homework(category)
    client = client_of("administrator" if who == "other" else who)
    if who == "other":
        from django.contrib.auth.models import Group, User

        User.objects.get(username="administrator").groups.add(Group.objects.get(name="teacher"))
    assert client.get(f"/class/{session.code}/host/").status_code == code
    assert client.post(f"/class/{session.code}/pace/extend/", {"by": "week", "version": session.version}).status_code == code
    before = session.deadline
    session.refresh_from_db()
    assert session.deadline == before
