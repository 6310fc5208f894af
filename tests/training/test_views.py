import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from game.pool.models import Category, Kind, Status, Tweet
from game.pool.rules import fingerprint
from game.pool.services import NewTweet, add_tweets, get_author
from generation.models import Corpus, CorpusEntry, ModelEvent, ModelVersion
from generation.versions import promote_model, register_model
from tests.generation.conftest import copy_model
from tests.people import client_of
from training import views
from training.models import TrainingRun

PAGES = ["/training/", "/training/{run}/", "/training/models/{model}/retire/"]
ACTIONS = ["/training/{run}/cancel/", "/training/models/{model}/promote/", "/training/starlings/roll-back/"]


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.create(slug="starlings", name="Starlings")


@pytest.fixture
def make_model(category: Category, tmp_path: Path) -> Callable[..., ModelVersion]:
    """Return a function that registers a candidate: version 1, 2, …"""

    def make() -> ModelVersion:
        version = ModelVersion.objects.count() + 1
        return register_model(category=category, folder=copy_model(tmp_path / f"model-{version}", version=version))

    return make


@pytest.fixture
def run(category: Category) -> TrainingRun:
    return make_run(category)


def make_run(category: Category, **values: Any) -> TrainingRun:
    over = values.get("state", "waiting") in ("done", "failed", "cancelled")
    later = timezone.now() + timedelta(hours=1)
    finished = timezone.now() if over else None
    return TrainingRun.objects.create(
        category=category, base="starter", folder="training/x", **({"lease_until": later, "finished_at": finished} | values)
    )


@pytest.fixture
def moderator(db: None) -> Client:
    return client_of("moderator")


def words_of(response) -> str:
    """Return what a page says, without its markup."""
    text = re.sub(r"<[^>]*>", " ", response.content.decode())
    return re.sub(r"\s+([.,:])", r"\1", " ".join(text.split()))


@pytest.mark.parametrize("path", PAGES)
def test_pages_open_to_moderators_alone(path: str, run: TrainingRun, make_model) -> None:
    path = path.format(run=run.pk, model=make_model().pk)
    answers = {name: client_of(name).get(path) for name in ("anonymous", "ada", "teacher", "moderator")}
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "anonymous": 302,
        "ada": 403,
        "teacher": 403,
        "moderator": 200,
    }
    assert answers["anonymous"]["Location"] == f"/account/sign-in/?next={path}"


@pytest.mark.parametrize("path", ["/training/", "/training/models/{model}/retire/", *ACTIONS])
def test_nobody_else_can_act(path: str, run: TrainingRun, make_model) -> None:
    path = path.format(run=run.pk, model=make_model().pk)
    codes = [
        client_of(name).post(path, {"category": "starlings", "base": "starter"}).status_code for name in ("anonymous", "ada", "teacher")
    ]
    assert codes == [302, 403, 403]
    assert list(TrainingRun.objects.values_list("pk", "state")) == [(run.pk, "waiting")]
    assert not ModelEvent.objects.exists()


@pytest.mark.parametrize("path", ACTIONS)
def test_following_a_link_does_nothing(path: str, moderator: Client, run: TrainingRun, make_model) -> None:
    assert moderator.get(path.format(run=run.pk, model=make_model().pk)).status_code == 405


def test_a_page_of_another_site_can_do_nothing(run: TrainingRun) -> None:
    client = client_of("moderator", enforce_csrf_checks=True)
    assert client.post(f"/training/{run.pk}/cancel/").status_code == 403
    run.refresh_from_db()
    assert run.cancel_asked_at is None


def test_the_link_to_the_page_is_shown_to_those_who_may(db: None) -> None:
    shown = {name: 'href="/training/"' in client_of(name).get("/account/").content.decode() for name in ("ada", "teacher", "moderator")}
    assert shown == {"ada": False, "teacher": False, "moderator": True}


def fill(category: Category, count: int = 400) -> None:
    person = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada", name="Ada")
    texts = [NewTweet(person, f"Starling number {number} sat on the wire and whistled at the milkman.") for number in range(count)]
    add_tweets(category=category, status=Status.APPROVED, tweets=texts)


