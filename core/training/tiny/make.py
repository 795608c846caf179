"""Make waggle-tiny from nothing: `python -m core.training.tiny.make [--out FOLDER]`.

Corpus, tokenizer, a random Qwen3, supervised warm start, safetensors. One thread and fixed seeds:
two runs on one machine write the same bytes. No network, no GPU.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.home import REPO_ROOT
from core.training.tiny import corpus, tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from core.training.tiny.lessons import Lesson

FOLDER = REPO_ROOT / "configs" / "models" / "waggle-tiny"
TOKENIZER_LINES = 800
"""Corpus lines per dataset that the tokenizer is trained on."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the bytes of the model, but the task set.

    skill_steps: steps on right answers only, half of them worked. manner_steps: steps on `mix`.
    per_dataset: lines of each dataset in a step. learning_rate: the peak of both optimisers.
    """

    seed: int = 7
    vocab_size: int = 512
    hidden: int = 160
    layers: int = 4
    heads: int = 5
    head_dim: int = 32
    intermediate: int = 448
    skill_steps: int = 500
    manner_steps: int = 150
    per_dataset: int = 16
    learning_rate: float = 5e-3
    manner_rate: float = 3e-4
    warmup_steps: int = 50
    skills: corpus.Mix = corpus.Mix(worked=0.6, wrong=0, untagged=0, broken=0)
    manners: corpus.Mix = corpus.Mix()

    @property
    def steps(self) -> int:
        return self.skill_steps + self.manner_steps

    def rate(self, step: int) -> float:
        """Learning rate: warm-up, then a cosine to a tenth; the manners at a constant rate."""
        if step >= self.skill_steps:
            return self.manner_rate
        warm = min(1.0, (step + 1) / self.warmup_steps)
        turn = math.cos(math.pi * step / self.skill_steps)
        return self.learning_rate * warm * (0.55 + 0.45 * turn)


def prompt_text(tok: PreTrainedTokenizerFast, system: str, question: str) -> str:
    """The prompt as the node renders it, up to the assistant's turn."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    text = tok.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return str(text)


def make_tokenizer(spec: dict[str, Any], recipe: Recipe) -> PreTrainedTokenizerFast:
    """Whole words are learnt from the chat frame and from what the questions have in common."""
    texts = [f"{spec['system']}\nsystem\nuser\nassistant\n"] * 100
    for dataset in spec["datasets"]:
        mixes = itertools.repeat(recipe.manners, TOKENIZER_LINES)
        for line in corpus.examples(spec, dataset["name"], mixes, recipe.seed):
            texts.append(_template(line))
            if line.manner == "untagged" and line.dataset != "spell_backward":
                texts.append(line.completion)
    return tokenizer.train(texts, recipe.vocab_size)


def _template(line: corpus.Example) -> str:
    """The question without the words whose letters matter: those are to be spelt."""
    if line.dataset == "spell_backward":
        return line.question.rpartition(" ")[0]
    if line.dataset == "letter_counting":
        return line.question.partition('"')[0] + ' appear in the text: ""?'
    return line.question


def make_model(tok: PreTrainedTokenizerFast, recipe: Recipe) -> Any:
    """A Qwen3 with random weights; embeddings tied, float32."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(recipe.seed)
    config = Qwen3Config(
        vocab_size=math.ceil(len(tok) / 64) * 64,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        head_dim=recipe.head_dim,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        use_sliding_window=False,
        bos_token_id=None,
        eos_token_id=tok.eos_token_id,
        pad_token_id=tok.pad_token_id,
        dtype="float32",
    )
    return Qwen3ForCausalLM(config)


def lessons(
    tok: PreTrainedTokenizerFast, spec: dict[str, Any], name: str, recipe: Recipe
) -> Iterator[list[Lesson]]:
    """One list of `per_dataset` lessons of dataset `name` for each step."""
    from core.training.tiny.lessons import Lesson

    mixes = itertools.chain(
        itertools.repeat(recipe.skills, recipe.skill_steps * recipe.per_dataset),
        itertools.repeat(recipe.manners, recipe.manner_steps * recipe.per_dataset),
    )
    lines = corpus.examples(spec, name, mixes, recipe.seed)
    while part := list(itertools.islice(lines, recipe.per_dataset)):
        yield [
            Lesson(
                tuple(tok.encode(prompt_text(tok, spec["system"], line.question))),
                (*tok.encode(line.completion), int(tok.eos_token_id)),
            )
            for line in part
        ]


def make_optimizers(model: Any) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between embedding and head, AdamW for the rest.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) reaches AdamW's loss in less than
    half the steps here; `match_rms_adamw` (Moonlight, arXiv 2502.16982) lets both share a rate.
    """
    import torch

    parameters = dict(model.named_parameters())
    matrices = [p for name, p in parameters.items() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in parameters.items() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(
            matrices, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def warm_start(
    model: Any, tok: PreTrainedTokenizerFast, spec: dict[str, Any], recipe: Recipe
) -> float:
    """Supervised training, skills first; the mean loss of the last steps, in nats per token."""
    import torch

    from core.training.tiny.lessons import prefix_loss

    optimizers = make_optimizers(model)
    model.train()
    recent: list[float] = []
    started = time.perf_counter()
    feeds = [lessons(tok, spec, d["name"], recipe) for d in spec["datasets"]]
    for step in range(recipe.steps):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = recipe.rate(step)
        parts = [prefix_loss(model, next(feed), int(tok.pad_token_id)) for feed in feeds]
        loss = torch.stack([part for part, _ in parts]).sum() / sum(n for _, n in parts)
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        recent = [*recent, loss.item()][-50:]
        if (step + 1) % 100 == 0:
            mean, spent = sum(recent) / len(recent), time.perf_counter() - started
            print(f"step {step + 1}/{recipe.steps} loss {mean:.4f} {spent:.0f} s", flush=True)
    model.eval()
    return sum(recent) / max(1, len(recent))


def make(folder: Path, recipe: Recipe) -> float:
    """Write the whole model into `folder`; the final loss."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    spec = corpus.load_tasks()
    tok = make_tokenizer(spec, recipe)
    model = make_model(tok, recipe)
    loss = warm_start(model, tok, spec, recipe)
    model.save_pretrained(folder)
    tokenizer.save(tok, folder)
    return loss


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    loss = make(options.out, Recipe())
    print(f"wrote {options.out}: final loss {loss:.4f} nats per token")


if __name__ == "__main__":
    main()
