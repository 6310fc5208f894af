"""The twint source: the real twint in real processes, against the twitter.com of 2020 behind proxies of our own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
import trustme

from scraping.sources import twint as twint_source
from scraping.sources.base import (
    Account,
    AccountGone,
    Banned,
    FollowerPage,
    NotConfigured,
    Page,
    ProxyFailed,
    RateLimited,
    SourceError,
    State,
    Unavailable,
)
from scraping.sources.twint import ROOT, TwintSource
from tests.fakes.proxies import PASSWORD, ConnectProxy, FakeProxy, SocksProxy
from tests.fakes.server import Reply, Request, Trouble
from tests.fakes.twitter2020 import LOGIN_FORM, TwitterFake, login_page, login_wall, redirect, repeated_id, timeline
from tests.fakes.world import Person, World

NONSENSE = "twitter.com's page makes no sense to twint"
SEARCH = "/i/search/timeline"
ALL = 1_000_000
# Runs before anything else in twint's process: writes down what it connects to, looks up and writes to, and lets nothing out.
WATCH = """
import ipaddress, os, sys
log = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def watch(event, args):
    if event == "open" and "__pycache__" not in str(args[0]) and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        os.write(log, f"open {{args[0]}}\\n".encode())
    elif event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.posix_spawn"):
        target = args[1][0] if event == "socket.connect" else args[0]
        os.write(log, f"{{event}} {{target}}\\n".encode())
        if target != "127.0.0.1":
            raise OSError(f"not in a test: {{event}} {{target}}")
sys.addaudithook(watch)
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Path]:
    """What the processes that start from now on do to the world; they trust our authority alone."""
    folder = tmp_path_factory.mktemp("watch")
    (folder / "sitecustomize.py").write_text(WATCH.format(log=str(folder / "log")))
    authority.cert_pem.write_to_path(folder / "authority.pem")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        yield folder / "log"


@pytest.fixture(scope="module")
def site(authority: trustme.CA) -> Iterator[TwitterFake]:
    with TwitterFake(World(), authority) as server:
        yield server


