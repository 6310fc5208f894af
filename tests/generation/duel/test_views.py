"""The duel's pages: what everybody may see and do, and what only moderators."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from game.accounts.identity import COOKIE
from game.accounts.models import Player
from game.pool.models import Status, Tweet
from generation.duel import columns
from generation.duel.models import Column, Completion, CompletionReport, Prompt
from generation.duel.services import close_prompt, decide_prompt, hide_completion
from tests.people import client_of

HTMX: dict[str, Any] = {"HTTP_HX_REQUEST": "true"}
ODD = {
    "emoji": "I love 🚢🚢 boats",
    "right to left": "هذا الصباح كان البحر",
    "quotes": "He said \"no\" and 'yes' to 50%",
    "underscore": "a_b % of _ all",
}


def words_of(response: Any) -> str:
    """Return a page's text as it is read, without tags."""
    page = re.sub(r"(?s)<(title|script).*?</\1>", "", response.content.decode())
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def ask(client: Client, text: str, **headers: Any) -> Any:
    return client.post("/duel/", {"q": text}, **headers)


@pytest.fixture
def answered(column: Column, let_speak: Callable[..., object]) -> Prompt:
    """Return a prompt that its model has answered, and that is offered to others."""
    let_speak()
    columns.complete_column(column_id=column.pk)
    Prompt.objects.update(status=Prompt.Status.APPROVED)
    return column.prompt


@pytest.fixture
def completion(answered: Prompt) -> Completion:
    return Completion.objects.filter(unfit="")[0]


# --- Asking ---


def test_the_front_page_takes_a_beginning_and_offers_known_ones(client: Client, answered: Prompt) -> None:
    page = client.get("/duel/")
    assert '<label for="q">Begin a tweet</label>' in page.content.decode()
    assert f'<a class="asked__prompt" href="/duel/{answered.token}/" dir="auto">I think that …</a>' in page.content.decode()


def test_a_prompt_that_nobody_approved_is_not_offered(client: Client, answered: Prompt) -> None:
    Prompt.objects.update(status=Prompt.Status.PENDING)
    assert "I think that" not in words_of(client.get("/duel/"))


def test_a_known_prompt_is_answered_in_one_request(client: Client, answered: Prompt) -> None:
    response = ask(client, "  i THINK   that ", **HTMX)
    assert (response.status_code, response["HX-Push-Url"]) == (200, f"/duel/{answered.token}/")
    assert response.content.decode().lstrip().startswith("<title>I think that …")
    assert response.content.count(b'class="post ') == 10
    assert "ws-connect" not in response.content.decode()
    answered.refresh_from_db()
    assert answered.visits == 2


def test_without_scripts_a_visitor_is_led_to_the_answers_and_counted_once(client: Client, answered: Prompt) -> None:
    response = ask(client, "I think that")
    assert response["Location"] == f"/duel/{answered.token}/?asked"
    page = client.get(response["Location"])
    assert page.content.count(b'class="post ') == 10
    answered.refresh_from_db()
    assert answered.visits == 2
    client.get(f"/duel/{answered.token}/")
    client.head(f"/duel/{answered.token}/")
    answered.refresh_from_db()
    assert answered.visits == 3


def test_a_new_prompt_waits_in_words_and_live(client: Client, model, sent: list[int], django_capture_on_commit_callbacks) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = ask(client, "Tonight the boats", **HTMX)
    prompt = Prompt.objects.get()
    assert sent == [prompt.columns.get().pk]
    page = response.content.decode()
    assert f'ws-connect="/live/duel/{prompt.token}/"' in page
    assert "0 of 1 answered" in words_of(response)
    assert "Next in line It starts by itself." in words_of(response)
    assert page.count('class="post post--waiting"') == 3
    assert f'<a href="/duel/{prompt.token}/">Look again</a>' in page


