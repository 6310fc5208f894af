"""Torch on the shipped model: its own weights, read back out of CTranslate2's file."""

import builtins
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from generation.backends import transformers
from generation.backends.base import Sample, Sampling, UnusableModelError
from generation.backends.ctranslate2 import CTranslate2Backend
from generation.backends.transformers import TransformersBackend
from tests.generation.checkpoint import make_checkpoint
from tests.generation.conftest import SHIPPED
from tests.generation.test_backends import ODD_PROMPTS

SAMPLING = Sampling(topk=0, topp=1.0, temperature=0.95, max_tokens=120)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(SHIPPED, tmp_path_factory.mktemp("shipped") / "checkpoint")


@pytest.fixture(scope="module")
def backend(checkpoint: Path) -> TransformersBackend:
    return TransformersBackend(checkpoint, "auto")


@pytest.mark.parametrize("slug", ["donald-trump", "hillary-clinton"])
def test_both_backends_find_a_text_equally_likely_in_float32(slug: str, tmp_path: Path) -> None:
    shipped = SHIPPED.parent / slug
    fast = CTranslate2Backend(shipped, "cpu", "float32")
    slow = TransformersBackend(make_checkpoint(shipped, tmp_path / "checkpoint"), "cpu")
    texts = [sample.text for sample in fast.generate(count=64, sampling=SAMPLING)]
    texts += ["", "!", "\N{HATCHING CHICK} <|endoftweet|>", "caf\u00e9 " * 100]
    for max_tokens in (120, 5):
        assert slow.likelihoods(texts, max_tokens=max_tokens) == pytest.approx(fast.likelihoods(texts, max_tokens=max_tokens), abs=1e-3)


@pytest.mark.parametrize("certain", [{"topk": 1}, {"topp": 1e-6}, {"temperature": 1e-3}])
def test_both_backends_write_the_same_where_chance_is_taken_out(backend: TransformersBackend, certain: dict[str, float]) -> None:
    fast = CTranslate2Backend(SHIPPED, "cpu", "float32")
    sampling = Sampling.of({"topk": 0, "topp": 1.0, "temperature": 1.0, "max_tokens": 30} | certain)
    for prompt in ("We will", "I <|pad|>"):
        ours, theirs = (one.generate(count=2, sampling=sampling, prompt=prompt) for one in (backend, fast))
        assert ours == theirs


def test_as_many_texts_come_back_as_were_asked_for(backend: TransformersBackend) -> None:
    samples = backend.generate(count=40, sampling=SAMPLING)
    assert len({sample.text for sample in samples}) > 35
    assert [sample.text for sample in samples if "<|" in sample.text] == []
    assert sum(sample.finished for sample in samples) > 35


@pytest.mark.parametrize("prompt", ODD_PROMPTS)
def test_a_text_begins_with_its_prompt(backend: TransformersBackend, prompt: str) -> None:
    samples = backend.generate(count=4, sampling=SAMPLING, prompt=prompt)
    assert [sample.text[: len(prompt)] for sample in samples] == [prompt] * 4
    assert len({sample.text for sample in samples}) > 1


def test_a_prompt_that_leaves_no_room_comes_back_as_it_is(backend: TransformersBackend) -> None:
    long = "\N{HATCHING CHICK}" * 100
    assert backend.generate(count=3, sampling=SAMPLING, prompt=long) == [Sample(long, False)] * 3


def test_a_text_that_was_cut_off_is_not_finished(backend: TransformersBackend) -> None:
    short = Sampling(topk=200, topp=0.95, temperature=1.0, max_tokens=2)
    assert [sample.finished for sample in backend.generate(count=10, sampling=short)] == [False] * 10


def test_nothing_is_longer_than_a_model_has_positions_for(backend: TransformersBackend) -> None:
    endless = Sampling(topk=0, topp=1.0, temperature=50.0, max_tokens=1000)
    samples = backend.generate(count=4, sampling=endless, prompt="We")
    assert [sample.text[:2] for sample in samples] == ["We"] * 4
    long = "We are here. " * 100
    assert backend.likelihoods([long], max_tokens=1000) == pytest.approx(backend.likelihoods([long], max_tokens=128))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("config.json", "config.json is missing: it must be a folder in transformers format."),
        ("tokenizer.json", "tokenizer.json is missing: save the model's tokenizer beside it."),
        ("model.safetensors", "model.safetensors is missing: save the model with safe_serialization."),
    ],
)
def test_what_a_folder_lacks_is_named(checkpoint: Path, tmp_path: Path, name: str, what: str) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(UnusableModelError) as error:
        TransformersBackend(folder, "cpu")
    assert str(error.value) == f"{folder}/{what}"


def test_an_adapter_says_that_it_needs_peft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers, "find_spec", lambda name: None)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UnusableModelError) as error:
        transformers.check_checkpoint(tmp_path)
    assert str(error.value) == f"{tmp_path} is an adapter, for which peft is not installed: install it, or merge the adapter into its base."


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_spoilt_file_is_one_line(checkpoint: Path, tmp_path: Path, name: str, content: bytes) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    (folder / name).write_bytes(content)
    with pytest.raises(UnusableModelError) as error:
        TransformersBackend(folder, "cpu")
    assert str(error.value).startswith(f"{folder} holds no model that can be loaded on cpu: ")
    assert "\n" not in str(error.value)


def test_code_of_a_models_own_is_not_run(checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "starling", "auto_map": {"AutoModelForCausalLM": "starling.Starling", "AutoConfig": "starling.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "starling.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UnusableModelError):
        TransformersBackend(folder, "cpu")
    assert not (tmp_path / "ran").exists()


def test_without_torch_the_line_says_how_to_install_it(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnusableModelError) as error:
        TransformersBackend(checkpoint, "cpu")
    assert str(error.value) == f"{checkpoint} needs torch, which is not installed: sh requirements/install.sh train."


@pytest.mark.parametrize("device", ["abacus", "cuda"])
def test_a_device_that_is_not_there_is_named(checkpoint: Path, device: str) -> None:
    with pytest.raises(UnusableModelError, match=f"^{checkpoint} holds no model that can be loaded on {device}: "):
        TransformersBackend(checkpoint, device)
