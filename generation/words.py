"""What the page of generation says in words: pure functions."""

from datetime import timedelta

HOUR = timedelta(hours=1)
# A worker beats every few seconds: whoever was seen so lately is here.
JUST_NOW = timedelta(seconds=15)

# What an error of each kind means for whoever reads of it; {} is what it says itself.
_MEANINGS = {
    "UnusableModelError": "{}. Repair the folder, or promote another model",
    "BackendError": "The model broke off: {}",
    "OperationalError": "PostgreSQL went away: {}",
    "SoftTimeLimitExceeded": "It took longer than TASK_SOFT_LIMIT_SECONDS allows: set GENERATION_BATCH_SIZE lower",
    "MemoryError": "There was not enough memory: set GENERATION_BATCH_SIZE lower",
}


def duration(span: timedelta) -> str:
    """Say a time in words, as coarse as a person would."""
    seconds = span.total_seconds()
    if seconds < 45:
        return "under a minute"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    hours = round(seconds / 3600)
    if hours < 48:
        return f"{hours} hour{'' if hours == 1 else 's'}"
    return f"{round(hours / 24)} days"


def seen(ago: timedelta) -> str:
    """Say when a worker was seen last."""
    return "seen just now" if ago < JUST_NOW else f"seen {duration(ago)} ago"


def lasts(ready: int, consumed: int) -> str:
    """Say how long so many tweets last if as many are used up in each hour as in the last."""
    if not ready:
        return "empty"
    return duration(ready / consumed * HOUR) if consumed else "\N{EN DASH}"


def explain(error: str) -> str:
    """Say what a batch failed of; `error` is the type of an exception and its message, or a sentence already."""
    kind, colon, message = error.partition(": ")
    if kind in _MEANINGS:
        return _end(_MEANINGS[kind].format(message.strip().rstrip(".") or "it did not say why"))
    if colon and kind.isidentifier():
        return _end(f"An error that nobody foresaw, {error}. The worker's log has the rest")
    return _end(error)


def _end(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
