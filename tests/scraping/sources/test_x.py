"""The X source against an X API of our own, through tweepy."""

import logging
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

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
from scraping.sources.x import XSource
from tests.fakes.proxies import PASSWORD, USER, ConnectProxy, FakeProxy, SocksProxy
from tests.fakes.server import Reply, Trouble
from tests.fakes.tls import secure
from tests.fakes.world import World
from tests.fakes.x_api import PROBLEMS, SHORT_LINK, TOKEN, XFake, own_openers, refuse

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


def read_all(source: XSource, handle: str = ADA, newer_than: str = "") -> list[Page]:
    [account] = source.resolve([handle])
    pages = [source.fetch_posts(account, newer_than=newer_than)]
    while pages[-1].cursor:
        pages.append(source.fetch_posts(account, cursor=pages[-1].cursor, newer_than=newer_than))
    return pages


def test_a_whole_author_is_read_newest_first(source, world) -> None:
    posts = [post for page in read_all(source) for post in page.posts]
    theirs = own_openers(world.people[ADA])
    assert [post.facts["source_id"] for post in posts] == [str(post.key) for post in theirs]
    assert [post.text for post in posts] == [post.text.replace("https://example.org/more", SHORT_LINK) for post in theirs]
    assert not any(post.is_reply or post.is_retweet for post in posts)
    first = posts[0]
    assert (first.handle, first.platform, first.name) == (ADA, "twitter", "Ada_Of_Isles of the Isles")
    assert (first.account_id, first.posted_at) == ("1001", theirs[0].at)
    link = f"https://x.com/{ADA}/status/{theirs[0].key}"
    assert first.facts == {"source_id": str(theirs[0].key), "link": link, "likes": theirs[0].likes, "shares": theirs[0].shares}


def test_an_author_of_forty_pages_is_read_to_the_end(source, fake, world) -> None:
    world.add("prolific", posts=4_000)
    fake.deepest = 4_000
    pages = read_all(source, "prolific")
    assert len(pages) == 40
    ids = [post.facts["source_id"] for page in pages for post in page.posts]
    assert ids == [str(post.key) for post in own_openers(world.people["prolific"], 4_000)]


def test_x_shows_nothing_below_the_newest_800(source, world) -> None:
    world.add("prolific", posts=900)
    ids = [post.facts["source_id"] for page in read_all(source, "prolific") for post in page.posts]
    assert ids == [str(post.key) for post in own_openers(world.people["prolific"], 800)]


def test_what_is_not_asked_for_is_marked_where_it_comes_nevertheless(source, fake, world) -> None:
    person = world.people[ADA]
    views = [fake._post(person, post) for post in person.posts]
    fake.troubles.append(Trouble(path="/tweets", reply=lambda request: Reply({"data": views, "meta": {"result_count": len(views)}})))
    [account] = source.resolve([ADA])
    posts = source.fetch_posts(account).posts
    assert [(post.is_reply, post.is_retweet) for post in posts] == [(post.reply_to is not None, post.repost) for post in person.posts]
    assert sum(post.is_reply for post in posts) == 23
    assert sum(post.is_retweet for post in posts) == 19


def test_a_thread_that_names_nobody_is_a_reply_by_its_conversation(source, fake) -> None:
    view = {"id": "12", "text": "And another thing.", "conversation_id": "11"}
    fake.troubles.append(Trouble(path="/tweets", reply=lambda request: Reply({"data": [view], "meta": {"result_count": 1}})))
    [post] = source.fetch_posts(Account("1001", ADA)).posts
    assert post.is_reply


def test_a_long_post_comes_whole_and_with_its_entities(source, world) -> None:
    text = "Owls & finches <3 each other. " * 20 + "\U0001f989"
    world.people[ADA].posts[0].text = text
    first = read_all(source)[0].posts[0]
    assert first.text == text.replace("&", "&amp;").replace("<", "&lt;")


