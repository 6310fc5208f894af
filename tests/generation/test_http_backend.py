"""Models that another server runs: a real one, over real connections, in good moods and bad ones."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from generation.backends import http
from generation.backends.base import BackendError, Sampling, Tokens, UnusableModelError
from generation.backends.ctranslate2 import CTranslate2Backend
from generation.backends.http import HttpBackend
from tests.fakes.completions_server import MODEL, CompletionsServer
from tests.fakes.server import Reply, Trouble
from tests.generation.conftest import SHIPPED
from tests.stack import free_port

SAMPLING = Sampling(topk=50, topp=0.9, temperature=0.8, max_tokens=60)
Serve = Callable[..., tuple[CompletionsServer, HttpBackend]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts a server which behaves as told, and gives it and a backend that asks it."""
    http._breaker_of.cache_clear()  # ports come again
    running: list[CompletionsServer] = []

    def start(*troubles: Trouble, **ways: Any) -> tuple[CompletionsServer, HttpBackend]:
        server = CompletionsServer(SHIPPED, **ways)
        server.troubles += troubles
        running.append(server.__enter__())
        return server, HttpBackend(server.base, MODEL, Tokens())

    yield start
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses that tries are apart; nobody waits for them."""
    found: list[float] = []
    real = http._pause

    def record(state: Any) -> float:
        found.append(real(state))
        return 0.0

    monkeypatch.setattr(http, "_pause", record)
    return found


def complaint(backend: HttpBackend, count: int = 1) -> str:
    with pytest.raises(BackendError) as error:
        backend.generate(count=count, sampling=SAMPLING)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_as_many_texts_come_as_were_asked_for_in_requests_of_sixteen(serve: Serve) -> None:
    server, backend = serve()
    samples = backend.generate(count=40, sampling=SAMPLING, prompt="I think")
    assert len(samples) == 40
    assert all(sample.text.startswith("I think") and sample.likelihood is None for sample in samples)
    assert len({sample.text for sample in samples}) > 30
    bodies = [request.body for request in server.requests]
    assert sorted(body.pop("n") for body in bodies) == [8, 16, 16]
    assert bodies == 3 * [
        {
            "model": "tweets",
            "prompt": "<|startoftweet|>I think",
            "max_tokens": 60,
            "temperature": 0.8,
            "top_p": 0.9,
            "top_k": 50,
            "stop": ["<|endoftweet|>"],
        }
    ]


def test_a_text_is_finished_if_the_server_says_that_it_came_to_a_stop(serve: Serve) -> None:
    _, backend = serve()
    cut = Sampling(topk=0, topp=1.0, temperature=1.0, max_tokens=2)
    assert [sample.finished for sample in backend.generate(count=20, sampling=cut)] == [False] * 20
    assert sum(sample.finished for sample in backend.generate(count=20, sampling=SAMPLING)) > 15


def test_what_says_that_all_tokens_may_be_drawn_is_sent_too(serve: Serve) -> None:
    server, backend = serve()
    backend.generate(count=1, sampling=Sampling(topk=0, topp=1.0, temperature=1.0, max_tokens=2))
    assert server.requests[0].body["top_k"] == -1


def test_likelihoods_are_those_that_the_model_gives_here(serve: Serve) -> None:
    _, backend = serve()
    here = CTranslate2Backend(SHIPPED, "cpu")
    texts = [sample.text for sample in here.generate(count=20, sampling=SAMPLING)] + ["\N{HATCHING CHICK} we are!"]
    # In batches of other sizes int8 rounds otherwise.
    assert backend.likelihoods(texts, max_tokens=60) == pytest.approx(here.likelihoods(texts, max_tokens=60), abs=0.05)
    assert backend.likelihoods(texts, max_tokens=3) == pytest.approx(here.likelihoods(texts, max_tokens=3), abs=0.05)


@pytest.mark.parametrize("ways", [{"takes_n": False}, {"most": 1}])
def test_a_server_with_one_choice_a_request_is_asked_once_a_text(serve: Serve, ways: dict[str, Any]) -> None:
    server, backend = serve(**ways)
    assert len(backend.generate(count=6, sampling=SAMPLING)) == 6
    server.requests.clear()
    assert len(backend.generate(count=6, sampling=SAMPLING)) == 6
    assert [request.body["n"] for request in server.requests] == [1] * 6


def test_a_server_without_top_k_is_asked_without_from_then_on(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server, backend = serve(takes_top_k=False)
    assert [len(backend.generate(count=3, sampling=SAMPLING)) for _ in range(2)] == [3, 3]
    assert ["top_k" in request.body for request in server.requests] == [True, False, False]
    assert [record.getMessage() for record in caplog.records] == [
        f"{server.base} takes no top_k: it draws from all tokens, or from as many as its own default says"
    ]


def test_a_server_that_echoes_nothing_says_how_to_do_without(serve: Serve) -> None:
    server, backend = serve(echoes=False)
    with pytest.raises(BackendError) as error:
        backend.likelihoods(["We are here."], max_tokens=60)
    assert str(error.value) == (
        f"{server.base} does not say how likely a text is (echo with logprobs), which the judge needs:"
        f" take judge.bin out of the model's folder, and lengths alone decide."
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(serve: Serve, pauses: list[float], status: int) -> None:
    server, backend = serve(Trouble(times=2, reply=lambda _: Reply(b"<html>", status)))
    assert len(backend.generate(count=1, sampling=SAMPLING)) == 1
    assert len(server.requests) == 3
    # By chance, so that workers do not come back together.
    assert 0.25 < pauses[0] < 0.75
    assert 0.5 < pauses[1] < 1.0


@pytest.mark.parametrize(
    ("said", "least"), [("2", 2.0), ("0.5", 0.5), ("3600", 20.0), ("-5", 0.0), ("nan", 0.0), ("inf", 0.0), ("soon", 0.0)]
)
def test_a_server_that_says_when_to_come_back_is_heard_within_reason(serve: Serve, pauses: list[float], said: str, least: float) -> None:
    _, backend = serve(Trouble(reply=lambda _: Reply(b"", 429, {"Retry-After": said})))
    backend.generate(count=1, sampling=SAMPLING)
    assert least + 0.25 <= pauses[0] <= least + 0.75


def test_what_hangs_up_or_is_silent_is_tried_again(serve: Serve, pauses: list[float], settings: Any) -> None:
    settings.GENERATION_HTTP_SECONDS = 0.5
    over = threading.Event()
    server, backend = serve(Trouble(cut=True), Trouble(reply=lambda _: Reply(over.wait(10))))
    assert len(backend.generate(count=1, sampling=SAMPLING)) == 1
    over.set()
    assert (len(server.requests), len(pauses)) == (3, 2)


def test_an_answer_that_trickles_is_too_late_although_it_never_pauses(serve: Serve, pauses: list[float], settings: Any) -> None:
    settings.GENERATION_HTTP_SECONDS = 0.01
    _, backend = serve(Trouble(times=9, slow=True))
    backend._client.timeout = 5.0
    assert complaint(backend) == f"{backend.server} did not answer in time (ReadTimeout), 3 times."


def test_a_server_that_is_not_there_is_named(pauses: list[float]) -> None:
    backend = HttpBackend(f"http://127.0.0.1:{free_port()}/v1", MODEL, Tokens())
    assert complaint(backend) == f"{backend.server} could not be reached, or hung up ([Errno 111] Connection refused), 3 times."


def test_a_server_that_keeps_failing_is_left_alone_for_a_while(serve: Serve, pauses: list[float]) -> None:
    server, backend = serve(Trouble(times=6, reply=lambda _: Reply(b"", 503)))
    assert [complaint(backend) for _ in range(2)] == [f"{server.base} answered 503, 3 times."] * 2
    assert complaint(backend) == (f"{server.base} failed 6 times in a row, and is left alone for 30 s more. The last time it answered 503.")
    # Another model of the same server is not asked for either.
    assert "is left alone for" in complaint(HttpBackend(server.base, "another", Tokens()))
    assert len(server.requests) == 6
    backend._breaker._opened -= http.REST_SECONDS
    assert len(backend.generate(count=1, sampling=SAMPLING)) == 1
    assert len(server.requests) == 7


def test_a_server_that_fails_again_after_its_rest_rests_again(serve: Serve, pauses: list[float]) -> None:
    server, backend = serve(Trouble(times=7, reply=lambda _: Reply(b"", 503)))
    for _ in range(2):
        complaint(backend)
    backend._breaker._opened -= http.REST_SECONDS
    assert "is left alone for" in complaint(backend)
    assert len(server.requests) == 7


def test_refusals_do_not_count_as_failures(serve: Serve) -> None:
    server, backend = serve(Trouble(times=20, reply=lambda _: Reply({"error": "no"}, 404)))
    assert {complaint(backend) for _ in range(10)} == {f'{server.base} answered 404: {{"error": "no"}}'}
    assert len(server.requests) == 10


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        (Reply(b"<html>\n<h1>Welcome</h1>"), "answered with something that is no JSON: <html> <h1>Welcome</h1>"),
        (Reply(b'{"choices": [{"text": "We'), 'answered with something that is no JSON: {"choices": [{"text": "We'),
        (Reply(b""), "answered with something that is no JSON: nothing"),
        (Reply(b"\xff\xfe\x00"), "answered with something that is no JSON: \ufffd\ufffd\x00"),
        (Reply([]), "answered without `choices`."),
        (Reply({"choices": []}), "answered without `choices`."),
        (Reply({"choices": "We"}), "answered without `choices`."),
        (Reply({"choices": [{"message": {"content": "We are."}}]}), "answered with choices that hold no `text`."),
        (Reply({"choices": [{"text": None}]}), "answered with choices that hold no `text`."),
        (Reply({"error": {"message": "No such model"}}, 404), 'answered 404: {"error": {"message": "No such model"}}'),
        (Reply({"error": "temperature"}, 400), 'refused the request (400): {"error": "temperature"}'),
        (Reply({"detail": "max_tokens"}, 422), 'refused the request (422): {"detail": "max_tokens"}'),
        (Reply(b"", 401), "answered 401: set GENERATION_HTTP_KEY to the key that it wants."),
        (Reply(b"", 403), "answered 403: set GENERATION_HTTP_KEY to the key that it wants."),
        (Reply(b"x" * 1000, 501), f"answered 501: {'x' * 300}"),
    ],
)
def test_an_answer_that_makes_no_sense_is_one_line(serve: Serve, reply: Reply, what: str) -> None:
    server, backend = serve(Trouble(times=9, reply=lambda _: reply))
    assert complaint(backend).split(" ", 1) == [server.base, what] or complaint(backend) == f"{server.base} {what}"
    assert len(server.requests) in (1, 2)


def test_an_answer_without_end_is_not_read_to_the_end(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1000)
    server, backend = serve(Trouble(reply=lambda _: Reply(b" " * 10_000_000)))
    assert complaint(backend) == f"{server.base} answered with more than 1,000 bytes."


def test_the_key_goes_to_the_server_and_nowhere_else(
    serve: Serve, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.GENERATION_HTTP_KEY = "key-of-the-owls"
    elsewhere, _ = serve()
    monkeypatch.setenv("HTTP_PROXY", elsewhere.url)
    away = Trouble(skip=1, reply=lambda _: Reply(b"", 307, {"Location": f"{elsewhere.base}/completions"}))
    server, backend = serve(away, key="key-of-the-owls")
    assert len(backend.generate(count=1, sampling=SAMPLING)) == 1
    assert complaint(backend) == f"{server.base} answered 307: nothing"
    assert elsewhere.requests == []
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer key-of-the-owls"}
    assert "owls" not in caplog.text
    assert "owls" not in repr(backend)


def test_without_a_key_none_is_sent(serve: Serve) -> None:
    server, backend = serve()
    backend.generate(count=1, sampling=SAMPLING)
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    "address",
    ["", "example.org/v1", "ftp://example.org/v1", "file:///etc/passwd", "http://", "http://:80/v1", "http://a:b/v1", "http://a:99999/v1",
     "http://a:0/v1", "http://[::1/v1", "http://a/v1?key=1", "http://a/v1#x", "http://a b/v1", "http://a/v1\r\nX: y", "//a/v1"],
)  # fmt: skip
def test_what_is_no_server_is_refused(address: str) -> None:
    with pytest.raises(UnusableModelError) as error:
        HttpBackend(address, MODEL, Tokens())
    assert str(error.value) == f"{address!r} is no server: use http:// or https://, a host, and a path that ends in /v1."


def test_an_address_with_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UnusableModelError) as error:
        HttpBackend("https://ada:secret@example.org/v1", MODEL, Tokens())
    assert str(error.value) == "A server's address holds no user and no password: its key stands in GENERATION_HTTP_KEY."


def test_a_model_needs_its_name() -> None:
    with pytest.raises(UnusableModelError, match=r"^What http://a/v1 calls the model is not known: say it with --served-as\.$"):
        HttpBackend("http://a/v1", "", Tokens())
