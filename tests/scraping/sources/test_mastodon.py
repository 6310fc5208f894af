"""The Mastodon source against servers of our own, through Mastodon.py."""

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from scraping.sources.base import (
    Account,
    AccountGone,
    Banned,
    Limit,
    NotConfigured,
    Page,
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


def read_all(source: MastodonSource, handle: str = ADA, newer_than: str = "") -> list[Page]:
    [account] = source.resolve([handle])
    pages = [source.fetch_posts(account, newer_than=newer_than)]
    while pages[-1].cursor:
        pages.append(source.fetch_posts(account, cursor=pages[-1].cursor, newer_than=newer_than))
    return pages


def read_posts(source: MastodonSource, handle: str = ADA) -> list[Any]:
    return [post for page in read_all(source, handle) for post in page.posts]


def named(fake: MastodonFake, number: object) -> str:
    """Return an id as the source gives it that reads everybody through `fake`."""
    return f"127.0.0.1:{fake.port}/{number}"


def test_a_whole_author_is_read_newest_first(source, fake, ada) -> None:
    own = [post for post in read_posts(source) if not (post.is_retweet or post.is_reply)]
    theirs = own_openers(ada)
    assert [post.facts["source_id"] for post in own] == [named(fake, status_id(post)) for post in theirs]
    assert [post.text for post in own] == [post.text for post in theirs]
    first = own[0]
    assert (first.handle, first.platform, first.name, first.posted_at) == (ADA, "mastodon", "Ada of the Isles", theirs[0].at)
    assert first.account_id == named(fake, ada.key)
    link = f"https://{HOST}/@ada/{status_id(theirs[0])}"
    assert first.facts == {
        "source_id": named(fake, status_id(theirs[0])),
        "link": link,
        "likes": theirs[0].likes,
        "shares": theirs[0].shares,
    }


def test_no_request_is_made_but_those_for_the_account_and_its_pages(source, fake) -> None:
    read_all(source)
    assert fake.paths() == ["/api/v1/accounts/lookup", *["/api/v1/accounts/1001/statuses"] * 3]
    assert {name: fake.requests[1].query[name] for name in ("limit", "exclude_replies", "exclude_reblogs")} == {
        "limit": "40",
        "exclude_replies": "1",
        "exclude_reblogs": "1",
    }


def test_an_author_of_forty_pages_is_read_to_the_end(source, fake, world) -> None:
    world.add(f"prolific@{HOST}", posts=1_730)
    pages = read_all(source, f"prolific@{HOST}")
    assert len(pages) == 40
    ids = [post.facts["source_id"] for page in pages for post in page.posts if not post.is_reply]
    assert ids == [named(fake, status_id(post)) for post in own_openers(world.people[f"prolific@{HOST}"])]


def test_a_thread_goes_on_in_replies(source, ada) -> None:
    replies = [post.facts["source_id"].partition("/")[2] for post in read_posts(source) if post.is_reply]
    assert replies == [status_id(post) for post in ada.posts if post.reply_to and not post.repost]
    assert len(replies) == 9


def test_a_boost_that_comes_nevertheless_is_marked(source, fake, ada) -> None:
    views = [fake._status(ada, post, HOST) for post in ada.posts[:20]]
    fake.troubles.append(Trouble(path="/statuses", reply=lambda request: Reply(views)))
    [account] = source.resolve([ADA])
    marks = [post.is_retweet for post in source.fetch_posts(account).posts]
    assert marks == [post.repost for post in ada.posts[:20]]
    assert sum(marks) == 2


@pytest.mark.parametrize(
    "mark",
    [
        {"spoiler_text": "Spiders"},
        {"sensitive": True},
        {"visibility": "private"},
        {"visibility": "direct"},
        {"visibility": "what is this"},
        {"visibility": None},
    ],
)
def test_what_was_not_meant_for_everybody_is_left_out(source, fake, ada, mark) -> None:
    everything = read_posts(source)
    newest, quiet = own_openers(ada)[:2]
    fake.marks[newest.key] = mark
    fake.marks[quiet.key] = {"visibility": "unlisted"}
    assert read_posts(source) == everything[1:]


def test_words_come_without_markup_and_pictures(source, fake, ada) -> None:
    fake.profiles[ADA] = {"display_name": "Ada :owl:", "emojis": [{"shortcode": "owl"}]}
    post = own_openers(ada)[0]
    post.text = "Owls & <wrens>\n\u201cna\u00efve\u201d \U0001f469\u200d\U0001f680 :owl: at 12:30:00 https://example.org/more"
    fake.marks[post.key] = {"emojis": [{"shortcode": "owl", "url": "https://example.org/owl.png"}]}
    first = read_posts(source)[0]
    assert first.text == "Owls & <wrens>\n\u201cna\u00efve\u201d \U0001f469\u200d\U0001f680 at 12:30:00 https://example.org/more"
    assert first.name == "Ada"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://a b.example", None, "https://birds.example/" + "a" * 300])
def test_an_address_that_nobody_should_click_is_not_kept(source, fake, ada, address) -> None:
    fake.marks[ada.posts[0].key] = {"url": address}
    assert "link" not in read_posts(source)[0].facts


def test_only_what_is_new_is_asked_for(source, fake, world, ada) -> None:
    before = read_posts(source)
    new = world.post(ADA)
    fake.requests.clear()
    [page] = read_all(source, newer_than=before[0].facts["source_id"])
    assert [post.facts["source_id"] for post in page.posts] == [named(fake, status_id(new))]
    assert fake.requests[-1].query["since_id"] == status_id(ada.posts[1])
    # The number of another server's post says nothing here.
    assert len(read_all(source, newer_than=f"bees.example/{status_id(ada.posts[1])}")) == 3


def test_followers_are_paged_by_the_link_header_alone(source, fake) -> None:
    [account] = source.resolve([ADA])
    pages = [source.fetch_followers(account)]
    while pages[-1].cursor:
        pages.append(source.fetch_followers(account, cursor=pages[-1].cursor))
    assert [len(page.ids) for page in pages] == [80, 80, 40]
    assert [name for page in pages for name in page.ids] == [named(fake, key) for key in range(200)]


def test_a_server_without_a_link_header_is_read_on_from_the_last_post(source, fake, ada) -> None:
    def answer(request):
        reply = fake.answer(request)
        reply.headers.pop("Link", None)
        return reply

    undisturbed = read_posts(source)
    fake.troubles.append(Trouble(path="/statuses", reply=answer, times=10))
    pages = read_all(source)
    assert [post for page in pages for post in page.posts] == undisturbed
    assert [len(page.posts) for page in pages] == [40, 40, 12, 0]


@pytest.mark.parametrize(
    ("profile", "state"),
    [
        ({}, State.OPEN),
        # Who chooses their followers posts for everybody nevertheless; who moved has left what they wrote.
        ({"locked": True}, State.OPEN),
        ({"moved": {"id": "7", "acct": "ada@bees.example"}}, State.OPEN),
        ({"note": "<p>No botany, no archives. #nobody</p>"}, State.OPEN),
        ({"suspended": True}, State.SUSPENDED),
        ({"limited": True}, State.SUSPENDED),
        ({"noindex": True}, State.DECLINED),
        ({"bot": True}, State.DECLINED),
        (
            {"note": '<p>Owls. <a href="https://birds.example/tags/nobot" class="mention hashtag">#<span>NoBot</span></a></p>'},
            State.DECLINED,
        ),
        ({"note": "#noarchive"}, State.DECLINED),
        ({"note": "please #no_bots here"}, State.DECLINED),
        ({"note": "#NoAI, thanks"}, State.DECLINED),
        ({"display_name": "Ada #nobots"}, State.DECLINED),
        ({"fields": [{"name": "consent", "value": "<p>#noindex</p>"}]}, State.DECLINED),
    ],
)
def test_accounts_are_told_apart_by_what_they_say_of_themselves(source, fake, profile, state) -> None:
    fake.profiles[ADA] = profile
    [account] = source.resolve([ADA])
    assert (account.handle, account.state, account.id) == (ADA, state, named(fake, 1001))
    assert source.resolve_ids([account.id]) == [account]


def test_accounts_that_are_none_are_missing(source, fake, world) -> None:
    world.add(f"gone@{HOST}", state="missing")
    handles = [f"gone@{HOST}", f"nobody@{HOST}", ADA.upper()]
    assert source.resolve(handles) == [
        Account("", handles[0], state=State.MISSING),
        Account("", handles[1], state=State.MISSING),
        Account(named(fake, 1001), ADA, "Ada of the Isles"),
    ]
    assert source.resolve_ids([named(fake, 77)]) == [Account(named(fake, 77), "", state=State.MISSING)]


def test_an_account_is_found_by_its_id_after_it_was_renamed(source, world, ada) -> None:
    [before] = source.resolve([ADA])
    world.people[f"ada.new@{HOST}"] = world.people.pop(ADA)
    ada.handle = f"ada.new@{HOST}"
    [after] = source.resolve_ids([before.id])
    assert (after.id, after.handle, after.state) == (before.id, f"ada.new@{HOST}", State.OPEN)


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (refuse(404, "Record not found"), State.MISSING),
        (Reply(b"", 410), State.MISSING),
        (refuse(403, "This action is not allowed"), State.SUSPENDED),
        (refuse(401, "This method requires an authenticated user"), State.DECLINED),
    ],
)
def test_an_account_closed_in_between_says_so(source, fake, reply, state) -> None:
    [account] = source.resolve([ADA])
    for ask in (source.fetch_posts, source.fetch_followers):
        fake.troubles.append(Trouble(reply=lambda request: reply))
        with pytest.raises(AccountGone) as gone:
            ask(account)
        assert gone.value.state is state
    fake.troubles.append(Trouble(reply=lambda request: reply))
    assert source.resolve([ADA]) == [Account("", ADA, state=state)]
    fake.troubles.append(Trouble(reply=lambda request: reply))
    assert source.resolve_ids([account.id]) == [Account(account.id, "", state=state)]


