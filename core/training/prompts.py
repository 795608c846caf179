"""Turns a task into the token ids that the model is asked with, and text into ids.

It knows the tokenizer's chat template and nothing of what is asked.
"""

from __future__ import annotations

from typing import Any

from core.rollouts import Task

ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"
"""Between them stands what is scored."""


def prompt_ids(tokenizer: Any, task: Task) -> list[int]:
    """Token ids of the task's question as a user's message, up to where the answer begins.

    A game that asks for a form of answer puts its system message into `task.metadata["system"]`.
    Templates that know a thinking mode get it switched off: a completion's token cap leaves no
    room for it.
    """
    messages = [{"role": "user", "content": task.question}]
    system = task.metadata.get("system")
    if system:
        messages.insert(0, {"role": "system", "content": str(system)})
    ids = tokenizer.apply_chat_template(
        messages,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
        enable_thinking=False,
    )
    return [int(i) for i in ids]


def completion_ids(
    tokenizer: Any,
    text: str,
    finished: bool,
    eos_id: int,
    max_new_tokens: int,
    closing: str = "",
) -> tuple[list[int], bool]:
    """Token ids of a foreign completion in the local tokenizer, and whether it still ends.

    EOS is added when the peer's completion was finished, as the local model would have had to
    emit it, but for a text with `closing` in it, which ends a completion here. Longer than
    `max_new_tokens`: cut, and then it does not end. Control tokens spelled out in the text stay
    plain text, so that a peer cannot put them into the sequence.
    """
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    ids = [int(i) for i in encoded]
    if finished and not (closing and closing in text):
        ids.append(eos_id)
    if len(ids) > max_new_tokens:
        return ids[:max_new_tokens], False
    return ids, finished


def decode(tokenizer: Any, ids: list[int]) -> str:
    """Text of a completion without special tokens, spaces exactly as the tokens give them."""
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
