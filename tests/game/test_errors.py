from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.stack import Stack, wait_for

PASSWORD = "nine-geese-on-the-stairs"
SEED = f"""
from django.contrib.auth.models import User
User.objects.filter(username="gwen").delete()  # of a try that failed
User.objects.create_user("gwen", password={PASSWORD!r})
"""


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

    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    with ThreadPoolExecutor(16) as crowd, stack.connect() as connection:

        def are(paths: list[str], statuses: set[int]) -> bool:
            return set(crowd.map(ask, paths)) == statuses

        assert are(["/nope", "/scraping/"] * 24, {403, 404})
        for _ in range(2):
            # Until each is gone, for seconds if need be: one that only is about to go may still take a request along.
            query = f"SELECT bool_and(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE {mine}"
            assert connection.execute(query).fetchone() == (True,)
            # A request that had a connection in its hands may go with it; nobody keeps a broken one.
            wait_for(lambda: are(["/nope", "/scraping/"] * 24, {403, 404}), seconds=15, what="every error page is drawn again")
            wait_for(lambda: are(["/account/"] * 16, {200}), seconds=15, what="every page is there again")