def test_a_run_is_started_with_the_knobs_that_were_turned(moderator: Client, category: Category, monkeypatch, tmp_path: Path) -> None:
    fill(category)
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").touch()
    (base / "tokenizer.json").touch()
    form = {"category": "starlings", "base": str(base), "epochs": "5", "rate": "0.0003", "topk": "", "promote": "on"}
    response = moderator.post("/training/", form)
    run = TrainingRun.objects.get()
    assert response["Location"] == f"/training/{run.pk}/"
    assert (run.category, run.asked_by, run.base, run.promote, run.state) == (category, User.objects.get(), str(base), True, "waiting")
    assert {key: value for key, value in run.recipe.items() if key != "name"} == {"epochs": 5}


def test_what_is_wrong_with_a_run_is_said_and_what_was_filled_in_stays(moderator: Client, category: Category) -> None:
    response = moderator.post("/training/", {"category": "starlings", "base": "/nowhere", "epochs": "7"})
    assert "base '/nowhere' is not there" in response.content.decode().replace("&#x27;", "'")
    assert 'name="epochs" value="7"' in response.content.decode()
    response = moderator.post("/training/", {"category": "starlings", "base": "starter", "epochs": "0"})
    assert "Ensure this value is greater than or equal to 1." in words_of(response)
    assert not TrainingRun.objects.exists()


def test_where_the_packages_are_missing_the_page_says_which_command_installs_them(
    moderator: Client, category: Category, monkeypatch
) -> None:
    assert "requirements/install.sh" not in words_of(moderator.get("/training/"))
    monkeypatch.setattr(views, "can_train_here", lambda: False)
    page = moderator.get("/training/").content.decode()
    assert "sh requirements/install.sh train" in page
    assert '<button class="button" disabled aria-describedby="missing">Train</button>' in page
    fill(category)
    moderator.post("/training/", {"category": "starlings", "base": "starter"})
    assert not TrainingRun.objects.exists()


def test_a_run_can_be_asked_for_again_as_it_was(moderator: Client, category: Category) -> None:
    run = make_run(category, state="failed", error="no", recipe={"epochs": 9, "name": "x"}, promote=True)
    page = moderator.get(f"/training/?from={run.pk}").content.decode()
    assert 'name="epochs" value="9"' in page
    assert re.search(r'name="promote"[^>]* checked', page)
    assert moderator.get("/training/?from=nonsense").status_code == 200
    assert moderator.get(f"/training/?from={'9' * 5000}").status_code == 200


def test_a_run_is_cancelled_and_one_that_is_over_stays(moderator: Client, category: Category, run: TrainingRun) -> None:
    assert moderator.post(f"/training/{run.pk}/cancel/")["Location"] == f"/training/{run.pk}/"
    run.refresh_from_db()
    assert run.state == "cancelled"
    done = make_run(category, state="done")
    moderator.post(f"/training/{done.pk}/cancel/")
    done.refresh_from_db()
    assert (done.state, done.cancel_asked_at) == ("done", None)
    assert moderator.post("/training/999999/cancel/").status_code == 404


def test_a_promotion_is_one_click_and_is_written_down(moderator: Client, make_model) -> None:
    model = make_model()
    response = moderator.post(f"/training/models/{model.pk}/promote/", {"reason": "  reads   well "})
    assert response["Location"] == "/training/#models"
    model.refresh_from_db()
    event = ModelEvent.objects.get()
    assert (model.state, event.action, str(event.by), event.reason) == ("active", "promotion", "moderator", "reads well")
    page = words_of(moderator.get("/training/"))
    assert "tiny v1 writes for Starlings from now on." in page
    assert "tiny v1: promotion, candidate → active moderator reads well" in page


def test_a_model_that_can_not_be_promoted_says_why(moderator: Client, make_model) -> None:
    model = make_model()
    promote_model(model_version=model, by=None)
    moderator.post(f"/training/models/{model.pk}/promote/")
    assert "tiny v1 is active already." in words_of(moderator.get("/training/"))


def test_a_rollback_goes_back_one_model_however_often_it_is_clicked(moderator: Client, make_model) -> None:
    models = [make_model() for _ in range(3)]
    for model in models:
        promote_model(model_version=model, by=None)
    page = moderator.get("/training/").content.decode()
    button = re.search(r'name="active" value="(\d+)" formaction="(\S+)">Roll back to tiny v2<', page)
    assert button
    for _ in range(2):
        moderator.post(button[2], {"active": button[1], "reason": "v3 was worse"})
    assert list(ModelVersion.objects.order_by("pk").values_list("state", flat=True)) == ["retired", "active", "retired"]
    assert "Nothing was rolled back: Starlings has another model by now." in words_of(moderator.get("/training/"))
    rollback = ModelEvent.objects.get(action="rollback")
    assert (rollback.model_version, rollback.reason) == (models[1], "v3 was worse")


