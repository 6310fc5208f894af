"""What a teacher takes home from a class, on every screen, by day, by night and on paper."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from tests.browser import moderators
from tests.browser.actions import DESK, PHONE, SMALL, Open, tab_to
from tests.browser.look import examine
from tests.stack import Stack

# A class of six and some more who judged ten cards of the harbour, one of which was skipped; some answers are missing.
SEED = """
import random
from datetime import datetime, timedelta, UTC
from django.contrib.auth.models import Group, User
from game.classroom.models import Answer, ClassCard, ClassSession, Seat
from game.classroom.rules import new_code
from game.pool.models import Tweet, Category

rng = random.Random(7)
teacher, _ = User.objects.get_or_create(username="tess")
teacher.set_password({password!r})
teacher.save()
teacher.groups.add(Group.objects.get(name="teacher"))
now = datetime.now(UTC)
session = ClassSession.objects.create(
    code=new_code(random), teacher=teacher, title="8b", phase="podium", position=10, ended_at=now, delete_at=now + timedelta(days=30)
)
harbour = Category.objects.get(slug="harbour")
session.categories.add(harbour)
names = ["Brave Heron", "Quiet Otter", "=1+1", "Øystein", "منى", "Amber Albatross of All", *[f"Curious Crane {{n}}" for n in range({more})]]
seats = [Seat(session=session, code=f"{{n:06}}", name=name) for n, name in enumerate(names)]
seats = Seat.objects.bulk_create(seats)
tweets = [tweet for kind in ("human", "machine") for tweet in Tweet.objects.filter(category=harbour, kind=kind, split="play")[:5]]
rng.shuffle(tweets)
cards = ClassCard.objects.bulk_create(
    [ClassCard(session=session, position=n, tweet=tweet, skipped=n == 4) for n, tweet in enumerate(tweets, 1)]
)
hard = {{card: rng.uniform(0.2, 0.95) for card in cards}}
answers = []
for seat in seats:
    for card in cards:
        if rng.random() < 0.94:
            right = rng.random() < hard[card]
            verdict = card.kind if right else {{"human": "machine", "machine": "human"}}[card.kind]
            took = timedelta(seconds=rng.uniform(1, 18))
            answers.append(Answer(card=card, seat=seat, verdict=verdict, right=right, elapsed=took, points=100 * right, at=now))
