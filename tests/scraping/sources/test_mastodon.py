"""The Mastodon source against servers of our own, through Mastodon.py."""

from collections.abc import Iterator

import pytest

from scraping.sources.base import (
    Account,
    AccountGone,
    PostRef,
    State,
    Unavailable,
)
from scraping.sources.mastodon import MastodonSource
from tests.fakes.mastodon import HOST, MastodonFake, own_openers, refuse, status_id
from tests.fakes.server import Reply, Trouble
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


def named(fake: MastodonFake, number: object) -> str:
    """Return an id as the source gives it that reads everybody through `fake`."""
    return f"127.0.0.1:{fake.port}/{number}"


def test_a_whole_author_is_read_newest_first(source, fake, ada) -> None:
    own = [post for post in read_posts(source, ADA) if not (post.is_retweet or post.is_reply)]
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
    read_all(source, ADA)
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
    replies = [post.facts["source_id"].partition("/")[2] for post in read_posts(source, ADA) if post.is_reply]
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
    everything = read_posts(source, ADA)
    newest, quiet = own_openers(ada)[:2]
    fake.marks[newest.key] = mark
    fake.marks[quiet.key] = {"visibility": "unlisted"}
    assert read_posts(source, ADA) == everything[1:]


def test_words_come_without_markup_and_pictures(source, fake, ada) -> None:
    fake.profiles[ADA] = {"display_name": "Ada :owl:", "emojis": [{"shortcode": "owl"}]}
    post = own_openers(ada)[0]
    post.text = "Owls & <wrens>\n\u201cna\u00efve\u201d \U0001f469\u200d\U0001f680 :owl: at 12:30:00 https://example.org/more"
    fake.marks[post.key] = {"emojis": [{"shortcode": "owl", "url": "https://example.org/owl.png"}]}
    first = read_posts(source, ADA)[0]
    assert first.text == "Owls & <wrens>\n\u201cna\u00efve\u201d \U0001f469\u200d\U0001f680 at 12:30:00 https://example.org/more"
    assert first.name == "Ada"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://a b.example", None, "https://birds.example/" + "a" * 300])
def test_an_address_that_nobody_should_click_is_not_kept(source, fake, ada, address) -> None:
    fake.marks[ada.posts[0].key] = {"url": address}
    assert "link" not in read_posts(source, ADA)[0].facts


def test_only_what_is_new_is_asked_for(source, fake, world, ada) -> None:
    before = read_posts(source, ADA)
    new = world.post(ADA)
    fake.requests.clear()
    [page] = read_all(source, ADA, newer_than=before[0].facts["source_id"])
    assert [post.facts["source_id"] for post in page.posts] == [named(fake, status_id(new))]
    assert fake.requests[-1].query["since_id"] == status_id(ada.posts[1])
    # The number of another server's post says nothing here.
    assert len(read_all(source, ADA, newer_than=f"bees.example/{status_id(ada.posts[1])}")) == 3


def test_followers_are_paged_by_the_link_header_alone(source, fake) -> None:
    [account] = source.resolve([ADA])
    pages = [source.fetch_followers(account)]
    while pages[-1].cursor:
        pages.append(source.fetch_followers(account, cursor=pages[-1].cursor))
    assert [len(page.ids) for page in pages] == [80, 80, 40]
    assert [name for page in pages for name in page.ids] == [f"u{key}@{HOST}" for key in range(200)]


def test_a_server_without_a_link_header_is_read_on_from_the_last_post(source, fake, ada) -> None:
    def answer(request):
        reply = fake.answer(request)
        reply.headers.pop("Link", None)
        return reply

    undisturbed = read_posts(source, ADA)
    fake.troubles.append(Trouble(path="/statuses", reply=answer, times=10))
    pages = read_all(source, ADA)
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


def test_a_page_in_which_posts_come_again_is_passed_on_as_it_is(source, fake) -> None:
    [account] = source.resolve([ADA])
    first = source.fetch_posts(account)
    undisturbed = fake.requests[-1]
    fake.troubles.append(Trouble(path="/statuses", reply=lambda request: fake.answer(undisturbed)))
    # A cursor that leads back to itself, for whoever walks to notice.
    assert source.fetch_posts(account, cursor=first.cursor) == first