def test_a_column_says_how_many_answers_come_first_and_when_it_is_slow(client: Client, prompt: Prompt, model) -> None:
    other = Prompt.objects.create(text="Later", key="later")
    Column.objects.create(prompt=other, model_version=model, lease_until="2100-01-01T00:00Z")
    assert "1 answer comes first" in words_of(client.get(f"/duel/{other.token}/"))
    Column.objects.filter(prompt=prompt).update(state="running")
    assert "Writing now Twenty tries; the best ten stay." in words_of(client.get(f"/duel/{prompt.token}/"))
    Column.objects.filter(prompt=other).update(created_at="2020-01-01T00:00Z")
    assert "Slower than usual." in words_of(client.get(f"/duel/{other.token}/"))


def test_a_column_that_failed_says_what_to_do(client: Client, column: Column) -> None:
    Column.objects.update(state="failed", finished_at=timezone.now(), error="CUDA out of memory")
    page = words_of(client.get(f"/duel/{column.prompt.token}/"))
    assert "No answer. This model could not answer. Ask again in ten minutes, and it is tried anew." in page
    assert "CUDA" not in page


def test_where_no_bot_is_at_home_the_page_says_so(client: Client, answered: Prompt, model) -> None:
    type(model).objects.update(state="retired")
    assert "No bot is at home here yet." in words_of(client.get(f"/duel/{answered.token}/"))


@pytest.mark.parametrize(
    "text", ["", "   ", "x" * 10_000, "see https://example.org", "<b>hello</b>", "call me at ada@example.org", "\x00 null"]
)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_what_can_not_be_asked_is_told_at_the_field_and_kept(client: Client, model, text: str, headers: dict[str, str]) -> None:
    response = ask(client, text, **headers)
    page = response.content.decode()
    assert response.status_code == 422
    assert re.search(r'aria-describedby="q-help q-trouble" aria-invalid="true"', page)
    assert re.search(r'<p id="q-trouble" class="ask__trouble ask__trouble--bad" role="alert">\S', page)
    assert f'value="{escape(text[:1000])}"' in page
    assert not Prompt.objects.exists()


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_beginnings_are_asked_and_shown_as_they_are(client: Client, model, sent, text: str) -> None:
    page = client.get(ask(client, text)["Location"]).content.decode()
    assert f">“{escape(text)} …”</h1>" in page


def test_a_long_beginning_is_cut_at_a_word(client: Client, model, sent) -> None:
    ask(client, "boat " * 40)
    assert Prompt.objects.get().text == " ".join(["boat"] * 20)


def test_where_too_many_wait_known_prompts_are_offered_instead_of_an_error(client: Client, answered: Prompt, model, settings, sent) -> None:
    settings.DUEL_WAITING = 1
    ask(client, "The first one")
    for headers in ({}, HTMX):
        response = ask(client, "The second one", **headers)
        assert response.status_code == 200
        assert "Many prompts wait for an answer just now. Try again in a minute." in words_of(response)
        assert "These are answered at once I think that …" in words_of(response)
        assert 'value="The second one"' in response.content.decode()
    assert not Prompt.objects.filter(text="The second one").exists()


def test_who_asks_too_much_is_told_when_to_go_on_and_offered_known_prompts(client: Client, answered: Prompt, settings) -> None:
    settings.RATE_DUEL = "1/h"
    assert ask(client, "I think that", **HTMX).status_code == 200
    for headers in ({}, HTMX):
        response = ask(client, "I think that", **headers)
        assert (response.status_code, int(response["Retry-After"]) > 0) == (429, True)
        assert f"The next one may come in {response['Retry-After']} s." in words_of(response)
        assert "These are answered at once I think that …" in words_of(response)
        assert 'value="I think that"' in response.content.decode()


def test_who_asks_too_much_that_is_new_may_still_ask_what_is_known(client: Client, answered: Prompt, settings, sent) -> None:
    settings.RATE_DUEL_NEW = "1/h"
    assert [ask(client, f"New is number {number}").status_code for number in range(3)] == [302, 429, 429]
    assert ask(client, "I think that").status_code == 302


