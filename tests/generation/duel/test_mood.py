"""How completions sound, by the real VADER."""

import subprocess
import sys

import pytest

from generation.duel.mood import compounds
from generation.duel.rules import Mood, mood_of


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("I love it, what a great day!", Mood.POSITIVE),
        ("The train leaves at seven.", Mood.NEUTRAL),
        ("What a terrible, sad and ugly mess.", Mood.NEGATIVE),
    ],
)
def test_a_text_is_scored_and_classed(text: str, mood: Mood) -> None:
    (score,) = compounds([text], language="en")
    assert score is not None
    assert mood_of(score) == mood


def test_emphasis_makes_a_score_stronger() -> None:
    plain, loud = compounds(["It was a great day.", "It was a GREAT day!!!"], language="en")
    assert plain is not None
    assert loud is not None
    assert 0 < plain < loud <= 1


def test_no_other_language_is_scored() -> None:
    assert compounds(["Was für ein schöner Tag!", "Wie traurig."], language="de") == [None, None]


def test_the_web_process_does_not_load_the_lexicon(servers) -> None:
    code = "import game.asgi, sys; print('vaderSentiment' in sys.modules, 'generation.duel.mood' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
