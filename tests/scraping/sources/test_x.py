"""The X source against an X API of our own, through tweepy."""

from collections.abc import Iterator

import pytest

from scraping.sources.base import (
    Account,
    AccountGone,
    PostRef,
    State,
)
from scraping.sources.x import XSource
from tests.fakes.server import Reply, Trouble
from tests.fakes.world import World
from tests.fakes.x_api import PROBLEMS, SHORT_LINK, TOKEN, XFake, own_openers
from tests.scraping.sources.reading import read_all, read_posts

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


def test_a_whole_author_is_read_newest_first(source, world) -> None:
    posts = read_posts(source, ADA)
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


@pytest.mark.parametrize(
    ("said", "is_reply"),
    [
        ({}, False),
        ({"conversation_id": "12"}, False),
        ({"conversation_id": "11"}, True),
        ({"in_reply_to_user_id": "1001"}, True),
        ({"referenced_tweets": [{"type": "replied_to", "id": "11"}]}, True),
        ({"referenced_tweets": [{"type": "quoted", "id": "11"}]}, False),
    ],
)
def test_whatever_says_that_a_post_answers_another_is_believed(source, fake, said, is_reply) -> None:
    view = {"id": "12", "text": "And another thing."} | said
    fake.troubles.append(Trouble(path="/tweets", reply=lambda request: Reply({"data": [view], "meta": {"result_count": 1}})))
    [post] = source.fetch_posts(Account("1001", ADA)).posts
    assert post.is_reply == is_reply


def test_a_long_post_comes_whole_and_with_its_entities(source, world) -> None:
    text = "Owls & finches <3 each other. " * 20 + "\U0001f989"
    world.people[ADA].posts[0].text = text
    first = read_all(source, ADA)[0].posts[0]
    assert first.text == text.replace("&", "&amp;").replace("<", "&lt;")


def test_what_is_known_is_neither_fetched_nor_paid_again(source, fake, world) -> None:
    person = world.people[ADA]
    first = read_all(source, ADA)[0].posts[0]
    new = world.post(ADA)
    fake.requests.clear()
    [page] = read_all(source, ADA, newer_than=first.facts["source_id"])
    assert [post.facts["source_id"] for post in page.posts] == [str(new.key)]
    assert page.cost == 0.005
    assert fake.requests[-1].query["since_id"] == first.facts["source_id"]
    assert person.posts[0] is new


def test_every_page_says_what_it_cost(source, world) -> None:
    pages = read_all(source, ADA)
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