def test_what_is_known_is_neither_fetched_nor_paid_again(source, fake, world) -> None:
    person = world.people[ADA]
    first = read_all(source)[0].posts[0]
    new = world.post(ADA)
    fake.requests.clear()
    [page] = read_all(source, newer_than=first.facts["source_id"])
    assert [post.facts["source_id"] for post in page.posts] == [str(new.key)]
    assert page.cost == 0.005
    assert fake.requests[-1].query["since_id"] == first.facts["source_id"]
    assert person.posts[0] is new


def test_every_page_says_what_it_cost(source, world) -> None:
    pages = read_all(source)
    assert [page.cost for page in pages] == [round(len(page.posts) * 0.005, 3) for page in pages]
    assert sum(page.cost for page in pages) == pytest.approx(len(own_openers(world.people[ADA])) * 0.005)
    assert source.abilities.price_of_account == 0.010


def test_followers_come_to_the_last_as_ids_and_cost_what_accounts_do(source) -> None:
    [account] = source.resolve([ADA])
    pages = [source.fetch_followers(account)]
    while pages[-1].cursor:
        pages.append(source.fetch_followers(account, cursor=pages[-1].cursor))
    assert [len(page.ids) for page in pages] == [1000, 1000, 500]
    assert [follower for page in pages for follower in page.ids] == [str(key) for key in range(2_500)]
    assert [page.cost for page in pages] == [10.0, 10.0, 5.0]


def test_accounts_are_told_apart_by_what_they_are(source, fake, world) -> None:
    for state in ("protected", "suspended"):
        world.add(f"the_{state}", state=state)
    handles = ["Suspended_Name", "the_suspended", "The_Protected", "no such name", "a_name_that_is_too_long", "ADA_of_isles"]
    accounts = source.resolve(handles)
    assert [account.state for account in accounts] == [
        State.MISSING,
        State.SUSPENDED,
        State.PROTECTED,
        State.MISSING,
        State.MISSING,
        State.OPEN,
    ]
    assert [account.handle for account in accounts] == [*handles[:2], "the_protected", *handles[3:5], ADA]
    assert [account.id for account in accounts] == ["", "", "1002", "", "", "1001"]
    assert fake.paths() == ["/2/users/by"]
    assert fake.requests[0].query["usernames"] == "Suspended_Name,the_suspended,The_Protected,ADA_of_isles"


def test_names_that_x_has_none_of_are_not_asked_for(source, fake) -> None:
    assert source.resolve(["nobody@all", "\u00e9mile"]) == [Account("", name, state=State.MISSING) for name in ("nobody@all", "\u00e9mile")]
    assert fake.requests == []


def test_a_hundred_accounts_are_one_request(source, fake, world) -> None:
    for number in range(100):
        world.add(f"person{number}")
    accounts = source.resolve([f"person{number}" for number in range(100)])
    assert [account.handle for account in accounts] == [f"person{number}" for number in range(100)]
    assert len(fake.requests) == 1


def test_an_account_is_found_by_its_id_after_it_was_renamed(source, world) -> None:
    [before] = source.resolve([ADA])
    world.people["new_ada"] = world.people.pop(ADA)
    world.people["new_ada"].handle = "new_ada"
    assert source.resolve([ADA]) == [Account("", ADA, state=State.MISSING)]
    after, none = source.resolve_ids([before.id, "999999"])
    assert (after.id, after.handle, after.state) == (before.id, "new_ada", State.OPEN)
    assert none == Account("999999", "", state=State.MISSING)


@pytest.mark.parametrize("state", [State.PROTECTED, State.SUSPENDED, State.MISSING])
def test_an_account_closed_in_between_says_so(source, world, state) -> None:
    [account] = source.resolve([ADA])
    world.people[ADA].state = state.value
    for ask in (source.fetch_posts, source.fetch_followers):
        with pytest.raises(AccountGone, match=f"^X: the account is {state.value}$") as gone:
            ask(account)
        assert gone.value.state is state


