"""The documentation, compared with the code."""

import itertools
import json
import re
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from game.classroom.answers import Code
from game.classroom.frames import TROUBLES
from game.classroom.topics import read_answer
from game.embedded import commands
from game.live import consumers, hub
from game.live.sockets import Close
from game.live.topics import TalkingTopic, _topics

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def rows(page: Path) -> list[list[str]]:
    """Return the cells of every table row of a page, without heads and rulers."""
    lines = page.read_text(encoding="utf-8").splitlines()
    rulers = {number for number, line in enumerate(lines) if re.fullmatch(r"\|[-|: ]+\|", line)}
    heads = {number - 1 for number in rulers}
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for number, line in enumerate(lines)
        if line.startswith("|") and number not in rulers | heads
    ]


def table(page: Path, head: str) -> list[list[str]]:
    """Return the cells of the rows of the one table of a page whose first column is called `head`, without backticks."""
    _, _, rest = page.read_text(encoding="utf-8").partition(f"| {head} |")
    lines = itertools.takewhile(lambda line: line.startswith("|"), rest.split("\n")[2:])
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]


def packages(path: Path) -> set[str]:
    return {found[1] for line in path.read_text().splitlines() if (found := re.match(r"([A-Za-z0-9][\w.-]*)", line))}


def test_every_dependency_has_its_reason() -> None:
    written = {row[0] for row in rows(DOCS / "dependencies.md")}
    assert written == set().union(*(packages(path) for path in (ROOT / "requirements").glob("*.txt")))


def test_every_dependency_is_pinned() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for line in path.read_text().splitlines():
            assert not line or line.startswith(("#", "-r")) or re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+( --hash=sha256:\w{64})?$", line), (
                line
            )


def routes(patterns, prefix: str = "/") -> set[str]:
    found = set()
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$").replace("\\.", ".")
        if isinstance(pattern, URLResolver):
            found |= {route} if route == "/admin/" else routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            found.add(route)
    return found


def test_every_route_is_documented_once() -> None:
    def shape(route: str) -> str:
        return re.sub(r"\(\?P<[^)]*\)|<[^>]*>", "*", route)

    written = [shape(row[0].strip("`")) for row in rows(DOCS / "routes.md")]
    assert sorted(written) == sorted({shape(route) for route in routes(get_resolver().url_patterns)} | {"/live/*/*/"})


def test_every_setting_is_documented() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', (ROOT / "game/settings.py").read_text()))
    for path in [*(ROOT / "game/embedded").glob("*.py"), *(ROOT / "game/management").rglob("*.py"), ROOT / "game/asgi.py"]:
        read |= set(re.findall(r'environ(?:\.get\(|\[|\.setdefault\()"([A-Z_]+)"', path.read_text()))
    read |= set(re.findall(r"^(\w+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE))
    read |= set(re.findall(r"\$\{(\w+):-", (ROOT / "requirements/install.sh").read_text()))
    read -= {"MAKELEVEL", "DJANGO_SETTINGS_MODULE", "ARGS"}
    assert {row[0].strip("`") for row in rows(DOCS / "settings.md")} == read


PROTOCOL = DOCS / "protocol.md"


def test_every_close_code_is_documented() -> None:
    assert {int(row[0]) for row in table(PROTOCOL, "close code")} == set(Close)


def test_every_live_topic_is_documented_and_what_its_clients_send() -> None:
    written = {row[0]: row[3] for row in table(PROTOCOL, "topic")}
    topics = {
        name: topic
        for name, topic in _topics.items()
        if type(topic).__module__.startswith(("game.", "generation.", "scraping.", "training."))
    }
    assert written == {name: "answers" if isinstance(topic, TalkingTopic) else "nothing" for name, topic in topics.items()}


def test_every_code_of_a_refused_frame_is_documented() -> None:
    assert [row[0] for row in table(PROTOCOL, "code")] == list(TROUBLES)
    own = {code.value for code in Code} - {Code.KEPT, Code.KNOWN, Code.NO_SEAT}
    assert own < set(TROUBLES)


def test_the_only_message_of_clients_is_documented() -> None:
    fields = {row[0]: row[1] for row in table(PROTOCOL, "field")}
    assert list(fields) == ["type", "card", "verdict"]
    card = "a" * 22
    for verdict in re.findall(r"\w+", fields["verdict"].replace(" or ", " ")):
        frame = json.dumps({"type": fields["type"], "card": card, "verdict": verdict})
        assert read_answer(frame) == (card, verdict)


def test_limits_of_frames_are_as_documented() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")
    assert f"more than {consumers.FRAMES_AT_ONCE} came at once, or more than {consumers.FRAMES_PER_SECOND:g} a second" in text
    assert text.count(f"{consumers.LONGEST_FRAME:,} characters") == 2
    command = commands.web(8000)
    assert f"more than {int(command[command.index('--ws-max-size') + 1]) // 1024} KiB" in text
    assert f"took no frame for {hub.SEND_TIMEOUT_SECONDS:g} seconds" in text


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")], ids=lambda page: page.name)
def test_commands_and_links_on_the_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = {path.stem for path in ROOT.rglob("management/commands/*.py")} | {
        "createsuperuser",
        "migrate",
        "changepassword",
        "collectstatic",
    }
    for target in re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE):
        assert target in targets
    for command in re.findall(r"manage\.py ([a-z_]+)", text):
        assert command in commands
    for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (page.parent / link).exists(), link
