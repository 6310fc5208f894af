"""What the machine notices about tweets, and what a category makes of it by itself."""


def flag_new_tweets(*, limit: int) -> int:
    """Look through up to `limit` tweets that nobody has looked through, and return how many."""
    raise NotImplementedError
