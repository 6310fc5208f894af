"""What the X source makes of refusals, of trouble on the way, and of proxies."""

import logging
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from scraping.sources.base import (
    Banned,
    Limit,
    NotConfigured,
    PostRef,
    ProxyFailed,
    RateLimited,
    SourceError,
    State,
    Unavailable,
)
from scraping.sources.x import XSource
from tests.fakes.proxies import PASSWORD, USER, ConnectProxy, FakeProxy, SocksProxy
from tests.fakes.server import Reply, Trouble
from tests.fakes.tls import secure
from tests.fakes.world import World
from tests.fakes.x_api import PROBLEMS, TOKEN, XFake, refuse
from tests.scraping.sources.reading import read_all

ADA = "ada_of_isles"


@pytest.fixture
def world() -> World:
    world = World()
    world.add("somebody_else")
    world.add(ADA, posts=250, followers=range(2_500))
    return world


@pytest.fixture
def fake(world: World) -> Iterator[XFake]:
    with XFake(world) as server:
        yield server


@pytest.fixture
def source(fake: XFake) -> Iterator[XSource]:
    source = XSource(token=TOKEN, base_url=fake.url)
    yield source
    source.close()


@pytest.mark.parametrize("offset", [0.0, -7200.0, 86_400.0])
def test_the_wait_is_counted_by_the_servers_own_clock(source, fake, offset) -> None:
    fake.clock_offset = offset
    fake.troubles.append(Trouble(reply=lambda request: fake.too_many(2)))
    with pytest.raises(RateLimited) as refused:
        source.resolve([ADA])
    assert refused.value.seconds is not None
    assert 1.0 <= refused.value.seconds <= 2.0
    assert source.limit.remaining == 0
    source.resolve([ADA])
    assert isinstance(source.limit, Limit)
    assert (source.limit.remaining, source.limit.limit) == (899, 900)
    assert 899.0 <= source.limit.resets_in <= 900.0


def test_the_limit_of_the_day_counts_where_it_is_the_one_that_is_used_up(source, fake) -> None:
    def too_many(request):
        daily = {"x-app-limit-24hour-remaining": "0", "x-app-limit-24hour-reset": str(int(fake.now()) + 40_000)}
        return refuse(429, "Too Many Requests", headers=fake.limits(870, 600) | daily)

    fake.troubles.append(Trouble(reply=too_many))
    with pytest.raises(RateLimited, match=r"^X asks to wait: the requests of this day are used up$") as refused:
        source.resolve([ADA])
    assert refused.value.seconds is not None
    assert 39_999 <= refused.value.seconds <= 40_000


