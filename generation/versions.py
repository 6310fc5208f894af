"""Transactions on model versions: registered, promoted, rolled back, retired, found stale. Workers heed the next state at once."""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction

from game.pool.models import Category, Kind
from game.pool.services import get_author
from generation import rules
from generation.backends.base import UnusableModelError
from generation.folders import read_card, read_learned
from generation.loading import BY_CTRANSLATE2, Runs, check_runnable
from generation.models import Batch, Corpus, ModelEvent, ModelVersion

STARTER = Path(__file__).parent / "starter"
# The shipped base model, which the shipped models were made from.
STARTER_BASE = Path(settings.BASE_DIR) / "training" / "base"

# With this begins the name of what a base learned.
_OF_BASE = "corpus of "

_State, _Action = ModelVersion.State, ModelEvent.Action


class PromotionError(Exception):
    """A model can't be promoted, rolled back to or retired; the message says why."""


def register_starter_models() -> list[ModelVersion]:
    """Register the shipped models of the categories that exist, and return them; raises UnusableModelError.

    A new one becomes active unless its category has one that was trained here.
    """
    folders = {path.parent.name: path.parent for path in sorted(STARTER.glob("*/card.json"))}
    models = []
    for category in Category.objects.filter(slug__in=folders):
        with transaction.atomic():
            known = set(category.model_versions.values_list("pk", flat=True))
            model = register_model(category=category, folder=folders[category.slug], base=STARTER_BASE)
            active = category.model_versions.filter(state=_State.ACTIVE).first()
            if model.pk not in known and (active is None or active.folder.is_relative_to(STARTER)):
                promote_model(model_version=model, by=None, reason="shipped with the game")
        models.append(model)
    return models


def register_model(*, category: Category, folder: Path, base: Path | None = None, runs: Runs = BY_CTRANSLATE2) -> ModelVersion:
    """Register the model in `folder` as a candidate to write for `category`, unless that version is registered already.

    `base` is the folder of what it was fine-tuned from: what that learned, this one learned. Of a version that is known, only the
    server that runs it may change. Raises UnusableModelError.
    """
    card = read_card(folder)
    if card.category != category.slug:
        raise UnusableModelError(f"{folder} is a model of {card.category}, not of {category.slug}.")
    check_runnable(folder, runs)
    label = f"{card.name} v{card.version}"
    with transaction.atomic():
        Category.objects.select_for_update().get(pk=category.pk)
        registered = ModelVersion.objects.filter(name=card.name, version=card.version).first()
        model = registered or ModelVersion.objects.create(
            author=get_author(kind=Kind.MACHINE, platform="model", handle=label.replace(" ", "-"), name=label),
            category=category,
            name=card.name,
            version=card.version,
            path=str(folder.relative_to(settings.BASE_DIR) if folder.is_relative_to(settings.BASE_DIR) else folder.resolve()),
            corpus_sha256=card.corpus_sha256,
            recipe=card.recipe,
            scores=card.scores,
            sampling=card.sampling,
            **asdict(runs),
        )
        if model.backend != runs.backend:
            raise UnusableModelError(f"{model} is registered already, with the backend {model.backend}: give the card another version.")
        if Runs(model.backend, model.server, model.served_as) != runs:
            model.server, model.served_as = runs.server, runs.served_as
            model.save(update_fields=["server", "served_as"])
        if not model.corpora.exists():
            corpora = [_keep_corpus(folder, f"train split of {category.slug}")]
            if base:
                corpora.append(_keep_corpus(base, _OF_BASE + base.name))
            model.corpora.set([corpus for corpus in corpora if corpus])
    return model


def _keep_corpus(folder: Path, name: str) -> Corpus | None:
    """Write down what a model's folder says that it learned; None if it says nothing."""
    learned = read_learned(folder)
    if learned is None:
        return None
    data = learned.to_bytes()
    corpus, new = Corpus.objects.get_or_create(sha256=hashlib.sha256(data).hexdigest(), defaults={"name": name, "tweets": len(learned)})
    if new:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO generation_corpusentry (corpus_id, mark) SELECT %s, unnest(%s::bigint[])",
                [corpus.pk, list(struct.unpack(f">{len(learned)}q", data))],
            )
    return corpus


def promote_model(*, model_version: ModelVersion, by: User | None, reason: str = "") -> ModelVersion:
    """Make a model the one that writes for its category; what it replaces is retired. Raises PromotionError."""
    return _activate(model_version, _Action.PROMOTION, by, reason)


def roll_back(*, category: Category, by: User | None, reason: str = "") -> ModelVersion:
    """Make the model active that was so before the category's present one; raises PromotionError."""
    with transaction.atomic():
        Category.objects.select_for_update().get(pk=category.pk)
        before = model_before(category=category)
        if before is None:
            raise PromotionError(f"{category.slug} has no earlier model to go back to.")
        return _activate(before, _Action.ROLLBACK, by, reason)


