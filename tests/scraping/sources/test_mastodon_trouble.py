"""What the Mastodon source makes of many servers, of refusals, of trouble on the way, and of proxies."""

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from scraping.sources.base import (
    Account,
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
from scraping.sources.mastodon import MastodonSource
from tests.fakes.mastodon import HOST, MastodonFake, own_openers, refuse, status_id
from tests.fakes.proxies import PASSWORD, ConnectProxy, SocksProxy
from tests.fakes.server import Reply, Trouble
from tests.fakes.tls import secure
from tests.fakes.world import Person, World
from tests.scraping.sources.reading import read_all, read_posts

ADA = f"ada@{HOST}"
BEA = "bea@bees.example"


@pytest.fixture
def world() -> World:
    world = World()
    world.add(f"somebody@{HOST}")
    world.add(ADA, posts=100, followers=range(200))
    world.add(BEA, posts=30)
    return world


@pytest.fixture
def ada(world: World) -> Person:
    return world.people[ADA]


@pytest.fixture
def fake(world: World) -> Iterator[MastodonFake]:
    with MastodonFake(world) as server:
        yield server


@pytest.fixture
def source(fake: MastodonFake) -> Iterator[MastodonSource]:
    """All accounts through one server."""
    source = MastodonSource(base_url=fake.url)
    yield source
    source.close()


@pytest.fixture
def fediverse(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MastodonFake]:
    """Every server of the world, each under its own name."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    server = MastodonFake(world)
    secure(server, authority, HOST, "bees.example")
    with server:
        yield server


@pytest.fixture
def proxy(fediverse: MastodonFake) -> Iterator[ConnectProxy]:
    with ConnectProxy(fediverse.port) as proxy:
        yield proxy


@pytest.fixture
def wanderer(proxy: ConnectProxy) -> Iterator[MastodonSource]:
    """Every account at its own server."""
    source = MastodonSource(proxy=proxy.address())
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
    assert (source.limit.remaining, source.limit.limit) == (299, 300)
    assert 299.0 <= source.limit.resets_in <= 300.0


def test_retry_after_is_heard(source, fake) -> None:
    fake.troubles.append(Trouble(reply=lambda request: refuse(429, "Slow down", {"Retry-After": "7"})))
    with pytest.raises(RateLimited) as refused:
        source.resolve([ADA])
    assert refused.value.seconds == 7.0


STRANGE = "the answer of HOST is not one of Mastodon's API"


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(b"<html>Down</html>", 503), Unavailable, "HOST is out of order (503)"),
        (refuse(500, "Something went wrong"), Unavailable, "HOST is out of order (500)"),
        (Reply(b"<html>Hello</html>"), Unavailable, STRANGE),
        (Reply(b""), Unavailable, STRANGE),
        (Reply(["what"]), Unavailable, STRANGE),
        (Reply({"hello": 1}), Unavailable, STRANGE),
        (Reply(b"<html>Just a moment...</html>", 403), Banned, "HOST refuses us (403)"),
        (Reply(b"", 401), Banned, "HOST refuses us (401)"),
        (Reply(b"<html>No such page</html>", 404), SourceError, "HOST does not take the request (404)"),
        (refuse(422, "What?"), SourceError, "HOST does not take the request (422: What?)"),
        (Reply(b"", 407), ProxyFailed, "the proxy to HOST wants another password"),
        (Reply(b"", 301, {"Location": "https://social.example/api"}), SourceError, "HOST sends us on to social.example"),
    ],
)
def test_every_way_to_say_no_has_its_error(source, fake, reply, error, words) -> None:
    fake.troubles.append(Trouble(reply=lambda request: reply))
    with pytest.raises(SourceError) as refused:
        source.resolve([ADA])
    assert type(refused.value) is error
    assert str(refused.value) == words.replace("HOST", f"127.0.0.1:{fake.port}")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("body", [{"error": "none"}, ["what"], [{"no": "id"}], "what"])
def test_a_page_that_is_none_is_no_page(source, fake, body) -> None:
    [account] = source.resolve([ADA])
    fake.troubles.append(Trouble(path="/statuses", reply=lambda request: Reply(body)))
    with pytest.raises(Unavailable, match="is not one of Mastodon's API"):
        source.fetch_posts(account)


@pytest.mark.parametrize("mark", [{"emojis": [7]}, {"emojis": "owl"}])
def test_a_post_that_is_none_is_no_post(source, fake, ada, mark) -> None:
    fake.marks[ada.posts[0].key] = mark
    with pytest.raises(Unavailable, match="is not one of Mastodon's API"):
        read_all(source, ADA)


@pytest.mark.parametrize("profile", [{"emojis": [7]}, {"fields": [7]}])
def test_an_account_that_is_none_is_no_account(source, fake, profile) -> None:
    fake.profiles[ADA] = profile
    with pytest.raises(Unavailable, match="is not one of Mastodon's API"):
        source.resolve([ADA])


def test_an_answer_cut_in_the_middle_is_no_answer(source, fake) -> None:
    fake.troubles.append(Trouble(path="/statuses", cut=True))
    with pytest.raises(Unavailable, match="broke off"):
        read_all(source, ADA)


def test_an_emoji_whose_bytes_come_one_by_one_is_whole(source, fake, ada) -> None:
    for post in ada.posts:
        post.text = "\U0001f469\u200d\U0001f680\U0001f989" * 10
    undisturbed = read_all(source, ADA)
    fake.troubles.append(Trouble(path="/statuses", slow=True, times=3))
    assert read_all(source, ADA) == undisturbed


def test_every_account_is_read_at_its_own_server_and_nothing_else_is_asked(wanderer, proxy, fediverse, world, monkeypatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    ada, bea = wanderer.resolve([ADA, BEA])
    assert (ada.id, ada.handle) == (f"{HOST}/1001", ADA)
    assert (bea.id, bea.handle) == ("bees.example/1002", BEA)
    posts = read_posts(wanderer, BEA)
    assert [post.facts["source_id"] for post in posts if not post.is_reply] == [
        f"bees.example/{status_id(post)}" for post in own_openers(world.people[BEA])
    ]
    assert wanderer.resolve_ids([ada.id, bea.id]) == [ada, bea]
    refs = [PostRef(f"bees.example/{status_id(world.people[BEA].posts[0])}", BEA), PostRef(f"{HOST}/1", ADA)]
    assert wanderer.find_gone(refs) == {f"{HOST}/1"}
    assert sorted(set(proxy.asked)) == ["bees.example:443", f"{HOST}:443"]
    lookups = [(request.headers["Host"], request.query["acct"]) for request in fediverse.requests if request.path.endswith("lookup")]
    assert lookups == [(HOST, "ada"), ("bees.example", "bea"), ("bees.example", "bea")]


@pytest.mark.parametrize(
    "handle", ["ada", "@", "ada@", "ada@localhost", "ada@127.0.0.1", f"ada@{HOST}:8080", f"a/../b@{HOST}", "ada@[::1]", f"ada@{HOST}/x"]
)
def test_nobody_lets_us_ask_our_own_network(wanderer, fediverse, handle) -> None:
    assert wanderer.resolve([handle]) == [Account("", handle, state=State.MISSING)]
    assert fediverse.requests == []


@pytest.mark.parametrize("status", [401, 403])
def test_one_server_that_refuses_us_does_not_ban_us_from_all(wanderer, fediverse, status) -> None:
    challenge = Reply(b"<html>Just a moment...</html>", status)
    fediverse.troubles.append(Trouble(reply=lambda request: challenge, when=lambda request: request.headers["Host"] == HOST))
    with pytest.raises(SourceError, match=rf"^{HOST} refuses us \({status}\)$") as refused:
        wanderer.resolve([ADA])
    assert type(refused.value) is SourceError
    assert wanderer.resolve([BEA])[0].state is State.OPEN


def test_a_server_does_not_pass_its_accounts_off_as_anothers(wanderer, fediverse) -> None:
    fediverse.profiles[BEA] = {"url": f"https://{HOST}/@bea"}
    [bea] = wanderer.resolve([BEA])
    assert (bea.id, bea.handle) == ("bees.example/1002", BEA)


@pytest.mark.parametrize(
    "ask", [lambda source, name: source.resolve_ids([name]), lambda source, name: source.find_gone([PostRef(name, ADA)])]
)
def test_what_was_read_through_another_server_is_not_asked_of_this_one(source, wanderer, ask: Callable[[Any, str], Any]) -> None:
    for one, name in ((source, f"{HOST}/1001"), (wanderer, "127.0.0.1:8000/1001")):
        with pytest.raises(NotConfigured, match=f"^This was read at {name.partition('/')[0]}: set SCRAPE_MASTODON_URL as it was then"):
            ask(one, name)


@pytest.mark.parametrize("how", ["wants another password", "refuses", "is not there"])
@pytest.mark.parametrize("kind", [ConnectProxy, SocksProxy])
def test_a_proxy_that_fails_is_told_from_the_server_and_its_password_from_nobody(fediverse, caplog, kind, how) -> None:
    caplog.set_level(logging.DEBUG)
    with kind(fediverse.port) as proxy:
        if how == "refuses":
            proxy.refusals.append(503 if kind is ConnectProxy else 5)
        address = proxy.address("another password" if how == "wants another password" else PASSWORD)
        address = (address.replace(str(proxy.port), "9") if how == "is not there" else address).replace("socks5:", "socks5h:")
        source = MastodonSource(proxy=address)
        with pytest.raises(ProxyFailed, match=rf"^the proxy to {HOST} failed: [\w ,()]+$") as failed:
            source.resolve([ADA])
        source.close()
    told = caplog.text + "".join(traceback.format_exception(failed.value))
    for secret in (PASSWORD, "another password", address.partition(":")[2].partition("@")[0]):
        assert secret not in told
    assert fediverse.requests == []


def test_a_socks_proxy_serves_as_well(fediverse) -> None:
    with SocksProxy(fediverse.port) as proxy:
        source = MastodonSource(proxy=proxy.address().replace("socks5:", "socks5h:"))
        assert source.resolve([ADA])[0].id == f"{HOST}/1001"
        source.close()
        source.close()
        assert proxy.asked == [f"{HOST}:443"]