def test_retiring_asks_first(moderator: Client, make_model) -> None:
    model = make_model()
    promote_model(model_version=model, by=None)
    page = moderator.get(f"/training/models/{model.pk}/retire/")
    assert "Retire tiny v1? It writes for Starlings now." in words_of(page)
    model.refresh_from_db()
    assert model.state == "active"
    moderator.post(f"/training/models/{model.pk}/retire/", {"reason": "asked by its author"})
    model.refresh_from_db()
    assert (model.state, ModelEvent.objects.latest("pk").reason) == ("retired", "asked by its author")


def test_a_stale_model_says_whose_tweets_were_withdrawn(moderator: Client, category: Category, make_model) -> None:
    model = make_model()
    corpus = Corpus.objects.create(sha256="0" * 64, name="starlings", tweets=3)
    model.corpora.add(corpus)
    for handle, text in (("ada", "The first is gone."), ("ada", "So is the second."), ("ben", "This one as well.")):
        author = get_author(kind=Kind.HUMAN, platform="twitter", handle=handle, name=handle)
        add_tweets(category=category, status=Status.APPROVED, tweets=[NewTweet(author, text)])
        CorpusEntry.objects.create(corpus=corpus, mark=int.from_bytes(fingerprint(text)[:8], "big", signed=True))
    assert "Stale" not in words_of(moderator.get("/training/"))
    Tweet.objects.update(status=Status.WITHDRAWN)
    own = "Stale. It learned from 3 tweets that were withdrawn since, by @ada and @ben. Train a new one and promote it."
    assert own in words_of(moderator.get("/training/"))
    Corpus.objects.update(name="corpus of base")
    inherited = "by @ada and @ben, through its base. A new model from the same base would be stale too: train one on another base"
    assert inherited in words_of(moderator.get("/training/"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Waiting"),
        ({"state": "running", "stage": "corpus", "device": "cpu"}, "Collecting the tweets"),
        (
            {"state": "running", "stage": "finetune", "step": 50, "steps": 2000, "seconds": 60.0, "device": "cpu"},
            "Step 50 of 2,000 · 39 min left at most · 1,707 tokens a second",
        ),
        (
            {"state": "running", "stage": "finetune", "device": "cpu", "cancel_asked_at": timezone.now()},
            "It stops after the step it is at.",
        ),
        ({"state": "running", "device": "cpu", "lease_until": timezone.now()}, "Its worker stopped answering."),
        ({"state": "failed", "stage": "finetune", "step": 5, "error": "the disk is full: make room"}, "The disk is full: make room"),
        (
            {"state": "failed", "stage": "finetune", "step": 5, "error": "x"},
            "Nothing was registered, and the last checkpoint is kept. Train again",
        ),
        ({"state": "failed", "stage": "corpus", "error": "x"}, "Nothing was registered. Train again"),
        ({"state": "cancelled", "step": 5, "steps": 9}, "Nothing was registered; it had learned 5 of 9 steps. Train again"),
        ({"state": "done"}, "It is over, and made no model."),
        ({"state": "done", "note": "batch halved to 8\nnot promoted: worse"}, "batch halved to 8 not promoted: worse"),
    ],
)
def test_a_run_says_how_it_is(moderator: Client, category: Category, values: dict[str, Any], said: str) -> None:
    assert said in words_of(moderator.get(f"/training/{make_run(category, **values).pk}/"))


def test_a_run_that_waits_says_for_what(moderator: Client, category: Category, run: TrainingRun) -> None:
    assert "A training worker takes it in a moment." in words_of(moderator.get(f"/training/{run.pk}/"))
    TrainingRun.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    assert "No training worker has taken it yet." in words_of(moderator.get(f"/training/{run.pk}/"))
    first = make_run(category, state="running", device="cpu")
    assert f"It starts when run {first.pk} is over." in words_of(moderator.get(f"/training/{run.pk}/"))


