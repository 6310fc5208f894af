"""Prompts on a real PostgreSQL: asked once however many ask, counted, limited; completions reported, hidden, sent to the pool."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerAway

from game.accounts.models import Player
from game.accounts.services import create_guest
from game.pool.models import Kind, Status, Tweet
from generation.duel import columns
from generation.duel.columns import complete_column, take_back_abandoned
from generation.duel.models import Column, Completion, Prompt
from generation.duel.rules import BadPrompt
from generation.duel.selectors import known_prompts, prompts_to_decide, reported_completions, suggest
from generation.duel.services import (
    Crowded,
    NotSendable,
    TooMany,
    ask,
    decide_prompt,
    hide_completion,
    report_completion,
    restore_completion,
    send_to_pool,
    visit,
)
from generation.models import ModelVersion
from tests.generation.duel.conftest import read_columns
from tests.threads import at_once


def anything() -> bool:
    return True


def never_asked() -> bool:
    pytest.fail("the limit on new prompts was asked")


def test_a_new_prompt_is_stored_sent_and_visited_once(prompt: Prompt, column: Column, sent: list[int]) -> None:
    assert (prompt.text, prompt.key, prompt.status, prompt.visits) == ("I think that", "i think that", "pending", 1)
    assert sent == [column.pk]
    assert column.state == "pending"


def test_a_known_prompt_is_found_whatever_its_case_and_asks_nobody(prompt: Prompt, sent: list[int], django_assert_num_queries) -> None:
    sent.clear()
    with django_assert_num_queries(1):
        again = ask(text="  i THINK  that ", allow_new=never_asked)["prompt"]
    assert (again, again.text, again.visits, sent) == (prompt, "I think that", 2, [])


def test_what_cannot_be_asked_is_not_stored(model: ModelVersion) -> None:
    with pytest.raises(BadPrompt):
        ask(text="@someone", allow_new=never_asked)
    assert Prompt.objects.count() == 0


def test_who_may_not_ask_anything_new_stores_nothing(model: ModelVersion, sent: list[int]) -> None:
    with pytest.raises(TooMany):
        ask(text="I think that", allow_new=lambda: False)
    assert (Prompt.objects.count(), sent) == (0, [])


@pytest.mark.django_db(transaction=True)
def test_however_many_ask_at_once_a_prompt_is_asked_once(model: ModelVersion, sent: list[int]) -> None:
    prompts = at_once(12, lambda _: ask(text="I think that", allow_new=anything))
    assert len({asked["prompt"].pk for asked in prompts}) == 1
    column = Column.objects.get()
    assert sent == [column.pk]
    assert Prompt.objects.get().visits == 12


@pytest.mark.django_db(transaction=True)
def test_no_visit_is_lost_among_many_at_once(model: ModelVersion, sent: list[int]) -> None:
    prompt = ask(text="I think that", allow_new=anything)["prompt"]
    at_once(8, lambda _: [visit(token=prompt.token) for _ in range(10)])
    assert Prompt.objects.get().visits == 81


@pytest.mark.django_db(transaction=True)
def test_the_cap_on_waiting_prompts_holds_when_many_ask_at_once(model: ModelVersion, sent: list[int], settings) -> None:
    settings.DUEL_WAITING = 3

    def ask_something(number: int) -> str:
        try:
            return ask(text=f"I think {number}", allow_new=anything)["prompt"].text
        except Crowded:
            return "crowded"

    said = at_once(8, ask_something)
    assert said.count("crowded") == 5
    assert (Prompt.objects.count(), len(sent)) == (3, 3)


def test_over_the_cap_known_prompts_are_still_answered(prompt: Prompt, settings, let_speak) -> None:
    settings.DUEL_WAITING = 1
    with pytest.raises(Crowded, match="Many prompts wait"):
        ask(text="Something else", allow_new=anything)
    assert ask(text="I think that", allow_new=never_asked)["prompt"] == prompt
    let_speak()
    complete_column(column_id=prompt.columns.get().pk)
    assert ask(text="Something else", allow_new=anything)["prompt"].text == "Something else"


def test_without_a_model_nothing_new_is_taken(db: None) -> None:
    with pytest.raises(Crowded, match="No model"):
        ask(text="I think that", allow_new=anything)
    assert Prompt.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_process_that_dies_between_commit_and_sending_leaves_it_to_the_clock(
    model: ModelVersion, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def die(**_columns: object) -> None:
            raise SystemExit

        patch.setattr(columns, "send", die)
        with pytest.raises(SystemExit):
            ask(text="I think that", allow_new=anything)
    column = Column.objects.get()
    assert (column.state, sent) == ("pending", [])
    Column.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert take_back_abandoned() == [column.pk]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [BrokerAway("refused"), ConnectionRefusedError()])
def test_with_redis_away_a_new_prompt_is_stored_and_the_clock_sends_it_at_its_next_tick(
    model: ModelVersion, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_task: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(columns.current_app, "send_task", refuse)
    prompt = ask(text="I think that", allow_new=anything)["prompt"]
    assert ask(text="I think that", allow_new=never_asked)["prompt"] == prompt
    assert take_back_abandoned() == [prompt.columns.get().pk]


def test_a_visit_asks_models_that_became_active_since(
    prompt: Prompt, let_speak, register: Callable[..., ModelVersion], sent: list[int], django_capture_on_commit_callbacks
) -> None:
    let_speak()
    complete_column(column_id=prompt.columns.get().pk)
    successor = register(version=2)
    sent.clear()
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            visit(token=prompt.token)
    column = prompt.columns.get(model_version=successor)
    assert sent == [column.pk]
    # The answer of the one before is kept, for shared links and for a rollback, but not shown.
    assert prompt.columns.count() == 2
    assert [shown["pk"] for shown in read_columns(prompt)] == [column.pk]


def test_a_visit_that_finds_no_room_asks_nobody(prompt: Prompt, register: Callable[..., ModelVersion], sent: list[int], settings) -> None:
    register(version=2)
    settings.DUEL_WAITING = 1
    visit(token=prompt.token)
    assert prompt.columns.count() == 1
    prompt.refresh_from_db()
    assert prompt.visits == 2


@pytest.fixture
def approved(db: None) -> list[Prompt]:
    rows = [("I think that", 3, "approved"), ("I think 100% so", 9, "approved"), ("I THINK_so", 5, "approved")]
    rows += [("I think badly", 99, "pending"), ("I think worse", 99, "rejected"), ("You think", 50, "approved")]
    return [Prompt.objects.create(text=text, key=text.casefold(), visits=visits, status=status) for text, visits, status in rows]


def test_approved_prompts_are_suggested_by_their_beginning_the_most_visited_first(approved: list[Prompt]) -> None:
    assert suggest("i  THINK") == ["I think 100% so", "I THINK_so", "I think that"]
    assert suggest("I think", limit=1) == ["I think 100% so"]
    assert suggest("i think ba") == []


@pytest.mark.parametrize(
    ("typed", "found"), [("I think 100%", ["I think 100% so"]), ("I think_", ["I THINK_so"]), ("%", []), ("_", []), ("\\", []), ("", [])]
)
def test_what_is_typed_is_no_pattern(approved: list[Prompt], typed: str, found: list[str]) -> None:
    assert suggest(typed) == found


def test_suggestions_are_looked_up_in_an_index(approved: list[Prompt]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Prompt.objects.filter(status="approved", key__startswith="i think").explain()
    assert "prompt_by_beginning" in plan


def test_known_prompts_are_approved_ones_with_an_answer(prompt: Prompt, moderator: User, let_speak) -> None:
    decide_prompt(token=prompt.token, by=moderator, approved=True)
    assert known_prompts(5) == []
    let_speak()
    complete_column(column_id=prompt.columns.get().pk)
    unapproved = Prompt.objects.create(text="You think", key="you think")
    Column.objects.filter(prompt=prompt).update(prompt=unapproved)
    assert known_prompts(5) == []
    Column.objects.update(prompt=prompt)
    assert known_prompts(5) == [prompt]


def test_a_moderator_decides_and_may_change_their_mind(prompt: Prompt, moderator: User) -> None:
    assert prompts_to_decide() == [prompt]
    for approved, status in ((True, "approved"), (False, "rejected")):
        decide_prompt(token=prompt.token, by=moderator, approved=approved)
        prompt.refresh_from_db()
        assert (prompt.status, prompt.decided_by) == (status, moderator)
        assert prompt.decided_at is not None
    assert (prompts_to_decide(), suggest("I")) == ([], [])
    with pytest.raises(Prompt.DoesNotExist):
        decide_prompt(token="nonesuch", by=moderator, approved=True)


@pytest.fixture
def completion(column: Column, let_speak) -> Completion:
    let_speak()
    complete_column(column_id=column.pk)
    return column.completions.all()[0]


def is_shown(completion: Completion) -> bool:
    (column,) = read_columns(completion.column.prompt)
    return completion.token in [each["token"] for each in column["main"] + column["rest"]]


def test_the_third_player_who_reports_hides_a_completion(completion: Completion) -> None:
    players = [create_guest() for _ in range(3)]
    for number, player in enumerate(players, 1):
        for _ in range(2):
            assert report_completion(token=completion.token, by=player.pk, reason="rude") == player.pk
        assert completion.reports.count() == number
        assert is_shown(completion) is (number < 3)
    (reported,) = reported_completions()
    assert reported == completion
    assert [report.reason for report in reported.open_reports] == ["rude"] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("by", [None, uuid4()])
def test_who_is_no_player_reports_as_a_guest(completion: Completion, by: UUID | None) -> None:
    guest = report_completion(token=completion.token, by=by, reason="rude")
    assert completion.reports.get().player == Player.objects.get(pk=guest)


def test_a_moderator_restores_what_reports_hid_and_more_reports_only_tell(completion: Completion, moderator: User) -> None:
    for _ in range(3):
        report_completion(token=completion.token, by=None, reason="rude")
    restore_completion(token=completion.token, by=moderator)
    assert (is_shown(completion), reported_completions()) == (True, [])
    for _ in range(4):
        report_completion(token=completion.token, by=None, reason="rude")
    assert is_shown(completion)
    assert reported_completions() == [completion]


def test_a_moderator_hides_at_once(completion: Completion, moderator: User) -> None:
    hide_completion(token=completion.token, by=moderator)
    assert not is_shown(completion)
    with pytest.raises(NotSendable, match="taken out"):
        send_to_pool(token=completion.token)
    with pytest.raises(Completion.DoesNotExist):
        hide_completion(token="nonesuch", by=moderator)


def test_no_completion_of_a_rejected_prompt_goes_to_the_pool(completion: Completion, moderator: User) -> None:
    prompt = completion.column.prompt
    decide_prompt(token=prompt.token, by=moderator, approved=False)
    with pytest.raises(NotSendable, match="taken out"):
        send_to_pool(token=completion.token)
    assert not Tweet.objects.exists()
    decide_prompt(token=prompt.token, by=moderator, approved=True)
    send_to_pool(token=completion.token)
    assert Tweet.objects.count() == 1


def test_a_completion_goes_to_the_moderators_queue_once(completion: Completion, model: ModelVersion) -> None:
    for _ in range(2):
        send_to_pool(token=completion.token)
    tweet = Tweet.objects.get()
    completion.refresh_from_db()
    assert completion.tweet == tweet
    assert (tweet.text, tweet.author, tweet.category, tweet.kind) == (completion.text, model.author, model.category, Kind.MACHINE)
    assert (tweet.status, tweet.posted_at) == (Status.PENDING, completion.created_at)
    sampling = {key: model.sampling[key] for key in ("temperature", "topk", "topp")}
    assert tweet.facts == {"model": "tiny", "version": 1, **sampling, "duel": True, "prompt": "I think that"}


def test_what_the_pool_holds_already_is_not_sent(completion: Completion, model: ModelVersion) -> None:
    send_to_pool(token=completion.token)
    twin = Completion.objects.create(column=completion.column, place=99, text=completion.text.upper())
    with pytest.raises(NotSendable, match="has this tweet already"):
        send_to_pool(token=twin.token)
    assert Tweet.objects.count() == 1


@pytest.fixture
def strange(model: ModelVersion, sent: list[int], let_speak) -> Completion:
    """Return a completion of a prompt with a word that the model does not know."""
    let_speak()
    prompt = ask(text="The zyxwvut and", allow_new=anything)["prompt"]
    complete_column(column_id=prompt.columns.get().pk)
    return prompt.columns.get().completions.all()[0]


def test_what_the_pools_screen_does_not_let_through_is_not_sent(strange: Completion) -> None:
    assert strange.text.startswith("The zyxwvut and")
    with pytest.raises(NotSendable, match=r"^The pool does not take it: made-up word\.$"):
        send_to_pool(token=strange.token)
    assert Tweet.objects.count() == 0
    (column,) = read_columns(strange.column.prompt)
    assert {each["sendable"] for each in column["main"]} == {False}
