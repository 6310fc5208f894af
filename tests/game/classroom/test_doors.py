"""How students come into a class: by its code, under a name, or back to the seat that they had."""

import re
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from game.classroom.models import ClassSession, Seat
from game.classroom.services import kick
from game.pool.models import Category
from tests.game.classroom.classes import hold_class, press, seat


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def session(category: Category, now: datetime) -> ClassSession:
    return hold_class([category], now=now)


@pytest.fixture
def typed(category: Category, now: datetime) -> ClassSession:
    return hold_class([category], now=now, seed=2, typed_names=True)


def door(session: ClassSession) -> str:
    return f"/join/{session.code}/"


def text(response: Any) -> str:
    return response.content.decode()


def offer(response: Any) -> tuple[str, str]:
    """Return the name that a door offers, and what stands for it in the form."""
    sealed = re.search(r'name="offer" value="([^"]+)"', text(response))
    assert sealed
    return sealed[1].rpartition(":")[0], sealed[1]


def sit_down(client: Client, session: ClassSession, **said: str) -> Any:
    _, sealed = offer(client.get(door(session)))
    return client.post(door(session), {"offer": sealed, **said})


@pytest.mark.parametrize("form", ["{}", "{:.3} {}", " {:.3}-{} ", "{:.1} {} "])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_a_code_leads_to_its_class_however_it_is_typed(ada: Client, session: ClassSession, form: str, case: Any) -> None:
    pieces = [session.code, session.code[3:]] if "{:.3}" in form else [session.code, session.code[1:]]
    response = ada.post("/join/", {"code": case(form.format(*pieces[: form.count("{")]))})
    assert (response.status_code, response["Location"]) == (302, door(session))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "That is no code: six letters and digits, such as BCD 347."),
        ("abc", "That is no code: six letters and digits, such as BCD 347."),
        ("b" * 5_000, "That is no code: six letters and digits, such as BCD 347."),
        ("zzz zzz", "There is no class ZZZZZZ. Look at the board once more."),
    ],
)
def test_what_is_no_code_of_a_class_is_told_beside_what_was_typed(ada: Client, db: None, said: str, told: str) -> None:
    response = ada.post("/join/", {"code": said})
    assert response.status_code == 422
    assert re.findall(r'role="alert">([^<]+)<', text(response)) == [told]
    assert f'value="{said[:40]}"' in text(response)


def test_an_address_is_read_like_a_code(ada: Client, session: ClassSession) -> None:
    for spelled in (session.code.lower(), f"{session.code[:3]}-{session.code[3:]}"):
        assert ada.get(f"/join/{spelled}/")["Location"] == door(session)
    assert ada.get(f"/class/{session.code.lower()}/")["Location"] == f"/class/{session.code}/"


@pytest.mark.parametrize("path", ["/join/ZZZZZZ/", "/join/nonsense/", "/class/ZZZZZZ/", "/class/ZZZZZZ/state/"])
def test_where_no_class_is_a_page_says_so_and_leads_back(ada: Client, db: None, path: str) -> None:
    response = ada.get(path)
    assert response.status_code == 404
    assert "There is no class" in text(response)
    assert 'href="/join/"' in text(response)


def test_the_name_that_is_shown_is_the_one_that_is_given(ada: Client, session: ClassSession) -> None:
    name, sealed = offer(ada.get(door(session)))
    response = ada.post(door(session), {"offer": sealed, "offered": "yes"})
    assert (response.status_code, response["Location"]) == (302, f"/class/{session.code}/")
    own = Seat.objects.get(session=session)
    assert own.name == name
    page = text(ada.get(f"/class/{session.code}/"))
    assert f"<strong>{name}</strong>" in page
    assert f'<span class="seat__letters">{own.code}</span>' in page


def test_the_door_offers_another_name_each_time(ada: Client, session: ClassSession) -> None:
    assert len({offer(ada.get(door(session)))[0] for _ in range(5)}) > 1
    assert not Seat.objects.exists()


def test_an_offered_name_that_somebody_else_took_meanwhile_is_replaced(ada: Client, mallory: Client, session: ClassSession) -> None:
    name, sealed = offer(ada.get(door(session)))
    for client in (mallory, ada):
        client.post(door(session), {"offer": sealed, "offered": "yes"})
    first, second = Seat.objects.order_by("pk")
    assert first.name == name
    assert second.name != name


@pytest.mark.parametrize("forged", ["Boss", "Boss:0000", ""])
def test_nobody_names_themselves_where_names_are_given(mallory: Client, session: ClassSession, forged: str) -> None:
    mallory.post(door(session), {"offer": forged, "offered": "yes", "name": "Boss"})
    assert Seat.objects.get().name != "Boss"
    other = Client()
    sit_down(other, session, name="Boss")
    assert not Seat.objects.filter(name="Boss").exists()


def test_where_names_may_be_typed_the_typed_one_counts_and_the_offered_one_may_be_had(
    ada: Client, mallory: Client, typed: ClassSession
) -> None:
    assert sit_down(ada, typed, name="Zoë")["Location"] == f"/class/{typed.code}/"
    name, sealed = offer(mallory.get(door(typed)))
    # The button beside the empty field.
    mallory.post(door(typed), {"offer": sealed, "offered": "yes", "name": ""})
    assert list(Seat.objects.order_by("pk").values_list("name", flat=True)) == ["Zoë", name]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("zoe", "Somebody has this name, or one that looks the same. Add a letter."),
        ("x", "A name has 2 to 24 characters."),
        ("call 555 0100", "Leave numbers and addresses out: a first name will do."),
    ],
)
def test_a_name_that_can_not_be_had_is_told_beside_it(ada: Client, mallory: Client, typed: ClassSession, name: str, told: str) -> None:
    sit_down(ada, typed, name="Zoë")
    response = sit_down(mallory, typed, name=name)
    assert response.status_code == 422
    assert re.findall(r'role="alert">([^<]+)<', text(response)) == [told]
    assert f'name="name" value="{name}"' in text(response)
    assert Seat.objects.count() == 1