@pytest.mark.parametrize(("has_lists", "requests"), [(True, 3), (False, 21)])
def test_posts_that_were_deleted_are_found_gone(source, fake, ada, has_lists, requests) -> None:
    fake.has_lists = has_lists
    refs = [PostRef(named(fake, status_id(post)), ADA) for post in ada.posts[:20]]
    ada.posts[3].deleted = ada.posts[9].deleted = True
    assert source.find_gone(refs) == {refs[3].source_id, refs[9].source_id}
    assert len(fake.requests) == requests


def test_a_list_that_leaves_posts_out_is_not_believed(source, fake, ada) -> None:
    fake.troubles.append(Trouble(reply=lambda request: Reply([])))
    assert source.find_gone([PostRef(named(fake, status_id(post)), ADA) for post in ada.posts[:20]]) == set()


def test_a_server_that_closed_its_doors_has_not_deleted_anything(source, fake, ada) -> None:
    fake.demands_sign_in = True
    with pytest.raises(AccountGone) as gone:
        source.find_gone([PostRef(named(fake, status_id(ada.posts[0])), ADA)])
    assert gone.value.state is State.DECLINED


def test_a_server_in_trouble_has_not_deleted_anything(source, fake, ada) -> None:
    fake.troubles.append(Trouble(path="/statuses", reply=lambda request: Reply(b"", 503)))
    with pytest.raises(Unavailable):
        source.find_gone([PostRef(named(fake, status_id(ada.posts[0])), ADA)])


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


