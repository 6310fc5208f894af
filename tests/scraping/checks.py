"""What tests of checks have in common."""

from game.pool.models import Category, Kind, Tweet
from game.pool.services import NewTweet, add_tweets, get_author
from scraping.models import RawPost, ScrapeRun, Visit
from scraping.runs import start_run
from scraping.work import carry_out
from tests.scraping.conftest import sentence


def check(category: Category, **asked) -> ScrapeRun:
    done = carry_out(run_id=start_run(category=category, by=None, task=ScrapeRun.Task.CHECK, **asked).pk)
    assert done is not None
    return done


def visits(run: ScrapeRun) -> dict[str, tuple[str, int, int, str]]:
    found = Visit.objects.filter(run=run).select_related("feed")
    return {visit.feed.handle: (visit.state, visit.posts, visit.new, visit.note) for visit in found}


def held(handle: str) -> int:
    return RawPost.objects.filter(feed__handle=handle).exclude(outcome="gone").count()


def add_import(category: Category, number: int, source_id: str, *, platform: str = "bluesky", handle: str = "cyd.example.org") -> Tweet:
    author = get_author(kind=Kind.HUMAN, platform=platform, handle=handle)
    tweet = NewTweet(author, sentence(number), facts={"source_id": source_id} if source_id else {})
    add_tweets(category=category, tweets=[tweet], status="approved")
    return Tweet.objects.get(category=category, text=sentence(number))
