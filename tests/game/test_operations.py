import httpx
from django.test import Client

from tests.stack import Stack


def test_a_host_that_is_not_ours_is_a_bad_request_with_a_page(db: None) -> None:
    client = Client(raise_request_exception=False)
    response = client.get("/", headers={"host": "elsewhere.example"})
    assert response.status_code == 400
    assert "Bad request, 400" in response.content.decode()


def test_healthz_answers_without_a_database() -> None:
    assert Client().get("/healthz").content == b"ok"


def test_readyz_names_what_can_be_played(category, fill) -> None:
    fill("painters", machine=2)
    response = Client().get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"database": True, "redis": True, "categories": {"gardeners": True, "painters": False}}


def test_without_a_round_to_play_readyz_says_no(fill) -> None:
    fill("painters", machine=2)
    assert Client().get("/readyz").status_code == 503


def test_redis_away_is_told_but_no_reason_to_take_the_game_down(category, settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "unix:///nowhere/redis.sock"}}
    response = Client().get("/readyz")
    assert (response.status_code, response.json()["redis"]) == (200, False)


def test_who_asks_for_the_icon_where_it_used_to_be_finds_it(stack: Stack) -> None:
    found = httpx.get(f"{stack.base_url}/favicon.ico", follow_redirects=True)
    assert (found.status_code, found.headers["Content-Type"]) == (200, "image/svg+xml")
