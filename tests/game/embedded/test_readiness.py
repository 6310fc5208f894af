"""What a starting game says of itself."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from game.embedded.readiness import Answer, ask
from game.pool.models import Author, Category, Kind, Split, Status, Tweet
from generation.models import ModelVersion
from tests.stack import free_port


@pytest.fixture
def answering() -> Iterator[Callable[[int, dict[str, object]], str]]:
    """Serve one status and one JSON body; give back the address."""
    servers: list[HTTPServer] = []

    def serve(status: int, state: dict[str, object]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(state).encode())

            def log_message(self, *args: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/readyz"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def state(*, database: bool = True, redis: bool = True, **categories: bool) -> dict[str, object]:
    return {"database": database, "redis": redis, "categories": categories}


@pytest.mark.django_db
def test_a_game_whose_categories_can_all_be_played_is_complete(answering):
    assert ask(answering(200, state(birds=True))) == Answer(playable=True, complete=True)


def model_for(category: Category, **fields: object) -> None:
    author = Author.objects.create(kind=Kind.MACHINE, platform="model", handle=category.slug)
    ModelVersion.objects.create(category=category, author=author, name=category.slug, version=1, **fields)


@pytest.mark.django_db
def test_a_category_whose_model_still_writes_is_waited_for(answering):
    model_for(Category.objects.create(slug="birds", name="Birds"), state=ModelVersion.State.ACTIVE)
    answer = ask(answering(200, state(birds=False, fish=True)))
    assert answer == Answer(playable=True, complete=False, line="The models are writing: 0 tweets so far.")


@pytest.mark.django_db
def test_a_category_without_an_active_model_is_not_waited_for(answering):
    model_for(Category.objects.create(slug="birds", name="Birds"), state=ModelVersion.State.RETIRED)
    assert ask(answering(200, state(birds=False, fish=True))) == Answer(playable=True, complete=True)


def test_a_game_that_does_not_listen_yet_says_nothing():
    assert ask(f"http://127.0.0.1:{free_port()}/readyz") == Answer()


@pytest.mark.parametrize(
    ("status", "answer", "line"),
    [
        (503, state(database=False), "The game waits for the database."),
        (503, state(redis=False, birds=False), "The game waits for Redis."),
        (503, state(), "There is no category to play."),
        (500, {}, "The game answers with an error (500)."),
    ],
)
def test_what_is_missing_is_named(answering, status, answer, line):
    assert ask(answering(status, answer)) == Answer(line=line)


@pytest.mark.django_db
def test_while_the_pool_fills_only_approved_machine_tweets_count(answering):
    category = Category.objects.create(slug="birds", name="Birds")
    authors = {kind: Author.objects.create(kind=kind, platform="test", handle=kind) for kind in Kind}
    for number, (kind, status) in enumerate(
        [(Kind.MACHINE, Status.APPROVED), (Kind.MACHINE, Status.APPROVED), (Kind.MACHINE, Status.PENDING), (Kind.HUMAN, Status.APPROVED)]
    ):
        Tweet.objects.create(
            category=category,
            author=authors[kind],
            kind=kind,
            status=status,
            split=Split.PLAY,
            text=f"The owl counted to {number} and flew on.",
            fingerprint=number.to_bytes(16),
        )
    assert ask(answering(503, state(birds=False))) == Answer(line="The models are writing: 2 tweets so far.")
