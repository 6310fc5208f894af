"""Classes that write, on a real PostgreSQL, with a bot that says what it is told to."""

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from game.classroom import frames, rules
from game.classroom.forms import NewClassForm
from game.classroom.models import ClassSession, ClassText
from game.classroom.rules import GRACE, POINTS_FOOLED, POINTS_RIGHT, Action
from game.classroom.selectors import find_session, read_stage, read_standings
from game.classroom.services import act, kick
from game.classroom.texts import BadText
from game.classroom.writing_desk import decide_text, keep_text, open_desk, read_own_text
from game.pool.models import Category, Kind
from generation.duel.models import Column, Completion, Prompt
from generation.duel.services import ask, send_to_pool
from generation.models import ModelVersion
from tests.game.classroom.classes import CARD_TIME, on_table, press, say, seat
from tests.game.classroom.writers import (
    PROMPT,
    STUDENTS,
    WRITING_TIME,
    approve_all,
    employ_bot,
    find_sheet,
    hold_writing,
    let_bots_write,
    reach_desk,
    write,
)
from tests.threads import at_once


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the columns that would go to a worker."""
    messages: list[int] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, args, **_: messages.extend(args) if name.startswith("generation.duel") else None
    )
    return messages


@pytest.fixture
def bot(category: Category, tmp_path: Path, sent: list[int]) -> ModelVersion:
    return employ_bot(category, tmp_path / "bot")


@pytest.fixture
def session(category: Category, bot: ModelVersion, now: datetime) -> ClassSession:
    return hold_writing(category, now=now)


def again(session: ClassSession) -> ClassSession:
    found = find_session(session.code)
    assert found
    return found


# --- Asking the models ---------------------------------------------------------------------


def test_the_models_of_the_voice_alone_are_asked_when_the_class_begins_to_write(
    session: ClassSession,
    bot: ModelVersion,
    sent: list[int],
    fill: Callable[..., Category],
    tmp_path: Path,
    now: datetime,
    django_capture_on_commit_callbacks,
) -> None:
    employ_bot(fill("sailors"), tmp_path / "other")
    assert Column.objects.count() == 0
    with django_capture_on_commit_callbacks(execute=True):
        session = press(session, "start", now=now)
        # A worker must find what it is sent.
        assert sent == []
    column = Column.objects.get()
    assert (column.model_version, column.prompt.text, column.state) == (bot, PROMPT, "pending")
    assert sent == [column.pk]
    assert session.state == rules.State(rules.Phase.WRITING, 0, 0, 1, given=WRITING_TIME, deadline=now + WRITING_TIME)


def test_the_duel_shows_nothing_of_what_a_class_guesses_at(
    session: ClassSession, now: datetime, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(session, "start", now=now)
    let_bots_write(monkeypatch)
    page = client.post("/duel/", {"q": PROMPT.upper()})
    assert page.status_code == 422
    assert "A class is guessing at that one just now." in page.content.decode()
    assert Completion.objects.get(place=0).text not in page.content.decode()


def test_what_a_bot_wrote_to_a_known_prompt_is_not_asked_for_again(
    session: ClassSession, sent: list[int], now: datetime, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        ask(text="tonight  WE will", allow_new=lambda: True)
    let_bots_write(monkeypatch)
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        session = press(session, "start", "next", now=now)
    assert sent == []
    bodies = [sheet.body for sheet in open_desk(session=session).sheets]
    # As this class spells it, or the spelling would tell.
    assert len(bodies) == 5
    assert all(body.startswith("Tonight we will ") for body in bodies)


def test_a_prompt_that_a_moderator_took_out_is_asked_of_nobody(session: ClassSession, now: datetime) -> None:
    Prompt.objects.create(text=PROMPT, key="tonight we will", status=Prompt.Status.REJECTED)
    session = press(session, "start", "next", now=now)
    desk = open_desk(session=session)
    assert (desk.sheets, desk.writing) == ([], False)
    assert Column.objects.count() == 0


def test_no_class_begins_with_a_prompt_that_a_moderator_took_out(category: Category, bot: ModelVersion, now: datetime) -> None:
    Prompt.objects.create(text=PROMPT, key="tonight we will", status=Prompt.Status.REJECTED)
    said = {"mode": "write", "voice": category.slug, "writing_time": 5, "card_time": 30, "cards": 8, "show": "each", "keep_days": 1}
    prompts = ("Tonight  WE will", "Tonight we dance")
    errors = {prompt: dict(NewClassForm(said | {"prompt": prompt}, now=now).errors) for prompt in prompts}
    assert errors == {"Tonight  WE will": {"prompt": ["A moderator has taken that beginning out. Try another."]}, "Tonight we dance": {}}


# --- Writing -------------------------------------------------------------------------------


def test_the_last_text_of_a_seat_is_its_only_one(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    for typed in ("paint the shed a little", "paint the shed all over", "paint the shed “blue”"):
        keep_text(seat=ada, typed=typed, now=now)
    text = ClassText.objects.get()
    assert (text.seat, text.body, text.status, text.kind) == (ada, 'Tonight we will paint the shed "blue"', "pending", Kind.HUMAN)


def test_what_is_refused_leaves_what_was_kept_before(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    keep_text(seat=ada, typed="paint the whole shed", now=now)
    with pytest.raises(BadText):
        keep_text(seat=ada, typed="paint", now=now)
    kept = read_own_text(seat=ada)
    assert kept
    assert kept.body == "Tonight we will paint the whole shed"


def test_a_sheet_that_was_emptied_hands_in_nothing(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    keep_text(seat=ada, typed="paint the whole shed", now=now)
    assert keep_text(seat=ada, typed=" \n", now=now) is None
    assert ClassText.objects.count() == 0
    assert keep_text(seat=ada, typed="", now=now) is None


@pytest.mark.parametrize(
    ("after", "in_time"), [(timedelta(0), True), (WRITING_TIME, True), (WRITING_TIME + GRACE / 2, True), (WRITING_TIME + GRACE, False)]
)
def test_what_was_on_its_way_when_the_time_was_up_counts(session: ClassSession, now: datetime, after: timedelta, in_time: bool) -> None:
    (ada,) = seat(session, 1, now=now)
    press(session, "start", now=now)
    with nullcontext() if in_time else pytest.raises(BadText, match=r"^The time is up"):
        keep_text(seat=ada, typed="paint the whole shed", now=now + after)
    assert ClassText.objects.exists() is in_time


def test_one_may_write_while_the_class_is_paused_but_not_before_or_after(session: ClassSession, now: datetime) -> None:
    (ada,) = seat(session, 1, now=now)
    refused = []
    for actions in ((), ("start", "pause"), ("resume", "next"), ("end",)):
        session = press(session, *actions, now=now)
        try:
            keep_text(seat=ada, typed=f"paint the shed in {session.phase}", now=now)
        except BadText as error:
            refused.append((session.phase, error.code))
    assert refused == [("lobby", "late"), ("choosing", "late"), ("podium", "late")]
    assert ClassText.objects.get().body == "Tonight we will paint the shed in writing"


@pytest.mark.django_db(transaction=True)
def test_two_devices_of_a_seat_and_the_end_of_the_time_at_once_leave_one_text_at_most(
    fill: Callable[..., Category], tmp_path: Path, sent: list[int], now: datetime
) -> None:
    category = fill()
    employ_bot(category, tmp_path / "bot")
    for attempt in range(5):
        session = hold_writing(category, now=now)
        (ada,) = seat(session, 1, now=now)
        session = press(session, "start", now=now)

        def race(number: int, session: ClassSession = session, ada=ada) -> object:
            if number == 0:
                return act(session_id=session.pk, action=Action.NEXT, version=session.version, now=now)
            try:
                return keep_text(seat=ada, typed=f"paint shed number {number}", now=now)
            except BadText as error:
                return error.code

        moved, *kept = at_once(3, race)
        assert isinstance(moved, ClassSession), attempt
        assert {text for text in kept if isinstance(text, str)} <= {"late"}
        assert ClassText.objects.filter(session=session).exists() is any(isinstance(text, ClassText) for text in kept)


# --- The desk ------------------------------------------------------------------------------


def test_the_desk_waits_for_the_bots_and_then_has_all_texts_at_once(
    session: ClassSession, bot: ModelVersion, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    seats = seat(session, 4, now=now)
    session = press(session, "start", now=now)
    write(seats, now=now, texts=STUDENTS[:3])
    session = press(session, "next", now=now)
    desk = open_desk(session=session)
    assert (desk.sheets, desk.writing, desk.seats) == ([], True, 3)
    let_bots_write(monkeypatch)
    desk = open_desk(session=session)
    kinds = Counter(text.kind for text in session.texts.all())
    assert kinds == {Kind.HUMAN: 3, Kind.MACHINE: 6}
    assert {text.model_version for text in session.texts.all()} == {None, bot}
    assert (len(desk.sheets), desk.writing, desk.seats, desk.approved, desk.left) == (9, False, 3, 0, 9)


def test_what_a_bot_writes_later_does_not_join_the_list(
    category: Category, session: ClassSession, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = reach_desk(session, monkeypatch, now=now)
    before = open_desk(session=session)
    employ_bot(category, tmp_path / "next", version=2)
    Completion.objects.update(text=f"{PROMPT} say quite another thing to each of you.")
    assert open_desk(session=session) == before


def test_neither_the_order_nor_the_key_of_a_text_says_whose_it_is(
    session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hold many desks: as often as not, a text by a bot comes first, though all of them were stored last."""
    firsts = Counter[bool]()
    for _ in range(25):
        held = hold_writing(session.categories.get(), now=now)
        held, _ = reach_desk(held, monkeypatch, now=now, students=3)
        sheets = open_desk(session=held).sheets
        own = {text.body for text in held.texts.exclude(seat=None)}
        firsts[sheets[0].body in own] += 1
        assert all(len(sheet.key) == 22 for sheet in sheets)
        assert [sheet.key for sheet in sheets] == sorted(sheet.key for sheet in sheets)
    # Of 3 by students and 6 by the bot one of the former comes first a third of the time; by number it would be 25 times.
    assert 1 <= firsts[True] <= 20


