import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from game.pool.models import Author, Category, Kind, Tweet
from game.pool.services import get_author
from scraping import services
from scraping.formats import UnreadableFile
from scraping.models import OptOut
from scraping.optouts import OptOuts
from scraping.rules import Cleaning, Drop
from scraping.services import NAMED_LINES, ImportReport, import_file, outcome_rows
from tests.scraping.conftest import sentence, twint
from tests.scraping.test_archives import ACCOUNT, entry, pack, script
from tests.threads import at_once

Write = Callable[..., Path]


def run(category: Category, path: Path, **options: Any) -> ImportReport:
    return import_file(category=category, path=path, cleaning=Cleaning(), **options)


def pool() -> list[tuple[str, str, str]]:
    return sorted(Tweet.objects.values_list("text", "author__handle", "split"))


def test_every_post_is_kept_or_counted_by_its_reason(category: Category, write: Write) -> None:
    path = write(
        "a.jsonl",
        twint(1),
        twint(2, retweet=True),
        twint(3, conversation_id="1"),
        twint(4, tweet="See https://owls.example for more about owls"),
        twint(5, tweet="\x05\x00\x03\x8e\x02\x02" + sentence(5)),
        twint(6, tweet="<b>" + sentence(6)),
        twint(7, tweet="Mañana por la noche vamos a buscar lechuzas en el bosque con los niños."),
        twint(8, tweet="An owl!"),
        twint(9, tweet=sentence(9) * 10),
        twint(10, tweet=sentence(1).upper()),
        twint(11, username="bob"),
        twint(12, username="CY"),
        twint(13, tweet="2/3 " + sentence(13)),
        twint(14, is_superseded=True),
        twint(15, tweet=sentence(15) + " Write to owls@birds.example!"),
        twint(16, tweet=sentence(16) + " What a bunch of assholes."),
        "{",
    )
    OptOut.objects.create(platform="twitter", handle="cy")
    report = run(category, path, only=["@Ada_Owl", "cy"])
    assert report.kept == 1
    assert +report.dropped == dict.fromkeys(Drop, 1)
    assert report.broken_lines == ["a.jsonl, line 17: is not JSON: Expecting property name enclosed in double quotes at column 2."]
    assert outcome_rows(report)[0] == ("kept", 1)
    assert outcome_rows(report)[-1] == ("posts read", 17)


def test_what_is_kept_is_stored_with_author_time_and_facts(category: Category, write: Write) -> None:
    run(category, write("a.jsonl", twint(1)), status="approved")
    tweet = Tweet.objects.select_related("author").get()
    assert (tweet.text, tweet.category, tweet.status, tweet.kind) == (sentence(1), category, "approved", "human")
    assert (tweet.author.handle, tweet.author.name, tweet.author.platform, tweet.author.kind) == ("ada_owl", "Ada Owl", "twitter", "human")
    assert tweet.posted_at
    assert tweet.posted_at.isoformat() == "2020-05-31T20:49:28+00:00"
    assert tweet.facts["likes"] == 5


