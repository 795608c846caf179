"""Small real models of two architectures, made here: no download, no fixture files."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.rollouts import RolloutGroup, Task, TaskId
from core.schema import Config, GameSection, ModelSection, SamplingSection, TrainingSection

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer(chat_template: str | None = CHAT_TEMPLATE, pad: bool = True):
    """Byte-level BPE over a little arithmetic."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([f"What is {i} + {i * 7}? The answer is" for i in range(50)], trainer)
    special = {"pad_token": "<|pad|>"} if pad else {}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
        **special,
    )
    tokenizer.chat_template = chat_template
    return tokenizer


def make_model(kind: str, vocabulary: int, eos: int, hidden: int = 32, layers: int = 2):
    """A randomly initialised causal language model of a real architecture."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(3)
    shape = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": hidden * 2,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "eos_token_id": eos,
        "pad_token_id": None,
        "initializer_range": 0.2,
    }
    if kind == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(head_dim=hidden // 4, **shape))
    return Qwen2ForCausalLM(Qwen2Config(**shape))


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory) -> dict[str, Path]:
    """Folders that `from_pretrained` loads, by architecture."""
    folders = {}
    for kind in ("qwen2", "qwen3"):
        folder = tmp_path_factory.mktemp(kind)
        tokenizer = make_tokenizer()
        tokenizer.save_pretrained(folder)
        make_model(kind, len(tokenizer) + 4, tokenizer.eos_token_id).save_pretrained(folder)
        folders[kind] = folder
    return folders


@pytest.fixture(scope="session", params=["qwen2", "qwen3"])
def model_folder(request, model_folders) -> Path:
    return model_folders[request.param]


@pytest.fixture
def config(model_folders) -> Config:
    """Small groups of short completions on the Qwen3 model."""
    return make_config(model_folders["qwen3"])


def make_config(folder: Path, **training: object) -> Config:
    return Config(
        model=ModelSection(id=str(folder), threads=1),
        game=GameSection(groups=3, generations=4),
        sampling=SamplingSection(max_new_tokens=12, rollout_format="exact"),
        training=replace(
            TrainingSection(
                seed=5, micro_batch_tokens=160, learning_rate=1e-3, mask_truncated=False
            ),
            **training,
        ),
    )


class VowelGame:
    """A real, tiny game: an answer is worth its share of characters that are `wanted`."""

    rules_digest = "0" * 64

    def __init__(self, wanted: str = "aeiou 0123456789") -> None:
        self.wanted = set(wanted)

    def schedule(self, peer_id: str, round: int) -> list[TaskId]:
        return [TaskId("vowels", 1, round * 10 + i) for i in range(3)]

    def task(self, task_id: TaskId) -> Task:
        n = task_id.index
        return Task(task_id, "Say vowels" + " please" * (n % 3) + f" {n}", "aeiou")

    def score(self, task: Task, completions: Sequence[str]) -> list[float]:
        return [
            sum(c in self.wanted for c in text) / len(text) if text else 0.0 for text in completions
        ]

    def close(self) -> None: ...


@pytest.fixture
def game() -> VowelGame:
    return VowelGame()


@pytest.fixture
def never() -> threading.Event:
    """A stop event that nobody sets."""
    return threading.Event()


def scored(game: VowelGame, group: RolloutGroup) -> RolloutGroup:
    rewards = game.score(game.task(group.task), [r.text for r in group.rollouts])
    rollouts = tuple(replace(r, reward=x) for r, x in zip(group.rollouts, rewards, strict=True))
    return replace(group, rollouts=rollouts)


def play(engine, game: VowelGame, rounds: Sequence[int]) -> list:
    """Sample, score and update for each round; the reports."""
    reports = []
    for number in rounds:
        tasks = {t: game.task(t) for t in game.schedule("me", number)}
        groups = engine.sample(list(tasks.values()), threading.Event())
        reports.append(engine.update([scored(game, g) for g in groups], tasks))
    return reports
