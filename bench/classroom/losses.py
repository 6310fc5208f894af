"""What a class lost: the log of its students' pages, compared with what the database has."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

from bench.classroom.room import Student

POINTS_RIGHT = 100
# What was sent so long before the host moved on was in time, however long the server's queue is: the game's own grace.
IN_TIME_SECONDS = 1.0
# Tokens of seat and card, and the verdict.
Stored = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Losses:
    """Answers and scores that are not as the students' pages have them."""

    told_but_gone: int = 0
    sent_in_time_but_gone: int = 0
    stored_twice: int = 0
    never_pressed: int = 0
    told_otherwise: int = 0
    wrong_scores: int = 0

    @property
    def total(self) -> int:
        """Return how many there are in all."""
        return sum(astuple(self))


def find_losses(students: Sequence[Student], ended: Mapping[str, float], stored: Iterable[Stored], kinds: Mapping[str, str]) -> Losses:
    """Compare pages with the database: `ended` says when the host moved on from each card, `kinds` who wrote it."""
    stored = list(stored)
    rows = Counter((seat, card) for seat, card, _ in stored)
    verdicts = {(seat, card): verdict for seat, card, verdict in stored}
    pressed = {(student.seat.token, card): verdict for student in students for card, verdict in student.pressed.items()}
    told = {(student.seat.token, card): verdict for student in students for card, verdict in student.told.items()}
    in_time = {
        (student.seat.token, card)
        for student in students
        for card, at in student.under_way.items()
        if card in ended and at < ended[card] - IN_TIME_SECONDS
    }
    return Losses(
        told_but_gone=sum(verdicts.get(key) != verdict for key, verdict in told.items()),
        sent_in_time_but_gone=len(in_time - verdicts.keys()),
        stored_twice=sum(count - 1 for count in rows.values()),
        never_pressed=sum(pressed.get(key) != verdict for key, verdict in verdicts.items()),
        told_otherwise=sum(student.told_otherwise for student in students),
        wrong_scores=_count_wrong_scores(students, {key: pressed.get(key, "") for key in verdicts}, kinds),
    )


def _count_wrong_scores(students: Sequence[Student], counted: Mapping[tuple[str, str], str], kinds: Mapping[str, str]) -> int:
    """Recompute everybody's points and rank by what they pressed, and compare with what their podium said."""
    points = dict.fromkeys((student.seat.token for student in students), 0)
    for (seat, card), verdict in counted.items():
        if seat in points:
            points[seat] += POINTS_RIGHT * (verdict == kinds[card])
    better = Counter(points.values())
    ranks = {score: 1 + sum(number for other, number in better.items() if other > score) for score in better}
    return sum(
        (student.standing.get("points"), student.standing.get("rank")) != (str(score), str(ranks[score]))
        for student, score in ((student, points[student.seat.token]) for student in students)
    )
