"""Cohorts: whom most followers of some seeds are, at a Bluesky of our own."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from game.embedded import addresses
from scraping import cohorts
from scraping.cohorts import Circle
from scraping.handle_lists import read_handles
from scraping.models import Cohort, Seed
from scraping.optouts import opt_out
from tests.fakes.bluesky import BlueskyFake
from tests.fakes.server import Reply, Request, Trouble
from tests.fakes.world import World
from tests.stack import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
OWLS, DOVES = [f"owl{n}.example.org" for n in range(6)], [f"dove{n}.example.org" for n in range(5)]
CROWD = 220


@pytest.fixture
def world() -> World:
    """A crowd that leans to the owls or to the doves, and some of whom nobody can say."""
    world, rng = World(), random.Random(4)
    keys = [world.add(f"bird{n:03}.example.org").key for n in range(CROWD)]
    for camp, lean in ((OWLS, range(150)), (DOVES, range(100, CROWD))):
        for seed in camp:
            world.add(seed, followers=[key for n, key in enumerate(keys) if rng.random() < (0.7 if n in lean else 0.1)])
    return world


@pytest.fixture
def fake(world: World, settings) -> Iterator[BlueskyFake]:
    with BlueskyFake(world) as server:
        settings.SCRAPE_BLUESKY_URL = server.url
        yield server


@pytest.fixture(autouse=True)
def tables_dropped(transactional_db: None) -> Iterator[None]:
    """Leave no partitions to other tests: these tables are not Django's to empty."""
    yield
    for cohort in Cohort.objects.all():
        cohorts.drop_cohort(cohort=cohort)


@pytest.fixture
def seeds(tmp_path: Path) -> list[str]:
    """Write the files of both camps, and return the arguments that name them."""
    for name, camp in (("owls", OWLS), ("doves", DOVES)):
        (tmp_path / f"{name}.txt").write_text("# Who is known.\n\n" + "".join(f"bluesky:{handle}\n" for handle in camp))
    return ["--seeds", str(tmp_path / "owls.txt"), "--seeds", str(tmp_path / "doves.txt")]


@pytest.fixture
def find(fake: BlueskyFake, seeds: list[str], tmp_path: Path) -> Callable[..., tuple[str, dict[str, str]]]:
    """Give a function that runs the command and returns what it printed, and the files it left."""

    def run(*more: str, least: int = 3, out: str = "out", err: StringIO | None = None) -> tuple[str, dict[str, str]]:
        said = StringIO()
        arguments = [*seeds, "--source", "bluesky", "--min-overlap", str(least), "--out", str(tmp_path / out), *more]
        call_command("find_cohort", *arguments, stdout=said, stderr=err or StringIO())
        return said.getvalue(), {path.name: path.read_text() for path in (tmp_path / out).iterdir()}

    return run


