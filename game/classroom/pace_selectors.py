"""What pages of homework and challenges show: of cards only to a seat that has judged them. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.play.rules import Score
from game.play.selectors import shown_text
from game.pool.models import Kind, Status


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a seat is."""

    pk: int
    name: str
    has_begun: bool
    answered: int
    total: int

    @property
    def is_finished(self) -> bool:
        """Say whether it has judged all cards."""
        return self.has_begun and self.answered == self.total


def read_score(seat: Seat) -> Score:
    """Count what a seat has answered, and what of it was right."""
    rights = list(Answer.objects.filter(seat=seat).values_list("right", flat=True))
    return Score(right=sum(rights), guessed=len(rights))


def find_answer(seat: Seat, token: str) -> Answer | None:
    """Return the seat's answer to the card with this token, its tweet and author at hand; None where it has given none."""
    related = ("card__tweet__author", "card__tweet__category")
    return Answer.objects.select_related(*related).filter(seat=seat, card__token=token).first()


def read_place(answer: Answer) -> int:
    """Return which card this was for its seat, counted from 1: what was left out for it does not count."""
    return Answer.objects.filter(seat=answer.seat_id, card__position__lte=answer.card.position).count()


def _said(cards: Q) -> dict[tuple[int, str], int]:
    """Return how many said what of each card."""
    answers = Answer.objects.filter(cards, seat__kicked_at=None)
    return {(card, verdict): count for card, verdict, count in answers.values_list("card", "verdict").annotate(Count("pk")).order_by()}


def read_reveal(answer: Answer) -> dict[str, Any]:
    """Return what may be shown of a card now that the seat has answered, as game.play.selectors does for a round's."""
    return _describe(answer, _said(Q(card=answer.card_id)))


def _describe(answer: Answer, said: dict[tuple[int, str], int]) -> dict[str, Any]:
    tweet = answer.card.tweet
    assert tweet
    return {
        "kind": tweet.author.kind,
        "verdict": answer.verdict,
        "right": answer.right,
        "author_name": tweet.author.name,
        "handle": tweet.author.handle,
        "posted_at": tweet.posted_at,
        "facts": tweet.facts,
        "said_human": said.get((answer.card_id, Kind.HUMAN), 0),
        "said_machine": said.get((answer.card_id, Kind.MACHINE), 0),
    }


def read_cards(seat: Seat, beside: Seat | None = None) -> list[dict[str, Any]]:
    """Return the cards that a seat has judged, in order, with their truth, what all said of them, and what the seat `beside` did."""
    said = _said(Q(card__session=seat.session_id))
    theirs = dict(Answer.objects.filter(seat=beside).values_list("card", "verdict")) if beside else {}
    answers = Answer.objects.filter(seat=seat).select_related("card__tweet__author", "card__tweet__category").order_by("card__position")
    return [
        {
            **shown_text(answer.card.tweet),
            **_describe(answer, said),
            "category": answer.card.tweet.category,
            "theirs": theirs.get(answer.card_id),
        }
        for answer in answers
        if answer.card.tweet
    ]


def find_maker(session: ClassSession) -> Seat | None:
    """Return the seat of the player who made a challenge of a round: the first one; a teacher has none."""
    return None if session.teacher_id else session.seats.order_by("pk").first()


def read_progress(session: ClassSession) -> Sequence[Progress]:
    """Return how far everybody is, by name; cards that have left the game count only for those who judged them."""
    there = Q(skipped=False, tweet__status=Status.APPROVED)
    cards = ClassCard.objects.filter(there, session=session).count()
    judged = Q(answers__card__skipped=False, answers__card__tweet__status=Status.APPROVED)
    seats = session.seats.filter(kicked_at=None).annotate(answered=Count("answers"), there=Count("answers", filter=judged))
    return [
        Progress(seat.pk, seat.name, bool(seat.shown_position), seat.answered, seat.answered + cards - seat.there)
        for seat in seats.order_by("name")
    ]