@pytest.fixture(scope="module")
def gate(site: TwitterFake) -> Iterator[FakeProxy]:
    with ConnectProxy(site.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def kept_source(gate: FakeProxy, log: Path) -> Iterator[TwintSource]:
    """One for all tests that don't kill it: twint takes half a second to start."""
    source = TwintSource(proxy=gate.address())
    yield source
    source.close()


@pytest.fixture
def own_source(gate: FakeProxy, log: Path) -> Iterator[TwintSource]:
    source = TwintSource(proxy=gate.address())
    yield source
    source.close()


@pytest.fixture
def world(site: TwitterFake) -> World:
    site.world = World()
    site.world.add("Somebody_Else")
    site.world.add("Ada_Owl", posts=70, followers=range(1, 46))
    return site.world


@pytest.fixture
def fake(site: TwitterFake, world: World) -> TwitterFake:
    site.troubles.clear()
    site.requests.clear()
    site.overlap, site.clock_offset = 0, 0.0
    return site


@pytest.fixture
def source(kept_source: TwintSource, fake: TwitterFake) -> TwintSource:
    return kept_source


@pytest.fixture
def ada(source: TwintSource, world: World) -> Account:
    return account_of(world.people["ada_owl"])


def account_of(person: Person) -> Account:
    return Account(str(person.key), person.handle, person.name, State(person.state))


def read_all(source: TwintSource, account: Account, cursor: str = "") -> list[Page]:
    pages = [source.fetch_posts(account, cursor=cursor)]
    while pages[-1].cursor:
        pages.append(source.fetch_posts(account, cursor=pages[-1].cursor))
    return pages


def ids(*pages: Page) -> list[str]:
    return [post.facts["source_id"] for page in pages for post in page.posts]


def all_ids(person: Person) -> list[str]:
    return [str(post.key) for post in person.posts]


def spelled(text: str) -> str:
    """Return a text as twint writes it: with a space before every address."""
    return text.replace("http", " http")


def process_of_twint() -> psutil.Process:
    """Return the youngest process of twint that is ours."""
    # What another test killed, and nobody has waited for, has no command line.
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    running = [child for child in alive if "scraping.sources.twint_runner" in child.cmdline()]
    return max(running, key=lambda child: child.create_time())


def test_a_whole_author_of_forty_pages_is_read_newest_first(source, world, fake) -> None:
    person = world.add("Prolific", posts=800)
    pages = read_all(source, account_of(person))
    assert ids(*pages) == all_ids(person)
    assert [len(page.posts) for page in pages] == [20] * 40 + [0]
    read = [post for page in pages for post in page.posts]
    assert [post.text for post in read] == [spelled(post.text) for post in person.posts]
    assert [post.posted_at for post in read] == [post.at for post in person.posts]
    assert [post.is_retweet for post in read] == [post.repost for post in person.posts]
    assert [post.is_reply for post in read if not post.is_retweet] == [bool(post.reply_to) for post in person.posts if not post.repost]
    assert {(post.handle, post.name, post.platform) for post in read} == {("Prolific", "Prolific of the Isles", "twitter")}
    theirs = person.posts[1]
    assert read[1].facts == {
        "source_id": str(theirs.key),
        "link": f"https://twitter.com/Prolific/status/{theirs.key}",
        "likes": theirs.likes,
        "shares": theirs.shares,
    }
    # The last page is empty, and believed because the newest one is not.
    assert fake.paths() == [SEARCH] * 42
    assert fake.requests[-1].query["max_position"] == "-1"


def test_a_retweet_is_known_by_its_own_id_and_leads_to_what_it_repeats(source, world, ada) -> None:
    repeat = next(post for post in world.people["ada_owl"].posts if post.repost)
    [post] = [post for page in read_all(source, ada) for post in page.posts if post.facts["source_id"] == str(repeat.key)]
    assert (post.is_retweet, post.handle, post.name) == (True, "Ada_Owl", "Ada_Owl of the Isles")
    assert post.facts["link"] == f"https://twitter.com/Somebody_Else/status/{repeated_id(repeat)}"


def test_emoji_quotes_line_ends_and_entities_are_kept(source, world, ada) -> None:
    text = "\u201cNa\u00efve\u201d owls & <gulls>\n\U0001f989\U0001f989 say \u2018hi\u2019 to \U0001f469\u200d\U0001f680\u2026"
    world.people["ada_owl"].posts[0].text = text
    assert source.fetch_posts(ada).posts[0].text == text


def test_posts_that_come_twice_are_reported_twice(source, fake, world, ada) -> None:
    fake.overlap = 3
    keys = all_ids(world.people["ada_owl"])
    assert ids(*read_all(source, ada)) == keys[:20] + keys[17:37] + keys[34:54] + keys[51:]


def test_a_pass_killed_at_every_page_reads_what_an_undisturbed_one_reads(own_source, fake, world) -> None:
    person = world.people["ada_owl"]
    killed = []

    def kill(request: Request) -> Reply:
        process = process_of_twint()
        killed.append((process.pid, request.query["max_position"]))
        process.kill()
        return timeline("")

    undisturbed = read_all(own_source, account_of(person))
    pages: list[Page] = []
    for _ in undisturbed:
        fake.troubles.append(Trouble(SEARCH, reply=kill))
        cursor = pages[-1].cursor if pages else ""
        with pytest.raises(Unavailable, match=r"^twint ended: it was killed$"):
            own_source.fetch_posts(account_of(person), cursor=cursor)
        pages.append(own_source.fetch_posts(account_of(person), cursor=cursor))
    assert pages == undisturbed
    assert ids(*pages) == all_ids(person)
    assert [position for _, position in killed] == ["-1", *(page.cursor for page in undisturbed[:-1])]
    assert len({pid for pid, _ in killed}) == len(undisturbed)


def test_every_cursor_gives_the_same_rest_in_any_order(source, ada) -> None:
    pages = read_all(source, ada)
    for at, page in reversed(list(enumerate(pages[:-1]))):
        assert read_all(source, ada, page.cursor) == pages[at + 1 :]


def test_new_posts_in_the_middle_of_a_pass_lose_none(source, world, ada) -> None:
    keys = all_ids(world.people["ada_owl"])
    first = source.fetch_posts(ada)
    world.post("ada_owl")
    assert ids(first, *read_all(source, ada, first.cursor)) == keys


def test_a_loop_of_cursors_is_reported_as_it_is(source, fake, world, ada) -> None:
    first, second = source.fetch_posts(ada), world.people["ada_owl"].posts[20:40]

    def back(request: Request) -> Reply:
        page = fake.timeline(world.people["ada_owl"], second)
        return Reply(page.body | {"min_position": first.cursor})

    fake.troubles.append(Trouble(SEARCH, reply=back))
    page = source.fetch_posts(ada, cursor=first.cursor)
    assert (page.cursor, ids(page)) == (first.cursor, [str(post.key) for post in second])


def test_an_empty_page_that_is_followed_by_more_is_passed(source, fake, ada) -> None:
    fake.troubles.append(Trouble(SEARCH, reply=lambda request: timeline("", "TWEET-1-2", has_more=True)))
    assert source.fetch_posts(ada) == Page((), "TWEET-1-2")


BANS = [
    (lambda request: timeline(""), "twitter.com shows nothing of the 70 posts of an account"),
    (lambda request: Reply(b""), "twitter.com answers with nothing at all"),
    (lambda request: Reply(b"no", 403), "twitter.com refuses us (403)"),
    (login_wall, "twitter.com wants us to log in"),
    (lambda request: login_page(), "twitter.com wants us to log in"),
]


@pytest.mark.parametrize(("reply", "words"), BANS)
@pytest.mark.parametrize("pages", [0, 2])
def test_a_ban_is_told_from_the_end_of_the_posts(source, fake, ada, reply, words, pages) -> None:
    fake.troubles.append(Trouble(SEARCH, skip=pages, times=ALL, reply=reply))
    with pytest.raises(Banned) as refused:
        read_all(source, ada)
    assert str(refused.value) == words
    # No page is asked for a second time.
    assert fake.paths().count(SEARCH) <= pages + 2


def test_an_empty_account_has_an_empty_page(source, world) -> None:
    assert source.fetch_posts(account_of(world.add("Quiet"))) == Page(())


@pytest.mark.parametrize("state", [State.PROTECTED, State.SUSPENDED, State.MISSING])
def test_accounts_that_cannot_be_read_are_told_apart(source, world, state) -> None:
    person = world.add("Shy", posts=30, state=state, followers=[8])
    [account] = source.resolve(["shy"])
    assert account.state == state
    assert account == (account_of(person) if state == State.PROTECTED else Account("", "shy", state=state))
    for fetch in (source.fetch_posts, source.fetch_followers):
        with pytest.raises(AccountGone) as gone:
            fetch(account_of(person))
        assert gone.value.state == state


def test_an_account_that_closes_in_the_middle_of_a_pass_is_gone(source, world, ada) -> None:
    first = source.fetch_posts(ada)
    world.people["ada_owl"].state = "suspended"
    with pytest.raises(AccountGone):
        source.fetch_posts(ada, cursor=first.cursor)


def test_an_account_is_found_by_handle_and_by_id(source, world) -> None:
    account = account_of(world.people["ada_owl"])
    assert source.resolve(["aDa_oWl", "nobody"]) == [account, Account("", "nobody", state=State.MISSING)]
    assert source.resolve_ids([account.id, "77"]) == [account, Account("77", "", state=State.MISSING)]


def test_words_that_can_be_no_handle_are_not_asked_for(source, fake) -> None:
    [account] = source.resolve(["ada OR to:somebody"])
    assert account == Account("", "ada OR to:somebody", state=State.MISSING)
    assert fake.requests == []


def test_followers_come_to_the_last_as_handles(source, fake, ada) -> None:
    pages = [source.fetch_followers(ada)]
    while pages[-1].cursor:
        pages.append(source.fetch_followers(ada, cursor=pages[-1].cursor))
    assert [name for page in pages for name in page.ids] == [f"@{key}" if key % 7 == 0 else f"h{key}" for key in range(1, 46)]
    assert [request.query.get("cursor") for request in fake.requests] == [None, "20", "40"]


def test_followers_are_looked_up_by_their_handles_even_where_those_are_digits(source, world) -> None:
    person = world.add("1002", posts=1)
    assert source.resolve_ids(["@1002", "Ada_Owl"]) == [account_of(person), account_of(world.people["ada_owl"])]


def test_followers_that_are_hidden_are_a_ban_and_none_are_none(source, fake, world, ada) -> None:
    assert source.fetch_followers(account_of(world.add("Quiet"))) == FollowerPage(())
    fake.troubles.append(Trouble("/followers", reply=lambda request: login_page()))
    with pytest.raises(Banned, match=r"^twitter\.com shows nothing of the 45 followers of an account$"):
        source.fetch_followers(ada)


@pytest.mark.parametrize(
    ("again", "seconds"),
    [({"Retry-After": "2"}, 2.0), ({"x-rate-limit-reset": "1590958170"}, 2.0), ({}, None)],
)
def test_too_many_requests_say_when_to_ask_again_by_the_servers_own_clock(source, fake, ada, again, seconds) -> None:
    fake.clock_offset = 1_590_958_168 - time.time()
    fake.troubles.append(Trouble(SEARCH, reply=lambda request: Reply(b"slower", 429, again)))
    with pytest.raises(RateLimited, match=r"^twitter\.com asks to wait$") as refused:
        source.fetch_posts(ada)
    assert refused.value.seconds == pytest.approx(seconds, abs=2.0 if "x-rate-limit-reset" in again else 0.0)
    assert len(source.fetch_posts(ada).posts) == 20


def broken(fake: TwitterFake, old: str, new: str) -> Reply:
    person = fake.world.people["ada_owl"]
    page = fake.timeline(person, person.posts[:20])
    return Reply(page.body | {"items_html": page.body["items_html"].replace(old, new, 1)})


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (lambda fake: Trouble(reply=lambda request: Reply(b"over capacity", 503)), "twitter.com is out of order (503)"),
        (lambda fake: Trouble(cut=True), "twitter.com's answer broke off: ClientPayloadError"),
        (
            lambda fake: Trouble(reply=lambda request: Reply(b'{"items_html": "<div')),
            f"{NONSENSE}: JSONDecodeError",
        ),
        (lambda fake: Trouble(reply=lambda request: Reply(b"<html>", 200, {"Content-Type": "text/html"})), "twitter.com's page is cut off"),
        (lambda fake: Trouble(reply=lambda request: Reply({"hello": 1})), f"{NONSENSE}: KeyError"),
        (
            lambda fake: Trouble(reply=lambda request: broken(fake, "_timestamp", "")),
            f"{NONSENSE}: TypeError",
        ),
        (lambda fake: Trouble(reply=lambda request: redirect("/tos")), "twitter.com sends us to /tos"),
    ],
)
def test_what_may_pass_is_told_and_the_next_answer_is_read(source, fake, ada, trouble, words) -> None:
    fake.troubles.append(trouble(fake))
    with pytest.raises(Unavailable) as refused:
        source.fetch_posts(ada)
    assert str(refused.value) == words
    assert len(source.fetch_posts(ada).posts) == 20


