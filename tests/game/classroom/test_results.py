"""What became of a class: counted by hand for a small one, added up for many made up at random."""

import random
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from game.classroom.measures import Counts, detection, share
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.results import Results, read_results
from game.classroom.rules import POINTS_FOOLED, Phase
from game.classroom.selectors import read_standings
from game.pool.models import Category, Kind, Tweet
from generation.models import ModelVersion
from tests.game.classroom.held import answer, deal, deal_text, make_session, seat_students

HUMAN, MACHINE = Kind.HUMAN, Kind.MACHINE


@pytest.fixture
def session(category: Category) -> ClassSession:
    return make_session(User.objects.create(username="mona"), category)


def make_model(category: Category) -> ModelVersion:
    author = Tweet.objects.filter(category=category, kind=MACHINE)[0].author
    return ModelVersion.objects.create(author=author, category=category, name="tiny", version=1, path="nowhere")


def held(session: ClassSession, category: Category) -> list[ClassCard]:
    """Hold a class of three students and four cards, one of which the teacher skipped."""
    ada, bea, cleo = seat_students(session, ["Ada", "Bea", "Cleo"])
    cards = deal(session, category, [HUMAN, MACHINE, HUMAN, MACHINE])
    answer(ada, cards, "rrrr", seconds=2)
    answer(bea, cards, "rwrw", seconds=5)
    answer(cleo, cards, "w-r-", seconds=9)
    ClassCard.objects.filter(pk=cards[2].pk).update(skipped=True)
    return cards


def test_a_student_has_rank_points_counts_what_is_missing_and_a_median_time(session: ClassSession, category: Category) -> None:
    held(session, category)
    rows = read_results(session).students
    assert [(row.rank, row.name, row.points, row.counts, row.missing, row.fooled) for row in rows] == [
        (1, "Ada", 300, Counts(2, 0, 0, 1), 0, 0),
        (2, "Bea", 100, Counts(0, 2, 0, 1), 0, 0),
        (3, "Cleo", 0, Counts(0, 0, 1, 0), 2, 0),
    ]
    assert [row.median for row in rows] == [timedelta(seconds=2), timedelta(seconds=5), timedelta(seconds=9)]
    assert [row.right for row in rows] == [share(3, 3), share(1, 3), share(0, 1)]
    assert [row.detection for row in rows] == [detection(Counts(2, 0, 0, 1)), detection(Counts(0, 2, 0, 1)), None]


def test_cards_begin_with_what_fooled_most_and_the_skipped_one_counts_for_nobody(session: ClassSession, category: Category) -> None:
    cards = held(session, category)
    found = read_results(session)
    assert [(row.position, row.counts, row.missing, row.counts.wrong) for row in found.cards] == [
        (2, Counts(1, 1, 0, 0), 1, 1),
        (4, Counts(1, 1, 0, 0), 1, 1),
        (1, Counts(0, 0, 1, 2), 0, 1),
    ]
    assert [(row.position, row.counts, row.missing, row.left_out) for row in found.left_out] == [(3, Counts(), 0, True)]
    assert [row.position for row in found.cards_in_order] == [1, 2, 3, 4]
    assert [row.text for row in found.cards_in_order] == [card.body for card in cards]
    assert [row.kind for row in found.cards_in_order] == [HUMAN, MACHINE, HUMAN, MACHINE]


def test_writers_begin_with_who_was_taken_for_the_other_most(session: ClassSession, category: Category) -> None:
    held(session, category)
    rows = read_results(session).writers
    assert [(row.writer.name, row.writer.detail, row.writer.kind, row.cards, row.taken_for_other) for row in rows] == [
        ("tiny", "", MACHINE, 2, share(2, 4)),
        ("Ada Spade", "@ada", HUMAN, 1, share(1, 3)),
    ]


def test_the_class_as_a_whole(session: ClassSession, category: Category) -> None:
    held(session, category)
    found = read_results(session)
    assert found.total.counts == Counts(2, 2, 1, 2)
    assert found.total.median == timedelta(seconds=5)
    assert found.right == share(4, 7)
    assert found.detection == detection(Counts(2, 2, 1, 2))
    assert (found.missing, found.expected, found.points, found.ahead, found.removed) == (2, 9, 400, 0, 0)
    assert found.headline == "A coin would have done about as well."


