"""Cohorts at every other source: each names followers in its own way, and one wants money."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
import trustme
from django.core.management import CommandError, call_command

from scraping import cohorts
from scraping.models import Cohort
from tests.fakes import mastodon, x_api
from tests.fakes.proxies import ConnectProxy
from tests.fakes.server import Reply, Trouble
from tests.fakes.tls import secure
from tests.fakes.twitter2020 import TwitterFake, follower_handle
from tests.fakes.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def tables_dropped(transactional_db: None) -> Iterator[None]:
    yield
    for cohort in Cohort.objects.all():
        cohorts.drop_cohort(cohort=cohort)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return authority


def find(folder: Path, source: str, handles: list[str], *more: str, least: int = 2) -> tuple[list[str], str]:
    """Run the command on one camp, and return the list it wrote, and what it said."""
    (folder / "owls.txt").write_text("\n".join(handles))
    out, err = StringIO(), StringIO()
    files = ["--seeds", str(folder / "owls.txt"), "--out", str(folder)]
    call_command("find_cohort", *files, "--source", source, "--min-overlap", str(least), *more, stdout=out, stderr=err)
    return (folder / "owls-cohort.txt").read_text().splitlines()[1:], out.getvalue() + err.getvalue()


# --- X: ids in bulk, names for those kept, a price for each


@pytest.fixture
def x(settings) -> Iterator[x_api.XFake]:
    world = World()
    crowd = [world.add(f"bird_{n}").key for n in range(30)]
    world.add("owl_1", followers=[*range(50_000, 51_500), *crowd])
    world.add("owl_2", followers=crowd[:20])
    world.people["bird_3"].state = "protected"
    with x_api.XFake(world) as server:
        settings.SCRAPE_X_URL, settings.X_BEARER_TOKEN = server.url, x_api.TOKEN
        yield server


def test_x_is_paid_by_the_follower_and_for_the_names_of_those_kept(x, tmp_path) -> None:
    lines, said = find(tmp_path, "x", ["owl_1", "x:owl_2"], "--budget", "60")
    assert lines == [f"x:bird_{n}  # 2 of 2 owls" for n in range(20) if n != 3]
    assert x.paths() == ["/2/users/by", *["/2/users/1030/followers"] * 2, "/2/users/1031/followers", "/2/users"]
    # Two seeds, 1,530 and 20 followers, 20 names; a cent each.
    assert "It cost about $15.72." in said
    assert "looking up the names of 20, for about $0.20." in said
    assert "left out, protected: 1" in said
    assert float(Cohort.objects.get().spent) == 15.72


def test_x_is_not_asked_for_what_the_budget_may_not_reach_and_goes_on_with_another(x, tmp_path) -> None:
    with pytest.raises(CommandError) as error:
        find(tmp_path, "x", ["owl_1", "owl_2"], "--budget", "12")
    assert str(error.value).startswith("$10.02 of $12.00 are spent, and the next request may cost $10.00.")
    asked = len(x.requests)
    lines, said = find(tmp_path, "x", ["owl_1", "owl_2"], "--budget", "30")
    assert len(lines) == 19
    assert x.requests[asked].query["pagination_token"] == "1000"
    assert "It cost about $5.70." in said
    assert float(Cohort.objects.get().spent) == 15.72


# --- Mastodon: every server has numbers of its own for everybody


def test_followers_of_people_at_two_servers_are_known_by_their_names(authority, settings, tmp_path) -> None:
    world = World()
    crowd = [world.add(f"bird_{n}@{'bees.example' if n % 2 else mastodon.HOST}").key for n in range(100)]
    world.add(f"owl@{mastodon.HOST}", followers=crowd[:90])
    world.add("owl@bees.example", followers=crowd[5:])
    world.people["bird_7@bees.example"].state = "declined"
    fediverse = mastodon.MastodonFake(world)
    secure(fediverse, authority, mastodon.HOST, "bees.example")
    with fediverse, ConnectProxy(fediverse.port) as proxy:
        settings.SCRAPE_PROXIES = [proxy.address()]
        lines, said = find(tmp_path, "mastodon", [f"owl@{mastodon.HOST}", "owl@bees.example"])
    names = sorted(f"bird_{n}@{'bees.example' if n % 2 else mastodon.HOST}" for n in range(5, 90) if n != 7)
    assert lines == [f"mastodon:{name}  # 2 of 2 owls" for name in names]
    assert "left out, declined: 1" in said


def crowd_at(authority, settings, tmp_path, monkeypatch, hosts: list[str], down: list[str], *more: str) -> tuple[list[str], str]:
    """Find who follows two owls, five of each host, while some hosts answer nothing but errors."""
    monkeypatch.setattr("scraping.manners.pause_before", lambda attempt, rng: 0.0)
    world = World()
    crowd = [world.add(f"bird_{n}@{host}").key for host in hosts for n in range(5)]
    for name in ("owl", "owlet"):
        world.add(f"{name}@{mastodon.HOST}", followers=crowd)
    fediverse = mastodon.MastodonFake(world)
    fediverse.troubles.append(
        Trouble(times=10_000, reply=lambda request: Reply({}, 503), when=lambda request: request.headers["Host"] in down)
    )
    secure(fediverse, authority, mastodon.HOST, *hosts)
    with fediverse, ConnectProxy(fediverse.port) as proxy:
        settings.SCRAPE_PROXIES = [proxy.address()]
        found = find(tmp_path, "mastodon", [f"owl@{mastodon.HOST}", f"owlet@{mastodon.HOST}"], *more)
    assert sum(request.headers["Host"] in down for request in fediverse.requests) == 6 * len(down)
    return found


def test_a_server_that_is_down_costs_its_own_accounts_and_no_others(authority, settings, tmp_path, monkeypatch) -> None:
    lines, said = crowd_at(authority, settings, tmp_path, monkeypatch, ["ants.example", "bees.example", "cats.example"], ["bees.example"])
    assert lines == [f"mastodon:bird_{n}@{host}  # 2 of 2 owls" for n in range(5) for host in ("ants.example", "cats.example")]
    assert "left out, bees.example is out of order (503): 5\n" in said


def test_where_no_server_answers_it_is_us_who_are_cut_off(authority, settings, tmp_path, monkeypatch) -> None:
    hosts = [f"bees{n:02}.example" for n in range(12)]
    monkeypatch.setattr("scraping.cohort_files.MOST_DOWN", 3)
    with pytest.raises(CommandError, match=r"^bees02\.example is out of order \(503\)$"):
        crowd_at(authority, settings, tmp_path, monkeypatch, hosts, hosts)
    assert not (tmp_path / "owls-cohort.txt").exists()


# --- twint: handles, some of which are all digits


def test_twints_followers_are_handles(authority, settings, tmp_path) -> None:
    pytest.importorskip("twint")
    world = World()
    crowd = [world.add(follower_handle(1000 + n)).key for n in range(25)]
    world.add("Owl_1", followers=crowd)
    world.add("Owl_2", followers=crowd[:12])
    with TwitterFake(world, authority) as site, ConnectProxy(site.port) as proxy:
        settings.SCRAPE_PROXIES = [proxy.address()]
        lines, _ = find(tmp_path, "twint", ["owl_1", "owl_2"])
    assert sorted(lines) == sorted(f"twint:{follower_handle(1000 + n)}  # 2 of 2 owls" for n in range(12))
