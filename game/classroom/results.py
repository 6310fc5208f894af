"""What became of a class: by student, by card, by who wrote, and in all. Nothing here writes.

Only cards whose truth is out count, and nothing of students who were removed: as in the standings. What was left out, counts for nobody:
cards that the teacher skipped, and those whose tweet had left the game before anybody judged it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection

from game.classroom import rules
from game.classroom.measures import Counts, Detection, Share, detection, headline, say_lean, share
from game.classroom.models import ClassCard, ClassSession, Seat
from game.classroom.selectors import revealed_position
from game.pool.models import Kind


@dataclass(frozen=True, slots=True)
class Tally:
    """What some answers come to: of a seat, of a card, or of all."""

    counts: Counts = field(default_factory=Counts)
    points: int = 0
    median: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote a text: a person, a student of this class, or a model; `detail` tells those apart who share a name."""

    key: tuple[str, int]
    name: str
    detail: str
    kind: str


@dataclass(frozen=True, slots=True)
class StudentRow:
    """How a student did. `fooled`: how often their own text was taken for a bot's; `missing`: cards without an answer of theirs."""

    rank: int
    name: str
    points: int
    counts: Counts
    missing: int
    fooled: int
    median: timedelta | None

    @property
    def right(self) -> Share | None:
        """Return the share of right answers among those given."""
        return share(self.counts.right, self.counts.answered)

    @property
    def detection(self) -> Detection | None:
        """Return d', where it can be said."""
        return detection(self.counts)


@dataclass(frozen=True, slots=True)
class CardRow:
    """How a card did. One that was left out has no counts."""

    pk: int
    position: int
    text: str
    withdrawn: bool
    kind: str
    language: str
    writer: Writer
    left_out: bool
    counts: Counts
    missing: int

    @property
    def right(self) -> Share | None:
        """Return the share of right answers among those given."""
        return share(self.counts.right, self.counts.answered)


@dataclass(frozen=True, slots=True)
class WriterRow:
    """How somebody's texts did, all of those on the cards that count."""

    writer: Writer
    cards: int
    counts: Counts

    @property
    def taken_for_other(self) -> Share | None:
        """Return how often a person was taken for a bot, or a bot for a person."""
        return share(self.counts.wrong, self.counts.answered)


@dataclass(frozen=True, slots=True)
class Results:
    """All of it. `cards` and `writers` begin with what fooled most; `ahead` is how many cards have no truth out yet, and no count."""

    students: Sequence[StudentRow]
    cards: Sequence[CardRow]
    left_out: Sequence[CardRow]
    writers: Sequence[WriterRow]
    total: Tally
    ahead: int
    removed: int

    @property
    def right(self) -> Share | None:
        """Return the share of right answers among those given."""
        return share(self.total.counts.right, self.total.counts.answered)

    @property
    def detection(self) -> Detection | None:
        """Return the d' of all answers together, where it can be said."""
        return detection(self.total.counts)

    @property
    def headline(self) -> str:
        """Return one sentence on how the class did."""
        return headline(self.total.counts)

    @property
    def lean(self) -> str:
        """Return one sentence on what the class would rather say; nothing where that can't be said."""
        return say_lean(self.detection) if self.detection else ""

    @property
    def missing(self) -> int:
        """Return how many answers were not given."""
        return sum(card.missing for card in self.cards)

    @property
    def expected(self) -> int:
        """Return how many answers there would be had everybody judged every card but their own."""
        return self.total.counts.answered + self.missing

    @property
    def fooled(self) -> int:
        """Return how often a student's own text was taken for a bot's."""
        return sum(student.fooled for student in self.students)

    @property
    def points(self) -> int:
        """Return the points of all students."""
        return sum(student.points for student in self.students)

    @property
    def cards_in_order(self) -> list[CardRow]:
        """Return the cards as they were dealt, those that were left out among them."""
        return sorted((*self.cards, *self.left_out), key=lambda card: card.position)


# One statement, so that what it counts for students, for cards and in all is of one moment, whoever answers meanwhile. Arrays, not joins:
# of a class that has just been held PostgreSQL has no statistics.
_TALLIES = """
    SELECT a.seat_id, a.card_id,
           count(*) FILTER (WHERE a.verdict = 'machine' AND a."right"), count(*) FILTER (WHERE a.verdict = 'human' AND NOT a."right"),
           count(*) FILTER (WHERE a.verdict = 'machine' AND NOT a."right"), count(*) FILTER (WHERE a.verdict = 'human' AND a."right"),
           coalesce(sum(a.points), 0), percentile_cont(0.5) WITHIN GROUP (ORDER BY a.elapsed)
      FROM classroom_answer a
     WHERE a.card_id = ANY(ARRAY(
             SELECT c.id FROM classroom_classcard c WHERE c.session_id = %(session)s AND NOT c.skipped AND c.position <= %(revealed)s))
       AND a.seat_id <> ALL(ARRAY(SELECT s.id FROM classroom_seat s WHERE s.session_id = %(session)s AND s.kicked_at IS NOT NULL))
     GROUP BY GROUPING SETS ((a.seat_id), (a.card_id), ())
"""


