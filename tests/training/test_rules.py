from typing import Any

import pytest

from training.rules import Comparison, compare, length_profile, what_a_corpus_lacks, worst_detector


def test_a_length_profile_counts_by_bins_of_ten_characters() -> None:
    assert length_profile([0, 9, 10, 19, 20, 49, 49, 49]) == {"bin": 10, "probabilities": [0.25, 0.25, 0.125, 0.0, 0.375]}


def test_a_corpus_needs_so_many_tweets_on_both_sides() -> None:
    assert what_a_corpus_lacks(50, 25) == ""
    assert what_a_corpus_lacks(0, 0) == "has no approved human tweets: import some, and approve them."
    needed = "50 and 25 are needed: import more, and approve them."
    assert what_a_corpus_lacks(49, 25) == f"has 49 approved human tweets to learn from and 25 to measure by; {needed}"
    assert what_a_corpus_lacks(50, 24) == f"has 50 approved human tweets to learn from and 24 to measure by; {needed}"


def scores(*, ngram: float = 0.6, likelihood: float = 0.5, made_up: float = 0.05, copied: float = 0.0, bits: float = 1.4) -> dict[str, Any]:
    served = {"ngram_auc": ngram, "likelihood_auc": likelihood, "made_up": made_up, "copied": copied}
    return {"bits_per_byte": bits, "served": served, "human": {"made_up": 0.05}}


def test_the_worst_detector_is_the_one_farthest_from_a_coin_toss_on_either_side() -> None:
    assert worst_detector(scores()) == ("n-grams", pytest.approx(0.1))
    assert worst_detector(scores(likelihood=0.35)) == ("likelihood", pytest.approx(0.15))
    # Half of the tweets above people's share are a detector's AUC of 0.75.
    assert worst_detector(scores(made_up=0.55)) == ("made-up words", pytest.approx(0.25))


ACTIVE = scores()
UNMEASURED = {"bits_per_byte": 1.2, "ngram_auc": 0.5}


@pytest.mark.parametrize(
    ("candidate", "active", "same_heldout", "expected"),
    [
        (scores(ngram=0.9), None, False, Comparison(True, "no other model is active")),
        (UNMEASURED, None, False, Comparison(False, "it was not measured as it is served")),
        (
            scores(ngram=0.5),
            UNMEASURED,
            True,
            Comparison(False, "the active model was not measured as it is served: a person has to compare them"),
        ),
        (
            scores(ngram=0.5, copied=0.01),
            ACTIVE,
            True,
            Comparison(False, "it copies more from training: 1.0% of what it serves, the active model 0.0%"),
        ),
        (
            scores(ngram=0.55),
            ACTIVE,
            False,
            Comparison(True, "its worst detector (n-grams) is 0.050 off 0.5, the active model's (n-grams) 0.100"),
        ),
        (
            scores(ngram=0.5, likelihood=0.3),
            ACTIVE,
            False,
            Comparison(False, "its worst detector (likelihood) is 0.200 off 0.5, the active model's (n-grams) 0.100"),
        ),
        (
            scores(ngram=0.595, bits=1.0),
            ACTIVE,
            False,
            Comparison(
                False,
                "its worst detector (n-grams) is 0.095 off 0.5, the active model's (n-grams) 0.100:"
                " no clear difference, and their bits per byte are of different held-out tweets",
            ),
        ),
        (
            scores(bits=1.39),
            ACTIVE,
            True,
            Comparison(
                True,
                "its worst detector (n-grams) is 0.100 off 0.5, the active model's (n-grams) 0.100:"
                " no clear difference; bits per byte 1.390, the active model's 1.400",
            ),
        ),
    ],
)
def test_a_candidate_beats_the_active_model_only_by_what_players_would_notice(
    candidate: dict[str, Any], active: dict[str, Any] | None, same_heldout: bool, expected: Comparison
) -> None:
    assert compare(candidate, active, same_heldout=same_heldout) == expected


def test_a_tie_leaves_the_active_model() -> None:
    assert compare(ACTIVE, ACTIVE, same_heldout=True).beats is False
