"""Moderators in a browser: how they come in, what they press, and what became of it."""

from playwright.sync_api import Page, expect

from tests.stack import Stack, wait_for

PASSWORD = "seven-herons-and-a-boat"
# Two who moderate, and a queue that one test has to itself: texts that are too near to each other but for a long one.
SEED = """
from django.contrib.auth.models import Group, User
from game.moderation.flags import flag_new_tweets
from game.pool.models import Category, Kind, Status, TweetFlag
from game.pool.services import NewTweet, add_tweets, get_author

for name in ("mona", "cato"):
    user, new = User.objects.get_or_create(username=name)
    if new:
        user.set_password({password!r})
        user.save()
        user.groups.add(Group.objects.get(name="moderator"))
ada = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada_quay", name="Ada Quay")
long = "At the quay Ada wrote down all that there is to see:" + " a gull, a rope, a boat," * 9 + " a net."
category, new = Category.objects.get_or_create(slug={quay!r}, name={quay!r}.title(), active=False, approves_clean=False)
if new:
    texts = [f"{{category}} {{n}}: nobody saw what the heron took." for n in range(1, 31)] + [long]
    ids = add_tweets(category=category, status=Status.PENDING, tweets=[NewTweet(ada, text, facts={{"likes": 12}}) for text in texts])
    TweetFlag.objects.create(tweet_id=min(ids), flag="easy", detail="97 % right of 40")
    while flag_new_tweets(limit=100):
        pass
"""


def sign_in(page: Page, who: str = "mona") -> None:
    page.get_by_label("Username").fill(who)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def shown(page: Page) -> str:
    """Return the text of the one card that is shown."""
    cards = page.locator(".item:visible")
    expect(cards).to_have_count(1)
    return cards.locator(".tweet").inner_text()


def decide(page: Page, *keys: str) -> str:
    """Press keys that decide on the card; return its text. The next one is there at once."""
    text = shown(page)
    for key in keys:
        page.keyboard.press(key)
    assert shown(page) != text
    return text


def statuses(game: Stack, quay: str) -> dict[str, str]:
    """Return what became of the tweets of a queue that somebody has decided."""
    query = (
        "SELECT t.text, t.status FROM pool_tweet t JOIN pool_category c ON c.id = t.category_id WHERE c.slug = %s AND t.status <> 'pending'"
    )
    with game.connect() as connection:
        return dict(connection.execute(query, [quay]).fetchall())


def reasons(game: Stack, texts: list[str]) -> dict[str, str]:
    """Return why the log says that something was done to these tweets."""
    query = "SELECT t.text, e.reason FROM pool_moderationevent e JOIN pool_tweet t ON t.id = e.tweet_id WHERE t.text = ANY(%s)"
    with game.connect() as connection:
        return dict(connection.execute(query, [texts]).fetchall())


def expect_decided(game: Stack, quay: str, decided: dict[str, str]) -> None:
    wait_for(lambda: statuses(game, quay) == decided, seconds=10, what=f"{quay}: {decided}, but {statuses(game, quay)}")
