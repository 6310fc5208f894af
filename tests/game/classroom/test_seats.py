import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils import timezone

from game.classroom import names, rules
from game.classroom.identity import COOKIE, MAX_AGE_SECONDS, MAX_SEATS, read_seats, remember_seat, seat_token_in
from game.classroom.models import ClassSession, Seat
from game.classroom.names import BadName, looks_like, new_name, read_name
from game.classroom.seats import JoinRefused, find_seat, find_seat_by_code, join_class
from game.classroom.selectors import read_stage
from game.classroom.services import kick
from game.play.rules import new_token
from game.pool.models import Category
from game.pool.unsafe import unsafe_words
from tests.game.classroom.classes import hold_class, press, say, seat
from tests.threads import at_once


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def join(session: ClassSession, now: datetime, name: str = "", seed: int = 0) -> Seat:
    return join_class(session=session, name=name, now=now, rng=random.Random(seed))


def refusal(session: ClassSession, now: datetime, name: str = "") -> str:
    with pytest.raises(JoinRefused) as refused:
        join(session, now, name)
    assert str(refused.value).endswith(".")
    return refused.value.code


def test_a_student_gets_a_name_a_code_and_a_token(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    ada = join(session, now)
    assert ada.name == new_name(random.Random(0))
    assert rules.read_code(ada.code.lower()) == ada.code
    assert find_seat(code=session.code, token=ada.token) == ada


def test_a_typed_name_counts_only_where_names_may_be_typed(category: Category, now: datetime) -> None:
    given, typed = hold_class([category], now=now), hold_class([category], now=now, seed=2, typed_names=True)
    assert join(given, now, "Zoë").name == new_name(random.Random(0))
    assert join(typed, now, "  Zoë   B. ").name == "Zoë B."
    assert join(typed, now, "   ").name == new_name(random.Random(0))


@pytest.mark.parametrize("other", ["zoë b.", "Zoe B", "ZOËB", "Zoe-b"])
def test_a_name_that_looks_like_anothers_is_taken(category: Category, now: datetime, other: str) -> None:
    session = hold_class([category], now=now, typed_names=True)
    join(session, now, "Zoë B.")
    assert refusal(session, now, other) == "name-taken"
    # Another class is another matter.
    assert join(hold_class([category], now=now, seed=2, typed_names=True), now, other).name == other


def test_letters_of_another_alphabet_make_no_second_of_the_same_name(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, typed_names=True)
    join(session, now, "Coca")
    cyrillic = "\N{CYRILLIC CAPITAL LETTER ES}\N{CYRILLIC SMALL LETTER O}\N{CYRILLIC SMALL LETTER ES}\N{CYRILLIC SMALL LETTER A}"
    assert refusal(session, now, cyrillic) == "name-taken"


def test_who_was_sent_out_may_come_back_under_the_same_name(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, typed_names=True)
    for _ in range(2):
        kick(seat=join(session, now, "Mallory"), now=now)
    assert join(session, now, "Mallory").name == "Mallory"
    assert refusal(session, now, "mallory") == "name-taken"
    assert session.seats.filter(name="Mallory").count() == 3
    with pytest.raises(IntegrityError), transaction.atomic():
        Seat.objects.create(session=session, name="MALLORY", code="1")


def test_who_was_sent_out_of_a_locked_class_stays_out(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now, typed_names=True)
    kick(seat=join(session, now, "Mallory"), now=now)
    press(session, "lock", now=now)
    assert refusal(session, now, "Mallory") == "locked"


def test_a_generated_name_that_is_taken_is_drawn_again_and_gets_a_number_at_last(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    rng = random.Random(0)
    drawn = [new_name(rng) for _ in range(8)]
    for number, name in enumerate(drawn[:3]):
        Seat.objects.create(session=session, name=name.upper(), code=str(number))
    assert join(session, now).name == drawn[3]
    for number, name in enumerate(drawn[4:], 10):
        Seat.objects.create(session=session, name=name, code=str(number))
    assert join(session, now).name == new_name(rng, numbered=True)


def test_generated_names_are_safe_and_fit(category: Category) -> None:
    for seed in range(3_000):
        for name in (new_name(random.Random(seed)), new_name(random.Random(seed), numbered=True)):
            assert len(name) <= names.LONGEST
            assert not unsafe_words(name)
    assert Seat._meta.get_field("name").max_length == names.LONGEST
    assert {len(new_name(random.Random(seed)).split()) for seed in range(100)} == {2}


@pytest.mark.parametrize(
    "name",
    [
        "Al",
        "Nazir",
        "Elsa Talbot",
        "Larry Bird",
        "O'Neil",
        "J.P.",
        "Marie-Luise",
        "Anna 2",
        "佐々木",
        "ユーリ",
        "김민수",
        "Иван",
        "صبا",
        "שרה",
        "नेहा",
        "Ke\N{MODIFIER LETTER TURNED COMMA}a",
    ],
)
def test_names_of_all_the_world_may_be_typed(name: str) -> None:
    assert read_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "A",
        "x" * 25,
        "12",
        "..",
        "🙂🙂",
        "<b>Ada</b>",
        "Ada\N{ZERO WIDTH SPACE}",
        "\N{RIGHT-TO-LEFT OVERRIDE}adA",
        "A\N{COMBINING GRAPHEME JOINER}da",
        "\N{HANGUL FILLER}\N{HANGUL FILLER}",
        "\N{BRAILLE PATTERN BLANK}\N{BRAILLE PATTERN BLANK}",
        "Ada\N{VARIATION SELECTOR-1}",
        "\N{CYRILLIC CAPITAL LETTER A}da",
        "Ad\N{GREEK SMALL LETTER ALPHA}",
        "Z\u0337\u0322\u0303algo",
        "call 555 0100",
        "evil.com",
        "sh1t",
        "fu ck",
        "F.u.c.k",
        "sIut",
        "hitler",
        "hitIer",
        "H1tler 2",
        "Teacher",
        "The Teacher",
        "M0derator",
        "Bot 7",
        "bIrd",
        "Nazi",
        "\N{FULLWIDTH LATIN CAPITAL LETTER F}uck",
        "\N{CYRILLIC SMALL LETTER ES}\N{CYRILLIC SMALL LETTER U}\N{CYRILLIC SMALL LETTER EN}t",
    ],
)
def test_what_does_not_belong_on_a_projector_is_no_name(category: Category, now: datetime, name: str) -> None:
    with pytest.raises(BadName):
        read_name(name)
    session = hold_class([category], now=now, typed_names=True)
    assert refusal(session, now, name) == "bad-name"
    assert not session.seats.exists()


