import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from game.pool.models import Category, Tweet
from scraping.management.commands import import_tweets
from tests.scraping.conftest import sentence, twint

Write = Callable[..., Path]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def command(*args: str | Path, err: io.StringIO | None = None) -> tuple[dict[str, int], list[str]]:
    """Run the command; return its closing table and the lines it wrote to stderr."""
    out, err = io.StringIO(), err or io.StringIO()
    call_command("import_tweets", *map(str, args), stdout=out, stderr=err)
    return table(out.getvalue()), err.getvalue().splitlines()


def table(text: str) -> dict[str, int]:
    return {name: int(count.replace(",", "")) for name, count in re.findall(r"│ (\S[^│]*?) +│ +([\d,]+) │", text)}


def test_a_new_category_is_made_and_the_table_says_what_became_of_all(db: None, write: Write) -> None:
    path = write("a.jsonl", twint(1), twint(2), twint(1), twint(4, tweet="@bob owls?"), "{")
    counts, lines = command("night-owls", path)
    assert counts == {"kept": 2, "reply": 1, "duplicate": 1, "broken line": 1, "posts read": 5}
    assert lines == ["a.jsonl, line 5: is not JSON: Expecting property name enclosed in double quotes at column 2."]
    category = Category.objects.get()
    assert (category.slug, category.name, category.language) == ("night-owls", "Night Owls", "en")
    assert set(Tweet.objects.values_list("status", flat=True)) == {"pending"}


def test_a_second_run_adds_nothing(db: None, write: Write) -> None:
    path = write("a.jsonl", *(twint(number) for number in range(10)))
    assert command("birds", path)[0] == {"kept": 10, "posts read": 10}
    assert command("birds", path)[0] == {"kept": 0, "duplicate": 10, "posts read": 10}


def test_several_files_end_in_one_table(db: None, write: Write) -> None:
    files = [write("a.jsonl", twint(1)), write("b.csv", "text", sentence(2)), write("c.txt", sentence(1))]
    assert command("birds", *files)[0] == {"kept": 2, "duplicate": 1, "posts read": 3}


def test_approve_skips_the_queue(db: None, write: Write) -> None:
    command("birds", write("a.txt", sentence(1)), "--approve")
    assert Tweet.objects.get().status == "approved"


def test_only_the_authors_asked_for_are_kept_and_one_without_posts_is_told(db: None, write: Write) -> None:
    path = write("a.jsonl", twint(1), twint(2, username="bob"), twint(3, username="cy"))
    counts, lines = command("birds", path, "--author", "@Ada_Owl", "--author", "bob", "--author", "@nobody")
    assert counts == {"kept": 2, "not an author asked for": 1, "posts read": 3}
    assert lines == ["No post is by @nobody."]


def test_an_author_whose_posts_are_all_dropped_is_not_called_missing(db: None, write: Write) -> None:
    assert command("birds", write("a.jsonl", twint(1, tweet="short")), "--author", "ada_owl") == (
        {"kept": 0, "too short": 1, "posts read": 1},
        [],
    )


def test_the_handle_given_is_the_author_of_posts_without_one(db: None, write: Write) -> None:
    command("birds", write("a.jsonl", twint(1, username=None), twint(2)), "--handle", "@Bob")
    assert sorted(Tweet.objects.values_list("author__handle", "author__name")) == [("ada_owl", "Ada Owl"), ("bob", "Ada Owl")]


def test_trailing_links_are_dropped_or_stripped(db: None, write: Write) -> None:
    path = write("a.txt", f"{sentence(1)} https://t.co/AbCdEfGh")
    assert command("birds", path)[0] == {"kept": 0, "has a link": 1, "posts read": 1}
    assert command("birds", path, "--trailing-links", "strip")[0] == {"kept": 1, "posts read": 1}
    assert Tweet.objects.get().text == sentence(1)


def test_a_new_category_gets_the_language_given_and_keeps_it(db: None, write: Write) -> None:
    path = write("a.txt", sentence(1) + " It sleeps all day.", "Mañana por la noche vamos a buscar lechuzas en el bosque con los niños.")
    assert command("lechuzas", path, "--language", "es")[0] == {"kept": 1, "other language": 1, "posts read": 2}
    assert Category.objects.get().language == "es"
    assert command("lechuzas", path)[0] == {"kept": 0, "other language": 1, "duplicate": 1, "posts read": 2}
    with pytest.raises(CommandError, match=r"^The category lechuzas is in 'es' already: leave --language out\.$"):
        command("lechuzas", path, "--language", "en")