def test_posts_deleted_or_shut_away_are_found_gone(source, fake, world) -> None:
    shy = world.add("shy", posts=3)
    person = world.people[ADA]
    refs = [PostRef(str(post.key), ADA) for post in person.posts[:97]] + [PostRef(str(post.key), "shy") for post in shy.posts]
    assert source.find_gone(refs) == set()
    shy.state = "protected"
    person.posts[3].deleted = person.posts[9].deleted = True
    gone = {refs[3].source_id, refs[9].source_id, *(str(post.key) for post in shy.posts)}
    assert source.find_gone([*refs, PostRef("at://of/another", ADA)]) == gone
    assert fake.paths() == ["/2/tweets", "/2/tweets"]
    assert source.find_gone([]) == set()


def test_a_post_that_x_says_nothing_of_is_not_taken_for_deleted(source, fake) -> None:
    problem = {"title": "Oops", "detail": "Try later", "type": f"{PROBLEMS}other", "value": "7"}
    fake.troubles.append(Trouble(reply=lambda request: Reply({"data": [], "errors": [problem]})))
    assert source.find_gone([PostRef("7", ADA), PostRef("8", ADA)]) == set()


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
        (Reply({"data": []}), Unavailable, f"X's answer says nothing of {ADA}"),
        (refuse(403, "Forbidden"), Banned, "X refuses us (403 Forbidden)"),
        (Reply(b"<html>Just a moment...</html>", 403), Banned, "X refuses us (403 )"),
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
        read_all(source)


def test_an_emoji_whose_bytes_come_one_by_one_is_whole(source, fake, world) -> None:
    for post in world.people[ADA].posts:
        post.text = "\U0001f469\u200d\U0001f680\U0001f989" * 10
    undisturbed = read_all(source)
    fake.troubles.append(Trouble(path="/tweets", slow=True, times=3))
    assert read_all(source) == undisturbed


def test_a_server_that_says_nothing_is_not_waited_for(source, fake, monkeypatch) -> None:
    monkeypatch.setattr("scraping.sources.transport.TIMEOUT_SECONDS", 0.2)

    def sleep(request):
        time.sleep(0.6)
        return Reply({})

    fake.troubles.append(Trouble(reply=sleep))
    with pytest.raises(Unavailable, match="broke off: ReadTimeout"):
        source.resolve([ADA])


def test_an_answer_without_end_is_not_taken_in(source, fake, monkeypatch) -> None:
    monkeypatch.setattr("scraping.sources.transport.MAX_BYTES", 1_000_000)
    fake.troubles.append(Trouble(reply=lambda request: Reply({"data": "a" * 2_000_000})))
    with pytest.raises(Unavailable, match="broke off"):
        source.resolve([ADA])
    assert source.resolve([ADA])[0].id == "1001"


def test_a_server_that_is_not_there_is_unavailable() -> None:
    source = XSource(token=TOKEN, base_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"^127\.0\.0\.1:9 can't be reached: ConnectionError$"):
        source.resolve([ADA])
    source.close()


def test_a_page_in_which_posts_come_again_is_passed_on_as_it_is(source, fake, world) -> None:
    [account] = source.resolve([ADA])
    first = source.fetch_posts(account)
    again = [fake._post(world.people[ADA], post) for post in own_openers(world.people[ADA])[:3]]
    meta = {"result_count": 3, "next_token": first.cursor}
    fake.troubles.append(Trouble(path="/tweets", reply=lambda request: Reply({"data": again, "meta": meta})))
    second = source.fetch_posts(account, cursor=first.cursor)
    assert second.posts == first.posts[:3]
    # A cursor that leads back to itself, for whoever walks to notice.
    assert second.cursor == first.cursor


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
        pages = read_all(source)
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
        with pytest.raises(ProxyFailed, match=r"^the proxy to api\.x\.com failed: \w+$") as failed:
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
        with pytest.raises(Unavailable, match=r"^api\.x\.com can't be reached: SSLError$"):
            source.resolve([ADA])
        source.close()
    assert api.requests == []
