"""The Bluesky source against an AppView of our own."""

import time
from collections.abc import Iterator

import pytest

from scraping.sources.base import AccountGone, Banned, Limit, Page, PostRef, ProxyFailed, RateLimited, SourceError, State, Unavailable
from scraping.sources.bluesky import BlueskySource
from tests.fakes.bluesky import BlueskyFake, did, own_openers, uri
from tests.fakes.server import Reply, Trouble
from tests.fakes.world import World

ADA = "ada.example.org"


@pytest.fixture
def world() -> World:
    world = World()
    world.add("somebody.else.example.org")
    world.add(ADA, posts=250, followers=range(150))
    return world


@pytest.fixture
def fake(world: World) -> Iterator[BlueskyFake]:
    with BlueskyFake(world) as server:
        yield server


@pytest.fixture
def source(fake: BlueskyFake) -> Iterator[BlueskySource]:
    source = BlueskySource(base_url=fake.url)
    yield source
    source.close()


def read_all(source: BlueskySource, handle: str = ADA) -> list[Page]:
    [account] = source.resolve([handle])
    pages = [source.fetch_posts(account)]
    while pages[-1].cursor:
        pages.append(source.fetch_posts(account, cursor=pages[-1].cursor))
    return pages


def test_a_whole_author_is_read_newest_first(source, world) -> None:
    posts = [post for page in read_all(source) for post in page.posts]
    own = [post for post in posts if not (post.is_retweet or post.is_reply)]
    person = world.people[ADA]
    assert [post.facts["source_id"] for post in own] == [uri(person, post) for post in own_openers(person)]
    assert [post.text for post in own] == [post.text for post in own_openers(person)]
    first, theirs = own[0], own_openers(person)[0]
    assert (first.handle, first.platform, first.name, first.posted_at) == (ADA, "bluesky", "Ada of the Isles", theirs.at)
    assert first.facts["link"] == f"https://bsky.app/profile/{ADA}/post/{theirs.key}"
    assert (first.facts["likes"], first.facts["shares"]) == (theirs.likes, theirs.shares)


def test_reposts_are_marked(source, world) -> None:
    reposts = [post for page in read_all(source) for post in page.posts if post.is_retweet]
    assert len(reposts) == sum(post.repost and post.reply_to is None for post in world.people[ADA].posts) > 0


def test_an_address_behind_a_word_is_spelled_out_after_letters_of_many_bytes(source, world) -> None:
    world.people[ADA].posts[0].text = "Look, an owl \U0001f989 na\u00efve as ever https://example.org/more and on"
    assert read_all(source)[0].posts[0].text == "Look, an owl \U0001f989 na\u00efve as ever https://example.org/more and on"


def test_accounts_are_told_apart_by_what_they_are(source, world) -> None:
    for state in ("suspended", "declined"):
        world.add(f"{state}.example.org", state=state)
    handles = ["nobody.example.org", "suspended.example.org", "declined.example.org", ADA]
    accounts = source.resolve(handles)
    assert [(account.handle, account.state) for account in accounts] == list(
        zip(handles, (State.MISSING, State.SUSPENDED, State.DECLINED, State.OPEN), strict=True)
    )
    assert accounts[3].id == did(world.people[ADA])


def test_an_account_is_found_by_its_id_after_it_was_renamed(source, world) -> None:
    [before] = source.resolve([ADA])
    world.people[ADA].handle = "ada.new.example.org"
    [after] = source.resolve_ids([before.id])
    assert (after.id, after.handle, after.state) == (before.id, "ada.new.example.org", State.OPEN)
    assert source.resolve_ids(["did:plc:none"])[0].state == State.MISSING


def test_followers_come_to_the_last(source) -> None:
    [account] = source.resolve([ADA])
    first = source.fetch_followers(account)
    second = source.fetch_followers(account, cursor=first.cursor)
    assert [*first.ids, *second.ids] == [f"did:plc:{key:0>24}" for key in range(150)]
    assert second.cursor == ""


