"""The judge: what it sees, and what it makes of it."""

import json
import math
from array import array
from pathlib import Path

import pytest

from generation.backends.base import UnusableModelError
from generation.folders import read_judge
from generation.judge import BUCKETS, FIRST_NGRAM, Judge, count_emoji, count_hashtags, count_mentions, features

CALM = "The owl by the mill sings softly again."


def judge_file() -> bytes:
    return json.dumps({"format": 1, "scale": 0.01}).encode() + b"\n" + array("b", [0] * BUCKETS).tobytes()


def against(text: str, other: str, likelihood: float = -3.0) -> Judge:
    """Return a judge that has 1 for each feature that `text` has and `other` has not."""
    weights = array("b", [0] * BUCKETS)
    for bucket in features(text, likelihood).keys() - features(other, likelihood).keys():
        weights[bucket] = 100
    return Judge(0.01, weights)


def test_the_same_text_has_the_same_features_and_its_ngrams_have_length_1() -> None:
    first, second = features(CALM, -3.0), features(CALM, -3.0)
    assert first == second
    assert math.sqrt(sum(value**2 for bucket, value in first.items() if bucket >= FIRST_NGRAM)) == pytest.approx(1.0)
    assert max(first) < BUCKETS


@pytest.mark.parametrize(
    "other",
    [
        CALM.replace("softly", "loudly"),
        CALM.replace("The", "the"),
        CALM.replace("again.", "again!"),
        f"{CALM} #owls",
        f"{CALM} @nan",
        CALM.replace("owl by", "by owl"),
        f'"{CALM}',
    ],
)
def test_what_a_reader_would_notice_changes_the_features(other: str) -> None:
    assert features(other, -3.0) != features(CALM, -3.0)
    assert against(other, CALM).log_ratio(other, -3.0) > 0.0
    assert against(other, CALM).log_ratio(CALM, -3.0) == 0.0


def test_likelihood_is_split_over_the_two_knots_that_it_lies_between() -> None:
    at, between, beyond = (features(CALM, likelihood) for likelihood in (-3.0, -3.125, -99.0))
    lower, upper = sorted(bucket for bucket in between if between[bucket] != at.get(bucket))
    assert (between[lower], between[upper]) == (pytest.approx(0.3 * 0.25), pytest.approx(0.3 * 0.75))
    assert beyond == features(CALM, -7.0)


def test_tags_and_emoji_are_counted() -> None:
    text = "#One @two 3# four@ \N{HATCHING CHICK}\N{HATCHING CHICK} #5"
    assert (count_hashtags(text), count_mentions(text), count_emoji(text)) == (2, 1, 2)


def test_an_empty_text_has_features_too() -> None:
    assert against(CALM, "").log_ratio("", -3.0) == 0.0


def test_a_folder_without_a_judge_has_none(tmp_path: Path) -> None:
    assert read_judge(tmp_path) is None


def test_a_judge_comes_back_from_its_file(tmp_path: Path) -> None:
    weights = array("b", [0] * BUCKETS)
    weights[max(features(CALM, -3.0))] = -50
    (tmp_path / "judge.bin").write_bytes(b'{"format": 1, "scale": 0.5}\n' + weights.tobytes())
    judge = read_judge(tmp_path)
    assert judge == Judge(0.5, weights)
    assert judge.log_ratio(CALM, -3.0) == pytest.approx(-25 * features(CALM, -3.0)[max(features(CALM, -3.0))])


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "Expecting value"),
        (b"{}\n", "lacks 'format'."),
        (b"[]\n", "list indices must be integers"),
        (judge_file()[:-1], "not a judge of format 1 with 262144 weights."),
        (judge_file().replace(b'"format": 1', b'"format": 2'), "not a judge of format 1 with 262144 weights."),
        (judge_file().replace(b'"scale": 0.01', b'"scale": NaN'), "a judge's weights can't be in steps of nan."),
        (judge_file().replace(b'"scale": 0.01', b'"scale": null'), "float() argument must be"),
    ],
)
def test_a_spoilt_judge_is_one_line_that_names_it(tmp_path: Path, data: bytes, complaint: str) -> None:
    (tmp_path / "judge.bin").write_bytes(data)
    with pytest.raises(UnusableModelError) as error:
        read_judge(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'judge.bin'} ")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
