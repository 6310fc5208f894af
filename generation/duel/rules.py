"""What may be asked of the models, which of their answers are shown, and in which mood these are: pure rules over text."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from game.pool.near import NEAR, similarity
from game.pool.personal import personal_data
from game.pool.rules import has_link, has_markup, is_manual_retweet, normalise
from game.pool.unsafe import unsafe_words

MAX_CHARACTERS = 100
MAX_WORDS = 20
# As many as Prompt.key takes: some letters become several when they are folded.
MAX_KEY = 200
# Nobody begins a tweet with more; and entities in entities take time to undo.
MAX_TYPED = 4_000

# Samples that a model is asked for at a time, completions that are kept of them, and samples after which it is let off.
SAMPLES = 20
KEPT = 10
MAX_SAMPLES = 100

# Joins emoji; the only invisible character that normalising leaves.
_JOINER = "\u200d"


class BadPrompt(Exception):
    """What was typed can't be asked; the message says why, and what to do."""


def clean_prompt(text: str) -> str:
    """Return what was typed as all text here is written, cut behind the last word that fits; raises BadPrompt."""
    if len(text) > MAX_TYPED:
        raise BadPrompt(f"That is no beginning but a whole story: {MAX_CHARACTERS} characters or {MAX_WORDS} words are enough.")
    if any(unicodedata.category(character) == "Cc" and not character.isspace() for character in text):
        raise BadPrompt("There are control characters in it, which no tweet has: type it instead of pasting it.")
    prompt = _cut(normalise(text))
    for is_bad, message in _REFUSALS:
        if is_bad(prompt):
            raise BadPrompt(message)
    return prompt


def _cut(text: str) -> str:
    words = text.split()
    if words and len(words[0]) > MAX_CHARACTERS:
        raise BadPrompt(f"The first word alone is longer than {MAX_CHARACTERS} characters: begin with shorter ones.")
    cut = ""
    for word in words[:MAX_WORDS]:
        longer = f"{cut} {word}" if cut else word
        if len(longer) > MAX_CHARACTERS:
            break
        cut = longer
    return cut


def _is_empty(text: str) -> bool:
    # Letters, digits, punctuation, symbols: anything that shows.
    return not any(unicodedata.category(character)[0] in "LNPS" for character in text)


def _is_hidden(text: str) -> bool:
    return not text.replace(_JOINER, "").isprintable() or len(prompt_key(text)) > MAX_KEY


def _is_reply(text: str) -> bool:
    return text.startswith("@") or is_manual_retweet(text)


_REFUSALS: tuple[tuple[Callable[[str], object], str], ...] = (
    (_is_empty, "Type how a tweet begins: a word is enough."),
    (_is_hidden, "There are characters in it that can't be shown: use ordinary letters."),
    # None are in the pool, so no model has learned to write them.
    (_is_reply, "The models write no replies and no retweets: begin with a word, not with a name."),
    (has_link, "No links, please: the models never read one. Begin with words."),
    (has_markup, "No HTML, please: begin with words."),
    (personal_data, "There seems to be somebody's address or number in it: leave it out."),
    (unsafe_words, "There is a word in it that does not belong in a class: say it another way."),
)


def prompt_key(text: str) -> str:
    """Return what two prompts share that differ in case, width or white space only. The key of a key is itself."""
    while (key := " ".join(unicodedata.normalize("NFKC", text.casefold()).split())) != text:
        text = key
    return key


class Mood(StrEnum):
    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


# Of VADER's compound score: the thresholds of its authors (Hutto & Gilbert 2014, and the README of vaderSentiment).
MOOD_THRESHOLD = 0.05


def mood_of(compound: float) -> Mood:
    """Return the class of a compound score, which is from -1 to 1."""
    if compound >= MOOD_THRESHOLD:
        return Mood.POSITIVE
    return Mood.NEGATIVE if compound <= -MOOD_THRESHOLD else Mood.NEUTRAL


def majority(moods: Sequence[Mood]) -> Mood | None:
    """Return the most frequent of `moods`, which are in the order of their completions; None without any.

    Of equally frequent ones it is the one that comes first: the mood of the better completion.
    """
    return max(moods, key=moods.count, default=None)


def shares(moods: Sequence[Mood]) -> dict[Mood, float]:
    """Return the share of each mood, none left out; nothing without any moods."""
    counts = Counter(moods)
    return {mood: counts[mood] / len(moods) for mood in Mood} if moods else {}


# What ends in a full stop and ends no sentence; single letters ("U.S.", "J. Smith") too.
_ABBREVIATIONS = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "gov", "sen", "rep", "gen", "lt", "col", "sgt", "rev", "st", "jr", "sr", "vs", "etc", "inc", "corp")
)
_SENTENCE_END = re.compile(r"([\w.]*)([.!?]+[\"')\]]*)(?=\s|$)")


def breaks_off(text: str) -> bool:
    """Say whether `text` ends where something must follow: the corpora have tweets whose link is gone."""
    return text.endswith((":", ",", ";", "-", "&", "("))


def cut_to_last_sentence(text: str, *, prompt: str) -> str:
    """Return `text` up to the end of its last whole sentence; nothing if that leaves no word beyond `prompt`."""
    for end in reversed(list(_SENTENCE_END.finditer(text))):
        word = end[1].rpartition(".")[2].casefold()
        is_abbreviation = end[2].startswith(".") and (len(word) == 1 or word in _ABBREVIATIONS) and not word.isdigit()
        if not is_abbreviation and adds_a_word(text[: end.end()], prompt=prompt):
            return text[: end.end()]
    return ""


def adds_a_word(text: str, *, prompt: str) -> bool:
    """Say whether there is a letter or a digit in `text` beyond `prompt`."""
    return any(map(str.isalnum, text[len(prompt) :]))


def distinct(texts: Iterable[str], *, prompt: str) -> list[str]:
    """Return the texts, in their order, without those that say nearly what an earlier one says.

    The prompt, which all begin with, does not count.
    """
    kept: list[str] = []
    for text in texts:
        own = text[len(prompt) :]
        if all(similarity(own, other[len(prompt) :]) < NEAR for other in kept):
            kept.append(text)
    return kept
