"""What a fine-tuning may start from, and what is said of what it may not."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from training.steps.files import read_json, write_json
from training.steps.recipe import Recipe, StepError


def copied(base: Path, to: Path) -> Path:
    return Path(shutil.copytree(base, to / "base"))


def test_a_folder_that_is_not_there_is_named(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.base_models import load_base

    with pytest.raises(StepError, match=r"nowhere holds no config\.json: base must be a folder in transformers format"):
        load_base(replace(recipe, base=str(tmp_path / "nowhere")))


def test_a_base_without_a_tokenizer_is_named(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    from training.steps.base_models import load_base

    folder = copied(base, tmp_path)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(StepError, match=rf"^base '{folder}'.* tokenizer") as error:
        load_base(replace(recipe, base=str(folder)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_base_whose_weights_can_not_be_read_is_named(recipe: Recipe, base: Path, tmp_path: Path, damage: str) -> None:
    from training.steps.base_models import load_base

    folder = copied(base, tmp_path)
    weights = folder / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        weights.unlink()
    with pytest.raises(StepError, match=f"^base '{folder}': ") as error:
        load_base(replace(recipe, base=str(folder)))
    assert "\n" not in str(error.value)


def test_a_base_that_reads_less_than_a_block_is_refused(recipe: Recipe) -> None:
    from training.steps.base_models import load_base

    with pytest.raises(StepError, match=r"block is 65, and base '.*' reads 64 tokens at most"):
        load_base(replace(recipe, block=65))


def test_a_base_of_one_special_token_begins_and_ends_with_it(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    """As GPT-2 from the hub does."""
    from training.steps.base_models import load_base

    folder = copied(base, tmp_path)
    config, tokens = read_json(folder / "config.json"), read_json(folder / "tokenizer_config.json")
    write_json(folder / "config.json", config | {"bos_token_id": None, "eos_token_id": 1})
    write_json(folder / "tokenizer_config.json", {key: value for key, value in tokens.items() if key != "bos_token"})
    loaded = load_base(replace(recipe, base=str(folder)))
    assert (loaded.start, loaded.end) == (1, 1)


def test_dropout_is_the_recipes(recipe: Recipe) -> None:
    from training.steps.base_models import load_base

    config = load_base(replace(recipe, dropout=0.25)).model.config
    assert (config.attn_pdrop, config.embd_pdrop, config.resid_pdrop) == (0.25, 0.25, 0.25)


def test_the_hash_of_weights_does_not_depend_on_their_files(recipe: Recipe, tmp_path: Path) -> None:
    from training.steps.base_models import load_base, weights_sha256

    loaded = load_base(recipe)
    loaded.model.save_pretrained(tmp_path, max_shard_size="20KB")
    loaded.tokenizer.save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    sharded = load_base(replace(recipe, base=str(tmp_path)))
    assert weights_sha256(sharded.model) == weights_sha256(loaded.model)
    sharded.model.transformer.ln_f.bias.data[0] += 1e-6
    assert weights_sha256(sharded.model) != weights_sha256(loaded.model)


def test_samples_are_the_same_from_the_same_seed_and_leave_chance_alone(recipe: Recipe) -> None:
    import torch

    from training.steps.base_models import load_base, write_texts_of

    loaded = load_base(recipe)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, same, other = (write_texts_of(loaded, recipe, [[loaded.start]] * 3, seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert first == same != other
    assert len(first) == 3
