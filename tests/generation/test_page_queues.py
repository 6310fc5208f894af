"""What the page of generation tells of the duel, whose answers the same workers write."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from generation import selectors
from generation.duel.models import Column, Prompt
from generation.models import ModelVersion
from tests.people import client_of


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let NOW be when the test begins: pages go by the clock, and a run takes minutes."""
    monkeypatch.setitem(globals(), "NOW", timezone.now())


NOW = timezone.now()


@pytest.fixture
def moderator(db: None) -> Client:
    return client_of("moderator")


def ask(model: ModelVersion, state: str = "pending", *, minutes: int = 0, **what: Any) -> Column:
    """Ask a new prompt of `model` that is in this state for so many minutes."""
    text, at = f"The herons {Prompt.objects.count()}", NOW - timedelta(minutes=minutes)
    over = at if state in ("done", "failed") else None
    prompt = Prompt.objects.create(text=text, key=text)
    return Column.objects.create(prompt=prompt, model_version=model, state=state, lease_until=NOW, created_at=at, finished_at=over, **what)


def test_the_queue_of_the_duel_counts_what_waits_and_what_runs(model: ModelVersion, moderator: Client) -> None:
    assert selectors.read_others(now=NOW) == [{"name": "Duel", "running": 0, "waiting": 0, "oldest": ""}]
    for state, minutes in (("running", 9), ("done", 8), ("failed", 7), ("pending", 3), ("pending", 1)):
        ask(model, state, minutes=minutes)
    assert selectors.read_others(now=NOW) == [{"name": "Duel", "running": 1, "waiting": 2, "oldest": "3 minutes"}]
    assert "Duel: 1 running, 2 waiting, the first: 3 minutes" in moderator.get("/generation/").content.decode()


def test_answers_that_failed_alike_are_one_failure_that_tells_when_they_are_tried_anew(model: ModelVersion, moderator: Client) -> None:
    for minutes, tries in ((50, 3), (20, 3)):
        ask(model, "failed", minutes=minutes, tries=tries, error="BackendError: gone")
    last = ask(model, "failed", minutes=5, tries=1, error="KeyError: 'topk'")
    told = [(each["queue"], each["model"], each["jobs"], each["tries"]) for each in selectors.read_failures(now=NOW)]
    assert told == [("Duel", "tiny v1", 1, 1), ("Duel", "tiny v1", 2, 3)]
    page = moderator.get("/generation/").content.decode()
    assert "Duel: Starlings, tiny v1" in page
    assert "The model broke off: gone." in page
    assert f"2 answers since {NOW - timedelta(minutes=50):%-d %b, %H:%M}, tried up to 3 times" in page
    assert f"Tried once, {NOW - timedelta(minutes=5):%-d %b, %H:%M}" in page
    assert page.count("Tried anew when somebody asks again.") == 2
    # A batch of that number is another thing.
    assert f'id="failure-duel-{last.pk}"' in page
    assert "/clear/" not in page


def test_answers_that_failed_are_told_for_a_day_and_while_their_model_writes(model: ModelVersion) -> None:
    ask(model, "failed", minutes=24 * 60 + 1, tries=1, error="BackendError: long ago")
    ask(model, "failed", minutes=24 * 60 - 1, tries=1, error="BackendError: lately")
    assert [each["error"] for each in selectors.read_failures(now=NOW)] == ["BackendError: lately"]
    ModelVersion.objects.update(state="retired")
    assert selectors.read_failures(now=NOW) == []
