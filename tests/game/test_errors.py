from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.stack import Stack, wait_for

PASSWORD = "nine-geese-on-the-stairs"
SEED = f"""
from django.contrib.auth.models import User
User.objects.filter(username="gwen").delete()  # of a try that failed
User.objects.create_user("gwen", password={PASSWORD!r})
"""


def cut(connection: psycopg.Connection) -> None:
    """End all other connections to the game's database, as a restart of the server does."""
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    pids = [pid for (pid,) in connection.execute(f"SELECT pid FROM pg_stat_activity WHERE {others}").fetchall()]
    connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [pids])
    # One that only is about to go may still take a request along. Not each of them is ours: the server's own come and go.
    left = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
    wait_for(lambda: connection.execute(left, [pids]).fetchone() == (0,), what="all connections are gone")


@pytest.fixture
def gwen(stack: Stack) -> httpx.Client:
    stack.manage("shell", "--no-imports", "-c", SEED)
    client = httpx.Client(base_url=stack.base_url, timeout=30)
    client.get("/account/sign-in/")
    form = {"username": "gwen", "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    assert client.post("/account/sign-in/", data=form).status_code == 302
    return client


def test_error_pages_outlive_a_restart_of_the_database(stack: Stack, gwen: httpx.Client) -> None:
    def ask(path: str) -> int:
        return gwen.get(path).status_code

    with ThreadPoolExecutor(16) as crowd, stack.connect() as connection:

        def are(paths: list[str], statuses: set[int]) -> bool:
            return set(crowd.map(ask, paths)) == statuses

        assert are(["/nope", "/scraping/"] * 24, {403, 404})
        for _ in range(2):
            cut(connection)
            # A request that had a connection in its hands may go with it; nobody keeps a broken one.
            wait_for(lambda: are(["/nope", "/scraping/"] * 24, {403, 404}), seconds=15, what="every error page is drawn again")
            wait_for(lambda: are(["/account/"] * 16, {200}), seconds=15, what="every page is there again")


def test_the_first_request_after_a_restart_of_the_database_is_answered_however_many_connections_broke(
    stack: Stack, gwen: httpx.Client
) -> None:
    with ThreadPoolExecutor(16) as crowd, stack.connect() as connection:
        # Every idle connection that the pool may hold.
        assert set(crowd.map(lambda path: gwen.get(path).status_code, ["/account/"] * 96)) == {200}
        cut(connection)
    assert gwen.get("/account/", timeout=9).status_code == 200
