"""CTranslate2 on the shipped model."""

import os
import subprocess
import sys

import pytest

from generation.backends.base import Sampling, UnusableModelError
from generation.backends.ctranslate2 import CTranslate2Backend
from tests.generation.conftest import SHIPPED

SAMPLING = {"topk": 200, "topp": 0.95, "temperature": 1.0, "max_tokens": 120}


@pytest.fixture(scope="module")
def backend() -> CTranslate2Backend:
    return CTranslate2Backend(SHIPPED, "cpu")


def test_as_many_texts_come_back_as_were_asked_for_and_no_thread_repeats_another(backend: CTranslate2Backend) -> None:
    samples = backend.generate(count=200, sampling=Sampling.of(SAMPLING))
    assert len(samples) == 200
    # A model says a few short things twice; two threads with one seed would say everything twice.
    assert len({sample.text for sample in samples}) > 180


def test_a_text_shows_no_special_token(backend: CTranslate2Backend) -> None:
    samples = backend.generate(count=20, sampling=Sampling.of(SAMPLING))
    assert [sample.text for sample in samples if "<|" in sample.text] == []


def test_a_text_that_was_cut_off_is_not_finished(backend: CTranslate2Backend) -> None:
    samples = backend.generate(count=10, sampling=Sampling.of(SAMPLING | {"max_tokens": 2}))
    assert [sample.finished for sample in samples] == [False] * 10
    assert any(sample.finished for sample in backend.generate(count=10, sampling=Sampling.of(SAMPLING)))


@pytest.mark.parametrize("wrong", [{"topk": -1}, {"topp": 0}, {"topp": 1.1}, {"temperature": 0}, {"max_tokens": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"^no model can sample with "):
        Sampling.of(SAMPLING | wrong)


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(UnusableModelError, match=f"^{SHIPPED} holds no model that can be loaded on abacus: unsupported device abacus$"):
        CTranslate2Backend(SHIPPED, "abacus")


def test_no_inference_library_is_loaded_before_the_first_batch() -> None:
    code = "import django, sys; django.setup(); import generation.tasks; print({'ctranslate2', 'tokenizers', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