def test_posts_that_were_deleted_are_found_gone(source, world) -> None:
    person = world.people[ADA]
    refs = [PostRef(uri(person, post), ADA) for post in person.posts[:25]]
    person.posts[3].deleted = person.posts[9].deleted = True
    assert source.find_gone(refs) == {refs[3].source_id, refs[9].source_id}


def test_the_wait_is_counted_by_the_servers_own_clock(source, fake) -> None:
    fake.clock_offset = -7200.0
    fake.troubles.append(Trouble(reply=lambda request: fake.too_many(2)))
    with pytest.raises(RateLimited) as refused:
        source.resolve([ADA])
    assert refused.value.seconds is not None
    assert 1.0 <= refused.value.seconds <= 2.0
    with pytest.raises(RateLimited, match="the limit of bluesky is used up"):
        source.resolve([ADA])
    assert len(fake.requests) == 1
    time.sleep(refused.value.seconds)
    source.resolve([ADA])
    assert isinstance(source.limit, Limit)
    assert (source.limit.remaining, source.limit.limit) == (2999, 3000)
    assert 299.0 <= source.limit.resets_in <= 300.0


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply({"error": "UpstreamFailure"}, 503), Unavailable, "bluesky is out of order (503)"),
        (Reply(b"<html>Bad gateway</html>", 502), Unavailable, "bluesky is out of order (502)"),
        (Reply(b"<html>Sign in</html>"), Unavailable, "bluesky's answer is not JSON"),
        (Reply({"hello": 1}), Unavailable, "bluesky's answer has no list of profiles"),
        (Reply({"error": "Forbidden"}, 403), Banned, "bluesky refuses us (403 Forbidden)"),
        (Reply(b"<html>Just a moment...</html>", 403), Banned, "bluesky refuses us (403)"),
        (Reply(b"", 400), SourceError, "bluesky does not take the request (400)"),
        (Reply(b"", 407), ProxyFailed, "the proxy of bluesky wants another password"),
        (
            Reply({"error": "InvalidRequest", "message": "what?"}, 400),
            SourceError,
            "bluesky does not take the request (400 InvalidRequest: what?)",
        ),
        (Reply({"error": "Slow"}, 429, {"Retry-After": "30"}), RateLimited, "bluesky asks to wait"),
    ],
)
def test_every_way_to_say_no_has_its_error(source, fake, reply, error, words) -> None:
    fake.troubles.append(Trouble(reply=lambda request: reply))
    with pytest.raises(SourceError) as refused:
        source.resolve([ADA])
    assert type(refused.value) is error
    assert str(refused.value) == words


def test_an_answer_cut_in_the_middle_is_no_answer(source, fake) -> None:
    fake.troubles.append(Trouble(path="getAuthorFeed", cut=True))
    with pytest.raises(Unavailable, match="broke off"):
        read_all(source)


def test_an_answer_that_comes_byte_by_byte_is_whole(source, fake) -> None:
    undisturbed = read_all(source)
    fake.troubles.append(Trouble(path="getAuthorFeed", slow=True, times=3))
    assert read_all(source) == undisturbed


def test_an_account_closed_in_between_says_so(source, world) -> None:
    [account] = source.resolve([ADA])
    world.people[ADA].state = "suspended"
    with pytest.raises(AccountGone) as gone:
        source.fetch_posts(account)
    assert gone.value.state == State.SUSPENDED


def test_a_proxy_that_is_not_there_is_the_proxys_failure(fake) -> None:
    source = BlueskySource(base_url=fake.url, proxy="http://ada:secret@127.0.0.1:9")
    with pytest.raises(ProxyFailed) as failed:
        source.resolve([ADA])
    assert str(failed.value) == "the proxy of bluesky can't be reached: the connection was refused"
    source.close()


def test_a_server_that_is_not_there_is_named_with_the_reason() -> None:
    source = BlueskySource(base_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"^127\.0\.0\.1:9 can't be reached: the connection was refused$"):
        source.resolve([ADA])
    source.close()