REFUSALS = {
    "lock": ("The door is locked.", "Ask your teacher to open it.", "Try again"),
    "start": ("They have begun already, and nobody may join any more.", "Watch the projector.", "Try again"),
    "end": ("This class is over.", "Ask your teacher for another code.", "Another code"),
}


@pytest.mark.parametrize("action", REFUSALS)
def test_who_can_not_join_is_told_why_and_what_to_do(ada: Client, mallory: Client, category: Category, now: datetime, action: str) -> None:
    session = hold_class([category], now=now, late_join=False)
    (own,) = seat(session, 1, now=now)
    _, sealed = offer(mallory.get(door(session)))
    press(session, action, now=now)
    for response in (mallory.get(door(session)), mallory.post(door(session), {"offer": sealed, "offered": "yes"})):
        assert response.status_code == 409
        page = text(response)
        told = tuple(re.findall(rf'class="{name}"[^>]*>([^<]+)<', page)[0] for name in ("notice__heading", "notice__text", "button"))
        assert told == REFUSALS[action]
        assert 'href="/join/"' in page
    assert Seat.objects.count() == 1
    # Whoever has a seat is not kept from it.
    assert ada.post(door(session), {"seat_code": own.code})["Location"] == f"/class/{session.code}/"


def test_a_full_class_is_told(ada: Client, session: ClassSession, now: datetime, settings: Any) -> None:
    settings.CLASS_SEATS = 1
    seat(session, 1, now=now)
    response = ada.get(door(session))
    assert response.status_code == 409
    assert "Every seat is taken." in text(response)


def test_a_seat_code_puts_the_same_seat_on_another_device(ada: Client, session: ClassSession, now: datetime) -> None:
    sit_down(ada, session, offered="yes")
    own = Seat.objects.get()
    phone = Client()
    response = phone.post(door(session), {"seat_code": f" {own.code[:3].lower()} {own.code[3:]}"})
    assert response["Location"] == f"/class/{session.code}/"
    for client in (ada, phone):
        assert f"<strong>{own.name}</strong>" in text(client.get(f"/class/{session.code}/"))
    assert Seat.objects.count() == 1


def test_a_wrong_seat_code_and_one_of_another_class_open_nothing(
    mallory: Client, session: ClassSession, typed: ClassSession, now: datetime
) -> None:
    (elsewhere,) = seat(typed, 1, now=now)
    (gone,) = seat(session, 1, now=now)
    kick(seat=gone, now=now)
    for code in ("BCDFGH", "nonsense", elsewhere.code, gone.code):
        response = mallory.post(door(session), {"seat_code": code})
        assert response.status_code == 422
        assert re.findall(r'role="alert">([^<]+)<', text(response)) == ["Nobody here has that seat code. Look at it once more."]
        # The field that was wrong is there to be corrected.
        assert re.search(r'<details class="again" open>.*value="' + code, text(response), re.DOTALL)
    assert mallory.get(f"/class/{session.code}/")["Location"] == door(session)


def test_whoever_has_a_seat_is_led_from_the_door_to_it(ada: Client, session: ClassSession) -> None:
    sit_down(ada, session, offered="yes")
    for response in (ada.get(door(session)), ada.post(door(session), {"offered": "yes"})):
        assert response["Location"] == f"/class/{session.code}/"
    assert Seat.objects.count() == 1


def test_who_was_sent_out_may_knock_again(ada: Client, session: ClassSession, now: datetime) -> None:
    sit_down(ada, session, offered="yes")
    kick(seat=Seat.objects.get(), now=now)
    assert offer(ada.get(door(session)))
    press(session, "lock", now=now)
    assert ada.get(door(session)).status_code == 409


def test_one_address_joins_looks_for_classes_and_tries_seat_codes_only_so_often(
    ada: Client, mallory: Client, session: ClassSession, settings: Any
) -> None:
    settings.RATE_JOIN, settings.RATE_SEAT_CODE = "2/m", "1/m"
    codes = [mallory.post(door(session), {"seat_code": "BCDFGH"}).status_code for _ in range(2)]
    codes += [mallory.post("/join/", {"code": "ZZZ ZZZ"}).status_code, mallory.get("/join/ZZZZZZ/").status_code]
    codes += [mallory.get(path).status_code for path in ("/join/ZZZZZZ/", "/class/ZZZZZZ/")]
    codes += [mallory.post("/join/", {"code": session.code}).status_code, sit_down(mallory, session, offered="yes").status_code]
    assert codes == [422, 429, 422, 404, 429, 429, 429, 429]
    # The door itself stays open: a class behind one address looks at it as often as it likes.
    assert ada.get(door(session)).status_code == 200


def test_forms_of_other_sites_join_nobody(session: ClassSession) -> None:
    victim = Client(enforce_csrf_checks=True)
    assert victim.post(door(session), {"offered": "yes"}).status_code == 403
    assert victim.post("/join/", {"code": session.code}).status_code == 403
    assert not Seat.objects.exists()