def test_an_answer_cut_in_the_middle_is_no_answer(source, fake) -> None:
    fake.troubles.append(Trouble(path="/statuses", cut=True))
    with pytest.raises(Unavailable, match="broke off"):
        read_all(source)


def test_an_emoji_whose_bytes_come_one_by_one_is_whole(source, fake, ada) -> None:
    for post in ada.posts:
        post.text = "\U0001f469\u200d\U0001f680\U0001f989" * 10
    undisturbed = read_all(source)
    fake.troubles.append(Trouble(path="/statuses", slow=True, times=3))
    assert read_all(source) == undisturbed


def test_a_page_in_which_posts_come_again_is_passed_on_as_it_is(source, fake) -> None:
    [account] = source.resolve([ADA])
    first = source.fetch_posts(account)
    undisturbed = fake.requests[-1]
    fake.troubles.append(Trouble(path="/statuses", reply=lambda request: fake.answer(undisturbed)))
    # A cursor that leads back to itself, for whoever walks to notice.
    assert source.fetch_posts(account, cursor=first.cursor) == first


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


def test_one_server_that_refuses_us_does_not_ban_us_from_all(wanderer, fediverse) -> None:
    challenge = Reply(b"<html>Just a moment...</html>", 403)
    fediverse.troubles.append(Trouble(reply=lambda request: challenge, when=lambda request: request.headers["Host"] == HOST))
    assert [account.state for account in wanderer.resolve([ADA, BEA])] == [State.DECLINED, State.OPEN]


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
        with pytest.raises(ProxyFailed, match=rf"^the proxy to {HOST} failed: \w+$") as failed:
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
