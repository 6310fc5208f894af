"""What pages and frames of a class show. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from game.classroom import rules
from game.classroom.models import Answer, ClassCard, ClassSession, ClassText
from game.pool.models import Kind


@dataclass(frozen=True)
class Stage:
    """A class at a moment: what is the same for everybody in it. Counts are read when a template first asks: students' ask for few."""

    session: ClassSession
    state: rules.State
    card: ClassCard | None  # on the table, or revealed

    @cached_property
    def seats(self) -> int:
        """Return how many students there are."""
        return self.session.seats.filter(kicked_at=None).count()

    @cached_property
    def answered(self) -> int:
        """Return how many have answered the card."""
        answered = self.said_human + self.said_machine
        if self.card and self.card.text_id and self.state.phase == rules.Phase.CARD:
            # Whoever wrote a text does not answer it: that all but one have answered would tell the last one that a machine wrote it.
            return min(answered, max(0, self.seats - 2))
        return answered

    @property
    def said_human(self) -> int:
        """Return how many took the card for a person's."""
        return self._said.get(Kind.HUMAN, 0)

    @property
    def said_machine(self) -> int:
        """Return how many took the card for a bot's."""
        return self._said.get(Kind.MACHINE, 0)

    @cached_property
    def written(self) -> int:
        """Return how many texts there are by students."""
        return self.session.texts.filter(seat__isnull=False, seat__kicked_at=None).count()

    @cached_property
    def desk(self) -> dict[str, int]:
        """Count the texts that the teacher reads: all, those decided on (`read`), those `approved`, and of these the students' `own`."""
        approved = Q(status=ClassText.Status.APPROVED)
        return self.session.texts.filter(seat__kicked_at=None).aggregate(
            texts=Count("pk"),
            read=Count("pk", filter=~Q(status=ClassText.Status.PENDING)),
            approved=Count("pk", filter=approved),
            own=Count("pk", filter=approved & Q(seat__isnull=False)),
        )

    @property
    def deals(self) -> bool:
        """Say whether all are read and cards can be dealt of them: a text of the class and one of a bot are approved."""
        return self.desk["read"] == self.desk["texts"] and 0 < self.desk["own"] < self.desk["approved"]

    @cached_property
    def _said(self) -> dict[str, int]:
        rows = Answer.objects.filter(card=self.card, seat__kicked_at=None).values_list("verdict").annotate(Count("pk"))
        return dict(rows.order_by()) if self.card else {}

    @property
    def shown(self) -> dict[str, Any]:
        """Return what templates/parts/tweet.html shows of the card: nothing of a tweet that has left the game."""
        assert self.card
        return {"text": self.card.body, "withdrawn": self.card.withdrawn}

    @property
    def follows_skipped(self) -> bool:
        """Say whether the card before this one was left out."""
        return self.session.cards.filter(position=self.state.position - 1, skipped=True).exists()


@dataclass(frozen=True, slots=True)
class Line:
    """How a seat stands; `rank` is shared by equals, and counts all who are before."""

    seat_id: int
    token: str
    name: str
    rank: int
    points: int
    right: int
    answered: int


@dataclass(frozen=True, slots=True)
class Place:
    """A seat, and what its student did with the card that is on the table or revealed."""

    seat_id: int
    token: str
    code: str
    name: str
    verdict: str  # "" without one
    right: bool | None
    earned: int
    own: bool  # the card is the student's own text
    written: str  # the status of the student's text, "" without one


def find_session(code: str) -> ClassSession | None:
    """Return the session with this code, its `state` complete; None where there is none."""
    return ClassSession.objects.annotate(card_count=Count("cards")).filter(code=code).first()


def read_stage(session: ClassSession) -> Stage:
    """Return what `session`, as find_session returns it, shows to everybody."""
    card = None
    if session.position and session.phase in (rules.Phase.CARD, rules.Phase.REVEAL):
        related = ("tweet__author", "tweet__category", "text__seat", "text__model_version")
        card = session.cards.select_related(*related).get(position=session.position)
    return Stage(session=session, state=session.state, card=card)


