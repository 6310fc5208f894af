"""How a model answers a prompt: samples are drawn, cut to whole sentences, screened, and the best are kept."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from game.pool.rules import normalise
from generation import rules
from generation.backends.base import Sample, Sampling
from generation.duel.rules import KEPT, MAX_SAMPLES, SAMPLES, adds_a_word, breaks_off, cut_to_last_sentence, distinct
from generation.loading import Writer
from generation.rules import Drop, HashedSet, Knowledge, run_hashes, word_hash, words_of


@dataclass(slots=True)
class Answers:
    """What became of the samples: the texts kept, the best first; why the pool would not take each ("": it would); why others fell."""

    made: int = 0
    kept: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    dropped: Counter[Drop] = field(default_factory=Counter)


def complete(
    *,
    writer: Writer,
    settings: Mapping[str, Any],
    language: str,
    prompt: str,
    after_chunk: Callable[[], None] = lambda: None,
) -> Answers:
    """Have the model complete `prompt` until enough of it can be shown, or it has had its share of samples; raises BackendError.

    `settings` are a model card's `sampling`.
    """
    sampling, answers, knowledge = Sampling.of(settings), Answers(), forgive_prompt(writer.knowledge, prompt)
    marks: dict[str, float] = {}
    best = list[str]()
    while len(best) < KEPT and answers.made < MAX_SAMPLES:
        samples = writer.backend.generate(count=SAMPLES, sampling=sampling, prompt=prompt)
        answers.made += len(samples)
        outcomes = [screen_completion(sample, prompt=prompt, language=language, knowledge=knowledge) for sample in samples]
        answers.dropped.update(each for each in outcomes if isinstance(each, Drop))
        passed = [each for each in outcomes if not isinstance(each, Drop)]
        marks |= dict(zip(passed, _mark(writer, passed, sampling), strict=True))
        best = distinct(sorted(marks, key=marks.__getitem__, reverse=True), prompt=prompt)
        after_chunk()
    answers.kept = best[:KEPT]
    answers.unfit = [why_unfit(text, language=language, knowledge=writer.knowledge) for text in answers.kept]
    answers.dropped[Drop.DUPLICATE] += answers.made - answers.dropped.total() - len(best)
    answers.dropped[Drop.UNLIKE] += len(best) - len(answers.kept)
    return answers


def _mark(writer: Writer, texts: Sequence[str], sampling: Sampling) -> list[float]:
    """Mark texts, the better the higher.

    The judge says how like people's a text is, which is what a duel is about. Without one there is the likelihood: it prefers
    the commonplace, but knows what has gone astray.
    """
    likelihoods = writer.backend.likelihoods(texts, max_tokens=sampling.max_tokens)
    return writer.judge.log_ratios(texts, likelihoods) if writer.judge else likelihoods


@dataclass(frozen=True)
class _Changed(HashedSet):
    """A set with some hashes more, and some less."""

    more: frozenset[int] = frozenset()
    less: frozenset[int] = frozenset()

    def __contains__(self, value: int) -> bool:
        return value in self.more or (value not in self.less and HashedSet.__contains__(self, value))


def forgive_prompt(knowledge: Knowledge, prompt: str) -> Knowledge:
    """Return knowledge by which the prompt's own words are no made-up ones, and eight of them in a row not the model's copy."""
    return replace(
        knowledge,
        words=_Changed(knowledge.words.hashes, more=frozenset(map(word_hash, words_of(prompt)))),
        runs=_Changed(knowledge.runs.hashes, less=frozenset(run_hashes(prompt))),
    )


def screen_completion(sample: Sample, *, prompt: str, language: str, knowledge: Knowledge) -> str | Drop:
    """Return what a page shows of a sample, which passes the pool's screen too, or the reason why it is dropped."""
    text = normalise(sample.text)
    if not sample.finished or breaks_off(text):
        text = cut_to_last_sentence(text, prompt=prompt)
    if not text.startswith(prompt) or not adds_a_word(text, prompt=prompt):
        return Drop.INCOMPLETE
    return rules.screen(text, finished=True, language=language, knowledge=knowledge)


def why_unfit(text: str, *, language: str, knowledge: Knowledge) -> str:
    """Return why the pool would not take a completion: what its prompt is forgiven here; nothing if it would."""
    outcome = rules.screen(text, finished=True, language=language, knowledge=knowledge)
    return str(outcome) if isinstance(outcome, Drop) else ""
