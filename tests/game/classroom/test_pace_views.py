"""Pages of homework."""

import re
from collections import defaultdict
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from game.classroom.identity import COOKIE
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.rules import Action
from game.classroom.services import act, kick
from game.pool.models import Category
from tests.game.classroom.classes import hold_class
from tests.game.classroom.own_pace import HTMX, answer, finish, homework, page_of, sit, token_in, withdraw
from tests.people import client_of


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


def test_homework_is_not_begun_without_its_door(ada: Client, category: Category) -> None:
    session = homework(category)
    assert ada.post(f"/class/{session.code}/pace/begin/").status_code == 404
    assert ada.get(page_of(session))["Location"] == f"/join/{session.code}/"
    assert session.seats.count() == 0


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
        User.objects.get(username="administrator").groups.add(Group.objects.get(name="teacher"))
    assert client.get(f"/class/{session.code}/host/").status_code == code
    assert client.post(f"/class/{session.code}/pace/extend/", {"by": "week", "version": session.version}).status_code == code
    before = session.deadline
    session.refresh_from_db()
    assert session.deadline == before


def test_a_result_takes_as_many_statements_for_three_as_for_one(category: Category) -> None:
    session, counts = homework(category), []
    for _ in range(3):
        client = Client()
        sit(client, session)
        finish(client, session)
        with CaptureQueriesContext(connection) as statements:
            client.get(page_of(session))
        counts.append(len(statements))
    assert len(set(counts)) == 1
