"""The shape of a decoder model: what decides how much memory it needs.

Read from a model's own config.json (the names that Llama, Qwen2, Qwen3 and their kin use) or from
an entry of `configs/models.yaml`. It knows neither weights nor torch, and trusts no file: sizes
are bounded before anything is multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from core.boundedjson import decode
from core.errors import WaggleError

MAX_CONFIG_BYTES = 1024 * 1024
FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Architectures whose weights `count` knows to the last one; by `model_type`."""

_LIMITS = {
    "vocab": 4_000_000,
    "hidden": 65_536,
    "layers": 1_024,
    "intermediate": 1_048_576,
    "heads": 1_024,
    "kv_heads": 1_024,
    "head_dim": 4_096,
}
_KEYS = {
    "vocab": "vocab_size",
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "intermediate": "intermediate_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
}


@dataclass(frozen=True)
class Shape:
    """Sizes in numbers of elements. tied: the LM head is the embedding.

    bias: the projections to queries, keys and values have one. head_norm: queries and keys are
    normalised per head (Qwen3).
    """

    vocab: int
    hidden: int
    layers: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    tied: bool = True
    bias: bool = False
    head_norm: bool = False
    stated: int = 0
    """Weights as counted in the files of an architecture that is none of FAMILIES, else 0."""

    @property
    def q_width(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_dim

    @property
    def linear(self) -> int:
        """Weights of the linear layers of all blocks; the LM head is not among them."""
        attention = 2 * self.hidden * (self.q_width + self.kv_width)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def head(self) -> int:
        """Weights of the LM head, tied or not."""
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """Distinct weights of the model."""
        return self.stated or count(self)

    def adapter(self, rank: int) -> int:
        """Weights of a LoRA adapter on every linear layer of the blocks (arXiv 2106.09685)."""
        attention = 2 * (self.hidden + self.q_width) + 2 * (self.hidden + self.kv_width)
        return self.layers * rank * (attention + 3 * (self.hidden + self.intermediate))


def count(shape: Shape) -> int:
    """Distinct weights of a Llama-style decoder of that shape: linears, biases, norms, embeddings.

    Exact for the architectures in FAMILIES.
    """
    norms = 2 * shape.hidden + (2 * shape.head_dim if shape.head_norm else 0)
    biases = shape.q_width + 2 * shape.kv_width if shape.bias else 0
    embeddings = shape.head * (1 if shape.tied else 2)
    return shape.linear + shape.layers * (norms + biases) + embeddings + shape.hidden


def from_config(config: Mapping[str, Any], shown: str, stated: int = 0) -> Shape:
    """Of a parsed config.json, which messages call `shown`. WaggleError for what is none.

    stated: weights in the files beside it; they count where `count` could be wrong.
    """
    family = config.get("model_type")
    values = {name: config.get(key) for name, key in _KEYS.items()}
    if values["kv_heads"] is None:
        values["kv_heads"] = values["heads"]
    return _made(
        values,
        _KEYS,
        shown,
        tied=config.get("tie_word_embeddings") is True,
        bias=family == "qwen2" or config.get("attention_bias") is True,
        head_norm=family == "qwen3",
        stated=0 if family in FAMILIES else stated,
    )


def from_entry(values: Mapping[str, Any], shown: str) -> Shape:
    """Of an entry of `configs/models.yaml`. WaggleError naming what is missing or wrong."""
    family = values.get("family")
    if family not in FAMILIES:
        raise _refused(shown, f"family is {family!r}, known are {', '.join(FAMILIES)}")
    sizes = {name: values.get(name) for name in _KEYS}
    return _made(
        sizes,
        {name: name for name in _KEYS},
        shown,
        tied=values.get("tied", True) is True,
        bias=family == "qwen2",
        head_norm=family == "qwen3",
        stated=0,
    )


def read_config(path: Path, stated: int = 0) -> Shape:
    """Of a config.json on this machine. WaggleError when it is unreadable, hostile or no decoder.

    stated: weights counted in the files beside it, see `Shape.stated`.
    """
    try:
        with path.open("rb") as source:
            data = source.read(MAX_CONFIG_BYTES + 1)
        if len(data) > MAX_CONFIG_BYTES:
            raise ValueError(f"it is larger than {MAX_CONFIG_BYTES // 1024} KiB")
        config = decode(data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _refused(str(path), reason) from error
    if not isinstance(config, dict):
        raise _refused(str(path), "it is not a JSON object")
    return from_config(config, str(path), stated)


def _made(
    values: Mapping[str, Any],
    names: Mapping[str, str],
    shown: str,
    *,
    tied: bool,
    bias: bool,
    head_norm: bool,
    stated: int,
) -> Shape:
    hidden, heads = values["hidden"], values["heads"]
    if values["head_dim"] is None and _whole(hidden) and _whole(heads):
        values = {**values, "head_dim": hidden // heads}
    for name, most in _LIMITS.items():
        value = values[name]
        if not _whole(value) or value > most:
            told = "missing" if value is None else f"{str(value)[:40]}, not 1 to {most}"
            raise _refused(shown, f"{names[name]} is {told}")
    if values["heads"] % values["kv_heads"]:
        raise _refused(shown, "its attention heads do not divide into its key-value heads")
    sizes = {name: int(values[name]) for name in _LIMITS}
    return Shape(**sizes, tied=tied, bias=bias, head_norm=head_norm, stated=stated)


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _refused(shown: str, why: str) -> WaggleError:
    return WaggleError(
        f"{shown[:200]} does not describe a model that Waggle knows",
        why,
        "Choose a decoder of the Llama, Qwen2 or Qwen3 kind",
    )
