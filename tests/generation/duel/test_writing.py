"""What is shown of a model's samples: whole sentences that add something, which the pool would take too."""

from collections.abc import Sequence

import pytest

from game.pool.rules import MAX_LENGTH
from generation.backends.base import Sample
from generation.duel.rules import KEPT, MAX_SAMPLES, SAMPLES
from generation.duel.writing import complete
from generation.folders import read_knowledge
from generation.loading import Writer
from generation.rules import RUN_BYTES, Drop, HashedSet, Knowledge, run_hashes
from tests.generation.conftest import SHIPPED
from tests.generation.duel.conftest import ENDINGS, Speaker

SAMPLING = {"topk": 0, "topp": 1.0, "temperature": 1.0, "max_tokens": 100}
PROMPT = "I think that"
KNOWLEDGE = read_knowledge(SHIPPED)


class Judge:
    """Finds short texts like people's."""

    def log_ratios(self, texts: Sequence[str], likelihoods: Sequence[float]) -> list[float]:
        return [-len(text) for text in texts]


def answer(speaker: Speaker, *, prompt: str = PROMPT, judge: Judge | None = None, knowledge: Knowledge = KNOWLEDGE):
    return complete(writer=Writer(speaker, knowledge, judge), settings=SAMPLING, language="en", prompt=prompt)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("", Drop.INCOMPLETE),
        ("...", Drop.INCOMPLETE),
        ("look at this:", Drop.INCOMPLETE),
        ("so!", Drop.TOO_SHORT),
        ("we want change. " * (MAX_LENGTH // 16 + 1), Drop.TOO_LONG),
        ("we should look at https://example.com today.", Drop.LINK),
        ("change change change change change change.", Drop.REPETITION),
        ("the qwertzuiop will come back home.", Drop.MADE_UP_WORD),
        ("you can write to jo@example.org about the jobs.", "personal data"),
        ("you should call me at (212) 555-0147 about the jobs.", "personal data"),
        ("the media is full of shit and we all know it.", "unsafe word"),
    ],
)
def test_what_is_not_shown_is_counted_by_reason(ending: str, reason: str) -> None:
    speaker = Speaker(ending)
    answers = answer(speaker)
    assert (answers.kept, answers.made) == ([], MAX_SAMPLES)
    assert +answers.dropped == {reason: MAX_SAMPLES}
    assert speaker.asked == MAX_SAMPLES


def test_one_round_of_samples_is_enough_where_ten_pass() -> None:
    speaker = Speaker(*ENDINGS)
    answers = answer(speaker)
    assert (answers.made, len(answers.kept), speaker.asked) == (SAMPLES, KEPT, SAMPLES)
    assert answers.unfit == [""] * KEPT
    assert answers.made == len(answers.kept) + answers.dropped.total()


def test_more_samples_are_drawn_where_too_few_pass() -> None:
    # One of three rounds is good.
    speaker = Speaker(*["the qwertzuiop will come."] * 40, *ENDINGS, *ENDINGS[:8])
    answers = answer(speaker)
    assert (answers.made, len(answers.kept)) == (60, KEPT)


def test_an_unfinished_text_is_cut_back_to_its_last_whole_sentence() -> None:
    answers = answer(Speaker("we will win this for you. And then the people", "nobody knows how many", finished=False))
    assert answers.kept == ["I think that we will win this for you."]
    assert answers.dropped[Drop.INCOMPLETE] == MAX_SAMPLES // 2


def test_a_finished_text_stays_whole_without_a_full_stop() -> None:
    assert answer(Speaker("we will win this. Thank you all")).kept == ["I think that we will win this. Thank you all"]


def test_of_near_copies_the_best_stays() -> None:
    answers = answer(Speaker("we will win this for the people!", "we will win this for the peoples!"))
    assert answers.kept == ["I think that we will win this for the peoples!"]
    assert answers.dropped[Drop.DUPLICATE] == MAX_SAMPLES - 1


def test_the_judge_orders_where_there_is_one_and_else_the_likelihood() -> None:
    texts = [f"{PROMPT} {ending}" for ending in ENDINGS]
    assert answer(Speaker(*ENDINGS), judge=Judge()).kept == sorted(texts, key=len)[:KEPT]
    assert answer(Speaker(*ENDINGS)).kept == sorted(texts, key=len, reverse=True)[:KEPT]


def test_words_of_the_prompt_may_be_made_up_which_the_pool_would_not_take() -> None:
    answers = answer(Speaker(*ENDINGS), prompt="The qwertzuiop says that")
    assert len(answers.kept) == KEPT
    assert answers.unfit == [Drop.MADE_UP_WORD] * KEPT


def test_eight_words_of_the_corpus_in_a_row_may_be_the_visitors_but_not_the_models() -> None:
    learned = "we want strong jobs for all the people of our great country"
    knowledge = Knowledge(KNOWLEDGE.words, HashedSet.of(run_hashes(learned), RUN_BYTES), KNOWLEDGE.lengths)
    typed, rest = learned[:38], learned[39:]
    assert len(typed.split()) == 8
    assert answer(Speaker("and nobody else."), prompt=typed, knowledge=knowledge).kept == [f"{typed} and nobody else."]
    copied = answer(Speaker(f"{rest}."), prompt=typed, knowledge=knowledge)
    assert (copied.kept, copied.dropped[Drop.COPIED]) == ([], MAX_SAMPLES)


def test_a_sample_whose_beginning_is_another_is_not_taken_for_an_answer() -> None:
    class Deaf(Speaker):
        def generate(self, *, count: int, sampling: object, prompt: str = "") -> list[Sample]:
            return [Sample("Nobody asked me anything at all about that.", True)] * count

    assert answer(Deaf()).kept == []