def test_of_two_of_one_name_the_one_who_was_removed_is_told_apart(session: ClassSession, category: Category) -> None:
    (gone,) = seat_students(session, ["Mallory"])
    deal_text(session, 1, seat=gone)
    Seat.objects.update(kicked_at=session.created_at)
    deal_text(session, 2, seat=Seat.objects.create(session=session, name="Mallory", code="1"))
    ClassSession.objects.update(position=2)
    session.refresh_from_db()
    assert {(row.writer.name, row.writer.detail) for row in read_results(session).writers} == {("Mallory", "removed"), ("Mallory", "")}


def test_whoever_was_removed_is_left_out_of_all_figures(session: ClassSession, category: Category) -> None:
    held(session, category)
    Seat.objects.filter(name="Ada").update(kicked_at=session.created_at)
    found = read_results(session)
    assert [row.name for row in found.students] == ["Bea", "Cleo"]
    assert (found.total.counts, found.expected, found.removed) == (Counts(0, 2, 1, 1), 6, 1)


@pytest.mark.parametrize(
    ("mode", "phase", "position", "counted", "ahead"),
    [
        ("live", Phase.LOBBY, 0, [], 4),
        ("live", Phase.CARD, 1, [], 4),
        ("live", Phase.REVEAL, 1, [1], 3),
        ("live", Phase.CARD, 2, [1], 3),
        ("live", Phase.STANDINGS, 2, [1, 2], 2),
        ("live", Phase.CARD, 4, [1, 2], 1),
        ("live", Phase.PODIUM, 2, [1, 2], 2),
        ("live", Phase.PODIUM, 4, [1, 2, 4], 0),
        ("homework", Phase.LOBBY, 0, [1, 2, 4], 0),
        ("homework", Phase.PODIUM, 0, [1, 2, 4], 0),
    ],
)
def test_a_card_counts_once_its_truth_is_out(
    session: ClassSession, category: Category, mode: str, phase: Phase, position: int, counted: list[int], ahead: int
) -> None:
    held(session, category)
    session.mode, session.phase, session.position = mode, phase, position
    session.save()
    # What was not shown yet has no answers.
    if mode == "live":
        Answer.objects.filter(card__position__gt=position).delete()
    found = read_results(session)
    assert sorted(row.position for row in found.cards) == counted
    assert found.ahead == ahead
    assert_it_adds_up(found)
    assert_it_agrees_with_the_standings(session, found)


def test_a_card_whose_tweet_left_the_game_keeps_its_answers_and_shows_no_text(session: ClassSession, category: Category) -> None:
    cards = held(session, category)
    Tweet.objects.filter(pk__in=[cards[0].tweet_id, cards[1].tweet_id]).update(status="withdrawn")
    Answer.objects.filter(card=cards[1]).delete()
    found = read_results(session)
    assert [(row.position, row.text, row.withdrawn, row.counts) for row in found.cards if row.withdrawn] == [
        (1, "", True, Counts(0, 0, 1, 2))
    ]
    assert [row.position for row in found.left_out] == [2, 3]
    assert_it_adds_up(found)


def test_students_are_writers_too_and_do_not_miss_their_own_card(category: Category) -> None:
    session = make_session(User.objects.create(username="mona"), category, mode="write", position=3)
    ada, bea, cleo = seat_students(session, ["Ada", "Bea", "Cleo"])
    cards = [deal_text(session, 1, seat=ada), deal_text(session, 2, seat=bea), deal_text(session, 3, model_version=make_model(category))]
    answer(ada, cards, "-rr")
    answer(bea, cards, "w-w")
    answer(cleo, cards, "w--")
    found = read_results(session)
    assert [(row.rank, row.name, row.points, row.fooled, row.missing) for row in found.students] == [
        (1, "Ada", 200 + 2 * POINTS_FOOLED, 2, 0),
        (2, "Bea", 0, 0, 0),
        (2, "Cleo", 0, 0, 2),
    ]
    assert [(row.writer.name, row.writer.kind, row.taken_for_other) for row in found.writers] == [
        ("Ada", HUMAN, share(2, 2)),
        ("tiny", MACHINE, share(1, 2)),
        ("Bea", HUMAN, share(0, 1)),
    ]
    assert (found.fooled, found.missing, found.expected) == (2, 2, 7)
    assert_it_adds_up(found)
    assert_it_agrees_with_the_standings(session, found)


