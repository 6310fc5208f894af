"""A model that answers what it is told to, and prompts that were asked of it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from game.accounts.roles import MODERATOR
from generation.backends.base import Sample
from generation.duel import columns, services
from generation.duel.models import Column, Prompt
from generation.duel.selectors import read_duel
from generation.folders import read_knowledge
from generation.loading import Writer
from generation.models import ModelVersion
from tests.generation.conftest import SHIPPED

# All of its words are known to the shipped model; no two are near-copies.
ENDINGS = (
    "we have to win this for the people of our country.",
    "it is a great day, and I love it so much!",
    "they are a very bad and sad and failing show.",
    "nobody knows how many jobs will come back home.",
    "she will be here tomorrow night at seven.",
    "the media is dishonest and terrible to me, so bad!",
    "Ohio was amazing last night, thank you all!",
    "there is nothing left to say about taxes.",
    "you should watch the debate with your family.",
    "my plan would build strong new schools.",
    "China makes more money than anybody else does.",
    "voters want change, and they want change now.",
)


class Speaker:
    """A backend that says one thing after the other, all of them finished unless it is told otherwise."""

    def __init__(self, *endings: str, finished: bool = True) -> None:
        self.endings, self.finished, self.asked = endings, finished, 0

    def generate(self, *, count: int, sampling: object, prompt: str = "") -> list[Sample]:
        said = [self.endings[(self.asked + place) % len(self.endings)] for place in range(count)]
        self.asked += count
        return [Sample(f"{prompt} {each}", self.finished) for each in said]

    def likelihoods(self, texts: Sequence[str], *, max_tokens: int) -> list[float]:
        """Find long texts likelier."""
        return [len(text) / 1000 for text in texts]


def read_columns(prompt: Prompt) -> list[dict[str, Any]]:
    """Return the columns that a prompt's page shows."""
    duel = read_duel(prompt.token)
    assert duel
    return duel["columns"]


@pytest.fixture
def let_speak(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Speaker]:
    """Return a function that makes every model a Speaker of these endings."""
    knowledge = read_knowledge(SHIPPED)

    def make(*endings: str, finished: bool = True) -> Speaker:
        speaker = Speaker(*(endings or ENDINGS), finished=finished)
        monkeypatch.setattr(columns, "load_writer", lambda _model: Writer(speaker, knowledge))
        return speaker

    return make


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the columns that go to a worker, instead of sending them."""
    collected: list[int] = []
    monkeypatch.setattr(columns.current_app, "send_task", lambda name, args, **options: collected.append(args[0]))
    return collected


@pytest.fixture
def prompt(model: ModelVersion, sent: list[int], django_capture_on_commit_callbacks) -> Prompt:
    """Return a new prompt, asked of one model."""
    with django_capture_on_commit_callbacks(execute=True):
        return services.ask(text="I think that", allow_new=lambda: True)["prompt"]


@pytest.fixture
def column(prompt: Prompt) -> Column:
    return prompt.columns.get()


@pytest.fixture
def moderator(db: None) -> User:
    user = User.objects.create(username="mo")
    user.groups.add(Group.objects.get(name=MODERATOR))
    return user