def read_places(session: ClassSession, card: ClassCard | None, tokens: Sequence[str] | None = None) -> Sequence[Place]:
    """Return who sits in a class, in the order they came; of `tokens` alone, if given."""
    # Put together here: of what came in a moment ago PostgreSQL has no statistics, and compared each seat with each answer.
    seats = session.seats.filter(kicked_at=None)
    if tokens is not None:
        seats = seats.filter(token__in=tokens)
    rows = list(seats.order_by("pk").values_list("pk", "token", "code", "name"))
    said = _read_said(card, [row[0] for row in rows] if tokens is not None else None) if card else {}
    texts = _read_texts(session) if session.mode == ClassSession.Mode.WRITE else {}
    places = []
    for pk, token, code, name in rows:
        verdict, right, earned = said.get(pk, ("", None, 0))
        text, status = texts.get(pk, (0, ""))
        own = card is not None and card.text_id == text
        places.append(Place(pk, token, code, name, verdict, right, earned, own, status))
    return places


def _read_said(card: ClassCard, seats: Sequence[int] | None) -> dict[int, tuple[str, bool | None, int]]:
    answers = Answer.objects.filter(card=card) if seats is None else Answer.objects.filter(card=card, seat__in=seats)
    return {seat: (verdict, right, earned) for seat, verdict, right, earned in answers.values_list("seat", "verdict", "right", "points")}


def _read_texts(session: ClassSession) -> dict[int | None, tuple[int, str]]:
    texts = session.texts.filter(seat__isnull=False).values_list("seat", "pk", "status")
    return {seat: (text, status) for seat, text, status in texts}


# Points for being taken for a bot belong to whoever wrote the text of the card. Of cards whose truth is not out yet nothing counts.
# What counts is added up under the seats, not joined to them: of a class that began a moment ago PostgreSQL has no statistics, and
# compares each of a thousand seats with each of a thousand answers.
_STANDINGS = """
    WITH counted AS (
      SELECT c.id, c.text_id FROM classroom_classcard c
       WHERE c.session_id = %(session)s AND NOT c.skipped AND c.position <= %(revealed)s
    ), parts (id, token, name, points, "right", answered) AS (
      SELECT s.id, s.token, s.name, 0, 0, 0 FROM classroom_seat s WHERE s.session_id = %(session)s AND s.kicked_at IS NULL
       UNION ALL
      SELECT a.seat_id, NULL, NULL, a.points, a."right"::int, 1 FROM counted c JOIN classroom_answer a ON a.card_id = c.id
       UNION ALL
      SELECT t.seat_id, NULL, NULL, %(fooled)s, 0, 0
        FROM counted c JOIN classroom_classtext t ON t.id = c.text_id JOIN classroom_answer a ON a.card_id = c.id
        JOIN classroom_seat s ON s.id = a.seat_id
       WHERE c.text_id IS NOT NULL AND t.seat_id IS NOT NULL AND a.verdict = 'machine' AND s.kicked_at IS NULL
    )
    SELECT id, max(token), max(name) AS name, rank() OVER (ORDER BY sum(points) DESC), sum(points) AS points, sum("right"), sum(answered)
      FROM parts
     GROUP BY id
    HAVING max(token) IS NOT NULL
     ORDER BY points DESC, name
"""


# Of a card's position, which is a small one.
_ALL = 32_767


def revealed_position(session: ClassSession) -> int:
    """Return the position of the last card whose truth is out: at one's own pace all are, to whoever has judged them, and the teacher."""
    if not session.is_in_step:
        return _ALL
    return session.position - 1 if session.phase == rules.Phase.CARD else session.position


def read_standings(session: ClassSession) -> Sequence[Line]:
    """Return how everybody stands, the best first, by all cards whose truth is out; at one's own pace by all that one answered."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, {"session": session.pk, "revealed": revealed_position(session), "fooled": rules.POINTS_FOOLED})
        return [Line(*row) for row in cursor.fetchall()]
