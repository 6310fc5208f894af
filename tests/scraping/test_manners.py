"""Patience with a source: through whom it is asked, how often, and when not at all."""

import random
import threading
from collections.abc import Iterator

import pytest

from scraping.manners import MAX_PAUSE_SECONDS, TRIES, Manners, Stopped, pause_before
from scraping.sources.base import AccountGone, Banned, NotConfigured, ProxyFailed, RateLimited, State, Unavailable


class Answers:
    """A source that gives the answers it was told to, in order, and says through which proxy it was asked."""

    def __init__(self, answers: list[object]) -> None:
        self.answers, self.closed = answers, 0
        self.through: list[str] = []

    def open(self, name: str, *, proxy: str = "") -> "Answers.Connection":
        return self.Connection(self, proxy)

    class Connection:
        limit = None

        def __init__(self, told: "Answers", proxy: str) -> None:
            self.told, self.proxy = told, proxy

        def answer(self) -> object:
            self.told.through.append(self.proxy)
            answer = self.told.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def close(self) -> None:
            self.told.closed += 1


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Answers:
    answers = Answers([])
    monkeypatch.setattr("scraping.manners.open_source", answers.open)
    monkeypatch.setattr("scraping.manners.pause_before", lambda attempt, rng: 0.01)
    return answers


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def manners(told: Answers, said: list[str]) -> Iterator[Manners]:
    with Manners(name="bluesky", say=said.append) as manners:
        yield manners


def ask(manners: Manners) -> object:
    return manners.ask(lambda source: source.answer())  # type: ignore[attr-defined]


def test_pauses_double_up_to_a_minute_and_half_of_each_is_chance() -> None:
    rng = random.Random(1)
    for attempt, most in ((1, 1), (2, 2), (5, 16), (30, MAX_PAUSE_SECONDS)):
        pauses = {pause_before(attempt, rng) for _ in range(50)}
        assert len(pauses) == 50
        assert all(most / 2 <= pause <= most for pause in pauses)


def test_what_is_down_is_asked_again_and_given_up_in_the_end(manners, told) -> None:
    told.answers = [Unavailable("down")] * (TRIES - 1) + ["there"]
    assert ask(manners) == "there"
    told.answers = [Unavailable("down")] * TRIES + ["never asked for"]
    with pytest.raises(Unavailable, match="down"):
        ask(manners)
    assert told.answers == ["never asked for"]


def test_a_limit_is_waited_for_however_often_it_is_met(manners, told, said) -> None:
    told.answers = [RateLimited("bluesky asks to wait", 0.02)] * 12 + [RateLimited("bluesky asks to wait"), "there"]
    assert ask(manners) == "there"
    assert len(told.through) == 14


def test_what_one_thread_is_told_the_others_heed(manners, told) -> None:
    told.answers = [RateLimited("wait", 0.5), "first", "second"]
    first = threading.Thread(target=ask, args=[manners])
    first.start()
    while not told.through:
        pass
    answer = []
    second = threading.Thread(target=lambda: answer.append(ask(manners)))
    second.start()
    second.join(0.2)
    assert (len(told.through), answer) == (1, [])
    first.join()
    second.join()
    assert len(told.through) == 3


@pytest.mark.parametrize("error", [NotConfigured("no token"), AccountGone("gone", State.MISSING), Banned("go away")])
def test_what_no_patience_helps_against_is_said_at_once(manners, told, error) -> None:
    told.answers = [error, "never asked for"]
    with pytest.raises(type(error), match=str(error)):
        ask(manners)
    assert told.answers == ["never asked for"]


def test_after_a_ban_nobody_asks_again(manners, told) -> None:
    told.answers = [Banned("bluesky refuses us"), "never asked for"]
    for _ in range(2):
        with pytest.raises(Banned, match="bluesky refuses us"):
            ask(manners)
    assert told.answers == ["never asked for"]
    assert manners.ban == "bluesky refuses us"


def test_whoever_waits_hears_that_it_shall_stop(told, said) -> None:
    told.answers = [RateLimited("wait", 600)]
    stopping = threading.Event()
    manners = Manners(name="bluesky", should_stop=stopping.is_set, say=said.append)
    threading.Timer(0.2, stopping.set).start()
    with pytest.raises(Stopped):
        ask(manners)
    assert said == ["wait: waiting 600 s"]


PROXIES = ["http://one:1", "socks5://two:2", "http://three:3"]


def test_a_proxy_that_fails_rests_and_another_one_takes_its_place(settings, told, said) -> None:
    settings.SCRAPE_PROXIES = PROXIES
    told.answers = [ProxyFailed("the proxy wants another password"), "there", "there"]
    with Manners(name="bluesky", say=said.append) as manners:
        assert [ask(manners), ask(manners)] == ["there", "there"]
    first, second, third = told.through
    assert first != second == third
    assert said == ["the proxy wants another password; taking another one"]
    assert told.closed >= 2


def test_when_every_proxy_rests_the_source_is_out_of_reach(settings, told) -> None:
    settings.SCRAPE_PROXIES = PROXIES
    told.answers = [ProxyFailed("refused")] * 3
    with Manners(name="bluesky") as manners, pytest.raises(Unavailable, match="no proxy for bluesky works"):
        ask(manners)
    assert sorted(told.through) == sorted(PROXIES)


def test_without_a_proxy_of_ours_its_failure_is_the_sources(manners, told) -> None:
    told.answers = [ProxyFailed("somebody's proxy refused")]
    with pytest.raises(Unavailable, match="somebody's proxy refused"):
        ask(manners)


def test_a_ban_goes_on_through_the_next_proxy_only_if_the_operator_chose_so(settings, told) -> None:
    settings.SCRAPE_PROXIES = PROXIES[:2]
    told.answers = [Banned("go away"), "there"]
    with Manners(name="bluesky") as manners, pytest.raises(Banned):
        ask(manners)
    settings.SCRAPE_ROTATE = True
    told.answers, told.through = [Banned("go away"), "there", Banned("you too")], []
    with Manners(name="bluesky") as manners:
        assert ask(manners) == "there"
        with pytest.raises(Banned, match="you too"):
            ask(manners)
    first, second, third = told.through
    assert first != second == third


def test_threads_spread_over_the_proxies(settings, told) -> None:
    settings.SCRAPE_PROXIES = PROXIES
    told.answers = ["there"] * 3
    with Manners(name="bluesky") as manners:
        for _ in PROXIES:
            thread = threading.Thread(target=ask, args=[manners])
            thread.start()
            thread.join()
    assert sorted(told.through) == sorted(PROXIES)
