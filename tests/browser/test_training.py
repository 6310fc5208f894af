"""Moderators train: what they see arrive, press, and can always come back to."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import DESK, DEVICES, Open, tab_to
from tests.browser.look import Fault, examine
from tests.stack import Stack

PASSWORD = "seven-herons-and-a-boat"
# A category that players do not see, people to train on, a folder that passes for a base, and three models, two of which have been active.
SEED = """
from pathlib import Path
from django.contrib.auth.models import Group, User
from django.conf import settings
from game.pool.models import Category, Kind, Status
from game.pool.services import NewTweet, add_tweets, get_author
from generation.versions import promote_model, register_model
from tests.generation.conftest import copy_model

User.objects.create_user("maud", password={password!r}).groups.add(Group.objects.get(name="moderator"))
starlings = Category.objects.create(slug="starlings", name="Wire starlings", active=False)
ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada_starling", name="Ada")
texts = [f"Starling number {{number}} sat on the wire and whistled at the milkman." for number in range(400)]
add_tweets(category=starlings, status=Status.APPROVED, tweets=[NewTweet(ada, text) for text in texts])
base = Path(settings.VAR_DIR) / "base"
base.mkdir()
for name in ("config.json", "tokenizer.json"):
    (base / name).write_text("{{}}")
for version in (1, 2, 3):
    model = register_model(category=starlings, folder=copy_model(Path(settings.VAR_DIR) / f"model-{{version}}", version=version))
    if version < 3:
        promote_model(model_version=model, by=None, reason="to begin with")
"""
# What a worker does: claim a run, append to progress.jsonl, pass it on, and end the run.
WORK = """
import json
from training.models import TrainingRun
from training.progress import ProgressTail
from training.services import RunClaim, claim_run

run = TrainingRun.objects.get(pk={run})
claim = RunClaim(run, run.claimed_by) if run.claimed_by else claim_run(run_id=run.pk, device=lambda name: f"{{name}} of run {{run.pk}}")
claim.renew()
claim.update(stage={stage!r})
run.path.mkdir(parents=True, exist_ok=True)
with (run.path / "progress.jsonl").open("a") as lines:
    lines.writelines(json.dumps(entry) + "\\n" for entry in {entries})
ProgressTail(claim).look()
end = {end}
if end:
    claim.finish(end.pop("state"), **end)
"""


@pytest.fixture(scope="module")
def work(game: Stack) -> Callable[..., None]:
    """Return a function that plays a training worker's part in a run, up to a step."""
    game.manage("shell", "--no-imports", "-c", SEED.format(password=PASSWORD))

    def play(run: int, *, step: int = 0, stage: str = "finetune", end: dict[str, Any] | None = None) -> None:
        where = {"step": step, "steps": 40, "seconds": step / 2}
        losses = [where | {"train_loss": 5 - step / 20}, where | {"held_back_loss": 5.2 - step / 20}]
        entries = (
            [*losses, {"step": step, "samples": [f"At step {step} a starling said {number} words." for number in range(4)]}] if step else []
        )
        game.manage("shell", "--no-imports", "-c", WORK.format(run=run, stage=stage, entries=json.dumps(entries), end=repr(end)))

    return play


@pytest.fixture
def maud(open_page: Open, work: Callable[..., None]) -> Callable[..., Page]:
    """Return a function that opens a page of a moderator, on a device of hers."""

    def open_signed_in(path: str = "/training/", **options: Any) -> Page:
        page = open_page("/account/sign-in/", **options)
        sign_in(page, path)
        return page

    return open_signed_in


def sign_in(page: Page, path: str = "/training/") -> None:
    """Sign in as a moderator, and go to a page of training."""
    page.goto(f"/account/sign-in/?next={path}")
    page.get_by_label("Username").fill("maud")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")


