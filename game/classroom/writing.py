"""What becomes of a class that writes as it moves on: models are asked to go on too, their texts come in, cards are dealt of both.

game.classroom.services.act calls these in its transaction.
"""

import random

from django.db import transaction
from django.db.models import Q, QuerySet

from game.classroom.models import ClassCard, ClassSession, ClassText
from game.classroom.texts import is_presentable, plan_deal
from game.pool.models import Kind, Status
from game.pool.rules import fingerprint
from generation.claims import UNFINISHED
from generation.duel.columns import active_models, add_columns
from generation.duel.models import Column, Completion, Prompt
from generation.duel.rules import prompt_key
from generation.duel.services import close_prompt

# So many texts by models are read besides as many as students wrote: some are rejected.
_SPARE = 3
_FEWEST = 5
# No class takes longer. So long the duel's pages show nothing of what bots wrote to its prompt.
_CLASS_SECONDS = 2 * 3600


@transaction.atomic
def ask_models(*, session: ClassSession) -> None:
    """Have the models of the session's categories go on from its prompt too; those that have answered it are not asked again."""
    prompt, _ = Prompt.objects.get_or_create(key=prompt_key(session.prompt), defaults={"text": session.prompt})
    close_prompt(prompt=prompt, seconds=_CLASS_SECONDS)
    if prompt.status != Prompt.Status.REJECTED:
        add_columns(prompt=prompt, models=active_models().filter(category__in=session.categories.all()))


def is_taken_out(*, prompt: str) -> bool:
    """Say whether a moderator has taken this prompt out: no model would answer a class that writes to it."""
    return Prompt.objects.filter(key=prompt_key(prompt), status=Prompt.Status.REJECTED).exists()


def is_answered(*, session: ClassSession) -> bool:
    """Say whether no model is still at it: all have answered, or given up."""
    return not _columns(session).filter(UNFINISHED).exists()


def collect_texts(*, session: ClassSession, rng: random.Random) -> int:
    """Lay what models have written so far among the texts of the session, and return how many; to be called with its row locked.

    Once some lie there no more come: later ones would stand out in the list.
    """
    if session.texts.filter(seat=None).exists():
        return 0
    written = list(session.texts.filter(seat__kicked_at=None).values_list("body", flat=True))
    seen_before = set(
        ClassText.objects.filter(seat=None, session__teacher=session.teacher, session__prompt=session.prompt).values_list("body", flat=True)
    )
    taken = {fingerprint(body) for body in written}
    usable = [(body, found) for body, found in _read_completions(session) if fingerprint(body) not in taken]
    # What no class of this teacher has seen comes first, then what its model did best.
    usable.sort(key=lambda pair: (pair[0] in seen_before, pair[1].place, rng.random()))
    kept = usable[: max(_FEWEST, len(written) + _SPARE)]
    ClassText.objects.bulk_create(
        ClassText(session=session, model_version_id=found.column.model_version_id, body=body) for body, found in kept
    )
    return len(kept)


def _columns(session: ClassSession) -> QuerySet[Column]:
    return Column.objects.filter(prompt__key=prompt_key(session.prompt), model_version__category__in=session.categories.all())


def _read_completions(session: ClassSession) -> list[tuple[str, Completion]]:
    """Return what may be shown of what models wrote to the session's prompt, as the session spells that."""
    columns = _columns(session).filter(state=Column.State.DONE).exclude(prompt__status=Prompt.Status.REJECTED)
    # What players were dealt, or a moderator has rejected, is not dealt here.
    fresh = Q(tweet=None) | Q(tweet__first_dealt_at=None, tweet__status__in=(Status.PENDING, Status.APPROVED))
    found = Completion.objects.filter(fresh, column__in=columns, hidden=False).select_related("column__prompt")
    texts = [(session.prompt + each.text[len(each.column.prompt.text) :], each) for each in found]
    return [(body, each) for body, each in texts if is_presentable(body, prompt=session.prompt)]


def deal_texts(*, session: ClassSession, rng: random.Random) -> int:
    """Deal the approved texts as the session's cards, and return how many; 0 without one of each kind, or where the session moved on.

    To be called in a transaction, at whose end nobody else has moved the session on.
    """
    if not ClassSession.objects.select_for_update(no_key=True).filter(pk=session.pk, version=session.version).first():
        return 0
    approved = list(session.texts.filter(status=ClassText.Status.APPROVED, seat__kicked_at=None).order_by("pk"))
    of = {kind: [text for text in approved if text.kind == kind] for kind in (Kind.HUMAN, Kind.MACHINE)}
    plan = plan_deal(human=len(of[Kind.HUMAN]), machine=len(of[Kind.MACHINE]), limit=session.card_limit, rng=rng)
    if plan is None:
        return 0
    chosen = [*rng.sample(of[Kind.HUMAN], plan.human), *rng.sample(of[Kind.MACHINE], plan.machine)]
    rng.shuffle(chosen)
    ClassCard.objects.bulk_create(ClassCard(session=session, position=position, text=text) for position, text in enumerate(chosen, 1))
    return len(chosen)
