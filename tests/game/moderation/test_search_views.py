"""Search, many at once, disagreements, and the first page: what they say and what they do."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from game.moderation.tokens import tweet_token
from game.pool.models import BulkAction, Category, Kind, ModerationEvent, Status, Tweet, TweetFlag

Waiting = Callable[..., list[Tweet]]


def words_of(response: Any) -> str:
    """Return what a page says in its main part, without its markup."""
    main = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", "<" + main).split())


def found(response: Any) -> list[str]:
    return re.findall(r'<p class="tweet row__tweet"[^>]*>(.*?)</p>', response.content.decode(), re.DOTALL)


def statuses() -> dict[str, str]:
    return dict(Tweet.objects.values_list("text", "status"))


def preview_token(page: Any) -> str:
    return re.search(r'name="token" value="([^"]*)"', page.content.decode())[1]  # type: ignore[index]


@pytest.mark.parametrize(
    "words",
    [
        "'",
        '"',
        '""',
        '"owl',
        "100%",
        "%",
        "%%s",
        "%(x)s",
        "owl\\",
        "it's \"100%\" 'so'",
        "a & | ! ( ) : *",
        "';--",
        "<->",
        "\x00",
        "-owl or -",
    ],
)
def test_quotes_and_percent_signs_are_no_trouble(words: str, mo: Client, waiting: Waiting) -> None:
    waiting('The owl said: "It\'s 100% so."')
    responses = [mo.get("/moderate/search/", {"words": words}), mo.get("/moderate/owls/", {"words": words}, follow=True)]
    assert [response.status_code for response in responses] in ([200, 200], [422, 200])


@pytest.mark.parametrize("words", ["100%", '"it\'s 100% so"', "owl -hawk", "hawk or owl", "OWL"])
def test_words_are_found_as_people_type_them(words: str, mo: Client, waiting: Waiting) -> None:
    waiting('The owl said: "It\'s 100% so."', "The hen was late.")
    assert found(mo.get("/moderate/search/", {"words": words})) == ["The owl said: &quot;It&#x27;s 100% so.&quot;"]


@pytest.mark.parametrize(
    ("query", "field", "line"),
    [
        ({"since": "yesterday"}, "since", "“yesterday” is no day; write it like 2020-05-31."),
        ({"since": "2020-02-01", "until": "2020-01-01"}, "since", "2020-02-01 is after 2020-01-01."),
        ({"flag": "odd"}, "flag", "“odd” is none of"),
        ({"words": "%"}, "words", "there is no word in that."),
    ],
)
def test_what_is_wrong_with_a_filter_stands_next_to_its_field(
    query: dict[str, str], field: str, line: str, mo: Client, waiting: Waiting
) -> None:
    waiting("An owl.")
    response = mo.get("/moderate/search/", query)
    knob = re.search(rf'<div class="knob">\s*<label for="id_{field}">.*?</div>\s*</div>', response.content.decode(), re.DOTALL)
    assert response.status_code == 422
    assert knob
    assert line in knob[0]
    assert found(response) == []


def test_a_search_says_who_wrote_a_tweet_only_if_it_asks(mo: Client, waiting: Waiting) -> None:
    waiting("An owl of Ada's.")
    waiting("An owl of nobody's.", kind=Kind.MACHINE)
    assert "Ada ·" not in words_of(mo.get("/moderate/search/?words=owl"))
    assert "Bot: owls v1 · 7 likes" in words_of(mo.get("/moderate/search/?origin=machine"))
    assert found(mo.get("/moderate/search/?author=@human-owl")) == ["An owl of Ada&#x27;s."]


def test_a_page_of_the_search_leads_to_the_older_ones(mo: Client, waiting: Waiting) -> None:
    waiting(count=60)
    first = mo.get("/moderate/search/?category=owls")
    older = re.search(r'href="(\?[^"]*below=\d+)"', first.content.decode())
    assert older
    second = mo.get("/moderate/search/" + older[1].replace("&amp;", "&"))
    assert (len(found(first)), len(found(second)), len({*found(first), *found(second)})) == (50, 10, 60)
    assert "60 tweets" in words_of(first)
    # Longer than a number can be, or than Python reads one.
    assert [len(found(mo.get(f"/moderate/search/?below={'9' * digits}"))) for digits in (19, 5000)] == [50, 50]


def test_many_are_changed_as_the_preview_said_and_undone_as_a_whole(mo: Client, kim: Client, waiting: Waiting) -> None:
    waiting("An owl.", "Another owl.", "A hen.")
    Tweet.objects.filter(text="Another owl.").update(status=Status.APPROVED)
    preview = mo.get("/moderate/bulk/?words=owl&after=rejected")
    assert "Reject 2 tweets?" in words_of(preview)
    assert "of them approved 1 of them pending 1" in words_of(preview)
    fields = {"words": "owl", "after": "rejected", "reason": " too \n many owls ", "token": preview_token(preview)}
    done = mo.post("/moderate/bulk/", fields, follow=True)
    action = BulkAction.objects.get()
    assert done.redirect_chain == [(f"/moderate/#bulk-{action.pk}", 302)]
    assert "2 changed: rejected. It can be undone as a whole." in words_of(done)
    assert "2 rejected : “owl”" in words_of(done)
    assert statuses() == {"An owl.": "rejected", "Another owl.": "rejected", "A hen.": "pending"}
    assert set(ModerationEvent.objects.values_list("reason", "bulk")) == {("too many owls", action.pk)}
    undone = kim.post(f"/moderate/bulk/{action.pk}/undo/", follow=True)
    assert "2 are what they were before." in words_of(undone)
    assert "Undone by kim" in words_of(undone)
    assert statuses() == {"An owl.": "pending", "Another owl.": "approved", "A hen.": "pending"}
    again = kim.post(f"/moderate/bulk/{action.pk}/undo/", follow=True)
    assert "That was undone before." in words_of(again)


def test_what_lies_before_others_is_left_out_and_the_preview_says_so(mo: Client, kim: Client, waiting: Waiting) -> None:
    waiting(count=12)
    kim.get("/moderate/owls/")
    preview = mo.get("/moderate/bulk/?category=owls&after=approved")
    assert "Approve 2 tweets?" in words_of(preview)
    assert "Left out 10, which lie before other moderators just now" in words_of(preview)
    mo.post("/moderate/bulk/", {"category": "owls", "after": "approved", "token": preview_token(preview)})
    assert sorted(statuses().values()) == ["approved"] * 2 + ["pending"] * 10


def test_what_waits_for_a_second_person_or_is_disputed_is_left_out_by_name(mo: Client, waiting: Waiting) -> None:
    disputed, *waits, _ = waiting(count=4)
    Tweet.objects.filter(pk=disputed.pk).update(stage="disputed")
    Tweet.objects.filter(pk__in=[tweet.pk for tweet in waits]).update(stage="second")
    preview = words_of(mo.get("/moderate/bulk/?category=owls&after=rejected"))
    assert "Reject 1 tweet?" in preview
    assert "Left out 1, which is disputed Left out 2, which wait for a second person" in preview


def test_nothing_is_done_if_other_tweets_match_by_then(mo: Client, waiting: Waiting) -> None:
    waiting("An owl.")
    token = preview_token(mo.get("/moderate/bulk/?words=owl&after=rejected"))
    waiting("Another owl.")
    response = mo.post("/moderate/bulk/", {"words": "owl", "after": "rejected", "token": token})
    assert response.status_code == 409
    assert "Nothing was done. Other tweets match now than in the preview: look at it again." in words_of(response)
    assert "Reject 2 tweets?" in words_of(response)
    assert set(statuses().values()) == {"pending"}


@pytest.mark.parametrize("query", ["after=erased", "after=", "", "after=approved&flag=odd"])
def test_what_is_not_offered_is_not_done_and_the_search_says_why(query: str, mo: Client, waiting: Waiting) -> None:
    waiting("An owl.")
    responses = [mo.get(f"/moderate/bulk/?{query}"), mo.post(f"/moderate/bulk/?{query}")]
    assert [response.status_code for response in responses] == [422, 422]
    wrong = "flag: “odd”" if "odd" in query else f"after: “{query.partition('=')[2]}”"
    assert f"Nothing was done. {wrong} is none of " in words_of(responses[0])
    assert "Nothing was done. after: “” is none of approved, rejected, withdrawn, pending." in words_of(responses[1])
    assert statuses() == {"An owl.": "pending"}


def test_two_who_disagree_stay_nameless_and_a_third_settles_it(sign_in: Callable[[str], Client], owls: Category, waiting: Waiting) -> None:
    Category.objects.update(double_share=1.0)
    tweet = waiting("An owl.")[0]
    fields = {"tweet": tweet_token(tweet.pk)}
    sign_in("mo").post("/moderate/owls/decide/", {**fields, "decide": "approve"})
    sign_in("kim").post("/moderate/owls/decide/", {**fields, "decide": "reject", "reason": "3"})
    for name in ("lou", "mo"):
        page = words_of(sign_in(name).get("/moderate/disagreements/"))
        assert "The first Approve The second Reject : unsafe or cruel" in page
        assert "kim" not in page
    refused = words_of(sign_in("kim").post("/moderate/disagreements/", {**fields, "decide": "reject", "reason": "3"}, follow=True))
    assert "You said “reject” before" in refused or "Noted" in refused
    assert statuses() == {"An owl.": "pending"}
    settled = sign_in("lou").post("/moderate/disagreements/", {**fields, "decide": "reject", "reason": "3"}, follow=True)
    assert "Rejected: unsafe or cruel." in words_of(settled)
    assert "Nobody disagrees." in words_of(settled)
    assert statuses() == {"An owl.": "rejected"}
    assert ModerationEvent.objects.filter(after="rejected").get().by == User.objects.get(username="lou")


def test_those_who_disagree_get_no_buttons_and_nobody_a_reason_unasked(
    sign_in: Callable[[str], Client], waiting: Waiting, owls: Category
) -> None:
    Category.objects.update(double_share=1.0)
    fields = {"tweet": tweet_token(waiting("An owl.")[0].pk)}
    for name, decided in (("mo", {"decide": "approve"}), ("kim", {"decide": "reject", "reason": "3"})):
        sign_in(name).post("/moderate/owls/decide/", fields | decided)
    for name, may in (("mo", False), ("kim", False), ("lou", True)):
        page = sign_in(name).get("/moderate/disagreements/").content.decode()
        assert ('name="decide"' in page, "You were one of the two." in page) == (may, not may)
    assert '<select name="reason" required><option value="">Choose why</option>' in page
    refused = sign_in("lou").post("/moderate/disagreements/", {**fields, "decide": "reject"}, follow=True)
    assert "Nothing was rejected: choose why first." in words_of(refused)
    assert statuses() == {"An owl.": "pending"}


def test_ticked_ones_are_not_rejected_without_a_reason(mo: Client, waiting: Waiting) -> None:
    tokens = [tweet_token(tweet.pk) for tweet in waiting("An owl.", "Another owl.")]
    assert '<select name="reason" required><option value="">Choose why</option>' in mo.get("/moderate/owls/?view=list").content.decode()
    response = mo.post("/moderate/owls/decide/?view=list", {"tweet": tokens, "decide": "reject", "reason": ""}, follow=True)
    assert "Nothing was rejected: choose why first." in words_of(response)
    assert statuses() == {"An owl.": "pending", "Another owl.": "pending"}


def test_where_two_decide_a_key_is_not_said_to_have_approved(mo: Client, waiting: Waiting) -> None:
    waiting("An owl.")
    assert 'data-approve="Approved" data-reject="Rejected"' in mo.get("/moderate/owls/").content.decode()
    Category.objects.update(double_share=0.5)
    assert 'data-approve="Noted" data-reject="Noted"' in mo.get("/moderate/owls/").content.decode()


@pytest.mark.parametrize("decide", ["flag", "", "adore"])
def test_a_disagreement_is_settled_one_way_or_the_other(decide: str, mo: Client, waiting: Waiting) -> None:
    token = tweet_token(waiting("An owl.")[0].pk)
    assert mo.post("/moderate/disagreements/", {"tweet": token, "decide": decide}).status_code == 400


def test_the_first_page_says_what_waits_and_how_fast_it_goes(mo: Client, waiting: Waiting) -> None:
    Category.objects.create(slug="hens", name="Hens")
    tweets = waiting(count=4)
    TweetFlag.objects.create(tweet=tweets[3], flag="easy")
    empty = words_of(mo.get("/moderate/"))
    assert "You have decided nothing for a while." in empty
    assert "Owls 4 wait 1 flagged" in empty
    assert "Hens Nothing waits." in empty
    by, now = User.objects.get(username="mo"), timezone.now()
    for tweet, minutes in zip(tweets, (30, 9, 1), strict=False):
        # Written as it is: nobody changes a line of the log.
        ModerationEvent.objects.create(tweet=tweet, by=by, before="pending", after="approved", at=now - timedelta(minutes=minutes))
    assert "You decided 2 in 9 minutes." in words_of(mo.get("/moderate/"))


def test_agreement_is_told_with_its_interval(sign_in: Callable[[str], Client], waiting: Waiting) -> None:
    Category.objects.update(double_share=1.0)
    tweets = waiting(count=4)
    for name, verdicts in (("mo", "aarr"), ("kim", "aara")):
        for tweet, verdict in zip(tweets, verdicts, strict=True):
            said = {"a": "approve", "r": "reject"}[verdict]
            sign_in(name).post("/moderate/owls/decide/", {"tweet": tweet_token(tweet.pk), "decide": said, "reason": "9"})
    assert re.search(r"(mo and kim|kim and mo) Owls 4 75 % 0\.50 -?\d\.\d\d to [01]\.\d\d", words_of(sign_in("mo").get("/moderate/")))