def model_before(*, category: Category) -> ModelVersion | None:
    """Return the model that a rollback would make active; None if there is none."""
    events = ModelEvent.objects.filter(model_version__category=category).order_by("pk")
    pk = rules.model_to_go_back_to(events.values_list("action", "model_version_id"))
    return ModelVersion.objects.get(pk=pk) if pk else None


def _activate(model: ModelVersion, action: str, by: User | None, reason: str) -> ModelVersion:
    with transaction.atomic():
        # One change at a time: a category has one active model.
        Category.objects.select_for_update().get(pk=model.category_id)
        model.refresh_from_db()
        if model.state == _State.ACTIVE:
            raise PromotionError(f"{model} is active already.")
        try:
            card = read_card(model.folder)
        except UnusableModelError as error:
            raise PromotionError(str(error)) from error
        if (card.name, card.version) != (model.name, model.version):  # a shipped model's folder gets the next version
            raise PromotionError(f"{model.folder} holds {card.name} v{card.version} by now, not {model}.")
        for active in ModelVersion.objects.filter(category=model.category_id, state=_State.ACTIVE):
            _change(active, _State.RETIRED, _Action.REPLACEMENT, by, f"by {model}")
        _change(model, _State.ACTIVE, action, by, reason)
    return model


def retire_model(*, model_version: ModelVersion, by: User | None, reason: str = "") -> ModelVersion:
    """Take a model out of use, for good or until it is promoted again; raises PromotionError.

    Its tweets stay in the pool. A category whose active model is retired gets no new ones.
    """
    with transaction.atomic():
        Category.objects.select_for_update().get(pk=model_version.category_id)
        model_version.refresh_from_db()
        if model_version.state == _State.RETIRED:
            raise PromotionError(f"{model_version} is retired already.")
        _change(model_version, _State.RETIRED, _Action.RETIREMENT, by, reason)
    return model_version


def _change(model: ModelVersion, after: str, action: str, by: User | None, reason: str) -> None:
    ModelEvent.objects.create(model_version=model, action=action, by=by, before=model.state, after=after, reason=reason[:200])
    model.state = after
    model.save(update_fields=["state"])
    if after == _State.RETIRED:
        # Also a batch that a worker is at: it finds its claim gone, and writes nothing.
        model.batches.filter(state__in=(Batch.State.PENDING, Batch.State.RUNNING)).delete()


@dataclass(frozen=True, slots=True)
class StaleModel:
    """A model that learned from tweets that were withdrawn since: how many in all, how many of them its base learned, and by whom."""

    model_version: ModelVersion
    tweets: int
    through_base: int
    authors: tuple[str, ...]


_STALE = """
    SELECT learned.modelversion_id, count(DISTINCT entry.mark),
           count(DISTINCT entry.mark) FILTER (WHERE starts_with(corpus.name, %s)), array_agg(DISTINCT author.handle)
      FROM pool_tweet tweet
      JOIN pool_author author ON author.id = tweet.author_id
      JOIN generation_corpusentry entry ON entry.mark = ('x' || encode(substring(tweet.fingerprint, 1, 8), 'hex'))::bit(64)::bigint
      JOIN generation_corpus corpus ON corpus.id = entry.corpus_id
      JOIN generation_modelversion_corpora learned ON learned.corpus_id = corpus.id
     WHERE tweet.status = 'withdrawn' AND tweet.kind = 'human'
     GROUP BY learned.modelversion_id
"""


def stale_models(*, among: Iterable[ModelVersion] | None = None) -> list[StaleModel]:
    """Return the models whose corpora, or whose base's, hold a tweet that is withdrawn; all of them, or those `among` some."""
    with connection.cursor() as cursor:
        cursor.execute(_STALE, [_OF_BASE])
        found = {pk: (tweets, through_base, tuple(authors)) for pk, tweets, through_base, authors in cursor.fetchall()}
    models = ModelVersion.objects.filter(pk__in=found).select_related("category").order_by("category__slug", "name", "version")
    wanted = None if among is None else {model.pk for model in among}
    return [StaleModel(model, *found[model.pk]) for model in models if wanted is None or model.pk in wanted]


def models_that_learned(*, fingerprints: Iterable[bytes]) -> list[ModelVersion]:
    """Return the models whose corpora, or whose base's, hold one of these texts."""
    marks = [int.from_bytes(mark[: rules.RUN_BYTES], "big", signed=True) for mark in fingerprints]
    learned = ModelVersion.objects.filter(corpora__in=Corpus.objects.filter(entries__mark__in=marks)).distinct()
    return list(learned.order_by("category__slug", "name", "version"))