def expected(world: World, least: int, *, without: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Count in Python what the database counts."""
    counts: dict[int, list[int]] = {}
    for place, camp in enumerate((OWLS, DOVES)):
        for seed in camp:
            for key in world.people[seed].followers:
                counts.setdefault(key, [0, 0])[place] += 1
    lists: dict[str, list[str]] = {"owls-cohort.txt": [], "doves-cohort.txt": [], "both.txt": []}
    for key, (owls, doves) in sorted(counts.items(), key=lambda item: (-max(item[1]), f"did:plc:{item[0]:0>24}")):
        person = world.find(key)
        assert person
        if max(owls, doves) >= least and person.handle not in without:
            name = "both.txt" if min(owls, doves) >= least else "owls-cohort.txt" if owls >= least else "doves-cohort.txt"
            words = [f"{owls} of 6 owls"] * bool(owls) + [f"{doves} of 5 doves"] * bool(doves)
            lists[name].append(f"bluesky:{person.handle}  # {', '.join(words)}")
    return lists


def lines(files: dict[str, str]) -> dict[str, list[str]]:
    return {name: text.splitlines()[1:] for name, text in files.items()}


def test_each_camp_and_those_of_both_are_listed_the_most_first(find, world: World) -> None:
    said, files = find()
    want = expected(world, 3)
    assert all(want.values())
    assert lines(files) == want
    heads = {name: text.splitlines()[0] for name, text in files.items()}
    assert (
        heads["owls-cohort.txt"]
        == f"# {len(want['owls-cohort.txt'])} accounts on bluesky that follow 3 or more seeds of owls, the most first."
    )
    assert (
        heads["both.txt"]
        == f"# {len(want['both.txt'])} accounts on bluesky that follow 3 or more seeds of more than one camp, the most first."
    )
    assert f"owls  │ 6     │ {len(want['owls-cohort.txt'])}" in said


def test_the_lists_are_lists_of_handles(find) -> None:
    _, files = find()
    for name, text in files.items():
        handles = read_handles(text.splitlines(), where=name)
        assert [f"{each.source}:{each.handle}" for each in handles] == [line.split("  #")[0] for line in text.splitlines()[1:]]


def test_only_the_best_are_written_and_only_they_are_looked_up(find, world: World, fake: BlueskyFake) -> None:
    _, files = find("--top", "10")
    assert lines(files) == {name: found[:10] for name, found in expected(world, 3).items()}
    asked = [
        name for request in fake.requests if "getProfiles" in request.path for name in request.all["actors"] if name.startswith("did:")
    ]
    assert len(asked) < 100


def test_who_is_not_there_or_does_not_want_to_be_is_left_out_and_counted(find, world: World) -> None:
    names = [line.split("  #")[0].removeprefix("bluesky:") for line in expected(world, 3)["owls-cohort.txt"][:4]]
    for name, state in zip(names, ("suspended", "missing", "declined"), strict=False):
        world.people[name].state = state
    opt_out(platform="bluesky", handle=names[3], by=None)
    said, files = find()
    assert lines(files) == expected(world, 3, without=tuple(names))
    assert sorted(line for line in said.splitlines() if line.startswith("left out")) == [
        "left out, declined: 1",
        "left out, missing: 1",
        "left out, opted out: 1",
        "left out, suspended: 1",
    ]


def test_a_seed_that_cannot_be_asked_is_named_and_the_others_count(find, world: World) -> None:
    world.people[OWLS[1]].state = "suspended"
    world.people[DOVES[0]].state = "declined"
    said, files = find()
    assert [line for line in said.splitlines() if line.startswith("seed")] == [
        f"seed {OWLS[1]}: left out, suspended",
        f"seed {DOVES[0]}: left out, declined",
    ]
    world.people[OWLS[1]].followers = world.people[DOVES[0]].followers = []
    assert {name: [line.split("  #")[0] for line in found] for name, found in lines(files).items()} == {
        name: [line.split("  #")[0] for line in found] for name, found in expected(world, 3).items()
    }
    assert "of 5 owls" in files["owls-cohort.txt"]


def test_a_follower_who_comes_on_two_pages_counts_once(find, world: World, fake: BlueskyFake) -> None:
    for handle in OWLS:
        world.people[handle].followers = [key for key in world.people[handle].followers for _ in range(2)]
    _, files = find()
    for handle in OWLS:
        world.people[handle].followers = list(dict.fromkeys(world.people[handle].followers))
    assert lines(files) == expected(world, 3)


def test_pages_that_go_round_in_a_circle_end(find, world: World, fake: BlueskyFake) -> None:
    def first_page_again(request: Request) -> Reply:
        reply = fake.answer(request)
        reply.body["cursor"] = "100" if request.query.get("cursor") else reply.body["cursor"]
        return reply

    world.people[OWLS[0]].followers = [person.key for person in list(world.people.values())[:CROWD]]
    fake.troubles.append(Trouble(path="getFollowers", times=10_000, reply=first_page_again, when=_asks_about(world, OWLS[0])))
    said, _ = find()
    assert f"seed {OWLS[0]}: the pages went round in a circle" in said
    assert sum(_asks_about(world, OWLS[0])(request) for request in fake.requests if "getFollowers" in request.path) < 8


def _asks_about(world: World, handle: str) -> Callable[[Request], bool]:
    return lambda request: request.query.get("actor", "").endswith(str(world.people[handle].key))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 50])
def test_every_circle_is_noticed_wherever_it_begins(length: int) -> None:
    circle = Circle()
    tail, ring = [f"t{n}" for n in range(20)], [f"r{n}" for n in range(length)]
    taken = 0
    for cursor in [*tail, *ring * 200]:
        taken += 1
        if circle.closes(cursor):
            break
    assert taken < 20 + 5 * length + 64
    straight = Circle()
    assert not any(straight.closes(str(n)) for n in range(10_000))


def test_a_cap_on_followers_is_kept_and_told(find, fake: BlueskyFake) -> None:
    said, _ = find("--max-followers", "50")
    assert {line.partition(": ")[2] for line in said.splitlines() if line.startswith("seed")} == {"only the first 50 followers"}
    assert set(Seed.objects.values_list("followers", flat=True)) == {50}
    assert sum("getFollowers" in path for path in fake.paths()) == 11


def test_a_finished_cohort_is_read_anew_and_with_resume_it_is_not(find, world: World, fake: BlueskyFake) -> None:
    find()
    read = Counter(fake.paths())["/xrpc/app.bsky.graph.getFollowers"]
    _, again = find("--resume", least=4, out="again")
    assert Counter(fake.paths())["/xrpc/app.bsky.graph.getFollowers"] == read
    assert lines(again) == expected(world, 4)
    find()
    assert Counter(fake.paths())["/xrpc/app.bsky.graph.getFollowers"] == 2 * read
    assert Cohort.objects.count() == 1


def test_an_outage_keeps_what_was_read(find, fake: BlueskyFake, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scraping.manners.pause_before", lambda attempt, rng: 0.0)
    down = Trouble(path="getFollowers", skip=5, times=10_000, reply=lambda request: Reply({}, 503))
    fake.troubles.append(down)
    with pytest.raises(CommandError, match="bluesky is out of order"):
        find()
    assert Seed.objects.filter(state="done").exists()
    fake.troubles.clear()
    asked = len(fake.requests)
    _, files = find()
    assert lines(files) == expected(world, 3)
    first = next(request for request in fake.requests[asked:] if "getFollowers" in request.path)
    assert "cursor" in first.query or not _asks_about(world, OWLS[0])(first)


def test_killed_again_and_again_it_comes_to_the_same(
    find, fake: BlueskyFake, world: World, servers: Path, seeds: list[str], tmp_path: Path
) -> None:
    url = addresses.database_url(servers, connection.settings_dict["NAME"])
    env = os.environ | {"DATABASE_URL": url, "SCRAPE_BLUESKY_URL": fake.url, "VAR": str(tmp_path / "var")}
    command = [sys.executable, str(ROOT / "manage.py"), "find_cohort", *seeds, "--source", "bluesky", "--min-overlap", "3"]
    ends = []
    for pages in (1, 5, 9, None):
        process = subprocess.Popen([*command, "--out", str(tmp_path / "out")], env=env, cwd=ROOT, stdout=subprocess.DEVNULL)

        def kill(request: Request, process: subprocess.Popen[bytes] = process) -> Reply:
            process.kill()
            return fake.answer(request)

        fake.troubles[:] = [Trouble(path="getFollowers", skip=pages, reply=kill)] if pages else []
        ends.append(process.wait(60))
    assert ends == [-9, -9, -9, 0]
    assert Cohort.objects.count() == 1
    assert lines({path.name: path.read_text() for path in (tmp_path / "out").iterdir()}) == expected(world, 3)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "owls.txt names no seeds."),
        ("mastodon:ada@owls.example", "owls.txt: mastodon:ada@owls.example is no account of bluesky."),
        ("ada owl", "owls.txt, line 1: 'ada owl' can't be a handle of bluesky: it looks like name.bsky.social."),
        (DOVES[0], f"{DOVES[0]} is a seed of two camps: leave it out of one."),
    ],
)
def test_what_is_wrong_with_the_seeds_is_said_before_anything_is_asked(
    find, fake: BlueskyFake, tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "owls.txt").write_text(text)
    with pytest.raises(CommandError) as error:
        find()
    assert str(error.value) == problem
    assert (fake.requests, Cohort.objects.count()) == ([], 0)


def test_a_camp_that_has_the_name_of_the_overlap_is_refused(find, fake: BlueskyFake, seeds: list[str], tmp_path: Path) -> None:
    (tmp_path / "Both.txt").write_text(OWLS[0])
    with pytest.raises(CommandError) as error:
        find("--seeds", str(tmp_path / "Both.txt"))
    assert str(error.value) == "Both.txt: both is the list of those in more than one camp: give this file another name."
    assert (fake.requests, Cohort.objects.count()) == ([], 0)


def test_no_list_is_written_over_a_file_of_seeds(find, fake: BlueskyFake, tmp_path: Path) -> None:
    seeds = tmp_path / "doves-cohort.txt"
    seeds.write_text("owl9.example.org")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CommandError) as error:
        find("--seeds", str(tmp_path / "." / "doves-cohort.txt"), "--out", str(tmp_path))
    assert str(error.value) == f"{seeds} is a file of seeds, and a list would be written over it: name another folder by --out."
    assert (fake.requests, Cohort.objects.count()) == ([], 0)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_many_who_are_gone_are_not_looked_at_without_end(find, world: World, fake: BlueskyFake) -> None:
    owls = expected(world, 3)["owls-cohort.txt"]
    for line in owls[3:]:
        world.people[line.split("  #")[0].removeprefix("bluesky:")].state = "missing"
    said = StringIO()
    _, files = find("--top", "4", err=said)
    assert lines(files)["owls-cohort.txt"] == owls[:3]
    passed = {name: len(found) for name, found in expected(world, 3).items()}
    most = sum(min(40, count) for count in passed.values())
    assert (
        f"looking up the names of 12. Where some are gone or closed others take their place: {most} are looked at, at most.\n"
        in said.getvalue()
    )
    assert passed["owls-cohort.txt"] > 40
    assert said.getvalue().splitlines()[-1] == (
        "owls: 40 accounts came to 3 names, and no more are looked up: a larger --top looks further."
    )
    asked = [name for request in fake.requests if "getProfile?" in f"{request.path}?" for name in request.all["actor"]]
    assert len(set(asked)) == 37


def test_an_overlap_that_nobody_can_reach_is_refused(find) -> None:
    with pytest.raises(CommandError, match="No file of seeds has 7 accounts"):
        find(least=7)


def test_lists_that_cannot_be_written_leave_none_half_written(find, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file, no folder")
    with pytest.raises(CommandError, match="The lists can't be written"):
        find("--out", str(tmp_path / "blocked" / "lists"))
    _, files = find()
    assert not [name for name in files if name.startswith(".")]