def test_a_bot_that_has_nothing_to_show_is_told_of(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    session = press(session, "start", now=now)
    let_bots_write(monkeypatch)
    Completion.objects.update(hidden=True)
    session = press(session, "next", now=now)
    desk = open_desk(session=session)
    assert (desk.sheets, desk.writing) == ([], False)


def test_a_bot_that_failed_a_while_ago_is_asked_again_and_not_with_every_look(
    session: ClassSession, now: datetime, sent: list[int], django_capture_on_commit_callbacks
) -> None:
    session = press(session, "start", "next", now=now)
    Column.objects.update(state="failed", tries=3, finished_at=Now() - timedelta(minutes=11))
    with django_capture_on_commit_callbacks(execute=True):
        assert open_desk(session=session).writing is True
        assert open_desk(session=session).writing is True
    assert sent == [Column.objects.get().pk]


@pytest.mark.parametrize("gone", ["hidden", "dealt", "rejected", "long", "a student's"])
def test_what_may_not_be_shown_lies_on_no_desk(session: ClassSession, now: datetime, gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (ada,) = seat(session, 1, now=now)
    session = press(session, "start", now=now)
    let_bots_write(monkeypatch)
    spoiled, *_ = Completion.objects.filter(unfit="").order_by("place")
    if gone == "hidden":
        Completion.objects.filter(pk=spoiled.pk).update(hidden=True)
    elif gone == "long":
        Completion.objects.filter(pk=spoiled.pk).update(text=f"{PROMPT} {'very ' * 60}soon.")
    elif gone == "a student's":
        keep_text(seat=ada, typed=spoiled.text.removeprefix(PROMPT).upper(), now=now)
    else:
        Prompt.objects.update(closed_until=None)
        tweet = send_to_pool(token=spoiled.token).tweet
        assert tweet
        changes = {"first_dealt_at": now} if gone == "dealt" else {"status": "rejected"}
        type(tweet).objects.filter(pk=tweet.pk).update(**changes)
    session = press(session, "next", now=now)
    open_desk(session=session)
    bodies = set(session.texts.filter(seat=None).values_list("body", flat=True))
    rest = set(Completion.objects.exclude(pk=spoiled.pk).values_list("text", flat=True))
    assert len(bodies) == 5
    assert bodies < rest


def test_a_teachers_next_class_reads_what_the_first_has_not_seen(
    session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = reach_desk(session, monkeypatch, now=now, students=0)
    second, _ = reach_desk(hold_writing(session.categories.get(), now=now), monkeypatch, now=now, students=0)
    seen = [{sheet.body for sheet in open_desk(session=each).sheets} for each in (first, second)]
    assert (len(seen[0]), len(seen[1]), len(seen[0] & seen[1])) == (5, 5, 0)


def test_a_student_who_was_sent_out_takes_the_text_along(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    session, (ada, *_) = reach_desk(session, monkeypatch, now=now)
    open_desk(session=session)
    approve_all(session)
    kick(seat=ada, now=now)
    desk = open_desk(session=session)
    assert ada.text.body not in {sheet.body for sheet in desk.sheets}
    assert desk.seats == 2
    session = press(again(session), "next", now=now)
    assert not session.cards.filter(text__seat=ada).exists()


def test_decisions_can_be_changed_until_the_cards_are_dealt(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    session, (ada, *_) = reach_desk(session, monkeypatch, now=now)
    key = find_sheet(session, ada.text).key
    statuses = []
    for status in ("approved", "rejected", "pending"):
        assert decide_text(session=session, key=key, status=status)
        statuses.append(ClassText.objects.get(seat=ada).status)
    assert statuses == ["approved", "rejected", "pending"]
    assert decide_text(session=session, key="0" * 22, status="approved") is False
    approve_all(session)
    press(session, "next", now=now)
    assert decide_text(session=session, key=key, status="rejected") is False
    assert ClassText.objects.get(seat=ada).status == "approved"


def test_a_text_of_another_class_is_not_ones_own_to_decide(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    session, (ada, *_) = reach_desk(session, monkeypatch, now=now)
    other, _ = reach_desk(hold_writing(session.categories.get(), now=now), monkeypatch, now=now)
    key = find_sheet(session, ada.text).key
    open_desk(session=other)
    assert decide_text(session=other, key=key, status="approved") is False
    assert ClassText.objects.get(seat=ada).status == "pending"


# --- Dealing, and what is won --------------------------------------------------------------


def test_the_approved_texts_become_the_cards_in_random_order(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    session, seats = reach_desk(session, monkeypatch, now=now)
    rejected = find_sheet(session, seats[0].text)
    approve_all(session)
    decide_text(session=session, key=rejected.key, status="rejected")
    session = press(session, "next", now=now)
    texts = [card.text for card in session.cards.select_related("text__seat") if card.text]
    assert session.state == rules.State(rules.Phase.CARD, 1, len(texts), 3, given=CARD_TIME, deadline=now + CARD_TIME)
    assert [card.position for card in session.cards.all()] == list(range(1, len(texts) + 1))
    assert {text.seat for text in texts} == {None, seats[1], seats[2]}
    assert len({text.pk for text in texts}) == len(texts)
    assert {text.status for text in texts} == {"approved"}


def test_the_order_of_the_cards_is_a_new_one_each_time(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = set()
    for _ in range(12):
        held, _ = reach_desk(hold_writing(session.categories.get(), now=now), monkeypatch, now=now)
        approve_all(held)
        held = press(held, "next", now=now)
        orders.add("".join(card.kind[0] for card in held.cards.select_related("text")))
    assert len(orders) > 4


@pytest.mark.parametrize("kind", ["seat", "model_version"])
def test_without_a_text_of_each_kind_nothing_is_dealt_and_the_desk_stays(
    session: ClassSession, now: datetime, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = reach_desk(session, monkeypatch, now=now)
    open_desk(session=session)
    session.texts.filter(**{f"{kind}__isnull": False}).update(status="approved")
    assert act(session_id=session.pk, action=Action.NEXT, version=session.version, now=now) is None
    session = again(session)
    assert (session.phase, session.version, session.cards.count()) == ("choosing", 2, 0)


def test_the_projector_offers_to_go_on_once_all_is_read_and_cards_can_be_dealt(
    session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = reach_desk(session, monkeypatch, now=now)
    sheets = open_desk(session=session).sheets
    asked = []
    for number, sheet in enumerate(sheets, 1):
        assert decide_text(session=session, key=sheet.key, status="approved")
        stage = read_stage(session)
        asked.append((stage.desk["read"], stage.desk["approved"], stage.desk["texts"]))
        assert stage.deals == (number == len(sheets))
        assert ('value="next"' in frames.host_frames(session=session).shared) == stage.deals
        assert 'value="next"' not in frames.presenter_frames(session=session).shared
    assert asked == [(number, number, len(sheets)) for number in range(1, len(sheets) + 1)]
    # All are read, and none of the class is left.
    session.texts.filter(seat__isnull=False).update(status="rejected")
    assert not read_stage(session).deals
    assert "approve some more" in frames.host_frames(session=session).shared


def test_a_class_never_deals_more_cards_than_its_teacher_wants(
    category: Category, bot: ModelVersion, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = reach_desk(hold_writing(category, now=now, cards=4), monkeypatch, now=now)
    approve_all(session)
    session = press(session, "next", now=now)
    assert session.cards.filter(text__seat__isnull=False).count() == 2
    assert session.cards.count() in (3, 4)


@pytest.mark.django_db(transaction=True)
def test_pressed_on_two_devices_at_once_the_cards_are_dealt_once(
    fill: Callable[..., Category], tmp_path: Path, sent: list[int], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    category = fill()
    employ_bot(category, tmp_path / "bot")
    session, _ = reach_desk(hold_writing(category, now=now), monkeypatch, now=now)
    approve_all(session)
    outcomes = at_once(3, lambda _: act(session_id=session.pk, action=Action.NEXT, version=session.version, now=now))
    assert sum(outcome is not None for outcome in outcomes) == 1
    session = again(session)
    assert (session.phase, session.position, session.version) == ("card", 1, 3)
    assert session.cards.count() == session.cards.values("text").distinct().count()


def reach_card_of(session: ClassSession, kind: str, *, now: datetime) -> ClassSession:
    """Skip to a card of that kind."""
    approve_all(session)
    session = press(session, "next", now=now)
    while on_table(session).kind != kind:
        session = press(session, "skip", now=now)
    return session


def writer_on_table(session: ClassSession) -> int | None:
    text = on_table(session).text
    assert text
    return text.seat_id


def test_who_wrote_a_text_does_not_answer_it_and_the_others_end_its_card(
    session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, seats = reach_desk(session, monkeypatch, now=now)
    session = reach_card_of(session, Kind.HUMAN, now=now)
    (writer,) = (one for one in seats if one.pk == writer_on_table(session))
    others = [one for one in seats if one != writer]
    outcomes = say(session, (writer, "human"), (others[0], "machine"), now=now)
    assert [outcome.code for outcome in outcomes] == ["not-yours", "kept"]
    assert again(session).phase == "card"
    say(session, (others[1], "human"), now=now)
    assert again(session).phase == "reveal"
    stage = read_stage(again(session))
    assert (stage.answered, stage.said_human, stage.said_machine) == (2, 1, 1)
    points = {line.name: line.points for line in read_standings(again(session))}
    assert points == {writer.name: POINTS_FOOLED, others[0].name: 0, others[1].name: POINTS_RIGHT}


def test_everybody_answers_what_a_bot_wrote_and_nobody_wins_by_it(
    session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, seats = reach_desk(session, monkeypatch, now=now)
    session = reach_card_of(session, Kind.MACHINE, now=now)
    say(session, *((one, "machine") for one in seats[:2]), now=now)
    assert again(session).phase == "card"
    say(session, (seats[2], "human"), now=now)
    assert again(session).phase == "reveal"
    points = {line.name: line.points for line in read_standings(again(session))}
    assert points == {seats[0].name: POINTS_RIGHT, seats[1].name: POINTS_RIGHT, seats[2].name: 0}


def test_no_count_tells_the_last_one_whose_the_text_is(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the last answer two of five are missing on both kinds of cards: the writer, and whoever has not answered; or two who may."""
    shown = {}
    for kind in (Kind.HUMAN, Kind.MACHINE):
        held, seats = reach_desk(hold_writing(session.categories.get(), now=now), monkeypatch, now=now, students=5)
        held = reach_card_of(held, kind, now=now)
        may = [one for one in seats if one.pk != writer_on_table(held)]
        counts = []
        for one in may[:-1]:
            say(held, (one, "human"), now=now)
            counts.append(read_stage(again(held)).answered)
        shown[kind] = (again(held).phase, counts[:3], max(counts))
    assert shown[Kind.HUMAN] == shown[Kind.MACHINE] == ("card", [1, 2, 3], 3)


def test_how_many_wrote_is_counted_while_they_write(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    session, seats = reach_desk(session, monkeypatch, now=now)
    open_desk(session=session)
    assert read_stage(again(session)).written == 3
    kick(seat=seats[0], now=now)
    assert read_stage(again(session)).written == 2


def test_texts_go_with_their_class(session: ClassSession, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = reach_desk(session, monkeypatch, now=now)
    approve_all(session)
    press(session, "next", now=now)
    assert ClassText.objects.exists()
    session.delete()
    assert not ClassText.objects.exists()


def test_a_writing_time_that_runs_out_brings_the_desk(session: ClassSession, now: datetime) -> None:
    session = press(session, "start", now=now)
    assert act(session_id=session.pk, action=Action.EXPIRE, version=session.version, now=now + WRITING_TIME) is None
    session = press(session, "expire", now=now + WRITING_TIME + GRACE)
    assert session.state == rules.State(rules.Phase.CHOOSING, 0, 0, 2)