def test_names_that_look_alike_look_alike() -> None:
    assert len({looks_like(name) for name in ("Bob", "B0b", "b o b", "\N{CYRILLIC CAPITAL LETTER VE}ob")}) == 1
    assert len({looks_like(name) for name in ("Ali", "AIi", "ali", "A1i")}) == 1
    assert looks_like("Rob") != looks_like("Bob")


def test_a_locked_class_lets_nobody_in_until_it_is_opened(category: Category, now: datetime) -> None:
    session = press(hold_class([category], now=now), "lock", now=now)
    assert refusal(session, now) == "locked"
    press(session, "unlock", now=now)
    assert join(session, now)


def test_a_class_that_is_over_lets_nobody_in(category: Category, now: datetime) -> None:
    session = press(hold_class([category], now=now), "end", now=now)
    assert refusal(session, now) == "over"
    homework = hold_class([category], now=now, seed=2, mode="homework", card_time=None, deadline=now)
    assert refusal(homework, now + rules.GRACE) == "over"


def test_who_comes_late_joins_where_the_teacher_lets_them_and_answers_from_the_card_on_the_table_on(
    category: Category, now: datetime
) -> None:
    strict = press(hold_class([category], now=now, late_join=False), "start", now=now)
    assert refusal(strict, now) == "late"
    session = hold_class([category], now=now, seed=2, show="end")
    seat(session, 1, now=now)
    session = press(session, "start", "next", "next", now=now)
    late = join(session, now, seed=7)
    assert [say(session, (late, "human"), now=now, card=card)[0].code for card in session.cards.all()[:3]] == ["late", "kept", "wrong-card"]


