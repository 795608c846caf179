"""How many bytes a round of training takes: by part, by phase, for one recipe. Arithmetic only.

The formulas follow what the engine does, tensor by tensor (`benchmarks/memory_plan.py` measures
how well). Choosing a recipe is `memory.py`'s work; what is free is `free_memory.py`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.shape import Shape

FLOAT = 4
PROCESS = 560 * 2**20
"""torch, transformers and the node, without a model. On a GPU: its context and its libraries."""
PEFT = 50 * 2**20
"""What adapters load besides."""
HEAD_CELLS = 1 << 25
"""Most logits that the update has at once."""
HEAD_BUFFERS = 2.5
"""Of these: the chunk before, the chunk at hand, and its gradient in half the size."""
HALF_FROM = 1 << 20
"""A linear layer of so many weights makes bfloat16 products worth while."""
DECODE_BUFFERS = 3
"""Copies of a decode step's logits: as computed, as probabilities, and their running sum."""
STATE_BYTES = {"adamw": 8.0, "adamw8bit": 2.1, "adafactor": 0.02}
"""Optimiser state per trained weight. Adafactor keeps row and column sums only."""
OPTIMIZERS = {"adamw": "AdamW", "adamw8bit": "8-bit AdamW", "adafactor": "Adafactor"}
INT8_BLOCK = 512
"""Packed int8 matrices have a whole number of these many inputs."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained so that it fits. micro_batch_tokens: of one forward and backward pass.

    rollout_copy: the sampler may keep a second copy of the weights in a smaller number format.
    sample_rows: most completions decoded at once, a whole number of groups.
    """

    trained: str
    optimizer: str
    gradient_checkpointing: bool
    micro_batch_tokens: int
    rollout_copy: bool
    sample_rows: int

    def __str__(self) -> str:
        what = "full" if self.trained == "full" else "LoRA"
        text = f"{what}, {OPTIMIZERS[self.optimizer]}"
        return f"{text}, checkpointing" if self.gradient_checkpointing else text


@dataclass(frozen=True)
class Work:
    """A round. tasks: groups that are sampled; trained: groups of the update, others' included.

    prompt, new: tokens of a prompt and of a completion, at most. weight_bytes: of a weight as
    loaded. rollout_format: of the rollout copy, `int8` or `bfloat16`. reference: a frozen second
    model (KL term). half_products: the update may multiply in bfloat16.
    """

    tasks: int
    trained: int
    generations: int
    prompt: int
    new: int
    weight_bytes: int = FLOAT
    rollout_format: str = "int8"
    lora_rank: int = 16
    reference: bool = False
    half_products: bool = False

    @property
    def group(self) -> int:
        """Tokens of one packed group: its prompt once, then every completion."""
        return self.prompt + self.generations * self.new

    @property
    def tokens(self) -> int:
        """Tokens of the whole update."""
        return self.trained * self.group


def phases(shape: Shape, recipe: Recipe, work: Work) -> dict[str, dict[str, int]]:
    """Bytes by part, for each phase of a round. The peak is the largest sum."""
    full = recipe.trained == "full"
    parameters = shape.parameters
    adapter = 0 if full else shape.adapter(work.lora_rank)
    trained = parameters if full else adapter
    master = trained * FLOAT if full and work.weight_bytes < FLOAT else 0
    always = {
        "the program itself": PROCESS + (0 if full else PEFT),
        "weights": parameters * work.weight_bytes + adapter * FLOAT,
    }
    if work.reference and full:
        always["the reference model"] = parameters * work.weight_bytes
    state = {"optimiser state": master + int(trained * STATE_BYTES[recipe.optimizer])}
    copy = {"rollout copy": rollout_copy(shape, work) if recipe.rollout_copy else 0}
    return {
        "load": dict(always),
        "sample": {**always, **state, **copy, **_sampling(shape, recipe, work)},
        "update": {
            **always,
            **state,
            **({} if full else copy),
            **_update(shape, recipe, work, trained),
        },
        "save": {**always, **state, **({} if full else copy)},
    }


def _sampling(shape: Shape, recipe: Recipe, work: Work) -> dict[str, int]:
    rows = min(recipe.sample_rows, work.tasks * work.generations)
    prompts = math.ceil(rows / work.generations) * work.prompt
    kept = prompts + rows * work.new
    prefill = prompts * (3 * shape.intermediate + 4 * shape.hidden)
    decode = DECODE_BUFFERS * rows * shape.vocab + rows * 3 * shape.intermediate
    return {
        "keys and values of sampling": 2 * shape.layers * shape.kv_width * kept * work.weight_bytes,
        "sampling": max(prefill, decode) * FLOAT,
    }


def _update(shape: Shape, recipe: Recipe, work: Work, trained: int) -> dict[str, int]:
    tokens = min(recipe.micro_batch_tokens, work.tokens)
    half = work.half_products and shape.hidden * shape.intermediate >= HALF_FROM
    layer = tokens * saved_per_token(shape, work, lora=recipe.trained == "lora", half=half)
    wide = tokens * 3 * shape.intermediate
    kept = tokens * shape.hidden if recipe.gradient_checkpointing else layer
    activations = int(shape.layers * kept + layer * recipe.gradient_checkpointing + wide)
    gradients = trained
    if tokens == work.tokens and recipe.trained == "full":
        # One pass only: a layer's activations go as its gradients come.
        gradients = max(shape.head * (1 if shape.tied else 2), trained - activations)
    logits = min(HEAD_CELLS, tokens * shape.vocab)
    return {
        "gradients": gradients * (work.weight_bytes if recipe.trained == "full" else FLOAT),
        "activations": activations * work.weight_bytes,
        "logits of the update": int(HEAD_BUFFERS * logits * FLOAT) + 2 * shape.head * half,
    }


def saved_per_token(shape: Shape, work: Work, *, lora: bool, half: bool) -> float:
    """Numbers that autograd keeps for one token in one layer, for a group packed with its prompt.

    Both norms keep their input, what they normalised (unless their weights are frozen) and their
    output; the MLP four times its width; attention its query, its output twice, and the keys and
    values, a prompt's once more for every completion. With products in bfloat16 a linear layer's
    input is kept in half the size: instead of the float32 one, or beside it where an adapter needs
    that.
    """
    spread = work.generations * (work.prompt + work.new) + work.prompt
    inputs = 2 * shape.hidden + shape.q_width + shape.intermediate
    kept: float = (2 if lora else 4) * shape.hidden + 2 * shape.q_width + 3 * shape.intermediate
    kept += inputs * (0.5 if half and not lora else 1.5 if half else 1.0)
    kept += 2 * shape.kv_width * spread / work.group
    if shape.head_norm:
        kept += (1 if lora else 2) * (shape.q_width + shape.kv_width)
    return kept + (7 * work.lora_rank if lora else 0)


def rollout_copy(shape: Shape, work: Work) -> int:
    """Bytes of every linear layer in the sampler's own format, the LM head included."""
    if work.rollout_format == "bfloat16":
        return 2 * (shape.linear + shape.head)
    hidden, q, kv, wide = shape.hidden, shape.q_width, shape.kv_width, shape.intermediate
    layer = _packed(hidden, q + 2 * kv + 2 * wide) + _packed(q, hidden) + _packed(wide, hidden)
    return shape.layers * layer + _packed(hidden, shape.vocab)


def _packed(inputs: int, outputs: int) -> int:
    """An int8 matrix: padded rows, and what is kept of each row's scale and sum."""
    return outputs * (math.ceil(inputs / INT8_BLOCK) * INT8_BLOCK + 12)
