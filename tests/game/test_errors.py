from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.stack import Stack

PASSWORD = "nine-geese-on-the-stairs"
SEED = f"""
from django.contrib.auth.models import User
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

    with ThreadPoolExecutor(16) as crowd:
        for _ in range(2):
            assert set(crowd.map(ask, ["/nope"] * 48)) == {404}
            assert set(crowd.map(ask, ["/account/"] * 16)) == {200}
            with stack.connect() as connection:
                mine = "datname = current_database() AND pid <> pg_backend_pid()"
                connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        assert set(crowd.map(ask, ["/nope", "/scraping/"] * 24)) == {403, 404}
