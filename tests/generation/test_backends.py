"""CTranslate2 on the shipped model."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generation.backends.base import Sample, Sampling, UnusableModelError
from generation.backends.ctranslate2 import CTranslate2Backend
from tests.generation.checkpoint import make_checkpoint
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


@pytest.mark.parametrize(("device", "kind", "index"), [("cpu", "cpu", 0), ("cuda", "cuda", 0), ("cuda:3", "cuda", 3)])
def test_of_several_gpus_the_one_that_is_named_is_used(monkeypatch: pytest.MonkeyPatch, device: str, kind: str, index: int) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr("ctranslate2.Generator", lambda _folder, **how: asked.append(how))
    assert CTranslate2Backend(SHIPPED, device).device == device
    assert [(how["device"], how["device_index"]) for how in asked] == [(kind, index)]


# What people type, and what nobody should.
ODD_PROMPTS = [
    "I think",
    "I think ",
    " we",
    "\N{HATCHING CHICK}\N{HATCHING CHICK} is",
    "\N{WAVING BLACK FLAG}\N{ZERO WIDTH JOINER}",
    "<|endoftweet|> and <|startoftweet|><|pad|>",
    "caf\u00e9 \u0440\u044b\u0431\u0430 \u9b5a",
    "two\nlines\t\x00",
    "!",
]


@pytest.mark.parametrize("prompt", ODD_PROMPTS)
def test_a_text_begins_with_its_prompt(backend: CTranslate2Backend, prompt: str) -> None:
    samples = backend.generate(count=8, sampling=Sampling.of(SAMPLING), prompt=prompt)
    assert [sample.text[: len(prompt)] for sample in samples] == [prompt] * 8
    assert len({sample.text for sample in samples}) > 1
    assert [sample.likelihood for sample in samples] == [None] * 8


def test_a_prompt_that_leaves_no_room_comes_back_as_it_is(backend: CTranslate2Backend) -> None:
    long = "\N{HATCHING CHICK}" * 100
    assert backend.generate(count=3, sampling=Sampling.of(SAMPLING), prompt=long) == [Sample(long, False)] * 3


def test_a_prompt_counts_among_the_tokens_of_its_text(backend: CTranslate2Backend) -> None:
    prompt = "We are going to make this country great again and we will"
    sampling = Sampling.of(SAMPLING | {"max_tokens": 14})
    samples = backend.generate(count=20, sampling=sampling, prompt=prompt)
    assert max(len(backend.tokenizer.encode(sample.text).ids) for sample in samples) <= 14


def test_writing_a_text_tells_how_likely_it_is(backend: CTranslate2Backend) -> None:
    samples = backend.generate(count=200, sampling=Sampling.of(SAMPLING | {"temperature": 0.7}))
    told = {sample.text: sample.likelihood for sample in samples if sample.likelihood is not None}
    assert len(told) > 100
    asked = backend.likelihoods(list(told), max_tokens=120)
    # In batches of another size int8 rounds otherwise; truncation and temperature, which do not count, would be whole nats.
    assert list(told.values()) == pytest.approx(asked, abs=0.06)


def test_what_was_cut_off_tells_nothing(backend: CTranslate2Backend) -> None:
    samples = backend.generate(count=10, sampling=Sampling.of(SAMPLING | {"max_tokens": 3}))
    assert [sample.likelihood for sample in samples if not sample.finished] == [None] * 10


def test_of_a_long_text_the_first_tokens_count(backend: CTranslate2Backend) -> None:
    text = "Thank you all so much, and good luck!"
    first = backend.tokenizer.encode(text).tokens[:4]
    [result] = backend.generator.score_batch([[backend.start, *first]])
    assert backend.likelihoods([text, text * 9], max_tokens=4) == pytest.approx([sum(result.log_probs) / 4] * 2, abs=0.03)


@pytest.mark.parametrize(("exported", "runs"), [("int8", "int8_float32"), ("int8_float16", "int8_float32"), ("float16", "float32")])
def test_a_cpu_computes_in_what_a_model_was_exported_in_or_the_nearest_it_can(exported: str, runs: str, tmp_path: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    folder = make_checkpoint(SHIPPED, tmp_path / "checkpoint")
    TransformersConverter(str(folder)).convert(str(tmp_path / "model"), quantization=exported)
    shutil.copyfile(folder / "tokenizer.json", tmp_path / "model" / "tokenizer.json")
    assert CTranslate2Backend(tmp_path / "model", "cpu").generator.compute_type == runs


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