CONSOLE = "https://console.x.com."


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (refuse(503, "Service Unavailable"), Unavailable, "HOST is out of order (503)"),
        (Reply(b"<html>Over capacity</html>", 502), Unavailable, "HOST is out of order (502)"),
        (Reply(["no", "object"], 500), Unavailable, "HOST is out of order (500)"),
        (Reply(b"<html>Sign in</html>"), Unavailable, "X's answer is not JSON"),
        (Reply(b""), Unavailable, "X's answer is not JSON"),
        (Reply(["what"]), Unavailable, "X's answer is not one of its API"),
        (Reply({"hello": 1}), Unavailable, "X's answer is not one of its API"),
        (Reply({"data": "what"}), Unavailable, "X's answer is not one of its API"),
        (Reply({"data": ["what"]}), Unavailable, "X's answer is not one of its API"),
        (Reply({"data": [], "errors": {"what": 1}}), Unavailable, "X's answer is not one of its API"),
        (Reply({"data": [], "meta": "what"}), Unavailable, "X's answer is not one of its API"),
        (Reply({"data": []}), Unavailable, f"X's answer says nothing of {ADA}"),
        (refuse(403, "Forbidden"), Banned, "X refuses us (403 Forbidden)"),
        (Reply(b"<html>Just a moment...</html>", 403), Banned, "X refuses us (403)"),
        (
            refuse(403, "Client Forbidden", f"{PROBLEMS}client-forbidden"),
            NotConfigured,
            f"X does not open this to the app of X_BEARER_TOKEN (403 client-forbidden): enrol it at {CONSOLE}",
        ),
        (
            refuse(401, "Unauthorized"),
            NotConfigured,
            f"X refuses the token (401): set X_BEARER_TOKEN to the app's present one, from {CONSOLE}",
        ),
        (
            refuse(402, "CreditsDepleted", f"{PROBLEMS}credits"),
            NotConfigured,
            f"X wants to be paid (402 credits): add credits or raise the limit at {CONSOLE}",
        ),
        # The limit of requests has much left then: https://github.com/xdevplatform/xdk/issues/25
        (
            refuse(429, "UsageCapExceeded", f"{PROBLEMS}usage-capped", {"x-rate-limit-remaining": "39999"}),
            NotConfigured,
            f"X wants to be paid (429 usage-capped): add credits or raise the limit at {CONSOLE}",
        ),
        (refuse(429, "Too Many Requests", headers={"x-rate-limit-reset": "soon"}), RateLimited, "HOST asks to wait"),
        (Reply(b"", 407), ProxyFailed, "the proxy to HOST wants another password"),
        (refuse(400, "Invalid Request"), SourceError, "HOST does not take the request (400: Invalid Request)"),
        (Reply(b"", 404), SourceError, "HOST does not take the request (404)"),
        (Reply(b"", 302, {"Location": "https://elsewhere.example/2/users"}), SourceError, "HOST sends us on to elsewhere.example"),
    ],
)
def test_every_way_to_say_no_has_its_error(source, fake, reply, error, words) -> None:
    fake.troubles.append(Trouble(reply=lambda request: reply))
    with pytest.raises(SourceError) as refused:
        source.resolve([ADA])
    assert type(refused.value) is error
    assert str(refused.value) == words.replace("HOST", f"127.0.0.1:{fake.port}")
    assert len(fake.requests) == 1
    assert source.resolve([ADA])[0].id == "1001"


def test_an_answer_cut_in_the_middle_is_no_answer(source, fake) -> None:
    fake.troubles.append(Trouble(path="/tweets", cut=True))
    with pytest.raises(Unavailable, match="broke off"):
        read_all(source, ADA)


def test_an_emoji_whose_bytes_come_one_by_one_is_whole(source, fake, world) -> None:
    for post in world.people[ADA].posts:
        post.text = "\U0001f469\u200d\U0001f680\U0001f989" * 10
    undisturbed = read_all(source, ADA)
    fake.troubles.append(Trouble(path="/tweets", slow=True, times=3))
    assert read_all(source, ADA) == undisturbed


def test_a_server_that_says_nothing_is_not_waited_for(source, fake, monkeypatch) -> None:
    monkeypatch.setattr("scraping.sources.transport.TIMEOUT_SECONDS", 0.2)

    def sleep(request):
        time.sleep(0.6)
        return Reply({})

    fake.troubles.append(Trouble(reply=sleep))
    with pytest.raises(Unavailable, match="broke off: no answer in time"):
        source.resolve([ADA])


def test_an_answer_without_end_is_not_taken_in(source, fake, monkeypatch) -> None:
    monkeypatch.setattr("scraping.sources.transport.MAX_BYTES", 1_000_000)
    fake.troubles.append(Trouble(reply=lambda request: Reply({"data": "a" * 2_000_000})))
    with pytest.raises(Unavailable, match="broke off"):
        source.resolve([ADA])
    assert source.resolve([ADA])[0].id == "1001"


def test_a_server_that_is_not_there_is_unavailable() -> None:
    source = XSource(token=TOKEN, base_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"^127\.0\.0\.1:9 can't be reached: the connection was refused$"):
        source.resolve([ADA])
    source.close()


