"""Make waggle-tiny from nothing: `python -m core.training.tiny.make [--out FOLDER] [--steps N]`.

Corpus, tokenizer, a random Qwen3, supervised warm start, safetensors. One thread and fixed seeds:
two runs on one machine write the same bytes. No network, no GPU.
"""

from __future__ import annotations

import argparse
import math
import random
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

FOLDER = REPO_ROOT / "configs" / "models" / "waggle-tiny"
IGNORE = -100


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the bytes of the model. learning_rate is AdamW's peak."""

    seed: int = 7
    vocab_size: int = 512
    hidden: int = 160
    layers: int = 4
    heads: int = 5
    kv_heads: int = 5
    head_dim: int = 32
    intermediate: int = 448
    drill_steps: int = 2500
    steps: int = 500
    batch: int = 64
    learning_rate: float = 2e-3
    warmup_steps: int = 50
    drill: corpus.Mix = corpus.Mix(worked=0.5, wrong=0, untagged=0, broken=0)
    mix: corpus.Mix = corpus.Mix()


def prompt_text(tok: PreTrainedTokenizerFast, system: str, question: str) -> str:
    """The prompt as the node renders it, up to the assistant's turn; no system turn if empty."""
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": question})
    text = tok.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return str(text)


def make_tokenizer(spec: dict[str, Any], recipe: Recipe) -> PreTrainedTokenizerFast:
    """Trained on the questions and completions of a few thousand corpus lines."""
    lines = list(corpus.examples(spec, 4000, recipe.seed, recipe.mix))
    frame = f"{spec['system']}\nsystem\nuser\nassistant\n"
    # Words that only the tasks' variables have are left to be spelt: see tokenizer.py.
    templates = [line.question for line in lines if line.dataset not in _SPELT]
    opening = [_opening(line) for line in lines]
    return tokenizer.train([frame] * 100 + templates + opening, recipe.vocab_size)


_SPELT = ("spell_backward", "letter_counting")


def _opening(line: corpus.Example) -> str:
    """A line without its variable words: the question's template, and an untagged lead."""
    if line.dataset == "spell_backward":
        return line.question.rpartition(" ")[0]
    if line.dataset == "letter_counting":
        return line.question.partition('"')[0] + 'letter "" appear in the text: ""?'
    return line.completion if line.manner == "untagged" else ""


def make_model(tok: PreTrainedTokenizerFast, recipe: Recipe) -> torch.nn.Module:
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
        num_key_value_heads=recipe.kv_heads,
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


def batches(
    tok: PreTrainedTokenizerFast,
    lines: Iterator[tuple[str, str]],
    total: int,
    recipe: Recipe,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs (input_ids, labels), both [batch, length], int64, of `total` (prompt, completion).

    Padded on the right, where a causal model never looks back at it; labels only on the
    completion and its EOS. Lines of like length share a batch.
    """
    import torch

    rng = random.Random(recipe.seed)
    pool: list[tuple[list[int], int]] = []
    for count, (prompt, completion) in enumerate(lines, start=1):
        tokens = tok.encode(prompt, add_special_tokens=False)
        answer = tok.encode(completion, add_special_tokens=False)
        pool.append(([*tokens, *answer, int(tok.eos_token_id)], len(tokens)))
        if len(pool) == recipe.batch * 16 or count == total:
            pool.sort(key=lambda item: len(item[0]))
            starts = list(range(0, len(pool), recipe.batch))
            rng.shuffle(starts)
            for start in starts:
                part = pool[start : start + recipe.batch]
                ids = torch.full((len(part), max(len(i) for i, _ in part)), int(tok.pad_token_id))
                labels = torch.full_like(ids, IGNORE)
                for row, (tokens, prompt_length) in enumerate(part):
                    ids[row, : len(tokens)] = torch.tensor(tokens)
                    labels[row, prompt_length : len(tokens)] = torch.tensor(tokens[prompt_length:])
                yield ids, labels
            pool = []


def schedule(
    tok: PreTrainedTokenizerFast, spec: dict[str, Any], recipe: Recipe
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of the drills, then those of the lessons."""
    drills = recipe.drill_steps * recipe.batch
    lines = corpus.examples(spec, drills, recipe.seed + 1, recipe.drill)
    bare = ((prompt_text(tok, "", line.stem), line.completion) for line in lines)
    yield from batches(tok, bare, drills, recipe)
    lessons = recipe.steps * recipe.batch
    lines = corpus.examples(spec, lessons, recipe.seed + 2, recipe.mix)
    whole = ((prompt_text(tok, spec["system"], x.question), x.completion) for x in lines)
    yield from batches(tok, whole, lessons, recipe)


def warm_start(
    model: Any, tok: PreTrainedTokenizerFast, spec: dict[str, Any], recipe: Recipe
) -> float:
    """Drills, then lessons; the mean loss of the last steps, in nats per token.

    A drill is a bare stem with a right answer, short, and so cheap to have many of: it teaches
    the skill. A lesson is a whole prompt with an answer of the mix: it teaches the manners.
    """
    import torch

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    model.train()
    recent: list[float] = []
    started = time.perf_counter()
    total = recipe.drill_steps + recipe.steps
    for step, (ids, labels) in enumerate(schedule(tok, spec, recipe)):
        rate = min(1.0, (step + 1) / recipe.warmup_steps) * 0.5
        rate *= 1 + math.cos(math.pi * step / total)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * max(rate, 0.02)
        hidden = model.model(input_ids=ids).last_hidden_state
        wanted = labels[:, 1:] != IGNORE
        logits = model.lm_head(hidden[:, :-1][wanted])
        loss = torch.nn.functional.cross_entropy(logits, labels[:, 1:][wanted])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent = [*recent, loss.item()][-50:]
        if (step + 1) % 100 == 0:
            spent = time.perf_counter() - started
            print(
                f"step {step + 1}/{recipe.steps} loss {sum(recent[-50:]) / len(recent[-50:]):.4f} {spent:.0f} s",
                flush=True,
            )
    model.eval()
    return sum(recent) / len(recent)


def make(folder: Path, recipe: Recipe) -> float:
    """Write the whole model into `folder`; the final loss."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    spec = corpus.load_tasks()
    tok = make_tokenizer(spec, recipe)
    model: Any = make_model(tok, recipe)
    loss = warm_start(model, tok, spec, recipe)
    model.save_pretrained(folder)
    tokenizer.save(tok, folder)
    return loss


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write")
    parser.add_argument("--drill-steps", type=int, default=Recipe.drill_steps, help="drill steps")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="lesson steps")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    loss = make(options.out, Recipe(drill_steps=options.drill_steps, steps=options.steps))
    print(f"wrote {options.out}: final loss {loss:.4f} nats per token")


if __name__ == "__main__":
    main()
