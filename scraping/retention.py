"""What each platform's terms ask of those who keep its posts, as this project reads them: pure data.

docs/data.md says it to people. We are no lawyers.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """How posts of one platform are treated here."""

    # A kept post is asked about at least so often; the check says how many were not.
    check_days: int
    # What a source said of a post is kept so long, for another cleaning; the tweet made of it stays.
    raw_days: int
    # Whether an export may hold texts, or ids only.
    texts_may_leave: bool
    # Whether posts of a suspended account are erased, or only withdrawn, since it may come back.
    erase_suspended: bool
    # What whoever trains models on it should know.
    training: str


# By platform, whichever source its posts came through: twint's archives and X's own download hold X's posts.
TERMS = {
    # Developer Agreement of 4 June 2025 (https://docs.x.com/developer-terms/agreement): what is deleted, protected, suspended or
    # withheld is to go as soon as possible, within 24 hours of a request; no training of a foundation or frontier model.
    # Developer Policy (https://docs.x.com/developer-terms/policy): ids may be passed on, 1,500,000 per recipient and 30 days.
    "twitter": Terms(
        check_days=1,
        raw_days=30,
        texts_may_leave=False,
        erase_suspended=True,
        training="X forbids to train foundation or frontier models on its posts: ask X before a model of them leaves your house.",
    ),
    # Developer Guidelines (https://docs.bsky.app/docs/support/developer-guidelines): a way to delete what a user wants deleted.
    # Posts are public by protocol; nothing limits what is passed on, and whoever wrote a text still owns it.
    "bluesky": Terms(
        check_days=1,
        raw_days=180,
        texts_may_leave=True,
        erase_suspended=False,
        training="Bluesky does not forbid it; many of its users do not want it. Who asks not to be shown to strangers is left out.",
    ),
    # Every server has terms of its own, which nobody reads by program. Those of mastodon.social (1 July 2025) forbid scraping for
    # archives and for training language models: where a server does not say otherwise, ids only.
    "mastodon": Terms(
        check_days=7,
        raw_days=90,
        texts_may_leave=False,
        erase_suspended=False,
        training="Each server decides; mastodon.social forbids to train language models on its posts. Read the terms of those you list.",
    ),
}
# The source that is asked whether a platform's posts are still there.
CHECKERS = {"twitter": "x", "bluesky": "bluesky", "mastodon": "mastodon"}