def same(reply: Reply, request: Request) -> Reply:
    return reply


def test_a_profile_that_is_cut_off_or_behind_the_login_is_no_account(source, fake) -> None:
    whole = "<html><body></body></html>"
    for body, error in (("<html><body>", Unavailable), (whole, Unavailable), (whole.replace("></", f">{LOGIN_FORM}</", 1), Banned)):
        reply = Reply(body.encode(), 200, {"Content-Type": "text/html"})
        fake.troubles.append(Trouble("/ada", reply=partial(same, reply)))
        with pytest.raises(error):
            source.resolve(["ada_owl"])


def test_an_answer_in_two_packets_that_split_every_character_is_read_whole(source, fake, world, ada) -> None:
    for post in world.people["ada_owl"].posts:
        post.text = "\U0001f989" * 100
    fake.troubles.append(Trouble(SEARCH, slow=True))
    assert {post.text for post in source.fetch_posts(ada).posts} == {"\U0001f989" * 100}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (lambda request: Reply(b"", 404), "twitter.com has no /i/search/timeline (404)"),
        (lambda request: redirect("https://x.com/i/search/timeline"), "twitter.com sends us to x.com"),
    ],
)
def test_the_site_of_today_is_recognised_and_not_followed(source, fake, gate, ada, reply, words) -> None:
    fake.troubles.append(Trouble(SEARCH, reply=reply))
    with pytest.raises(NotConfigured) as refused:
        source.fetch_posts(ada)
    assert str(refused.value) == f"{words}: twint needs a proxy to a mirror of the twitter.com of 2020 (docs/scraping.md)"
    assert set(gate.asked) <= {"twitter.com:443", "mobile.twitter.com:443"}


