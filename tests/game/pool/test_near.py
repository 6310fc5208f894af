"""What counts as a near-copy, and how those of a pool are found."""

import random

import pytest
from django.db.models import Q
from hypothesis import given
from hypothesis import strategies as st

from game.pool.models import Category, Kind, NearMarks, Status, Tweet
from game.pool.near import BANDS, NEAR, Shelf, near_marks, similarity
from game.pool.services import Near, NewTweet, add_tweets, erase_tweets, find_near, get_author, mark_tweets

PLACES = ["pier", "barn", "mill", "pond", "harbour", "steeple", "meadow", "hedge", "chimney", "orchard"]
DOINGS = ["counted", "watched", "fed", "sketched", "followed", "missed", "praised", "forgot", "startled", "adopted"]
BIRDS = ["owls", "gulls", "herons", "wrens", "jays", "rooks", "larks", "kites", "swifts", "terns"]
PEOPLE = ["Somebody", "Nobody", "Everybody", "Hardly-anybody", "My-neighbour"]
ENDS = ["before breakfast", "after the storm", "with both children", "against all advice", "without a coat"]


def texts(count: int) -> list[str]:
    """Write sentences of which no two are alike."""
    rng = random.Random(4)
    pick = rng.choice
    return [
        f"On day {n} I {pick(DOINGS)} {pick(BIRDS)} near the {pick(PLACES)} {pick(ENDS)}, then {pick(DOINGS)} {rng.randrange(900)}"
        f" {pick(BIRDS)} of the {pick(PLACES)}. {pick(PEOPLE)} {pick(DOINGS)} it."
        for n in range(count)
    ]


ONE = "I went to the pier this morning and counted seventeen herons. Nobody at the table believed me."


@pytest.mark.parametrize(
    "copy",
    [
        "I went to the pier this evening and counted seventeen herons. Nobody at the table believed me.",
        "I went to the pier this morning and counted 23 herons. Nobody at the table believed me.",
        "i went to the PIER this morning, and counted seventeen herons! nobody at the table believed me...",
        "this morning and counted seventeen herons. Nobody at the table believed me.",
        "I went to the pier this morning and counted seventeen herons.",
        "Nobody at the table believed me. I went to the pier this morning and counted seventeen herons.",
        "I just went to the old pier this morning and counted seventeen herons. Nobody at the table believed me, ever.",
    ],
    ids=["word", "number", "punctuation", "beginning", "end", "swapped", "added"],
)
def test_a_near_copy_is_near_and_shares_a_mark(copy: str) -> None:
    assert similarity(ONE, copy) == similarity(copy, ONE) >= NEAR
    assert set(near_marks(ONE)) & set(near_marks(copy))
    assert Shelf().put(ONE) == ""


def test_what_is_said_of_something_else_is_not_near() -> None:
    assert similarity(ONE, "I went to the pier this morning and it was closed, so I walked home and slept until the evening.") < NEAR
    assert similarity(ONE, "Seventeen people counted the votes at the pier.") < NEAR
    assert similarity("", ONE) == 0
    assert similarity(ONE, ONE) == 1


@given(st.text(), st.text())
def test_similarity_is_a_share_and_marks_fit_a_column(one: str, other: str) -> None:
    assert 0 <= similarity(one, other) == similarity(other, one) <= 1
    marks = near_marks(one)
    assert len(marks) == BANDS
    assert all(-(2**31) <= mark < 2**31 for mark in marks)


def test_marks_stay_the_same_for_they_are_stored() -> None:
    assert near_marks(ONE)[:3] == [621986078, 192435848, 147972212]


def test_a_shelf_takes_no_near_copies() -> None:
    shelf = Shelf()
    assert [shelf.put(text) for text in (ONE, "Something else altogether happened.", ONE.replace("pier", "mill"))] == ["", "", ONE]
    # What was refused is not on it.
    assert shelf.put(ONE.replace("seventeen", "no")) == ONE


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.create(slug="starlings", name="Starlings")


def add(category: Category, *new: str, kind: Kind = Kind.HUMAN) -> list[int]:
    author = get_author(kind=kind, platform="twitter" if kind == Kind.HUMAN else "model", handle=f"ada-{kind}")
    added = add_tweets(category=category, tweets=[NewTweet(author, text) for text in new], status=Status.PENDING)
    return [pk for pk in added if pk]


def test_the_nearest_tweet_of_a_pool_is_found_whoever_wrote_it(category: Category) -> None:
    crowd = texts(3000)
    add(category, *crowd)
    human, machine = *add(category, ONE), *add(category, "The mill was closed, said the owl to the moon.", kind=Kind.MACHINE)
    assert mark_tweets(category=category) == machine
    asked = [
        ONE.replace("pier", "mill"),
        "No owl has ever said anything of that kind.",
        "The mill was closed, said the owl to the sun.",
        ONE,
    ]
    near = find_near(category=category, texts=asked)
    assert [each and each.tweet for each in near] == [human, None, machine, human]
    assert near[0] == Near(human, ONE, similarity(ONE, asked[0]))
    assert [each and each.similarity for each in near][3] == 1


def test_every_changed_copy_among_thousands_is_found(category: Category) -> None:
    crowd = texts(2000)
    ids = add(category, *crowd)
    mark_tweets(category=category)
    changed = [text.replace("before breakfast", "after dinner").replace("I ", "We ", 1) for text in crowd[:300]]
    found = find_near(category=category, texts=changed)
    assert sum(bool(each and each.tweet == pk) for each, pk in zip(found, ids, strict=False)) >= 295


def test_only_tweets_of_the_category_are_near(category: Category) -> None:
    other = Category.objects.create(slug="owls", name="Owls")
    add(other, ONE)
    for each in (category, other):
        mark_tweets(category=each)
    assert find_near(category=category, texts=[ONE]) == [None]
    assert find_near(category=category, texts=[]) == []


def test_marking_goes_on_where_it_stopped(category: Category, django_assert_num_queries) -> None:
    first, *_ = add(category, *texts(5))
    last = mark_tweets(category=category)
    told: list[int] = []
    with django_assert_num_queries(1):
        assert mark_tweets(category=category, after=last, tell=lambda: told.append(1)) == last
    new = add(category, ONE)[0]
    assert mark_tweets(category=category, after=first, tell=lambda: told.append(1)) == new
    assert (NearMarks.objects.count(), told) == (6, [1])


def test_an_erased_tweet_leaves_no_marks_and_is_not_found(category: Category) -> None:
    erased, left = add(category, ONE, "The mill was closed, said the owl to the moon.")
    mark_tweets(category=category)
    assert erase_tweets(tweets=Q(pk=erased), by=None, reason="gone") == 1
    assert list(NearMarks.objects.values_list("tweet", flat=True)) == [left]
    assert mark_tweets(category=category) == left
    assert find_near(category=category, texts=[ONE]) == [None]
    assert Tweet.objects.get(pk=erased).text == ""
