import pytest

from game.pool.models import Category
from scraping import feeds
from scraping.feeds import HANDLES, add_handles, drop_feed, sync_file
from scraping.handle_lists import Handle, HandlesError, read_handles
from scraping.models import Feed

LIST = """
# People who look up
bluesky:Ada.Example.org   # at night
@bea@stars.example
x:@Cyd_9
twint:cyd_9

https://bsky.app/profile/dee.example.org
https://x.com/Eve
https://stars.example/@fay
fay.bsky.social
bluesky: ada.example.org
"""


def test_a_list_is_read_as_people_write_it() -> None:
    assert read_handles(LIST.splitlines(), where="list") == [
        Handle("bluesky", "ada.example.org"),
        Handle("mastodon", "bea@stars.example"),
        Handle("x", "cyd_9"),
        Handle("twint", "cyd_9"),
        Handle("bluesky", "dee.example.org"),
        Handle("x", "eve"),
        Handle("mastodon", "fay@stars.example"),
        Handle("bluesky", "fay.bsky.social"),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("owl", "'owl' names no source: write x:owl, or the source it is read from."),
        ("myspace:owl", "'myspace' is no source: use bluesky, mastodon, twint, x."),
        ("x:a name", "'a name' can't be a handle of x: it looks like name."),
        ("x:sixteen_letters_", "'sixteen_letters_' can't be a handle of x: it looks like name."),
        ("bluesky:owl", "'owl' can't be a handle of bluesky: it looks like name.bsky.social."),
        ("mastodon:owl", "'owl' can't be a handle of mastodon: it looks like name@mastodon.social."),
        ("bluesky:<script>.example", "'<script>.example' can't be a handle of bluesky: it looks like name.bsky.social."),
        ("mastodon:owl@127.0.0.1", "'owl@127.0.0.1' can't be a handle of mastodon: it looks like name@mastodon.social."),
        ("owl@localhost", "'owl@localhost' can't be a handle of mastodon: it looks like name@mastodon.social."),
        ("owl@birds.example:8080", "'owl@birds.example:8080' can't be a handle of mastodon: it looks like name@mastodon.social."),
        ("http://127.0.0.1:8000/@owl", "'owl@127.0.0.1:8000' can't be a handle of mastodon: it looks like name@mastodon.social."),
        ("foo bar baz", "'foo bar baz' names nobody: write an address, or one account as source:name."),
        ("https://x.com/home", "'https://x.com/home' is no address of a profile at Bluesky, Mastodon or X."),
        ("https://x.com/i/status/1", "'https://x.com/i/status/1' is no address of a profile at Bluesky, Mastodon or X."),
        ("https://birds.example/owl", "'https://birds.example/owl' is no address of a profile at Bluesky, Mastodon or X."),
        (
            "https://bsky.app/profile/did:plc:owlowlowl",
            "'did:plc:owlowlowl' is an id, not a name: write the handle that the profile shows, as in name.bsky.social.",
        ),
        ("x:", "'' can't be a handle of x: it looks like name."),
        (f"bluesky:{'a.' * 80}org", f"'{'a.' * 20}' can't be a handle of bluesky: it looks like name.bsky.social."),
    ],
)
def test_a_line_that_names_nobody_is_refused_with_its_number(line, words) -> None:
    with pytest.raises(HandlesError) as refused:
        read_handles(["# list", "x:fine", line], where="owls.txt")
    assert str(refused.value) == f"owls.txt, line 3: {words}"


@pytest.mark.parametrize(
    ("address", "handle"),
    [
        ("https://x.com/Arsenal?lang=en", "x:arsenal"),
        ("https://x.com/Arsenal/status/1", "x:arsenal"),
        ("https://X.com/Home_Bird/", "x:home_bird"),
        ("https://twitter.com/Arsenal/with_replies", "x:arsenal"),
        ("x.com/Arsenal#top", "x:arsenal"),
        ("https://bsky.app/profile/owl.example.org/post/3kabc", "bluesky:owl.example.org"),
        ("bsky.app/profile/owl.example.org", "bluesky:owl.example.org"),
        ("https://birds.example/@owl/1001", "mastodon:owl@birds.example"),
        ("https://birds.example/@owl@trees.example", "mastodon:owl@trees.example"),
        ("birds.example/@owl", "mastodon:owl@birds.example"),
    ],
)
def test_an_address_names_who_it_is_of_as_the_browser_shows_it(address: str, handle: str) -> None:
    assert ["{}:{}".format(*found) for found in read_handles([address], where="list")] == [handle]


@pytest.fixture
def category(db, tmp_path, monkeypatch) -> Category:
    monkeypatch.setattr(feeds, "HANDLES", tmp_path)
    return Category.objects.create(slug="stars", name="Stars")


def listed(category: Category) -> set[str]:
    return {str(feed) for feed in Feed.objects.filter(category=category, listed=True)}


def test_what_a_file_lists_no_longer_is_fetched_no_more_and_comes_back_with_it(category, tmp_path) -> None:
    file = tmp_path / "stars.txt"
    file.write_text("x:ada\nx:bea\n")
    assert sync_file(category=category) == 2
    add_handles(category=category, text="x:cyd")
    file.write_text("x:bea\n")
    sync_file(category=category)
    assert listed(category) == {"x:bea", "x:cyd"}
    file.write_text("x:ada\nx:bea\n")
    sync_file(category=category)
    assert listed(category) == {"x:ada", "x:bea", "x:cyd"}
    file.unlink()
    assert sync_file(category=category) == 0
    assert listed(category) == {"x:ada", "x:bea", "x:cyd"}


def test_who_was_taken_off_by_hand_stays_off_until_put_back_by_hand(category, tmp_path) -> None:
    (tmp_path / "stars.txt").write_text("x:ada\n")
    sync_file(category=category)
    drop_feed(feed_id=Feed.objects.get().pk)
    sync_file(category=category)
    assert listed(category) == set()
    add_handles(category=category, text="x:ada")
    assert listed(category) == {"x:ada"}


def test_a_file_with_a_mistake_changes_nothing(category, tmp_path) -> None:
    (tmp_path / "stars.txt").write_text("x:ada\nowl\n")
    with pytest.raises(HandlesError, match=r"^stars\.txt, line 2: 'owl' names no source"):
        sync_file(category=category)
    (tmp_path / "stars.txt").write_bytes(b"x:ada\n\xff\n")
    with pytest.raises(HandlesError, match=r"^stars\.txt can't be read"):
        sync_file(category=category)
    assert not Feed.objects.exists()


@pytest.mark.parametrize("path", sorted(HANDLES.glob("*.txt")), ids=lambda path: path.stem)
def test_every_list_that_comes_along_can_be_read(path) -> None:
    assert read_handles(path.read_text(encoding="utf-8").splitlines(), where=path.name)