Answer.objects.bulk_create(answers)
print(session.code)
"""


def enter(game: Stack, open_page: Open, more: int = 6, **options: Any) -> Page:
    """Hold a class, and open its results as its teacher."""
    code = game.manage("shell", "--no-imports", "-c", SEED.format(password=moderators.PASSWORD, more=more)).strip()
    page = open_page(f"/account/sign-in/?next=/class/{code}/results/", **options)
    moderators.sign_in(page, "tess")
    page.wait_for_url(f"**/class/{code}/results/")
    return page


def open_all(page: Page) -> None:
    """Open what is a click away."""
    for summary in page.locator("summary").all():
        summary.click()


@pytest.fixture(scope="module", autouse=True)
def no_classes_left(game: Stack) -> Iterator[None]:
    """Take the classes away afterwards: other pages would tell of them."""
    yield
    game.manage(
        "shell",
        "--no-imports",
        "-c",
        "from game.classroom.models import *; Answer.objects.all().delete(); ClassSession.objects.all().delete()",
    )


@pytest.mark.parametrize("device", [DESK, PHONE, SMALL], ids=["desk", "phone", "small"])
def test_results_have_no_accessibility_fault_and_do_not_scroll_sideways(game: Stack, open_page: Open, device: dict[str, Any]) -> None:
    page = enter(game, open_page, **device)
    open_all(page)
    for link in (None, "Delete now"):
        if link:
            page.get_by_role("link", name=link).click()
            page.wait_for_url("**/delete/")
        assert examine(page, link or "results") == []


def test_every_total_in_a_table_is_the_sum_of_its_rows(game: Stack, open_page: Open) -> None:
    page = enter(game, open_page, **DESK)
    open_all(page)

    def number(text: str) -> int:
        return int(re.sub(r"\D.*", "", text.replace(",", "")) or 0)

    tables = page.locator("main table").all()
    assert len(tables) == 4
    checked = 0
    for table in tables:
        rows = [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]
        total = table.locator("tfoot tr").locator("th, td").all_inner_texts()
        # What is no number of things: ranks, ranges, d', times.
        for column, head in enumerate(table.locator("thead").locator("th, td").all_inner_texts()):
            if head in ("Points", "Right", "Not given", "Said Human", "Said Bot", "Answers", "Taken for the other") or (
                head,
                len(total),
            ) == ("Cards", 5):
                assert sum(number(row[column]) for row in rows if len(row) == len(total)) == number(total[column]), head
                checked += 1
    assert checked == 4 + 3 + 4 + 3


def test_on_paper_it_is_black_on_white_a4_without_controls_and_no_row_is_cut(game: Stack, open_page: Open) -> None:
    page = enter(game, open_page, more=60, color_scheme="dark", **DESK)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})
    for control in ("button", ".button", "summary", ".masthead", ".colophon", ".workshop-head__up"):
        assert page.locator(f"{control}:visible").count() == 0, control
    # What is a click away on the screen is there.
    expect(page.get_by_text("All answers that count")).to_be_visible()
    assert page.locator("table:visible").count() == 4
    colours = page.evaluate("""[...document.querySelectorAll("main, main *:not(svg, svg *)")].filter((each) => each.checkVisibility())
      .flatMap((each) => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor])""")
    assert set(colours) <= {"rgb(0, 0, 0)", "rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    kept = page.evaluate("[...document.querySelectorAll('tr, .judged, .gauge')].map((each) => getComputedStyle(each).breakInside)")
    assert set(kept) == {"avoid"}
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    paper = page.pdf(prefer_css_page_size=True)
    # A4 in points; 66 students alone fill more than one page.
    sizes = {tuple(round(float(side)) for side in box.split()) for box in re.findall(rb"/MediaBox \[([^]]*)\]", paper)}
    assert sizes == {(0, 0, 595, 842)}
    assert len(re.findall(rb"/Type /Page\b", paper)) > 3


def test_the_print_button_prints_and_without_scripts_there_is_none(game: Stack, open_page: Open) -> None:
    page = enter(game, open_page, **DESK)
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed")
    plain = enter(game, open_page, java_script_enabled=False, **PHONE)
    expect(plain.get_by_role("button", name="Print")).to_have_count(0)
    expect(plain.locator(".students tbody tr")).to_have_count(12)


def test_the_files_come_as_downloads_and_can_be_read(game: Stack, open_page: Open) -> None:
    page = enter(game, open_page, **DESK)
    answers = int(page.locator(".results__class tfoot td").last.evaluate("cell => cell.textContent"))
    with page.expect_download() as sent:
        page.get_by_role("link", name="Answers as CSV").click()
    code = page.locator(".workshop-head .quiet").inner_text().split(" · ")[1]
    assert sent.value.suggested_filename == f"class-{code}.csv"
    assert len(list(csv.DictReader(io.StringIO(sent.value.path().read_text("utf-8-sig"), newline="")))) == answers
    with page.expect_download() as book:
        page.get_by_role("link", name="All as Excel").click()
    assert book.value.suggested_filename == f"class-{code}.xlsx"
    assert openpyxl.load_workbook(io.BytesIO(book.value.path().read_bytes()))["Answers"].max_row == 1 + answers


def test_a_teacher_deletes_a_class_by_keys_alone(game: Stack, open_page: Open) -> None:
    page = enter(game, open_page, **DESK)
    results = page.url
    tab_to(page, "Delete now")
    page.keyboard.press("Enter")
    page.wait_for_url("**/delete/")
    tab_to(page, "Keep it")
    page.keyboard.press("Enter")
    page.wait_for_url("**/results/")
    page.go_back()
    tab_to(page, "Delete for good")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is deleted, with all that its students did.")).to_be_visible()
    assert page.goto(results).status == 404  # type: ignore[union-attr]
