"""The model that every contestant trains: Qwen2.5-0.5B's shape, random weights, a made-up language.

Made once per folder by transformers' own classes, so `from_pretrained` loads it everywhere. Two
properties give every contestant exactly the same work without touching any of its settings:

- *Text and ids are the same thing.* GenRL trains on the decoded text of a completion, encoded
  again. The tokenizer is a byte-level BPE of Qwen's kind in which every token that can be sampled
  is one word, a space and four letters (` aBcD`), that no other tokens spell: decoding and encoding
  gives the ids back.
- *No completion ends early.* One dimension of the residual stream is the same constant for every
  token (no layer writes to it), and the tied embeddings of the tokens that must not be sampled
  (EOS, and the pieces of words) point against it: their logits lie below -90.
"""

from __future__ import annotations

import math
import string
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, int]] = {
    "0.5b": {
        "hidden_size": 896,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4864,
        "vocab_size": 151_936,
    },
    "smoke": {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 128,
        "vocab_size": 2_000,
    },
}
SPECIAL = ["<|endoftext|>", "<|im_end|>"]
"""Pad and EOS."""
CONSTANT, AGAINST = 0.1, -2_000.0
"""The constant dimension: small beside the other 895, so that nothing becomes an outlier."""


def words(size: int) -> list[str]:
    """What a vocabulary of `size` can say: its last tokens, in order, each ` aBcD`."""
    pairs = _pairs(size)
    every = (" " + first + second for first in pairs for second in pairs)
    room = size - len(SPECIAL) - 256 - 2 * len(pairs)
    return [word for word, _ in zip(every, range(room), strict=False)]


def make_model(folder: Path, shape: str) -> Path:
    """The folder of this model, float32; made when it is not there yet."""
    folder = folder / f"qwen2-{shape}-random"
    if (folder / "complete").exists():
        return folder
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    size = SHAPES[shape]["vocab_size"]
    tokenizer = _tokenizer(size)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        **SHAPES[shape],
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        embedding = model.model.embed_tokens.weight
        embedding[:, 0] = CONSTANT
        embedding[: size - len(words(size)), 0] = AGAINST
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[0] = 0
            layer.mlp.down_proj.weight[0] = 0
    model.save_pretrained(folder)
    (folder / "complete").touch()
    return folder


def _pairs(size: int) -> list[str]:
    """Enough pairs of a small and a capital letter that two of them make `size` words."""
    letters = (a + b for a in string.ascii_lowercase for b in string.ascii_uppercase)
    return [pair for pair, _ in zip(letters, range(math.isqrt(size) + 1), strict=False)]


def _tokenizer(size: int) -> Any:
    """Ids: the special tokens, the bytes, the pairs, a space before each pair, the words."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    pairs = _pairs(size)
    vocabulary = [*SPECIAL, *sorted(ByteLevel.alphabet()), *pairs, *("Ġ" + p for p in pairs)]
    said = [w.replace(" ", "Ġ") for w in words(size)]
    merges = [(p[0], p[1]) for p in pairs]
    merges += [("Ġ", p) for p in pairs]
    merges += [(w[:3], w[3:]) for w in said]
    tokenizer = Qwen2Tokenizer(
        vocab={token: i for i, token in enumerate([*vocabulary, *said])},
        merges=merges,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[1],
        model_max_length=32_768,
        padding_side="left",
    )
    first = words(size)[0]
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}{% endfor %}"
        f"{{% if add_generation_prompt %}}{first}{{% endif %}}"
    )
    return tokenizer