def test_what_runs_a_model_is_said_where_it_is_not_the_usual(moderator: Client, make_model) -> None:
    make_model()
    ModelVersion.objects.filter(pk=make_model().pk).update(backend="transformers")
    ModelVersion.objects.filter(pk=make_model().pk).update(backend="http", server="http://gpu.example/v1", served_as="wren")
    page = moderator.get("/training/").content.decode()
    assert re.findall(r" · run by ([^<]+)<", page) == ["http://gpu.example/v1 as wren", "transformers"]


def test_a_run_that_is_done_shows_its_scores_and_its_model(moderator: Client, category: Category, make_model) -> None:
    model = make_model()
    ModelVersion.objects.update(scores={"bits_per_byte": 1.6, "served": {"ngram_auc": 0.66, "copied": 0.01}})
    run = make_run(category, state="done", stage="register", seconds=130.0, model_version=model)
    page = moderator.get(f"/training/{run.pk}/")
    assert "It made tiny v1, which waits to be promoted. Learning took 2 min." in words_of(page)
    assert "Word detector ✓ good: 0.66 \N{EN DASH} ≤ 0.70" in words_of(page)
    assert "Copied ✕ not good: 1.0% \N{EN DASH} 0" in words_of(page)
    assert f'href="/training/#model-{model.pk}"' in page.content.decode()


def test_the_curve_and_the_samples_are_on_the_page_without_scripts(moderator: Client, run: TrainingRun) -> None:
    TrainingRun.objects.update(state="running", device="cpu", stage="finetune", step=20, steps=40, seconds=10.0)
    for step in (5, 10, 15, 20):
        run.points.create(step=step, train_loss=5 - step / 10, held_back_loss=4.25 if step == 20 else None, seconds=step / 2)
    for position, text in enumerate(["the <b>gull</b>", "a rope"]):
        run.samples.create(step=20, position=position, text=text)
    page = moderator.get(f"/training/{run.pk}/")
    assert "The best on tweets held back: 4.25, at step 20." in page.content.decode()
    assert re.search(r'<path class="curve__train" d="M12.5 \S+( \S+){3}"', page.content.decode())
    assert "20 3.000 4.250 0.2" in words_of(page)
    assert "the &lt;b&gt;gull&lt;/b&gt;" in page.content.decode()


def test_of_many_checks_the_newest_and_the_first_are_shown(moderator: Client, run: TrainingRun) -> None:
    for step in range(10, 110, 10):
        run.samples.create(step=step, position=0, text=f"words of step {step}")
    shown = re.findall(r"words of step (\d+)", words_of(moderator.get(f"/training/{run.pk}/")))
    assert shown == ["100", "90", "80", "70", "10"]


@pytest.mark.parametrize("path", ["/training/", "/training/{run}/"])
def test_no_style_or_script_stands_in_the_page(path: str, moderator: Client, run: TrainingRun, make_model) -> None:
    make_model()
    run.points.create(step=5, train_loss=4.0, seconds=1.0)
    page = moderator.get(path.format(run=run.pk)).content.decode()
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]* src=)", page)


def test_more_categories_models_and_runs_need_no_more_queries(
    moderator: Client, run: TrainingRun, make_model, django_assert_num_queries, django_assert_max_num_queries
) -> None:
    promote_model(model_version=make_model(), by=None)
    moderator.get("/training/")
    with django_assert_max_num_queries(20) as one:
        moderator.get("/training/")
    for number in range(3):
        other = Category.objects.create(slug=f"birds-{number}", name=f"Birds {number}")
        make_run(other)
        promote_model(model_version=make_model(), by=None)
    with django_assert_num_queries(len(one)):
        moderator.get("/training/")


def test_one_address_can_not_act_without_end(moderator: Client, run: TrainingRun, settings) -> None:
    settings.RATE_TRAINING = "2/h"
    assert [moderator.post(f"/training/{run.pk}/cancel/").status_code for _ in range(3)] == [302, 302, 429]
    assert moderator.get(f"/training/{run.pk}/").status_code == 200


def test_there_is_no_page_of_a_run_that_never_was(moderator: Client) -> None:
    assert moderator.get("/training/999999/").status_code == 404


def test_the_page_is_drawn_also_where_there_is_nothing(moderator: Client) -> None:
    page = words_of(moderator.get("/training/"))
    assert "Nothing has been trained here yet." in page
    assert "There is no category yet." in page
    assert "every promotion, rollback and retirement will stand here" in page