def test_a_prompt_that_was_rejected_is_shown_to_nobody(client: Client, answered: Prompt, completion: Completion, moderator: User) -> None:
    decide_prompt(token=answered.token, by=moderator, approved=False)
    for response, status in ((ask(client, "I think that"), 422), (client.get(f"/duel/{answered.token}/"), 410)):
        assert response.status_code == status
        assert "A moderator has taken that beginning out. Try another." in words_of(response)
        assert "people of our country" not in words_of(response)
    page = client.get(f"/duel/completion/{completion.token}/")
    assert completion.text not in page.content.decode()
    report = f"/duel/completion/{completion.token}/report/"
    for response in (client.get(report, follow=True), client.post(report, {"reason": "rude"}, **HTMX)):
        assert "It is hidden already." in words_of(response)
        assert completion.text not in response.content.decode()
    assert not CompletionReport.objects.exists()
    sent = client.post(f"/duel/completion/{completion.token}/send/", **HTMX)
    assert words_of(sent) == "It was taken out."
    assert not Tweet.objects.exists()


def test_what_a_class_guesses_at_is_shown_to_nobody_until_it_is_over(client: Client, answered: Prompt, completion: Completion) -> None:
    close_prompt(prompt=answered, seconds=60)
    for response, status in ((ask(client, "I think that"), 422), (client.get(f"/duel/{answered.token}/"), 410)):
        assert response.status_code == status
        assert "A class is guessing at that one just now. Try another, and this one later." in words_of(response)
        assert "people of our country" not in words_of(response)
    page = client.get(f"/duel/completion/{completion.token}/")
    assert "Not before the class has guessed." in words_of(page)
    assert completion.text not in page.content.decode()
    sent = client.post(f"/duel/completion/{completion.token}/send/", **HTMX)
    assert words_of(sent) == "It was taken out."
    Prompt.objects.update(closed_until=timezone.now())
    assert "people of our country" in words_of(client.get(f"/duel/{answered.token}/"))
    assert completion.text in words_of(client.get(f"/duel/completion/{completion.token}/"))


def test_there_is_no_page_of_a_prompt_that_never_was(client: Client, db: None) -> None:
    assert client.get(f"/duel/{'x' * 22}/").status_code == 404
    assert client.get("/duel/short/").status_code == 404


# --- Answers ---


def test_the_mood_of_most_is_shown_in_words_and_the_others_a_click_away(client: Client, answered: Prompt) -> None:
    page = client.get(f"/duel/{answered.token}/")
    moods = list(Completion.objects.values_list("mood", flat=True))
    counts = {mood: moods.count(mood) for mood in ("positive", "neutral", "negative")}
    most = max(counts, key=lambda mood: counts[mood])
    assert f"{counts[most]} of {len(moods)} sound {most}" in words_of(page)
    assert " ".join(f"{count} {mood}" for mood, count in counts.items()) in words_of(page)
    bars = re.findall(r'<rect class="shares__(\w+)" x="([\d.]+)" width="([\d.]+)"', page.content.decode())
    assert {mood: float(width) for mood, _, width in bars} == {mood: 100 * count / len(moods) for mood, count in counts.items() if count}
    shown, _, folded = page.content.decode().partition('<details class="others"')
    assert set(re.findall(r'class="post post--(\w+)"', shown)) == {most}
    assert len(re.findall(r'class="post post--', folded)) == len(moods) - counts[most]
    assert most not in re.findall(r'class="post post--(\w+)"', folded)


def test_what_was_asked_stands_apart_from_what_the_model_added(client: Client, answered: Prompt) -> None:
    page = client.get(f"/duel/{answered.token}/").content.decode()
    assert "<b>I think that</b> Ohio was amazing last night, thank you all!" in page


def test_where_no_mood_is_known_all_are_shown(client: Client, answered: Prompt) -> None:
    Completion.objects.update(mood="", compound=None)
    page = client.get(f"/duel/{answered.token}/")
    assert "Its mood is not told: only English is understood well enough." in words_of(page)
    assert '<details class="others"' not in page.content.decode()
    assert page.content.count(b'class="post"') == 10