def test_a_seat_that_was_sent_out_is_found_no_more(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    ada = join(session, now)
    kick(seat=ada, now=now)
    assert find_seat(code=session.code, token=ada.token) is None
    assert find_seat_by_code(session=session, seat_code=ada.code) is None


def test_a_seat_belongs_to_its_class(category: Category, now: datetime) -> None:
    session, other = hold_class([category], now=now), hold_class([category], now=now, seed=2)
    ada = join(session, now)
    assert find_seat(code=other.code, token=ada.token) is None
    assert find_seat_by_code(session=other, seat_code=ada.code) is None


def test_a_seats_code_is_read_however_it_is_typed(category: Category, now: datetime) -> None:
    session = hold_class([category], now=now)
    ada = join(session, now)
    for typed in (ada.code.lower(), f"{ada.code[:3]} {ada.code[3:]}"):
        assert find_seat_by_code(session=session, seat_code=typed) == ada
    assert find_seat_by_code(session=session, seat_code="nonsense") is None


def test_a_class_takes_as_many_as_it_has_seats_and_who_is_sent_out_leaves_one(category: Category, now: datetime, settings: Any) -> None:
    settings.CLASS_SEATS = 3
    session = hold_class([category], now=now)
    ada, *_ = seat(session, 3, now=now)
    assert refusal(session, now) == "full"
    kick(seat=ada, now=now)
    assert join(session, now, seed=9)
    assert read_stage(session).seats == 3


@pytest.mark.django_db(transaction=True)
def test_of_twelve_who_join_at_once_eight_find_the_seats_there_are(fill: Callable[..., Category], settings: Any) -> None:
    settings.CLASS_SEATS = 8
    now = timezone.now()
    session = hold_class([fill()], now=now)

    def try_to_join(number: int) -> str:
        try:
            # The same dice for all: without waiting for each other they would get the same name.
            return join(session, now, seed=1).name
        except JoinRefused as refused:
            return refused.code

    told = at_once(12, try_to_join)
    assert told.count("full") == 4
    assert len(set(told)) == 9
    assert set(session.seats.values_list("name", flat=True)) == set(told) - {"full"}


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_type_the_same_name_at_once_one_gets_it(fill: Callable[..., Category]) -> None:
    now = timezone.now()
    session = hold_class([fill()], now=now, typed_names=True)

    def try_to_join(number: int) -> str:
        try:
            return join(session, now, "ada" if number % 2 else "Ada", seed=number).code
        except JoinRefused as refused:
            return refused.code

    assert at_once(10, try_to_join).count("name-taken") == 9
    assert session.seats.count() == 1


def cookies_after(cookies: dict[str, str], code: str, token: str) -> dict[str, str]:
    response = HttpResponse()
    remember_seat(response, cookies, code, token)
    return {COOKIE: response.cookies[COOKIE].value}


def test_a_browser_remembers_its_last_eight_seats() -> None:
    rng = random.Random(1)
    cookies: dict[str, str] = {}
    seats = [(rules.new_code(rng), new_token()) for _ in range(MAX_SEATS + 2)]
    for code, token in seats:
        cookies = cookies_after(cookies, code, token)
    assert list(read_seats(cookies).items()) == seats[2:]
    # Whoever sits down in one of them again, sits there last.
    code, token = seats[4][0], new_token()
    cookies = cookies_after(cookies, code, token)
    assert list(read_seats(cookies).items()) == [*seats[2:4], *seats[5:], (code, token)]
    assert seat_token_in(cookies, code) == token
    assert seat_token_in(cookies, seats[0][0]) is None


def test_a_cookie_that_somebody_changed_names_no_seat() -> None:
    cookies = cookies_after({}, "BCDFGH", new_token())
    forged = cookies[COOKIE].replace("BCDFGH", "BCDFGJ")
    assert [read_seats({COOKIE: value}) for value in ("", "BCDFGH:x", forged)] == [{}, {}, {}]


def test_the_cookie_is_kept_from_scripts_and_other_sites() -> None:
    response = HttpResponse()
    remember_seat(response, {}, "BCDFGH", new_token())
    cookie = response.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (True, "Lax", "/", MAX_AGE_SECONDS)
    assert bool(cookie["secure"]) == django_settings.SESSION_COOKIE_SECURE
    assert timedelta(seconds=MAX_AGE_SECONDS) <= timedelta(days=366)