def read_results(session: ClassSession) -> Results:
    """Read what became of a class so far, in three statements whatever its size."""
    by_seat, by_card, total = _read_tallies(session)
    # Counted above, and removed or skipped a moment later: it stays in, so that the totals are those of the rows.
    seats = list(session.seats.order_by("pk"))
    staying = [seat for seat in seats if seat.kicked_at is None or seat.pk in by_seat]
    related = ("tweet__author", "tweet__category", "text__seat", "text__model_version__author")
    cards = list(session.cards.select_related(*related).order_by("position"))
    out = [card for card in cards if card.position <= revealed_position(session)]
    counted = [card for card in out if card.pk in by_card or not (card.skipped or card.withdrawn)]
    ids = {seat.pk for seat in staying}
    rows = [_card_row(card, by_card.get(card.pk, Tally()), ids) for card in counted]
    return Results(
        students=_rank(staying, by_seat, counted, by_card),
        cards=sorted(rows, key=lambda row: (row.right.rate if row.right else 2, row.position)),
        left_out=[_card_row(card, None, ids) for card in out if card not in counted],
        writers=_by_writer(rows),
        total=total,
        ahead=len(cards) - len(out),
        removed=len(seats) - len(staying),
    )


def _read_tallies(session: ClassSession) -> tuple[dict[int, Tally], dict[int, Tally], Tally]:
    """Return what the answers come to by seat, by card, and in all."""
    by_seat, by_card, total = {}, {}, Tally()
    with connection.cursor() as cursor:
        cursor.execute(_TALLIES, {"session": session.pk, "revealed": revealed_position(session)})
        for seat, card, *counts, points, median in cursor.fetchall():
            tally = Tally(Counts(*counts), points, median)
            if seat is not None:
                by_seat[seat] = tally
            elif card is not None:
                by_card[card] = tally
            else:
                total = tally
    return by_seat, by_card, total


def _rank(
    seats: Sequence[Seat], by_seat: Mapping[int, Tally], cards: Sequence[ClassCard], by_card: Mapping[int, Tally]
) -> list[StudentRow]:
    """Return the students, the best first; equals share a rank."""
    own = {card.text.seat_id: by_card.get(card.pk, Tally()).counts.human_as_machine for card in cards if card.text and card.text.seat_id}
    points = {seat.pk: by_seat.get(seat.pk, Tally()).points + own.get(seat.pk, 0) * rules.POINTS_FOOLED for seat in seats}
    ranks: dict[int, int] = {}
    for rank, most in enumerate(sorted(points.values(), reverse=True), 1):
        ranks.setdefault(most, rank)
    rows = []
    for seat in sorted(seats, key=lambda seat: (-points[seat.pk], seat.name)):
        tally = by_seat.get(seat.pk, Tally())
        missing = len(cards) - (seat.pk in own) - tally.counts.answered
        rows.append(
            StudentRow(
                rank=ranks[points[seat.pk]],
                name=seat.name,
                points=points[seat.pk],
                counts=tally.counts,
                missing=missing,
                fooled=own.get(seat.pk, 0),
                median=tally.median,
            )
        )
    return rows


def _card_row(card: ClassCard, tally: Tally | None, seats: Collection[int]) -> CardRow:
    """Return how a card did among `seats`, who do not judge what they wrote themselves; without a tally it was left out."""
    counts = tally.counts if tally else Counts()
    own = card.text is not None and card.text.seat_id in seats
    return CardRow(
        pk=card.pk,
        position=card.position,
        text=card.body,
        withdrawn=card.withdrawn,
        kind=card.kind,
        language=card.tweet.category.language if card.tweet else "",
        writer=_writer(card),
        left_out=tally is None,
        counts=counts,
        missing=len(seats) - own - counts.answered if tally else 0,
    )


def _writer(card: ClassCard) -> Writer:
    if card.text and card.text.seat:
        seat = card.text.seat
        # Somebody else may have the name by now, or the same student once more.
        return Writer(("seat", seat.pk), seat.name, "removed" if seat.kicked_at else "", Kind.HUMAN)
    version = card.text.model_version if card.text else None
    author = version.author if version else card.tweet.author if card.tweet else None
    assert author
    detail = f"@{author.handle}" if author.kind == Kind.HUMAN and author.name else ""
    return Writer(("author", author.pk), author.name or author.handle, detail, author.kind)


def _by_writer(cards: Iterable[CardRow]) -> list[WriterRow]:
    """Return the writers, those first who were taken for the other most often."""
    found: dict[Writer, list[CardRow]] = {}
    for card in cards:
        found.setdefault(card.writer, []).append(card)
    rows = [WriterRow(writer, len(theirs), sum((card.counts for card in theirs), Counts())) for writer, theirs in found.items()]
    return sorted(rows, key=lambda row: (-row.taken_for_other.rate if row.taken_for_other else 1, row.writer.name))