def test_tweets_wait_for_a_moderator_unless_told_otherwise(category: Category, write: Write) -> None:
    run(category, write("a.jsonl", twint(1)))
    assert Tweet.objects.get().status == "pending"


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_the_size_of_a_chunk_changes_nothing(category: Category, write: Write, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(services, "CHUNK", chunk)
    path = write("a.jsonl", *(twint(number % 7) for number in range(20)), "{", twint(7))
    report = run(category, path)
    assert (report.kept, report.dropped[Drop.DUPLICATE], report.dropped[Drop.BROKEN]) == (8, 13, 1)
    assert [text for text, _, _ in pool()] == sorted(sentence(number) for number in range(8))


def test_a_second_run_adds_nothing(category: Category, write: Write) -> None:
    path = write("a.jsonl", *(twint(number) for number in range(10)))
    assert run(category, path).kept == 10
    before = list(Tweet.objects.order_by("pk").values())
    again = run(category, path)
    assert (again.kept, again.dropped[Drop.DUPLICATE]) == (0, 10)
    assert list(Tweet.objects.order_by("pk").values()) == before


def test_the_first_of_two_authors_keeps_a_text(category: Category, write: Write) -> None:
    path = write("a.jsonl", twint(1), twint(2, tweet=sentence(1), username="bob"))
    assert run(category, path).dropped[Drop.DUPLICATE] == 1
    assert [handle for _, handle, _ in pool()] == ["ada_owl"]


def test_handles_that_differ_in_case_are_one_author(category: Category, write: Write) -> None:
    run(category, write("a.jsonl", twint(1, username="Ada_OWL"), twint(2)))
    assert Author.objects.get().handle == "ada_owl"


def test_posts_without_a_handle_are_by_the_one_given_else_by_the_category(category: Category, write: Write) -> None:
    path = write("a.txt", sentence(1))
    run(category, path)
    assert [handle for _, handle, _ in pool()] == ["birds"]
    barn = Category.objects.create(slug="barn", name="Barn")
    run(barn, path, handle="bob")
    assert Tweet.objects.get(category=barn).author.handle == "bob"


def test_a_machine_of_the_same_handle_is_no_author_of_human_tweets(category: Category, write: Write) -> None:
    get_author(kind=Kind.MACHINE, platform="twitter", handle="ada_owl")
    report = run(category, write("a.jsonl", twint(1), twint(2, username="bob")))
    assert (report.kept, report.dropped[Drop.BROKEN]) == (1, 1)
    assert report.broken_lines == ["a.jsonl, line 1: names an author that is no human here: ada_owl (twitter) is machine, not human."]


def test_what_a_database_refuses_does_not_reach_it(category: Category, write: Write) -> None:
    odd = "\\u0000 \\ud83d"
    lines = [
        f'{{"tweet": "{sentence(1)}{odd}", "username": "a{odd}", "name": "{odd}Ada", "link": "https://owls.example/{odd}", "id": "{odd}"}}',
        twint(2, name="o" * 1_000, link="https://owls.example/" + "o" * 10_000, likes_count=2**53 - 1),
        twint(3, username="o" * 121),
    ]
    report = run(category, write("a.jsonl", *lines))
    assert (report.kept, report.dropped[Drop.BROKEN]) == (2, 1)


def test_all_broken_lines_are_counted_and_the_first_are_named(category: Category, write: Write) -> None:
    report = run(category, write("a.txt", *([b"\xff"] * (NAMED_LINES + 5)), sentence(1)))
    assert (report.kept, report.dropped[Drop.BROKEN], report.unnamed_lines) == (1, NAMED_LINES + 5, 5)
    assert report.broken_lines == [f"a.txt, line {number}: is not UTF-8 at byte 1." for number in range(1, NAMED_LINES + 1)]


def test_a_file_that_is_cut_off_leaves_what_it_had(category: Category, write: Write) -> None:
    path = write("a.jsonl.xz")
    whole = lzma.compress("".join(f'{{"tweet": "{sentence(number)}"}}\n' for number in range(3_000)).encode())
    path.write_bytes(whole[:-20])
    report = ImportReport()
    with pytest.raises(UnreadableFile, match=r"a\.jsonl\.xz: can't be read past line \d+ "):
        run(category, path, report=report)
    assert report.kept == Tweet.objects.count() > 2_000


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and can't be read")
def test_a_file_that_can_not_be_read_is_told_in_one_line(category: Category, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.symlink_to("/proc/self/mem")
    with pytest.raises(UnreadableFile, match=r"a\.jsonl: can't be read past line 0 \(.*Input/output error\)"):
        run(category, path)


def test_a_file_that_is_gone_is_told_in_one_line(category: Category, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"a\.jsonl: No such file or directory\.$"):
        run(category, tmp_path / "a.jsonl")


def test_progress_comes_at_any_kind_of_line_and_at_the_end(category: Category, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PROGRESS_LINES", 2)
    path = write("a.txt", "{", sentence(1), "short", b"\xff", sentence(2))
    positions: list[int] = []
    run(category, path, progress=positions.append)
    assert len(positions) == 3
    assert positions == sorted(positions)
    assert positions[-1] == path.stat().st_size


@pytest.mark.parametrize("after", [1, 5, 14])
def test_an_import_that_is_interrupted_and_run_again_ends_like_one_that_was_not(
    category: Category, write: Write, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(services, "CHUNK", 4)
    monkeypatch.setattr(services, "PROGRESS_LINES", 1)
    path = write("a.jsonl", *(twint(number, username=f"author_{number % 3}") for number in range(15)))
    undisturbed = Category.objects.create(slug="undisturbed", name="Undisturbed")
    run(undisturbed, path)

    def interrupt(position: int) -> None:
        if (calls := len(seen)) == after:
            raise KeyboardInterrupt
        seen.append(calls)

    seen: list[int] = []
    report = ImportReport()
    with pytest.raises(KeyboardInterrupt):
        run(category, path, report=report, progress=interrupt)
    assert report.kept == Tweet.objects.filter(category=category).count() == after // 4 * 4
    assert report.kept + run(category, path).kept == 15
    columns = ("text", "author", "split", "status", "posted_at", "facts", "fingerprint")
    tables = [[tuple(map(str, row)) for row in Tweet.objects.filter(category=one).values_list(*columns)] for one in (category, undisturbed)]
    assert sorted(tables[0]) == sorted(tables[1])


@pytest.mark.parametrize("opted", [{"handle": "ada_owl"}, {"handle": "ada_before", "account_id": "42"}])
def test_who_opted_out_is_left_out_whatever_they_are_called(category: Category, write: Write, opted: dict[str, str]) -> None:
    OptOut.objects.create(platform="twitter", **opted)
    OptOut.objects.create(platform="mastodon", handle="bob")
    report = run(category, write("a.jsonl", twint(1, user_id=42), twint(2, username="bob"), twint(3, user_id=42, retweet=True)))
    assert [handle for _, handle, _ in pool()] == ["bob"]
    assert (report.kept, +report.dropped) == (1, {Drop.OPTED_OUT: 2})
    assert not Author.objects.filter(handle="ada_owl").exists()


def test_an_archive_of_x_is_imported_by_its_owners_name(category: Category, tmp_path: Path) -> None:
    path = tmp_path / "twitter-2024.zip"
    path.write_bytes(
        pack({"data/account.js": ACCOUNT, "data/tweets.js": script([entry(1), entry(2, full_text="RT @bob: An owl!"), entry(3)])})
    )
    positions: list[int] = []
    report = run(category, path, progress=positions.append)
    assert [(text, handle) for text, handle, _ in pool()] == sorted([(sentence(1), "ada_owl"), (sentence(3), "ada_owl")])
    assert (report.kept, +report.dropped) == (2, {Drop.RETWEET: 1})
    assert positions == [path.stat().st_size]
    path.write_bytes(b"PK")
    with pytest.raises(UnreadableFile, match=r"twitter-2024\.zip: is no zip file"):
        run(category, path)


def test_who_opts_out_during_an_import_is_left_out_of_the_rest(category: Category, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "CHUNK", 2)
    opt_outs = iter([OptOuts(), OptOuts(), OptOuts(handles=frozenset({("twitter", "ada_owl")}))])
    monkeypatch.setattr(services, "read_opt_outs", lambda: next(opt_outs))
    report = run(category, write("a.jsonl", twint(1), twint(2), twint(3), twint(4, username="bob")))
    assert {text for text, _, _ in pool()} == {sentence(1), sentence(2), sentence(4)}
    assert (report.kept, +report.dropped) == (3, {Drop.OPTED_OUT: 1})


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_neither_fail_nor_double(write: Write) -> None:
    category = Category.objects.create(slug="birds", name="Birds")
    posts = [twint(number, username=f"author_{number % 40}") for number in range(2_000)]
    paths = [write("a.jsonl", *posts), write("b.jsonl", *reversed(posts))]
    reports = at_once(2, lambda number: run(category, paths[number]))
    assert sum(report.kept for report in reports) == sum(report.dropped[Drop.DUPLICATE] for report in reports) == 2_000
    assert (Tweet.objects.count(), Author.objects.count()) == (2_000, 40)