@pytest.mark.parametrize("token", ["", "  \n", "two words", "t\u00f6ken", "line\nbreak"])
def test_without_a_token_it_says_what_to_set(token) -> None:
    with pytest.raises(NotConfigured, match="X_BEARER_TOKEN") as refused:
        XSource(token=token, base_url="https://api.x.com")
    assert not token.strip() or token not in str(refused.value)


def test_a_token_may_have_been_copied_with_its_line_end(fake) -> None:
    source = XSource(token=f" {TOKEN}\n", base_url=fake.url)
    assert source.resolve([ADA])[0].state is State.OPEN
    source.close()


def test_the_token_is_told_to_the_api_and_to_nobody_else(source, fake, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    source.resolve([ADA])
    fake.troubles.append(Trouble(cut=True))
    with pytest.raises(SourceError) as refused:
        source.resolve([ADA])
    told = caplog.text + "".join(traceback.format_exception(refused.value))
    assert "tweepy" in caplog.text
    assert TOKEN not in told
    assert fake.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.fixture
def api(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[XFake]:
    """An API that believes itself to be https://api.x.com."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    server = XFake(world)
    secure(server, authority, "api.x.com")
    with server:
        yield server


@pytest.mark.parametrize(("kind", "scheme"), [(ConnectProxy, "http"), (SocksProxy, "socks5h")])
def test_everything_goes_through_the_proxy_and_to_the_api_alone(api, monkeypatch, kind, scheme) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with kind(api.port) as proxy:
        source = XSource(token=TOKEN, base_url="https://api.x.com", proxy=proxy.address().replace(f"{proxy.scheme}:", f"{scheme}:"))
        pages = read_all(source, ADA)
        source.find_gone([PostRef(pages[0].posts[0].facts["source_id"], ADA)])
        source.fetch_followers(source.resolve_ids(["1001"])[0])
        source.close()
        assert proxy.asked == ["api.x.com:443"]
    assert api.paths() == [
        "/2/users/by",
        *["/2/users/1001/tweets"] * 3,
        "/2/tweets",
        "/2/users",
        "/2/users/1001/followers",
    ]
    assert {request.headers["Host"] for request in api.requests} == {"api.x.com"}


def say_no(proxy: FakeProxy, how: str) -> str:
    """Let `proxy` fail, and return the address that it fails for."""
    if how == "refuses":
        proxy.refusals.append(503 if isinstance(proxy, ConnectProxy) else 5)
    elif how == "is not there":
        return proxy.address().replace(str(proxy.port), "9")
    return proxy.address("another password" if how == "wants another password" else PASSWORD).replace("socks5:", "socks5h:")


@pytest.mark.parametrize("how", ["wants another password", "refuses", "is not there"])
@pytest.mark.parametrize("kind", [ConnectProxy, SocksProxy])
def test_a_proxy_that_fails_is_told_from_the_api_and_its_password_from_nobody(api, caplog, kind, how) -> None:
    caplog.set_level(logging.DEBUG)
    with kind(api.port) as proxy:
        address = say_no(proxy, how)
        source = XSource(token=TOKEN, base_url="https://api.x.com", proxy=address)
        with pytest.raises(ProxyFailed, match=r"^the proxy to api\.x\.com failed: [\w ,()]+$") as failed:
            source.resolve([ADA])
        source.close()
    told = caplog.text + "".join(traceback.format_exception(failed.value))
    for secret in (PASSWORD, "another password", address.partition(f"{USER}:")[2].partition("@")[0], TOKEN):
        assert secret not in told
    assert api.requests == []


def test_a_certificate_that_nobody_vouches_for_is_not_the_proxys_failure(api, monkeypatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with ConnectProxy(api.port) as proxy:
        source = XSource(token=TOKEN, base_url="https://api.x.com", proxy=proxy.address())
        with pytest.raises(Unavailable, match=r"^api\.x\.com can't be reached: nobody we trust vouches for its certificate$"):
            source.resolve([ADA])
        source.close()
    assert api.requests == []
