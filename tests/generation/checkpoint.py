"""The shipped model's own weights as a checkpoint in transformers format: read back out of CTranslate2's file, int8 made float again."""

import json
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

# https://github.com/OpenNMT/CTranslate2: python/ctranslate2/specs/model_spec.py writes the file, revision 6 of it.
_TYPES = ("float32", "int8", "int16", "int32", "float16")
# CTranslate2's name of a layer's part, and transformers'.
_PARTS = {
    "self_attention/layer_norm": "ln_1",
    "self_attention/linear_0": "attn.c_attn",
    "self_attention/linear_1": "attn.c_proj",
    "ffn/layer_norm": "ln_2",
    "ffn/linear_0": "mlp.c_fc",
    "ffn/linear_1": "mlp.c_proj",
}
_KNOWLEDGE = ("card.json", "words.bin", "runs.bin", "learned.bin", "profile.json", "judge.bin", "tokenizer.json")


def read_weights(path: Path) -> dict[str, Any]:
    """Return the variables of a model.bin by name, those in int8 multiplied out."""
    data, at = path.read_bytes(), 0

    def take(form: str) -> Any:
        nonlocal at
        value = struct.unpack_from(f"={form}", data, at)[0]
        at += struct.calcsize(f"={form}")
        return value

    def text() -> str:
        nonlocal at
        size = take("H")
        at += size
        return data[at - size : at - 1].decode()

    found: dict[str, Any] = {}
    assert (take("I"), text()) == (6, "TransformerDecoderSpec")
    take("I")
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind, size = _TYPES[take("B")], take("I")
        found[name] = numpy.frombuffer(data, kind, size // numpy.dtype(kind).itemsize, at).reshape(shape)
        at += size
    for alias, name in [(text(), text()) for _ in range(take("I"))]:
        found[alias] = found[name]
    for name in [name for name in found if f"{name}_scale" in found]:
        found[name] = found[name].astype("float32") / found[f"{name}_scale"].reshape(-1, 1)
    return found


def make_checkpoint(shipped: Path, folder: Path) -> Path:
    """Make `folder` a model of the backend `transformers` with the weights, the tokenizer and the knowledge of a shipped one."""
    weights = {name.removeprefix("decoder/"): torch.tensor(value) for name, value in read_weights(shipped / "model.bin").items()}
    tokens = weights["embeddings/weight"]
    state = {
        "transformer.wte.weight": tokens,
        "lm_head.weight": tokens,
        "transformer.wpe.weight": weights["position_encodings/encodings"],
        "transformer.ln_f.weight": weights["layer_norm/gamma"],
        "transformer.ln_f.bias": weights["layer_norm/beta"],
    }
    layers = 1 + max(int(found[1]) for name in weights if (found := re.match(r"layer_(\d+)/", name)))
    for layer in range(layers):
        for part, name in _PARTS.items():
            ours, theirs = f"layer_{layer}/{part}", f"transformer.h.{layer}.{name}"
            if part.endswith("norm"):
                state |= {f"{theirs}.weight": weights[f"{ours}/gamma"], f"{theirs}.bias": weights[f"{ours}/beta"]}
            else:
                state |= {f"{theirs}.weight": weights[f"{ours}/weight"].T.contiguous(), f"{theirs}.bias": weights[f"{ours}/bias"]}
    config = json.loads((shipped / "config.json").read_text())
    start, end = config["bos_token"], config["eos_token"]
    folder.mkdir()
    for name in _KNOWLEDGE:
        shutil.copyfile(shipped / name, folder / name)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), bos_token=start, eos_token=end, unk_token=end)
    positions, width = state["transformer.wpe.weight"].shape
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokens),
            n_positions=positions,
            n_embd=width,
            n_layer=layers,
            n_head=int(weights["num_heads"]),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    model.load_state_dict(state)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
