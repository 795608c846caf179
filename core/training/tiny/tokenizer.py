"""The tokenizer of waggle-tiny: a byte-level BPE that spells what it does not know.

The vocabulary is the 256 bytes, the chat tokens, the two answer tags, and the words of the task
set's question templates, each whole. Tokens that are only parts of words are left out, and with
them every merge: a word outside the templates is spelt byte by byte, a number digit by digit. A
model this small then sees the letters it is asked to count or reverse, and no text is unknown.

Knows nothing of tasks or models: `train` is given texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
ANSWER, ANSWER_END = "<answer>", "</answer>"

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)

# As GPT-4's splitting, but every digit, space run and quote stands alone.
_SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]|\s+"


def train(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A tokenizer with at most `vocab_size` tokens, trained on `texts`, in their order.

    The answer tags are single tokens but not special ones: they survive
    `decode(skip_special_tokens=True)`, for the scorer must read them.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    texts = list(texts)

    learner = Tokenizer(BPE())
    learner.pre_tokenizer = split
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=8192, initial_alphabet=alphabet, show_progress=False),
    )
    counts: dict[str, int] = {}
    for text in texts:
        for word, _ in split.pre_tokenize_str(text):
            counts[word] = counts.get(word, 0) + 1
    learnt = learner.get_vocab()
    words = [word for word in counts if len(word) > 1 and word in learnt]
    words.sort(key=lambda word: (-counts[word], word))
    added = [PAD, START, END, ANSWER, ANSWER_END]
    whole = words[: vocab_size - len(alphabet) - len(added)]

    model = BPE(
        vocab={token: i for i, token in enumerate([*alphabet, *whole])},
        merges=[],
        ignore_merges=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in added[:3]])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in added[3:]])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def save(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and the chat template into `folder`."""
    tokenizer.save_pretrained(folder)
