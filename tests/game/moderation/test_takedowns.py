"""Taken down: out of play, out of every category, for good, with a receipt."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.test import Client

from game.accounts.models import Player
from game.accounts.services import create_guest
from game.moderation import leases
from game.moderation.models import Lease, Takedown, TweetReport
from game.moderation.takedowns import Refused, preview, receipt_lines, take_down
from game.moderation.targets import BadTarget, find_target
from game.play.models import Card, Guess, Standing, Tally
from game.play.services import find_card, show_next_card, start_round, submit_guess
from game.pool.models import Author, Category, Kind, ModerationEvent, NearMarks, Status, Tweet, TweetFlag
from game.pool.services import NewTweet, add_tweets, get_author, mark_tweets
from generation.models import Corpus, CorpusEntry, ModelVersion
from generation.versions import stale_models
from scraping.models import Feed, OptOut, RawPost
from tests.threads import at_once

NOON = datetime(2020, 5, 31, 12, tzinfo=UTC)
Waiting = Callable[..., list[Tweet]]


def take(what: str | Tweet, reason: str = "their wish", now: datetime = NOON) -> Takedown:
    return take_down(target=find_target(str(what.pk if isinstance(what, Tweet) else what)), by=None, reason=reason, now=now)


def add(category: Category, text: str, *, handle: str = "ada", platform: str = "twitter", **facts: Any) -> Tweet:
    author = get_author(kind=Kind.HUMAN, platform=platform, handle=handle, name=handle.title())
    (pk,) = add_tweets(category=category, tweets=[NewTweet(author, text, facts=facts)], status=Status.APPROVED)
    assert pk
    return Tweet.objects.get(pk=pk)


def deal(category: Category, player: Player, seed: int = 1) -> Card:
    round_ = start_round(player_id=player.pk, category=category, now=NOON, rng=random.Random(seed))
    card = show_next_card(round_=round_, now=NOON, rng=random.Random(0))
    assert card
    found = find_card(token=card.token, player_id=player.pk)
    assert found
    return found


def learn(model: ModelVersion, *tweets: Tweet) -> None:
    corpus = Corpus.objects.create(sha256=str(model.pk), name="c", tweets=len(tweets))
    marks = [int.from_bytes(bytes(tweet.fingerprint)[:8], "big", signed=True) for tweet in tweets]
    CorpusEntry.objects.bulk_create(CorpusEntry(corpus=corpus, mark=mark) for mark in marks)
    model.corpora.add(corpus)


def model_of(category: Category) -> ModelVersion:
    author = Author.objects.get_or_create(platform="model", handle=f"{category.slug}-v1", kind=Kind.MACHINE)[0]
    return ModelVersion.objects.create(author=author, category=category, name=category.slug, version=1, path="none", corpus_sha256="")


def test_words_and_facts_go_and_copies_in_other_categories_go_with_them(owls: Category) -> None:
    gulls = Category.objects.create(slug="gulls", name="Gulls")
    one, copy = add(owls, "The owl forgot its own birthday.", likes=7), add(gulls, "The owl forgot its own birthday.", handle="bob")
    stays = add(owls, "The owl remembered it a week later.")
    receipt = take(one)
    assert (receipt.tweets, receipt.categories, receipt.reason, receipt.target) == (
        2,
        {"gulls": 1, "owls": 1},
        "their wish",
        f"tweet {one.pk}",
    )
    for tweet in (one, copy):
        tweet.refresh_from_db()
        assert (tweet.text, tweet.facts, tweet.status) == ("", {}, "withdrawn")
    assert ModerationEvent.objects.filter(tweet=one).values_list("reason", flat=True).get() == f"{receipt.number}: their wish"
    stays.refresh_from_db()
    assert stays.text


def test_its_words_come_back_into_no_category_whoever_brings_them(owls: Category) -> None:
    take(add(owls, "The owl forgot its own birthday."))
    gulls = Category.objects.create(slug="gulls", name="Gulls")
    new = [
        NewTweet(get_author(kind=Kind.HUMAN, platform="bluesky", handle="eve"), f"{text}")
        for text in ("The owl FORGOT its own birthday!", "A gull.")
    ]
    added = add_tweets(category=gulls, tweets=new, status=Status.PENDING)
    assert [pk is None for pk in added] == [True, False]


def test_what_stood_around_it_goes_too(owls: Category) -> None:
    one, other = add(owls, "The owl forgot its own birthday."), add(owls, "The owl forgot its old birthday.")
    mark_tweets(category=owls)
    TweetFlag.objects.create(tweet=one, flag="unsafe", detail="owl")
    TweetFlag.objects.create(tweet=other, flag="near", other=one)
    TweetReport.objects.create(tweet=one, player=create_guest(), reason="cruel")
    leases.lease_one(tweet_id=one.pk, by=User.objects.create(username="mo"), now=NOON)
    feed = Feed.objects.create(category=owls, source="x", handle="ada")
    RawPost.objects.create(feed=feed, source_id="1", in_pass=0, record={"text": "The owl"}, outcome="kept", cleaning=1, tweet=one)
    take(one)
    assert (TweetFlag.objects.count(), Lease.objects.count(), TweetReport.objects.get().settled) == (0, 0, True)
    assert list(NearMarks.objects.values_list("tweet", flat=True)) == [other.pk]
    assert RawPost.objects.values_list("record", "outcome").get() == (None, "gone")


def test_an_open_card_shows_another_tweet_at_once_and_no_score_changes(category: Category) -> None:
    player = create_guest()
    first = deal(category, player)
    submit_guess(card=first, verdict="human", now=NOON)
    standings = list(Standing.objects.order_by("pk").values_list("guesses", "right"))
    open_card = Card.objects.filter(round=first.round, position=2).get()
    token, gone = open_card.token, open_card.tweet
    receipt = take(gone)
    open_card.refresh_from_db()
    assert receipt.cards == 1
    assert open_card.token != token
    assert (open_card.tweet_id != gone.pk, open_card.tweet.status) == (True, "approved")
    assert list(Standing.objects.order_by("pk").values_list("guesses", "right")) == standings


def test_a_past_guess_on_it_stays_and_its_card_is_left_alone(category: Category) -> None:
    card = deal(category, create_guest())
    submit_guess(card=card, verdict=card.tweet.author.kind, now=NOON)
    assert take(card.tweet).cards == 0
    kept = Card.objects.get(pk=card.pk)
    assert (kept.token, kept.tweet_id, Guess.objects.get().right, Tally.objects.count()) == (card.token, card.tweet_id, True, 1)


@pytest.mark.parametrize("by_htmx", [False, True])
def test_a_guess_from_a_tab_that_still_shows_it_does_not_count_and_leads_on(category: Category, ada: Client, by_htmx: bool) -> None:
    page = ada.get(f"/play/{category.slug}/")
    old = page.context["card"]
    take(Card.objects.get(token=old["token"]).tweet)
    headers = {"HX-Request": "true"} if by_htmx else {}
    response = ada.post(f"/guess/{old['token']}/", {"verdict": "human"}, headers=headers, follow=True)
    html = response.content.decode()
    assert "That tweet has just left the game, and your guess on it does not count." in html
    assert old["text"] not in html
    assert response.context["card"]["position"] == 1
    assert response.context["card"]["token"] in html
    assert (Guess.objects.count(), Standing.objects.count()) == (0, 0)
    # And the new one counts.
    ada.post(f"/guess/{response.context['card']['token']}/", {"verdict": "human"})
    assert Guess.objects.count() == 1


def test_nobody_else_is_told_of_a_card_by_its_old_token(category: Category, ada: Client, mallory: Client) -> None:
    token = ada.get(f"/play/{category.slug}/").context["card"]["token"]
    take(Card.objects.get(token=token).tweet)
    assert mallory.post(f"/guess/{token}/", {"verdict": "human"}).status_code == 404


def test_a_guess_on_its_way_while_the_card_is_replaced_does_not_count(category: Category) -> None:
    card = deal(category, create_guest())
    take(card.tweet)
    # `card` is what the request had read before.
    assert not submit_guess(card=card, verdict="human", now=NOON)
    assert Guess.objects.count() == 0


def test_where_the_pool_has_nothing_else_a_guess_on_it_does_not_count_either(fill: Callable[..., Category], ada: Client) -> None:
    category = fill(human=10, machine=10)
    token = ada.get(f"/play/{category.slug}/").context["card"]["token"]
    tweet = Card.objects.get(token=token).tweet
    Tweet.objects.filter(category=category).exclude(pk=tweet.pk).update(status=Status.REJECTED)
    take(tweet)
    response = ada.post(f"/guess/{token}/", {"verdict": "human"}, follow=True)
    assert (response.status_code, Guess.objects.count()) == (503, 0)


def test_an_author_goes_from_every_category_and_later_imports_leave_them_out(owls: Category) -> None:
    gulls = Category.objects.create(slug="gulls", name="Gulls")
    add(owls, "The owl forgot its own birthday.", handle="ada")
    add(gulls, "The gull never forgets a chip.", handle="ada")
    other = add(owls, "Somebody else wrote about the moon.", handle="bob")
    receipt = take("twitter:@Ada")
    assert (receipt.kind, receipt.target, receipt.categories) == ("author", "twitter:ada", {"gulls": 1, "owls": 1})
    assert OptOut.objects.filter(platform="twitter", handle="ada").exists()
    other.refresh_from_db()
    assert other.status == Status.APPROVED
    assert list(Tweet.objects.exclude(text="").values_list("pk", flat=True)) == [other.pk]


def test_an_author_of_whom_nothing_is_here_is_kept_out(owls: Category) -> None:
    assert preview(find_target("bluesky:eve.example")).tweets == 0
    assert take("bluesky:eve.example").tweets == 0
    assert OptOut.objects.get().handle == "eve.example"


def test_models_that_learned_from_it_are_named_before_and_after_and_stale_then(owls: Category) -> None:
    one, other = add(owls, "The owl forgot its own birthday."), add(owls, "The moon was late again.")
    learner, stranger = model_of(owls), model_of(Category.objects.create(slug="gulls", name="Gulls"))
    learn(learner, one)
    learn(stranger, other)
    assert preview(find_target(str(one.pk))).models == ["owls v1"]
    assert stale_models() == []
    assert take(one).stale == ["owls v1"]
    assert [stale.model_version for stale in stale_models()] == [learner]


LINKS = [
    "https://x.com/ada/status/1212",
    "https://twitter.com/ada/status/1212?s=20",
    "https://mobile.twitter.com/ada/statuses/1212/photo/1",
    "https://x.com/i/web/status/1212",
    "https://nitter.example/ada/status/1212#m",
]


@pytest.mark.parametrize("link", LINKS)
def test_a_post_of_twitter_is_found_by_every_kind_of_address(link: str, owls: Category) -> None:
    tweet = add(owls, "The owl forgot its own birthday.", source_id="1212", link="https://x.com/ada/status/1212")
    add(owls, "Another post, of another number.", source_id="12123")
    target = find_target(link)
    assert (target.tweets, target.name) == ((tweet.pk,), "https://x.com/i/status/1212")


@pytest.mark.parametrize(
    ("platform", "source_id", "link"),
    [
        ("bluesky", "at://did:plc:abc/app.bsky.feed.post/3k", "https://bsky.app/profile/ada/post/3k"),
        ("bluesky", "at://did:plc:abc/app.bsky.feed.post/3k", "https://bsky.app/profile/did:plc:abc/post/3k"),
        ("mastodon", "owls.example/99", "https://owls.example/@ada/99"),
        ("mastodon", "owls.example/99", "https://owls.example/users/ada/statuses/99"),
    ],
)
def test_a_post_of_other_platforms_is_found_by_its_address(platform: str, source_id: str, link: str, owls: Category) -> None:
    tweet = add(owls, "The owl forgot its own birthday.", platform=platform, source_id=source_id)
    assert find_target(link).tweets == (tweet.pk,)


def test_a_post_that_was_never_kept_is_forgotten_by_its_address(owls: Category) -> None:
    feed = Feed.objects.create(category=owls, source="x", handle="ada")
    RawPost.objects.create(feed=feed, source_id="1212", in_pass=0, record={"text": "An owl, in a reply"}, outcome="reply", cleaning=1)
    with pytest.raises(BadTarget):
        find_target("https://x.com/ada/status/1213")
    take("https://x.com/ada/status/1212")
    assert RawPost.objects.values_list("record", "outcome").get() == (None, "gone")


def test_a_bare_handle_names_the_one_author_who_has_it(owls: Category) -> None:
    add(owls, "The owl forgot its own birthday.", platform="twitter")
    assert find_target("ADA").name == "twitter:ada"
    with pytest.raises(BadTarget, match="as in twitter:ada_owl"):
        find_target("bo_finch")
    add(owls, "The owl found its own birthday.", platform="bluesky")
    with pytest.raises(BadTarget, match="is on bluesky and twitter: say which, as in bluesky:ADA"):
        find_target("ADA")


def test_the_address_of_a_card_names_its_tweet(category: Category) -> None:
    card = deal(category, create_guest())
    for link in (f"https://game.example/play/{category.slug}/?card={card.token}", f"https://game.example/report/{card.token}/"):
        assert find_target(link).tweets == (card.tweet_id,)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Say what"),
        ("9999", "There is no tweet 9999."),
        ("nonsense at all", "is no number of a tweet, no author"),
        ("model:owls-v1", "is a model"),
        ("myspace:tom", "is no platform"),
        ("@nobody", "We have nothing by @nobody"),
        ("https://x.com/ada/status/1", "Nothing here is from https://x.com/i/status/1."),
        ("https://[", "is no address of a web page"),
        ("ftp://x.com/ada/status/1", "is no address of a web page"),
        ("https://g.example/round/aaaaaaaaaaaaaaaaaaaaaa/", "That page shows many texts"),
        ("https://g.example/duel/completion/aaaaaaaaaaaaaaaaaaaaaa/", "There is no completion"),
        ("x" * 301, "longer than 300"),
        ("a\x00b", "or no text"),
        ("https://x.com/a%00b", "is no address of a web page"),
        ("https://g.example/play/owls/?card=%00", "is no address of a web page"),
    ],
)
def test_what_names_nothing_is_refused_in_one_line(typed: str, said: str, owls: Category) -> None:
    with pytest.raises(BadTarget) as caught:
        find_target(typed)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("way", ["number", "author", "copy"])
def test_doing_it_again_names_the_first_receipt(way: str, owls: Category) -> None:
    tweet = add(owls, "The owl forgot its own birthday.")
    copy = add(Category.objects.create(slug="gulls", name="Gulls"), "The owl forgot its own birthday.", handle="bob")
    what = "twitter:ada" if way == "author" else tweet
    first = take(what)
    assert preview(find_target(str(what.pk if isinstance(what, Tweet) else what))).receipt == first
    with pytest.raises(Refused, match=f"receipt {first.number}"):
        take(copy if way == "copy" else what)
    assert Takedown.objects.count() == 1


@pytest.mark.parametrize("is_guessed", [False, True])
def test_a_takedown_by_a_cards_address_names_its_tweet_and_asking_again_names_the_receipt(is_guessed: bool, category: Category) -> None:
    card = deal(category, create_guest())
    if is_guessed:
        submit_guess(card=card, verdict="human", now=NOON)
    link = f"https://game.example/report/{card.token}/"
    first = take(link)
    assert (first.target, first.tweets, first.cards) == (f"card {card.token}, tweet {card.tweet_id}", 1, int(not is_guessed))
    assert preview(find_target(link)).receipt == first
    with pytest.raises(Refused, match=f"receipt {first.number}"):
        take(link)
    with pytest.raises(BadTarget, match="No card has that address"):
        find_target(f"https://game.example/play/owls/?card={card.token[:5]}")
    assert Takedown.objects.get() == first


def test_what_was_erased_without_a_receipt_says_why(owls: Category) -> None:
    from scraping.optouts import opt_out

    tweet = add(owls, "The owl forgot its own birthday.")
    opt_out(platform="twitter", handle="ada", by=None)
    with pytest.raises(Refused, match="Its words are gone already: opted out, on "):
        take(tweet)


def test_a_takedown_without_a_reason_does_nothing(owls: Category) -> None:
    tweet = add(owls, "The owl forgot its own birthday.")
    with pytest.raises(Refused, match="Say why"):
        take(tweet, reason="  ")
    assert Tweet.objects.get(pk=tweet.pk).text


def test_what_fails_halfway_leaves_everything_as_it_was(owls: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    from game.moderation import takedowns

    def fail(**_: object) -> int:
        raise RuntimeError("the power went out")

    tweet = add(owls, "The owl forgot its own birthday.")
    monkeypatch.setattr(takedowns, "replace_open_cards", fail)
    with pytest.raises(RuntimeError):
        take(tweet)
    assert Tweet.objects.get(pk=tweet.pk).text
    assert (Takedown.objects.count(), ModerationEvent.objects.count()) == (0, 0)


def test_numbers_begin_anew_each_year(owls: Category) -> None:
    tweets = [add(owls, f"Owl number {number} is awake.") for number in range(3)]
    numbers = [take(tweet, now=now).number for tweet, now in zip(tweets, (NOON, NOON, NOON + timedelta(days=365)), strict=True)]
    assert numbers == ["BB-2020-000001", "BB-2020-000002", "BB-2021-000001"]


@pytest.mark.django_db(transaction=True)
def test_numbers_are_unique_when_many_come_at_once() -> None:
    owls = Category.objects.create(slug="owls", name="Owls")
    tweets = [add(owls, f"Owl number {number} is awake.") for number in range(6)]
    numbers = at_once(6, lambda number: take(tweets[number]).number)
    assert sorted(numbers) == [f"BB-2020-{number:06}" for number in range(1, 7)]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("withdraw", *arguments)
    return capsys.readouterr().out


def test_the_command_previews_does_it_and_prints_the_receipt(owls: Category, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = add(owls, "The owl forgot its own birthday."), add(owls, "The moon was late again.")
    ahead = f"tweet {one.pk}: 1 tweet (1 in owls); 0 open cards; 0 completions; learned by no model.\n"
    assert run(capsys, "--tweet", str(one.pk), "--reason", "why", "--dry-run") == ahead
    assert Tweet.objects.get(pk=one.pk).text
    said = run(capsys, "--tweet", str(one.pk), str(two.pk), "--reason", "why", "--yes")
    first, second = Takedown.objects.order_by("pk")
    assert all(f"{name + ':':<30}{value}\n" in said for each in (first, second) for name, value in receipt_lines(each))
    again = run(capsys, "--tweet", str(one.pk), "--reason", "why", "--yes")
    assert again == f"tweet {one.pk}: That was done already: receipt {first.number} of {first.at:%-d %B %Y}.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tweet", "abc"], "'abc' is no number of a tweet."),
        (["--tweet", "9999"], "There is no tweet 9999."),
        (["--author", "ada"], "'ada' names no account: write it as in twitter:ada_owl."),
        (["--author", "twitter:"], "'twitter:' names no account: write it as in twitter:ada_owl."),
        (["--link", "nowhere"], "“nowhere” is no address of a web page."),
    ],
)
def test_the_command_says_what_is_wrong_and_does_nothing(arguments: list[str], said: str, owls: Category) -> None:
    tweet = add(owls, "The owl forgot its own birthday.")
    with pytest.raises(CommandError) as caught:
        call_command(
            "withdraw", *arguments[:1], *([str(tweet.pk)] if arguments[0] == "--tweet" else []), *arguments[1:], "--reason", "x", "--yes"
        )
    assert str(caught.value) == said
    assert Tweet.objects.get(pk=tweet.pk).text


def test_the_command_refuses_a_reason_that_would_not_fit_on_the_receipt(owls: Category, capsys: pytest.CaptureFixture[str]) -> None:
    tweet = add(owls, "The owl forgot its own birthday.")
    with pytest.raises(CommandError, match="--reason is longer than 150 characters"):
        call_command("withdraw", "--tweet", str(tweet.pk), "--reason", "x" * 400, "--yes")
    assert Tweet.objects.get(pk=tweet.pk).text
    run(capsys, "--tweet", str(tweet.pk), "--reason", "x" * 150, "--yes")
    assert Takedown.objects.get().reason == "x" * 150


def test_the_command_does_nothing_without_a_yes(owls: Category) -> None:
    tweet = add(owls, "The owl forgot its own birthday.")
    with pytest.raises(CommandError, match="say --yes"):
        call_command("withdraw", "--tweet", str(tweet.pk), "--reason", "why")
    assert Tweet.objects.get(pk=tweet.pk).text


def test_a_tweet_of_a_bot_can_be_taken_down_too(category: Category) -> None:
    tweet = Tweet.objects.filter(category=category, kind=Kind.MACHINE).first()
    assert tweet
    assert (take(tweet).tweets, Tweet.objects.get(pk=tweet.pk).text) == (1, "")


@pytest.mark.django_db(transaction=True)
def test_what_is_just_being_imported_elsewhere_is_taken_down_too() -> None:
    owls, gulls = (Category.objects.create(slug=slug, name=slug) for slug in ("owls", "gulls"))
    tweet = add(owls, "The owl forgot its own birthday.")
    adding, may_end = Event(), Event()

    def bring() -> None:
        with transaction.atomic():
            add(gulls, "The owl forgot its own birthday.", handle="bob")
            adding.set()
            may_end.wait(20)
        connections.close_all()

    def take_it() -> int:
        try:
            return take(tweet).tweets
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        brought = pool.submit(bring)
        assert adding.wait(20)
        taken = pool.submit(take_it)
        # It waits for the import, which it would not see otherwise.
        with pytest.raises(TimeoutError):
            taken.result(timeout=0.5)
        may_end.set()
        brought.result()
        assert taken.result() == 2
    assert not Tweet.objects.exclude(text="").exists()
