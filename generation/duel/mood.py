"""How texts sound, by VADER.

Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text", ICWSM 2014.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

# Of its lexicon.
LANGUAGE = "en"


def compounds(texts: Sequence[str], *, language: str) -> list[float | None]:
    """Return each text's compound score, from -1 (negative) to 1 (positive); None in a language that VADER does not know."""
    if language != LANGUAGE:
        return [None] * len(texts)
    analyzer = _analyzer()
    return [analyzer.polarity_scores(text)["compound"] for text in texts]


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    # Not at module top: its lexicon is for workers, and the web process shall not read it.
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
