"""A deck to play with in the running game: made-up tweets, the awkward ones among them."""

import pytest

from tests.stack import Stack

# The human and the machine tweets are alike: the look of a card must not hang on who wrote it.
SEED = """
from game.pool.models import Category, Kind, Status
from game.pool.rules import fingerprint, is_for_training
from game.pool.services import NewTweet, add_tweets, get_author

HARD = (
    "{who} walked out to the end of the pier {n} times this week, counted the boats, lost count at the ferry, started again from the"
    " lighthouse, and came home with a number that nobody at the table believed, least of all the fisherman, who owns most of them and"
    " has never once counted #Harbour #BoatsOfTheNorthSea2016 @somebody 🚢⛵🛶",
    "#{who}AndTheNeverEndingHashtagThatHasNoPlaceWhereItCouldBreak{n} {long}",
    "هذا الصباح كان البحر هادئا والناس يمشون على الشاطئ {who} {n} دون أن يقول أحد شيئا",
    "Three things for {who} on day {n}:\\n1. Coffee\\n2. More coffee\\n3. The boat",
    "{who} saw {n} <b>gulls</b> & one “heron”; nothing else moved.",
)

def texts(who, human):
    kept, n = [], 0
    while len(kept) < 60:
        text = HARD[n % len(HARD)].format(who=who, n=n, long="A" * 60)
        if not human or not is_for_training(fingerprint(text)):
            kept.append(text)
        n += 1
    return kept

harbour = Category.objects.create(slug="harbour", name="Harbour", description="People who live by the water.")
Category.objects.create(slug="desert", name="Desert", description="Nobody has written from there yet.")
person = get_author(kind=Kind.HUMAN, platform="twitter", handle="ada_harbour", name="Ada Harbour")
model = get_author(kind=Kind.MACHINE, platform="model", handle="harbour-v1", name="harbour v1")
human = {"likes": 1234, "shares": 1, "link": "https://example.org/1"}
machine = {"model": "harbour", "version": 1, "temperature": 0.9, "topk": 200, "topp": 0.95}
for author, who, facts in ((person, "Ada", human), (model, "Bea", machine)):
    tweets = [NewTweet(author, text, facts=facts) for text in texts(who, author is person)]
    add_tweets(category=harbour, status=Status.APPROVED, tweets=tweets)
"""


@pytest.fixture(scope="session")
def game(stack: Stack) -> Stack:
    """Return the running game with a deck `harbour` that can be played, and a deck `desert` that can't."""
    stack.manage("shell", "--no-imports", "-c", SEED)
    return stack