def test_who_answered_nothing_is_there_and_so_is_a_card_that_nobody_answered(session: ClassSession, category: Category) -> None:
    seat_students(session, ["Ada", "Bea"])
    deal(session, category, [HUMAN])
    found = read_results(session)
    assert [(row.rank, row.name, row.points, row.right, row.median, row.missing) for row in found.students] == [
        (1, "Ada", 0, None, None, 1),
        (1, "Bea", 0, None, None, 1),
    ]
    assert [(row.right, row.missing) for row in found.cards] == [(None, 2)]
    assert [(row.cards, row.taken_for_other) for row in found.writers] == [(1, None)]
    assert (found.right, found.missing, found.headline) == (None, 2, "Nobody has answered yet.")


def test_a_class_without_anybody_or_anything_in_it_has_results(session: ClassSession) -> None:
    found = read_results(session)
    assert (found.students, found.cards, found.writers, found.expected, found.points) == ([], [], [], 0, 0)


def assert_it_adds_up(found: Results) -> None:
    """Check that every total is the sum of its rows, whichever way they are cut."""
    for rows in (found.students, found.cards, found.writers):
        assert sum((row.counts for row in rows), Counts()) == found.total.counts
    assert sum(row.missing for row in found.students) == sum(row.missing for row in found.cards) == found.missing
    assert found.expected == found.total.counts.answered + found.missing
    assert sum(row.cards for row in found.writers) == len(found.cards)
    assert sum(row.points for row in found.students) == found.points == found.total.points + POINTS_FOOLED * found.fooled
    assert min([row.missing for row in found.students] + [row.missing for row in found.cards], default=0) >= 0


def assert_it_agrees_with_the_standings(session: ClassSession, found: Results) -> None:
    lines = read_standings(session)
    assert {(row.rank, row.name, row.points, row.counts.right, row.counts.answered) for row in found.students} == {
        (line.rank, line.name, line.points, line.right, line.answered) for line in lines
    }


@pytest.mark.parametrize("seed", range(12))
def test_every_total_is_the_sum_of_its_rows_and_the_standings_say_the_same(category: Category, seed: int) -> None:
    rng = random.Random(seed)
    mode = rng.choice(["live", "write", "homework"])
    session = make_session(User.objects.create(username="mona"), category, mode=mode)
    seats = seat_students(session, [f"Student {number}" for number in range(rng.randrange(9))])
    cards = deal(session, category, [rng.choice([HUMAN, MACHINE]) for _ in range(rng.randrange(1, 8))])
    if mode == "write":
        model = make_model(category)
        writers: list[dict[str, Any]] = [*({"seat": seat} for seat in rng.sample(seats, len(seats) // 2)), {"model_version": model}]
        cards += [deal_text(session, number, **writer) for number, writer in enumerate(writers, len(cards) + 1)]
        ClassSession.objects.filter(pk=session.pk).update(position=len(cards))
        session.refresh_from_db()
    for seat in seats:
        own = [card.text is not None and card.text.seat_id == seat.pk for card in cards]
        answer(seat, cards, "".join("-" if mine else rng.choice("rrw-") for mine in own), seconds=rng.uniform(1, 20))
    Answer.objects.filter(right=True, seat__in=seats[:3]).update(points=157)
    ClassCard.objects.filter(pk__in=[card.pk for card in rng.sample(cards, len(cards) // 3)]).update(skipped=True)
    Seat.objects.filter(pk__in=[seat.pk for seat in rng.sample(seats, len(seats) // 4)]).update(kicked_at=session.created_at)
    found = read_results(session)
    assert_it_adds_up(found)
    assert_it_agrees_with_the_standings(session, found)


def test_a_big_class_is_read_in_as_many_statements_as_a_small_one(category: Category) -> None:
    teacher = User.objects.create(username="mona")
    small, big = make_session(teacher, category), make_session(teacher, category, code="CDFGHJ")
    asked = []
    for session, students, cards in ((small, 1, 1), (big, 30, 20)):
        seats = seat_students(session, [f"Student {number}" for number in range(students)])
        dealt = deal(session, category, [HUMAN, MACHINE] * (cards // 2) + [HUMAN] * (cards % 2))
        for seat in seats:
            answer(seat, dealt, "r" * cards)
        with CaptureQueriesContext(connection) as queries:
            assert_it_adds_up(read_results(session))
        asked.append(len(queries))
    assert asked == [3, 3]