def test_text_of_a_model_is_never_markup(client: Client, answered: Prompt) -> None:
    Completion.objects.update(text='I think that <script>alert(1)</script> & "more"')
    for path in (f"/duel/{answered.token}/", f"/duel/completion/{Completion.objects.all()[0].token}/"):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;" in page


def test_a_page_is_the_same_whoever_looks_and_changes_when_its_completions_do(
    client: Client, answered: Prompt, completion: Completion, moderator: User
) -> None:
    def column() -> str:
        return re.findall(r"(?s)<section class=\"column.*?</section>", client.get(f"/duel/{answered.token}/").content.decode())[0]

    before = column()
    assert column() == before
    hide_completion(token=completion.token, by=moderator)
    assert escape(completion.text.removeprefix("I think that")) in before
    assert escape(completion.text.removeprefix("I think that")) not in column()


def test_a_known_prompt_takes_one_query_however_much_there_is_to_show(client: Client, answered: Prompt, django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        ask(client, "I think that", **HTMX)
    Completion.objects.filter(place__gt=0).delete()
    with django_assert_num_queries(1):
        ask(client, "I think that", **HTMX)


# --- Suggestions ---


def test_suggestions_come_from_approved_prompts(client: Client, answered: Prompt) -> None:
    assert client.get("/duel/suggest/", {"q": "i  TH"}).content.decode().strip() == '<option value="I think that"></option>'
    Prompt.objects.update(status=Prompt.Status.PENDING)
    assert client.get("/duel/suggest/", {"q": "i th"}).content.decode().strip() == ""


@pytest.mark.parametrize("typed", ["", "%", "_", "'", '"', "\\", "\x00", "x" * 10_000, "🚢", "<b>", "هذا"])
def test_nothing_is_suggested_for_what_nobody_asked(client: Client, answered: Prompt, typed: str) -> None:
    response = client.get("/duel/suggest/", {"q": typed})
    assert (response.status_code, response.content.decode().strip()) == (200, "")


def test_a_suggestion_is_escaped(client: Client, db: None) -> None:
    Prompt.objects.create(text='A "boat" & co', key='a "boat" & co', status="approved")
    assert client.get("/duel/suggest/?q=a").content.decode().strip() == '<option value="A &quot;boat&quot; &amp; co"></option>'


# --- One completion ---


def test_a_completion_has_a_page_of_its_own_to_share(client: Client, completion: Completion, answered: Prompt) -> None:
    page = client.get(f"/duel/completion/{completion.token}/").content.decode()
    assert '<meta property="og:title" content="A bot was given “I think that …”">' in page
    assert f'<meta property="og:description" content="{escape(completion.text)}">' in page
    assert f'href="/duel/{answered.token}/">See the whole duel</a>' in page
    assert f'value="http://testserver/duel/completion/{completion.token}/"' in page
    assert '<meta name="robots" content="noindex">' in page
    assert client.get(f"/duel/completion/{'x' * 22}/").status_code == 404


def test_a_hidden_completion_says_so_and_nothing_else(client: Client, completion: Completion, moderator: User) -> None:
    hide_completion(token=completion.token, by=moderator)
    for path in ("", "report/"):
        assert completion.text not in client.get(f"/duel/completion/{completion.token}/{path}").content.decode()
    assert "Hidden until a moderator has looked." in words_of(client.get(f"/duel/completion/{completion.token}/"))


def test_a_report_makes_a_guest_of_somebody_new_and_counts_once(client: Client, completion: Completion) -> None:
    path = f"/duel/completion/{completion.token}/report/"
    assert "It is hateful or violent" in words_of(client.get(path))
    response = client.post(path, {"reason": "hateful"})
    assert response["Location"] == f"/duel/completion/{completion.token}/"
    assert "Thank you. A moderator will look at it." in words_of(client.get(response["Location"]))
    assert COOKIE in client.cookies
    client.post(path, {"reason": "other"})
    report = CompletionReport.objects.get()
    assert (report.reason, report.player) == ("hateful", Player.objects.get())


def test_a_report_of_somebody_signed_in_is_theirs(completion: Completion) -> None:
    ada = client_of("ada")
    ada.post(f"/duel/completion/{completion.token}/report/", {"reason": "copied"})
    assert CompletionReport.objects.get().player.user == User.objects.get(username="ada")


def test_by_htmx_reporting_and_sending_answer_in_place(client: Client, completion: Completion) -> None:
    path = f"/duel/completion/{completion.token}/"
    assert client.get(f"{path}report/", **HTMX).content.decode().startswith('<form class="report"')
    for what, data, said in (("report", {"reason": "other"}, "Thank you."), ("send", {}, "Sent.")):
        response = client.post(f"{path}{what}/", data, **HTMX)
        assert response.content.decode().startswith('<p class="menu__told" role="status"')
        assert words_of(response).startswith(said)


@pytest.mark.parametrize("reason", ["", "nonsense", "x" * 1000])
def test_a_report_without_a_reason_asks_for_one(client: Client, completion: Completion, reason: str) -> None:
    assert "Choose one." in words_of(client.post(f"/duel/completion/{completion.token}/report/", {"reason": reason}))
    assert not CompletionReport.objects.exists()


def test_a_completion_is_sent_to_the_moderators_queue_once(client: Client, completion: Completion) -> None:
    path = f"/duel/completion/{completion.token}/"
    for _ in range(2):
        response = client.post(f"{path}send/")
        assert response["Location"] == path
    tweet = Tweet.objects.get()
    assert (tweet.text, tweet.status, tweet.kind) == (completion.text, Status.PENDING, "machine")
    page = client.get(path)
    assert "Sent. It is played once a moderator has approved it." in words_of(page)
    assert "Send to the pool" not in words_of(page)
    answers = client.get(f"/duel/{completion.column.prompt.token}/").content.decode()
    assert f'formaction="{path}send/"' not in answers


def test_what_the_pool_does_not_take_says_why(client: Client, completion: Completion) -> None:
    Completion.objects.update(unfit="too short")
    path = f"/duel/completion/{completion.token}/"
    client.post(f"{path}send/")
    assert words_of(client.get(path)).count("The pool does not take it: too short.") == 2
    assert not Tweet.objects.exists()
    assert "Send to the pool" not in words_of(client.get(f"/duel/{completion.column.prompt.token}/"))


def test_only_a_post_sends(client: Client, completion: Completion) -> None:
    assert client.get(f"/duel/completion/{completion.token}/send/").status_code == 405


@pytest.mark.parametrize("what", ["report", "send"])
def test_one_address_can_not_report_or_send_without_end(client: Client, completion: Completion, settings, what: str) -> None:
    settings.RATE_DUEL = "2/h"
    path = f"/duel/completion/{completion.token}/{what}/"
    assert [client.post(path, {"reason": "other"}).status_code for _ in range(3)] == [302, 302, 429]


@pytest.mark.parametrize("path", ["/duel/", "/duel/completion/{}/report/", "/duel/completion/{}/send/", "/duel/moderate/"])
def test_nothing_is_done_on_a_forged_request(completion: Completion, path: str) -> None:
    forger = client_of("moderator", enforce_csrf_checks=True)
    assert forger.post(path.format(completion.token), {"q": "I think that", "reason": "other", "hide": completion.token}).status_code == 403
    assert not CompletionReport.objects.exists()
    assert not Tweet.objects.exists()


def test_every_button_below_a_tweet_carries_the_token_against_forged_requests(completion: Completion) -> None:
    browser = Client(enforce_csrf_checks=True)
    page = browser.get(f"/duel/{completion.column.prompt.token}/").content.decode()
    (token,) = re.findall(r'(?s)<form id="act" method="post" hidden>.*?name="csrfmiddlewaretoken" value="(\w+)"', page)
    (send,) = re.findall(rf'<button form="act" formaction="(/duel/completion/{completion.token}/send/)"', page)
    assert browser.post(send, {"csrfmiddlewaretoken": token}).status_code == 302


# --- Moderators ---


@pytest.mark.parametrize(("name", "status"), [("anonymous", 302), ("ada", 403), ("teacher", 403), ("moderator", 200)])
def test_the_desk_is_for_moderators(answered: Prompt, name: str, status: int) -> None:
    client = client_of(name)
    assert client.get("/duel/moderate/").status_code == status
    posted = client.post("/duel/moderate/", {"reject": answered.token})
    answered.refresh_from_db()
    assert (answered.status == "rejected") == (name == "moderator")
    assert posted.status_code == (403 if status == 403 else 302)
    assert ("/duel/moderate/" in client.get("/").content.decode()) == (name == "moderator")


def test_several_prompts_are_decided_at_once_and_each_can_be_turned_round(db: None) -> None:
    client = client_of("moderator")
    prompts = [Prompt.objects.create(text=f"Number {number}", key=f"number {number}") for number in range(3)]
    page = client.get("/duel/moderate/")
    assert re.findall(r"Number \d(?= 0 visits)", re.sub(r"\s+", " ", words_of(page))) == ["Number 2", "Number 1", "Number 0"]
    client.post("/duel/moderate/", {"approve": "ticked", "prompt": [prompts[0].token, prompts[2].token]})
    assert list(Prompt.objects.order_by("pk").values_list("status", flat=True)) == ["approved", "pending", "approved"]
    client.post("/duel/moderate/", {"reject": prompts[0].token})
    client.post("/duel/moderate/", {"reject": "ticked", "prompt": [prompts[1].token]})
    assert list(Prompt.objects.order_by("pk").values_list("status", flat=True)) == ["rejected", "rejected", "approved"]
    said = words_of(client.get("/duel/moderate/"))
    assert "Rejected: nobody sees it any more." in said
    assert "Rejected Number 1 by moderator," in said
    assert f'name="approve" value="{prompts[0].token}"' in client.get("/duel/moderate/").content.decode()


def test_reports_are_listed_with_their_reasons_and_settled(completion: Completion) -> None:
    for name, reason in (("ada", "hateful"), ("ben", "hateful"), ("cleo", "other")):
        client_of(name).post(f"/duel/completion/{completion.token}/report/", {"reason": reason})
    moderator = client_of("moderator")
    said = words_of(moderator.get("/duel/moderate/"))
    assert f"{completion.text} It is hateful or violent: 2 times Something else" in said
    assert "hidden until you decide" in said
    moderator.post("/duel/moderate/", {"restore": completion.token})
    page = moderator.get("/duel/moderate/")
    assert "Nobody complains." in words_of(page)
    assert f'name="hide" value="{completion.token}"' in page.content.decode()
    assert completion.text in words_of(Client().get(f"/duel/completion/{completion.token}/"))
    moderator.post("/duel/moderate/", {"hide": completion.token})
    assert f'name="restore" value="{completion.token}"' in moderator.get("/duel/moderate/").content.decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"approve": "ticked"}, "Tick the prompts first."),
        ({"approve": "no-such-token"}, "1 of 1 are not there any more."),
        ({"hide": "no-such-token"}, "1 of 1 are not there any more."),
    ],
)
def test_a_decision_about_nothing_says_so(db: None, data: dict[str, str], said: str) -> None:
    client = client_of("moderator")
    assert said in words_of(client.post("/duel/moderate/", data, follow=True))


def test_a_decision_that_is_none_is_refused(db: None) -> None:
    assert client_of("moderator").post("/duel/moderate/", {"burn": "ticked"}).status_code == 400


# --- All pages ---


def test_no_style_or_script_stands_in_a_page(client: Client, completion: Completion) -> None:
    paths = ("/duel/", f"/duel/{completion.column.prompt.token}/", f"/duel/completion/{completion.token}/", "/duel/moderate/")
    for path in paths:
        page = client_of("moderator").get(path).content.decode()
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]* src=)", page), path


@pytest.mark.parametrize("name", ["front", "suggest", "moderate"])
def test_pages_that_only_show_take_no_other_method(db: None, name: str) -> None:
    assert client_of("moderator").delete(reverse(f"duel:{name}")).status_code == 405
