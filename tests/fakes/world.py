"""People who never were, and what they posted: one world for the fakes of all platforms."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

BIRDS = ("owl", "heron", "finch", "crane", "swift", "raven", "robin", "stork", "eagle", "quail", "wren", "gull")
DEEDS = ("sang to", "looked at", "forgot about", "waited for", "flew over", "laughed at", "wrote home about")
THINGS = ("our old roof", "the whole harbour", "a very late train", "my cup of tea", "the town council", "all of us here")
# Curly quotes, an emoji of one code point, one of several, letters beyond ASCII.
ENDS = (".", ", would you believe it?", " \u2013 \u201cagain\u201d.", " \U0001f989", " \U0001f469\u200d\U0001f680", ", na\u00efve as ever.")
NEWEST = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class WorldPost:
    """A post as it is at its platform. `number` grows with time, per person; `key` is unique in the world."""

    key: int
    text: str
    at: datetime
    reply_to: int | None = None
    repost: bool = False
    likes: int = 0
    shares: int = 0
    deleted: bool = False


@dataclass(slots=True)
class Person:
    """An account. `state` is one of scraping.sources.base.State's values; posts come newest first."""

    key: int
    handle: str
    name: str
    state: str = "open"
    posts: list[WorldPost] = field(default_factory=list)
    followers: list[int] = field(default_factory=list)

    def visible(self) -> list[WorldPost]:
        """Return the posts that are still there, newest first."""
        return [post for post in self.posts if not post.deleted]


@dataclass(slots=True)
class World:
    """Everybody, by handle in small letters."""

    people: dict[str, Person] = field(default_factory=dict)

    def add(self, handle: str, *, posts: int = 0, state: str = "open", followers: Iterable[int] = ()) -> Person:
        """Let a person be, who has posted so many times: mostly plain posts, with replies, reposts and links among them."""
        key = 1000 + len(self.people)
        person = Person(key, handle, f"{handle.split('.')[0].split('@')[0].title()} of the Isles", state, followers=list(followers))
        person.posts = [make_post(person, number) for number in range(posts, 0, -1)]
        self.people[handle.casefold()] = person
        return person

    def post(self, handle: str) -> WorldPost:
        """Let a person post once more, and return what."""
        person = self.people[handle.casefold()]
        person.posts.insert(0, make_post(person, len(person.posts) + 1))
        return person.posts[0]

    def find(self, key: int) -> Person | None:
        """Return the person with that key."""
        return next((person for person in self.people.values() if person.key == key), None)


def make_post(person: Person, number: int) -> WorldPost:
    """Return a person's post of that number; no two anywhere are alike."""
    bird, deed, thing = BIRDS[number % 12], DEEDS[number % 7], THINGS[number % 6]
    text = f"The {bird} of {person.handle.split('.')[0].split('@')[0]} {deed} {thing}, for the time number {number}{ENDS[number % 5]}"
    if number % 17 == 3:
        text += " https://example.org/more"
    return WorldPost(
        key=person.key * 100_000 + number,
        text=text,
        at=NEWEST - timedelta(hours=10_000 - number),
        reply_to=person.key * 100_000 + number - 1 if number % 11 == 5 else None,
        repost=number % 13 == 7,
        likes=number % 50,
        shares=number % 7,
    )


def is_own_opener(post: WorldPost) -> bool:
    """Say whether a post opens a conversation in its author's own words."""
    return post.reply_to is None and not post.repost