def test_an_answer_that_takes_too_long_is_given_up(own_source, fake, monkeypatch) -> None:
    def dawdle(request: Request) -> Reply:
        time.sleep(0.8)
        return Reply(b"late")

    monkeypatch.setattr(twint_source, "TIMEOUT_SECONDS", 0.5)
    fake.troubles.append(Trouble(reply=dawdle))
    with pytest.raises(Unavailable, match=r"^twitter\.com took too long to answer$"):
        own_source.resolve(["ada_owl"])


def test_a_certificate_of_somebody_else_is_refused(own_source, fake, monkeypatch, tmp_path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    with pytest.raises(Unavailable, match=r"^twitter\.com shows a certificate that SSL_CERT_FILE does not vouch for$"):
        own_source.resolve(["ada_owl"])
    assert fake.requests == []


@pytest.mark.parametrize("kind", [ConnectProxy, SocksProxy])
def test_proxies_are_used_with_their_passwords_for_everything(kind, fake, world, log) -> None:
    log.unlink(missing_ok=True)
    account = account_of(world.people["ada_owl"])
    with kind(fake.port) as proxy:
        source = TwintSource(proxy=proxy.address().replace("socks5:", "socks5h:"))
        try:
            assert source.resolve_ids([account.id]) == [account]
            assert len(ids(*read_all(source, account))) == 70
            assert len(source.fetch_followers(account).ids) == 20
        finally:
            source.close()
        assert set(proxy.asked) == {"twitter.com:443", "mobile.twitter.com:443"}
    # Nothing else was contacted, no name looked up, no file written.
    assert set(log.read_text().splitlines()) == {"socket.connect 127.0.0.1"}


@pytest.mark.parametrize(("kind", "refusal"), [(ConnectProxy, 407), (ConnectProxy, 502), (SocksProxy, 4)])
def test_a_proxy_that_refuses_is_the_proxy_s_fault(kind, refusal, fake, log) -> None:
    with kind(fake.port) as proxy:
        for address, refusals in ((proxy.address("wrong-secret"), []), (proxy.address(), [refusal])):
            proxy.refusals = refusals
            source = TwintSource(proxy=address)
            with pytest.raises(ProxyFailed, match=r"^the proxy of twint failed: ") as refused:
                source.resolve(["ada_owl"])
            source.close()
            assert PASSWORD not in str(refused.value)
            assert "wrong-secret" not in str(refused.value)
    assert fake.requests == []


def test_a_proxy_that_is_not_there_is_the_proxy_s_fault(fake, log) -> None:
    with ConnectProxy(fake.port) as proxy:
        address = proxy.address()
    source = TwintSource(proxy=address)
    with pytest.raises(ProxyFailed, match=rf"^the proxy of twint failed: .*Couldn't connect to proxy 127\.0\.0\.1:{proxy.port}"):
        source.resolve(["ada_owl"])
    source.close()


def test_the_process_is_told_none_of_our_secrets(own_source, fake) -> None:
    own_source.resolve(["ada_owl"])
    process = process_of_twint()
    told = process.environ()
    assert {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE"} & told.keys() == set()
    assert PASSWORD not in json.dumps([*told.values(), *process.cmdline()])
    assert told["TZ"] == "UTC"


def test_the_process_ends_with_the_source_and_closing_twice_does_nothing(own_source, fake) -> None:
    own_source.resolve(["ada_owl"])
    process = process_of_twint()
    own_source.close()
    own_source.close()
    assert not process.is_running()


def test_the_process_ends_when_its_parent_is_killed_in_the_middle_of_a_request(fake, gate, log) -> None:
    code = f"from scraping.sources.twint import TwintSource; TwintSource(proxy={gate.address()!r}).resolve(['ada_owl'])"
    children: list[psutil.Process] = []

    def kill_parent(request: Request) -> Reply:
        children.extend(psutil.Process(parent.pid).children())
        os.kill(parent.pid, signal.SIGKILL)
        time.sleep(1)
        return Reply(b"")

    fake.troubles.append(Trouble("/ada_owl", reply=kill_parent))
    # Unwatched: it may start a process.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env)
    assert parent.wait(30) == -signal.SIGKILL
    assert len(children) == 1
    # Before its request is answered.
    psutil.wait_procs(children, 0.8)
    assert not children[0].is_running() or children[0].status() == psutil.STATUS_ZOMBIE


def test_where_twint_is_missing_the_command_is_named(own_source, monkeypatch, tmp_path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['async_timeout'] = None")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NotConfigured, match=r"^twint is not installed: sh requirements/install\.sh scrape$"):
        own_source.resolve(["ada_owl"])
    monkeypatch.setitem(sys.modules, "twint", None)
    with pytest.raises(NotConfigured, match=r"^twint is not installed: sh requirements/install\.sh scrape$"):
        TwintSource()


def test_deletions_are_not_asked_of_twint(source) -> None:
    assert not source.abilities.deletions
    with pytest.raises(SourceError, match=r"^twint can't tell whether posts are still there$"):
        source.find_gone([])
