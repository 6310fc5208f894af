from collections.abc import Iterator

import pytest

from game.live.topics import _topics, register_topic
from tests.game.live.diary import Diary, Wall


@pytest.fixture
def diary() -> Iterator[Diary]:
    topic = Diary()
    register_topic(topic)
    register_topic(Wall())
    yield topic
    del _topics["diary"]
    del _topics["wall"]
