"""Cards whose time is up while nobody looks: a real worker turns them, by the class's own task or by the clock."""

from collections.abc import Iterator

import pytest
import redis

from tests.stack import Stack, wait_for

SETTINGS = {"CLASS_CHECK_SECONDS": "0.5"}
HOLD = """
from datetime import timedelta
from django.utils import timezone
from game.pool.models import Category, Kind, Status
from game.pool.rules import fingerprint, is_for_training
from game.pool.services import NewTweet, add_tweets, get_author
from tests.game.classroom.classes import hold_class, press

category, is_new = Category.objects.get_or_create(slug="terns", defaults={"name": "Terns", "approves_clean": False})
if is_new:
    for kind, handle in ((Kind.HUMAN, "ada_tern"), (Kind.MACHINE, "tern-v1")):
        texts = [f"{handle} counted {number} terns on the old pier before breakfast" for number in range(60)]
        kept = [text for text in texts if kind is Kind.MACHINE or not is_for_training(fingerprint(text))]
        author = get_author(kind=kind, platform="model" if kind is Kind.MACHINE else "twitter", handle=handle, name=handle)
        add_tweets(category=category, status=Status.APPROVED, tweets=[NewTweet(author, text) for text in kept])
now = timezone.now()
print(press(hold_class([category], now=now, card_time=timedelta(seconds=1)), "start", now=now).code)
"""
CLEAR = """
from django.contrib.auth.models import User
from game.pool.models import Category
User.objects.filter(username="teacher").delete()
Category.objects.filter(slug="terns").update(active=False)
"""


@pytest.fixture
def quick(stack: Stack) -> Iterator[Stack]:
    """Restart worker and clock with a quick look at classes; put everything back in the end."""
    for name in ("beat", "worker"):
        stack.stop(name)
    stack.env |= SETTINGS
    stack.start_worker()
    yield stack
    stack.manage("shell", "--no-imports", "-c", CLEAR)
    for name in {"beat", "worker"} & set(stack.processes):
        stack.stop(name)
    for name in SETTINGS:
        stack.env.pop(name)
    stack.start_worker()
    stack.start_beat()


def phase(stack: Stack, code: str) -> tuple[str, int]:
    """Return where a class is, and how often it was moved."""
    with stack.connect() as connection:
        found = connection.execute("SELECT phase, version FROM classroom_classsession WHERE code = %s", [code]).fetchone()
    assert found
    return found[0], found[1]


def test_a_card_turns_by_its_own_task_without_the_clock(quick: Stack) -> None:
    code = quick.manage("shell", "--no-imports", "-c", HOLD).strip()
    assert phase(quick, code) == ("card", 1)
    wait_for(lambda: phase(quick, code) == ("reveal", 2), what="the card is turned", seconds=30)


def test_a_card_whose_task_was_lost_is_turned_by_the_clock_and_once(quick: Stack) -> None:
    quick.stop("worker")
    with redis.Redis.from_url(quick.redis_url) as broker:
        # What the clock had sent before it was stopped.
        broker.delete("birdorbot.clock")
        code = quick.manage("shell", "--no-imports", "-c", HOLD).strip()
        assert broker.llen("birdorbot.clock") == 1
        broker.delete("birdorbot.clock")
    quick.start_beat()
    quick.start_worker()
    wait_for(lambda: phase(quick, code) == ("reveal", 2), what="the card is turned", seconds=30)
