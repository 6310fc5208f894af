"""The documentation, compared with the code."""

import re
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from game.live.hub import Close
from game.live.topics import _topics

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


def test_every_close_code_is_documented() -> None:
    assert {int(row[0]) for row in rows(DOCS / "protocol.md") if row[0].isdigit()} == set(Close)


def test_every_live_topic_is_documented() -> None:
    assert {row[0].strip("`") for row in rows(DOCS / "protocol.md") if row[0].startswith("`")} == set(_topics) - {"counter"}


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