@pytest.mark.parametrize("slug", ["Birds", "night owls", "night_owls", "-", "owls-", "b\u00e4rd", "a/b", "", "o" * 51])
def test_what_can_not_be_a_category_is_refused(db: None, write: Write, slug: str) -> None:
    with pytest.raises(CommandError, match=r"can't be a category: use small letters, digits and hyphens, 50 at most"):
        command(slug, write("a.txt", sentence(1)))
    assert not Category.objects.exists()


def test_a_language_that_can_not_be_told_is_refused(db: None, write: Write) -> None:
    with pytest.raises(CommandError, match=r"^'klingon' is no language that can be told from others"):
        command("birds", write("a.txt", sentence(1)), "--language", "klingon")
    assert not Category.objects.exists()


def test_a_handle_longer_than_its_column_is_refused(db: None, write: Write) -> None:
    with pytest.raises(CommandError, match=r"^--handle is longer than 120 characters\.$"):
        command("birds", write("a.txt", sentence(1)), "--handle", "o" * 121)


def test_files_that_can_not_be_imported_are_found_before_anything_is(db: None, write: Write, tmp_path: Path) -> None:
    good = write("a.txt", sentence(1))
    (tmp_path / "folder.jsonl").mkdir()
    bad = {
        "missing.jsonl": r"missing\.jsonl: no such file\. Nothing was imported\.$",
        "folder.jsonl": r"folder\.jsonl: a folder, not a file\. Nothing was imported\.$",
        write("a.xml").name: r"a\.xml: unknown format; name it .* if compressed\. Nothing was imported\.$",
    }
    for name, problem in bad.items():
        with pytest.raises(CommandError, match=problem):
            command("birds", good, tmp_path / name)
    assert not Category.objects.exists()


def test_a_file_that_goes_bad_in_the_middle_ends_in_a_table_and_one_line(db: None, write: Write) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"b\.csv: line 1 names no column"):
        call_command("import_tweets", "birds", str(write("a.txt", sentence(1))), str(write("b.csv", "x", "y")), stdout=out)
    assert table(out.getvalue()) == {"kept": 1, "posts read": 1}


def test_where_nothing_was_read_there_is_no_table(db: None, write: Write) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"a\.zip: "):
        call_command("import_tweets", "birds", str(write("a.zip", "PK no archive")), stdout=out)
    assert out.getvalue() == ""


def test_an_import_interrupted_at_once_ends_in_one_line(db: None, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_tweets, "import_file", interrupt)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^Interrupted: what is counted as kept is stored\. Run it again for the rest\.$"):
        call_command("import_tweets", "birds", str(write("a.txt", sentence(1))), stdout=out)
    assert out.getvalue() == ""


def test_a_file_of_which_no_line_can_be_read_is_a_failure(db: None, write: Write) -> None:
    with pytest.raises(CommandError, match="Not one line could be read"):
        command("birds", write("a.jsonl", "\x00\x01", "not json", "[1]"))


def test_a_database_that_is_away_is_told_in_one_line(write: Write) -> None:
    environment = os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = subprocess.run(
        [sys.executable, "manage.py", "import_tweets", "birds", str(write("a.txt", sentence(1)))],
        cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("CommandError: PostgreSQL does not serve us: ")
    assert done.stderr.endswith(" (Does `make play` run, or is DATABASE_URL right?) Run it again for the rest.\n")
    assert done.stderr.count("\n") == 1


def test_help_names_the_formats_and_every_option() -> None:
    shown = import_tweets.Command().create_parser("manage.py", "import_tweets").format_help()
    for word in (
        ".jsonl",
        ".csv",
        ".tsv",
        ".tab",
        ".txt",
        ".xz",
        ".zip",
        "--approve",
        "--author",
        "--handle",
        "--language",
        "--trailing-links",
    ):
        assert word in shown


def test_progress_is_a_plain_line_where_there_is_no_terminal(db: None, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_tweets, "SECONDS_BETWEEN_LINES", 0.0)
    assert command("birds", write("a.txt", sentence(1)))[1] == ["a.txt: 100%"]


def test_progress_is_a_bar_on_a_terminal(db: None, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("a.txt", sentence(1))
    command("birds", path, err=Terminal())
    bar = capsys.readouterr().err
    assert "a.txt: 100%" in bar
    assert "\r" in bar
