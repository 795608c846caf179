"""Loads a model's tokenizer and makes it complete: a chat template, an end, a filler.

A base model has no chat template. It gets a plain one, because that is how a base model is asked:
a text that an answer would continue.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from core.errors import WaggleError

logger = logging.getLogger(__name__)

PLAIN_TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ m['content'] }}\n\n"
    "{% elif m['role'] == 'user' %}Question: {{ m['content'] }}\n"
    "{% else %}Answer: {{ m['content'] }}{{ eos_token }}\n\n"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Answer:{% endif %}"
)
"""For models that come without one. Checkpoints and exports carry it on."""

FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
"""A tokenizer needs one of these."""


def load_tokenizer(model_id: str, folder: Path) -> Any:
    """The tokenizer of a model folder. WaggleError when it is missing or cannot end a text."""
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in FILES):
        raise WaggleError(
            f"The model {model_id} has no tokenizer",
            f"{folder} holds no {FILES[0]}",
            "Copy the tokenizer's files there: save_pretrained of the tokenizer writes them",
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # it raises bare Exceptions for a damaged tokenizer.json
        raise WaggleError(
            f"The tokenizer of {model_id} cannot be read",
            first_line(error),
            "Copy or download the model again",
        ) from error
    if tokenizer.eos_token_id is None:
        raise WaggleError(
            f"The model {model_id} has no end-of-sequence token",
            "completions could never end",
            "Set eos_token in its tokenizer_config.json, or choose another model",
        )
    if not tokenizer.chat_template:
        tokenizer.chat_template = plain_template(tokenizer)
        logger.warning("%s has no chat template: it is asked in plain text", model_id)
    return tokenizer


def plain_template(tokenizer: Any) -> str:
    """PLAIN_TEMPLATE, after a beginning-of-sequence token where this tokenizer writes one."""
    begins = (
        tokenizer.bos_token_id is not None and tokenizer.bos_token_id in tokenizer("x").input_ids
    )
    return ("{{ bos_token }}" if begins else "") + PLAIN_TEMPLATE


def filler(tokenizer: Any, vocabulary: int, eos_id: int) -> int:
    """The id that fills unused places of a batch: the pad token, or EOS where there is none.

    No log-probability of it is ever looked at: training packs sequences without filling, and a
    finished row leaves the sampler's batch. So EOS as filler is not trained as an end.
    """
    pad_id = tokenizer.pad_token_id
    if pad_id is None or not 0 <= pad_id < vocabulary:
        tokenizer.pad_token_id = pad_id = eos_id
    return int(pad_id)


def first_line(error: Exception) -> str:
    """What a library said, short enough for a sentence."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