def start(page: Page, game: Stack) -> int:
    """Start a run, and return its number."""
    page.goto("/training/")
    page.get_by_label("Category").select_option("Wire starlings")
    page.get_by_label("Base model").fill(str(game.var / "base"))
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/training/*/")
    expect(page.locator("#live")).to_have_text("Live")
    return int(page.url.rstrip("/").rpartition("/")[2])


def told(page: Page) -> list[str]:
    """Return what the page of a run says, part by part, less what is only there for who was on it when the run ended."""
    return [page.locator(f"#{part}").inner_text() for part in ("now", "curve", "scores", "samples", "notes")]


@DEVICES
def test_two_who_watch_see_a_run_learn_and_nothing_moves(maud, work, game: Stack, device: dict[str, Any]) -> None:
    mine = maud(**device)
    run = start(mine, game)
    hers = maud(f"/training/{run}/", **device)
    expect(hers.locator("#live")).to_have_text("Live")
    expect(hers.locator(".now__state")).to_have_text("Waiting")
    for page in (mine, hers):
        page.evaluate("shifts.length = 0")
    for step in (10, 20, 30):
        work(run, step=step)
        for page in (mine, hers):
            expect(page.locator("#now")).to_contain_text(f"Step {step} of 40")
            expect(page.locator("#samples h3").first).to_have_text(f"Step {step}")
            expect(page.locator(".curve__check")).to_have_count(step // 10)
    assert mine.locator(".curve__label").all_text_contents() == ["learned 3.50", "held back 3.70"]
    work(run, stage="register", end={"state": "done", "note": "not promoted: its figures are those of the active one"})
    for page in (mine, hers):
        expect(page.locator(".now__state")).to_have_text("Done")
        expect(page.locator("#told")).to_have_text("Done")
        expect(page.get_by_role("button", name="Cancel the run")).to_be_hidden()
        assert page.evaluate("shifts") == []
    seen = told(mine)
    mine.reload()
    assert told(mine) == seen


def test_a_run_is_cancelled(maud, work, game: Stack) -> None:
    page = maud()
    run = start(page, game)
    work(run, step=10)
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator(".now__state")).to_have_text("Stopping")
    expect(page.get_by_role("button", name="Cancel the run")).to_be_hidden()
    work(run, end={"state": "cancelled"})
    expect(page.locator(".now__state")).to_have_text("Cancelled")
    expect(page.locator("#now")).to_contain_text("Cancelled by maud. Nothing was registered; it had learned 10 of 40 steps.")
    page.get_by_role("link", name="Train again").click()
    expect(page.get_by_label("Base model")).to_have_value(str(game.var / "base"))


def test_a_page_catches_up_by_itself_after_the_web_process_was_killed(browser: Browser, work, game: Stack) -> None:
    page = browser.new_page(base_url=game.base_url)
    sign_in(page)
    run = start(page, game)
    game.kill("web")
    expect(page.locator("#live")).to_have_text("Reconnecting")
    work(run, step=20)
    game.start_web()
    expect(page.locator("#live")).to_have_text("Live", timeout=30_000)
    expect(page.locator("#now")).to_contain_text("Step 20 of 40")
    work(run, end={"state": "failed", "error": "the disk is full: make room, and train again"})
    expect(page.locator("#now")).to_contain_text("The disk is full: make room, and train again")
    page.close()


def test_promotion_rollback_and_retirement_are_seen_by_others_at_once(maud) -> None:
    mine, hers = maud(), maud()
    for page in (mine, hers):
        expect(page.locator("#live")).to_have_text("Live")
    group = hers.get_by_role("region", name="Wire starlings (starlings)")
    mine.get_by_label("Why?").fill("reads like a person")
    mine.get_by_role("button", name="Promote tiny v3").click()
    expect(mine.get_by_text("tiny v3 writes for Wire starlings from now on.")).to_be_visible()
    expect(group.get_by_role("article", name="tiny v3")).to_contain_text("Writes now")
    expect(hers.locator(".event").first).to_contain_text("tiny v3: promotion, candidate → active")
    expect(hers.locator(".event").first).to_contain_text("reads like a person")
    mine.get_by_role("button", name="Roll back to tiny v2").click()
    expect(group.get_by_role("article", name="tiny v2")).to_contain_text("Writes now")
    hers.get_by_role("link", name="Retire tiny v2").click()
    hers.get_by_label("Why?").fill("a test")
    hers.get_by_role("button", name="Retire").click()
    expect(hers.get_by_text("tiny v2 is retired.")).to_be_visible()
    expect(mine.get_by_text("No model writes for it now: promote one.")).to_be_visible()
    hers.get_by_text("3 retired", exact=True).click()
    hers.get_by_role("button", name="Promote tiny v2").click()
    expect(mine.get_by_role("article", name="tiny v2")).to_contain_text("Writes now")


def test_a_run_is_started_and_cancelled_by_keys_alone(maud, game: Stack) -> None:
    page = maud()
    tab_to(page, "Category")
    page.keyboard.type("Wire starlings")
    tab_to(page, "Base model")
    page.keyboard.press("Control+A")
    page.keyboard.type(str(game.var / "base"))
    tab_to(page, "The recipe")
    page.keyboard.press("Enter")
    tab_to(page, "Epochs")
    page.keyboard.type("2")
    tab_to(page, "Train")
    page.keyboard.press("Enter")
    page.wait_for_url("**/training/*/")
    expect(page.locator(".facts")).to_contain_text("2 instead of 3")
    tab_to(page, "Cancel the run")
    page.keyboard.press("Enter")
    expect(page.locator(".now__state")).to_have_text("Cancelled")


def test_enter_in_the_reason_changes_nothing(maud) -> None:
    page = maud()
    states = page.locator(".chip").all_inner_texts()
    page.get_by_label("Why?").fill("because")
    page.keyboard.press("Enter")
    page.reload()
    assert page.locator(".chip").all_inner_texts() == states


def test_focus_and_an_open_fold_outlive_what_arrives(maud, work, game: Stack) -> None:
    page = maud()
    run = start(page, game)
    page.goto("/training/")
    expect(page.locator("#live")).to_have_text("Live")
    page.locator("#retired-starlings summary").click()
    # What opens by a click may push what is below it.
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100))).then(() => { shifts.length = 0; })")
    link = page.get_by_role("link", name=f"Run {run}")
    link.focus()
    work(run, step=10)
    expect(page.get_by_role("progressbar", name=f"Learning, run {run}")).to_have_attribute("value", "10")
    expect(link).to_be_focused()
    expect(page.locator("#retired-starlings")).to_have_attribute("open", "")
    work(run, end={"state": "cancelled"})
    expect(page.locator(".run-line").first).to_contain_text("Cancelled")
    assert page.evaluate("shifts") == []


@DEVICES
def test_no_page_of_training_has_an_accessibility_fault_or_scrolls_sideways(maud, work, game: Stack, device: dict[str, Any]) -> None:
    page = maud(**device)
    faults: list[Fault] = []

    for fold in page.locator("summary").all():
        fold.click()
    faults += examine(page, "list")
    page.get_by_label("Epochs").fill("0")
    page.locator(".panel form").evaluate("(form) => { form.noValidate = true; }")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_label("Epochs")).to_have_attribute("aria-invalid", "true")
    faults += examine(page, "refused")
    run = start(page, game)
    faults += examine(page, "waiting")
    work(run, step=10)
    work(run, step=20)
    expect(page.locator(".curve__check")).to_have_count(2)
    for fold in page.locator("summary").all():
        fold.click()
    faults += examine(page, "learning")
    work(run, end={"state": "failed", "error": "the disk is full: " + "make room, " * 20})
    expect(page.locator(".now__state")).to_have_text("Failed")
    faults += examine(page, "failed")
    page.goto("/training/")
    page.get_by_role("link", name="Retire").first.click()
    faults += examine(page, "retire")
    assert faults == []


def test_without_scripts_a_run_is_started_seen_and_cancelled(open_page: Open, work, game: Stack) -> None:
    page = open_page("/", java_script_enabled=False, **DESK)
    sign_in(page)
    page.get_by_label("Category").select_option("Wire starlings")
    page.get_by_label("Base model").fill(str(game.var / "base"))
    page.get_by_role("button", name="Train", exact=True).click()
    run = int(page.url.rstrip("/").rpartition("/")[2])
    work(run, step=10)
    page.reload()
    expect(page.locator("#now")).to_contain_text("Step 10 of 40")
    work(run, end={"state": "cancelled"})
