"""What the last row reads: every text large and whole, thirty names, each phase without a fault; and the form for a new class."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.actions import DEVICES, LAPTOP, PHONE, Open
from tests.browser.classes import expect_phase, hold, move, run, say_all, show
from tests.browser.look import Fault, examine
from tests.stack import Stack

WALL: dict[str, Any] = {"viewport": {"width": 1920, "height": 1080}}
PROJECTORS = pytest.mark.parametrize("device", [LAPTOP, WALL], ids=["1280", "1920"])
# Cards of texts that one student wrote.
DEAL = """
from game.classroom.models import ClassCard, ClassText
session = find_session({code!r})
session.cards.all().delete()
for position, (body, student) in enumerate(zip({bodies!r}, seat(session, {count}, now=now)), 1):
    text = ClassText.objects.create(session=session, seat=student, body=body, status="approved")
    ClassCard.objects.create(session=session, position=position, text=text)
"""
HARD = {
    "capitals": "WE WENT TO THE HARBOUR AND SAW MANY BOATS " * 6 + "AND WENT HOME AGAIN FOR TEA.",
    "one word": "x" * 280,
    "wide": "W" * 140,
    "pictures": "🚢⛵🛶⚓" * 35,
    "arabic": "هذا الصباح كان البحر هادئا والناس يمشون على الشاطئ دون أن يقول أحد شيئا. " * 3,
    "words": ("Nobody counted the boats, and least of all the fisherman, who owns most of them. " * 4)[:280],
    "short": "Rain.",
}
MANY_LINES = "\n".join(f"{line}. A boat" for line in range(1, 21))
LABELS = [
    "Decks", "Whose voice", "How every text begins", "Time to write", "Open until",
    "Time for a card", "The quick get more points", "Who comes late may join",
]  # fmt: skip
# How large the text is, in hundredths of the width, and where it stands; and what of the page can't be seen: cut off, or to be scrolled to.
MEASURE = """() => {
  const text = document.querySelector(".tweet__text");
  const { x, y, width, height } = text?.getBoundingClientRect() ?? {};
  const parts = [document.documentElement, ...document.querySelectorAll(".host, .host *")].filter((part) =>
    part.checkVisibility({ visibilityProperty: true }) && !part.closest("svg, [popover], .visually-hidden")
    && getComputedStyle(part).display !== "inline");
  // What is larger than its box is no matter where the box hides nothing, and the screen shows it.
  const isCut = (part) => (getComputedStyle(part).overflow !== "visible"
      && (part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth + 1))
    || part.getBoundingClientRect().bottom > innerHeight + 1 || part.getBoundingClientRect().right > innerWidth + 1;
  return {
    size: text && (parseFloat(getComputedStyle(text).fontSize) * 100) / innerWidth, place: [x, y, width, height],
    cut: parts.filter(isCut).map(({ className, scrollHeight, clientHeight, scrollWidth, clientWidth }) =>
      `${className}: ${scrollHeight} of ${clientHeight} high, ${scrollWidth} of ${clientWidth} wide`),
  };
}"""


@PROJECTORS
def test_every_text_is_large_and_whole_and_stays_where_it_is(teach: Open, game: Stack, device: dict[str, Any]) -> None:
    code = hold(game, show="end")
    texts = {**HARD, "many lines": MANY_LINES}
    run(game, DEAL.format(code=code, bodies=[*texts.values()], count=len(texts)))
    page = teach("/class/", reduced_motion="reduce", **device)
    show(page, "host", code)
    wrong = {}
    for position, name in enumerate(texts, 1):
        move(game, code, "start" if position == 1 else "next")
        expect(page.locator("#card-name")).to_have_text(f"Card {position} of {len(texts)}")
        card = page.evaluate(MEASURE)
        move(game, code, "next")
        expect_phase(page, "reveal")
        # Three hundredths of the width, but where a text has more lines than that leaves room for.
        least = 2.2 if name == "many lines" else 2.999
        if page.evaluate(MEASURE) != card or card["cut"] or card["size"] < least:
            wrong[name] = (card, page.evaluate(MEASURE))
    assert wrong == {}


@PROJECTORS
def test_thirty_names_fit_and_of_more_the_latest_are_named(teach: Open, game: Stack, device: dict[str, Any]) -> None:
    code = hold(game, title="The eighth form of the school by the harbour, on a Tuesday")
    name = "'Wilhelmina Mongoose ' + str(number).zfill(4)"
    sit = f"Seat.objects.bulk_create(Seat(session=session, code=f'{{number:06}}', name={name}) for number in range(%s))"
    run(game, f"session = find_session({code!r})\n{sit % '30'}")
    page = teach("/class/", **device)
    show(page, "host", code)
    expect(page.locator(".seats__name")).to_have_count(30)
    assert page.evaluate(MEASURE)["cut"] == []
    run(game, f"session = find_session({code!r})\n{sit % '30, 1000'}")
    page.reload()
    expect(page.locator("#count")).to_have_text("1,000 are here")
    expect(page.locator(".seats__more")).to_have_text("the latest 30 of 1,000")
    assert page.locator(".seats__name").last.inner_text() == "Wilhelmina Mongoose 0999"
    assert page.evaluate(MEASURE)["cut"] == []


@PROJECTORS
def test_no_phase_is_cut_off_or_has_an_accessibility_fault(teach: Open, game: Stack, device: dict[str, Any]) -> None:
    code = hold(game, cards=3, seconds=600)
    run(game, f"seat(find_session({code!r}), 12, now=now)")
    views = {
        "host": teach("/class/", reduced_motion="reduce", **device),
        "presenter": teach("/class/", reduced_motion="reduce", **PHONE),
    }
    faults: list[Fault] = []

    def examine_both(phase: str) -> None:
        for view, page in views.items():
            expect_phase(page, phase)
            faults.extend(examine(page, f"{view}, {phase}"))
            if view == "host":
                faults.extend((f"{view}, {phase}", "cut", part) for part in page.evaluate(MEASURE)["cut"])

    for view, page in views.items():
        show(page, view, code)
    examine_both("lobby")
    move(game, code, "start")
    say_all(game, code, *["human"] * 7)
    examine_both("card")
    move(game, code, "next")
    examine_both("reveal")
    move(game, code, "next")
    examine_both("standings")
    views["host"].get_by_role("button", name="Phone").click()
    examine_both("standings")
    views["host"].keyboard.press("Escape")
    move(game, code, "end")
    examine_both("podium")
    assert faults == []


@DEVICES
def test_the_form_asks_for_what_the_mode_needs_and_has_no_fault(teach: Open, game: Stack, device: dict[str, Any]) -> None:
    hold(game)
    page = teach("/class/", **device)
    faults = examine(page, "classes")
    page.goto("/class/new/")
    page.get_by_text("More choices").click()
    asked = {}
    for mode in ("Live", "Write your own", "Homework"):
        page.get_by_role("radio", name=mode).check()
        asked[mode] = [label for label in LABELS if page.get_by_text(label, exact=True).is_visible()]
        faults += examine(page, mode)
    assert faults == []
    assert asked == {
        "Live": ["Decks", "Time for a card", "The quick get more points", "Who comes late may join"],
        "Write your own": [*LABELS[1:4], "Time for a card", "The quick get more points", "Who comes late may join"],
        "Homework": ["Decks", "Open until"],
    }
    page.get_by_role("radio", name="Live").check()
    page.get_by_label("Time for a card").select_option("No limit")
    expect(page.get_by_text("The quick get more points")).to_be_hidden()
    page.get_by_label("Cards", exact=True).fill("2")
    page.evaluate("document.querySelector('.new-class').noValidate = true")
    page.get_by_role("button", name="Open the class").click()
    expect(page.locator(".knob__errors")).to_have_text("Type a number from 3 to 50.")
    assert examine(page, "refused") == []
