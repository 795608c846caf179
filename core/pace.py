"""How long a round would take here: arithmetic on a few speeds that were measured on this machine.

A round is sampling, one update, and what is not the model's: scoring, the ledger, the clock. It
measures nothing and loads nothing (`measuring.py` has that done), and knows a model by its shape
alone. `benchmarks/pace.py` holds the outcome against real rounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.footprint import FLOAT, HALF_FROM, Recipe, Work, saved_per_token
from core.memory import Plan, work_of
from core.schema import Config
from core.shape import Shape

PROMPT = 80
"""Tokens of a usual prompt, of the task sets that come with Waggle."""
LONGEST = 2.2
"""The longest completion of a round is so many times as long as the mean one."""
SMALL = 4_000_000
"""Parameters below which a node computes with one thread."""
SUSTAINED = 1.5
"""For larger ones: a round that comes from memory all along lasts so many times what the quickest
runs of its parts do."""
PAYS = 1.3
"""A less exact format is taken for sampling when it is so many times as fast, ..."""
UPDATE_PAYS = 1.5
"""... and for the products of an update."""
DECODE_OPS = 150
"""What a decode step needs for a layer besides multiplying, in small torch operations, ..."""
UPDATE_OPS = 330
"""... and a forward and backward pass."""
REST_S = 0.12
"""Scoring, ledger and clock of a round in a swarm of one's own."""
PACKING, PASS, STEP = 12, 24, 40
"""How often a weight is written to memory that was just asked for: packed for sampling after an
update, in a forward and backward pass with its gradient, and in a step of the optimiser with it."""
MOVES = 4
"""How often what autograd keeps is moved."""
FORMATS = ("exact", "bfloat16", "int8")
"""Of weights while sampling; the most exact first."""
LEAST, MOST = 1e-18, 1.0


@dataclass(frozen=True)
class Machine:
    """What was measured, in seconds. threads: CPU threads of all figures but the last two.

    sample: by number format, of multiplying one weight with `few` rows and with `many`; update: by
    `float32` and `bfloat16`, of one weight with one of very many rows. move: of reading and writing
    a byte; fresh: of writing a weight in half its size to memory that was just asked for. draw: to
    draw from one logit. alone: as update, in float32 with one thread; operation: of a small torch
    operation.
    """

    threads: int
    few: int
    many: int
    sample: Mapping[str, tuple[float, float]]
    update: Mapping[str, float]
    move: float
    fresh: float
    draw: float
    alone: float
    operation: float

    @classmethod
    def from_dict(cls, told: Any) -> Machine:
        """Of plain JSON. ValueError for anything else, or for what no machine does."""
        try:
            found = cls(
                threads=int(told["threads"]),
                few=int(told["few"]),
                many=int(told["many"]),
                sample={str(k): (float(v[0]), float(v[1])) for k, v in told["sample"].items()},
                update={str(k): float(v) for k, v in told["update"].items()},
                move=float(told["move"]),
                fresh=float(told["fresh"]),
                draw=float(told["draw"]),
                alone=float(told["alone"]),
                operation=float(told["operation"]),
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(f"no speeds of a machine: {error!r}") from error
        figures = [
            found.move,
            found.fresh,
            found.draw,
            found.alone,
            found.operation,
            *found.update.values(),
        ]
        figures += [figure for pair in found.sample.values() for figure in pair]
        known = "exact" in found.sample and {"float32", "bfloat16"} <= found.update.keys()
        sizes = found.threads > 0 and 0 < found.few < found.many
        if not known or not sizes or not all(LEAST < figure < MOST for figure in figures):
            raise ValueError("no speeds of a machine: a figure is missing or impossible")
        return found

    def multiply(self, name: str, rows: float) -> float:
        """Seconds of one weight with so many rows: those of reading it, and some for each row."""
        few, many = self.sample[name]
        each = max(0.0, many - few) / (self.many - self.few)
        return max(few - each * self.few, 0.0) + each * rows


@dataclass(frozen=True)
class Pace:
    """Seconds of a round, by what they are spent on."""

    sample_s: float
    update_s: float
    rest_s: float = REST_S

    @property
    def seconds(self) -> float:
        return self.sample_s + self.update_s + self.rest_s


def told(seconds: float) -> str:
    """`0.6 s`, `12 s`, `3 min`, `2.5 h`: as exact as an expectation is."""
    if seconds < 9.5:
        return f"{seconds:.1f} s" if seconds < 2 else f"{seconds:.0f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def of_plan(
    plan: Plan,
    shape: Shape | None,
    config: Config,
    machine: Machine,
    usual: int = 0,
    prompt: int = PROMPT,
) -> Pace | None:
    """A round as planned; None for a model that does not fit or of which nothing is known.

    usual: tokens of a usual completion of that model; 0 where nobody knows: then as many as are
    allowed, which is the slowest that a round can be. prompt: tokens of a usual one.
    """
    if shape is None or plan.recipe is None or not plan.fits:
        return None
    work = work_of(config)
    mean = min(usual or work.new, work.new)
    case = _Case(shape, plan.recipe, work, config, machine, mean, prompt)
    return Pace(_sample_s(case), _update_s(case))


@dataclass(frozen=True)
class _Case:
    """What a round's time follows from. mean: tokens of a completion; prompt: of a prompt."""

    shape: Shape
    recipe: Recipe
    work: Work
    config: Config
    machine: Machine
    mean: int
    prompt: int


def _slower(shape: Shape, config: Config, machine: Machine) -> float:
    """How many times the figures of `machine.threads` last with this node's threads, beside the
    other nodes here."""
    nodes = config.swarm.nodes
    wanted = config.model.threads or (1 if shape.parameters < SMALL else machine.threads // nodes)
    threads = min(max(1, wanted), machine.threads)
    crowd = max(1.0, threads * nodes / machine.threads)
    if shape.parameters >= SMALL:
        crowd *= SUSTAINED
    if threads == 1:
        return crowd * machine.alone / machine.update["float32"]
    return crowd * machine.threads / threads


def _sample_s(case: _Case) -> float:
    shape, recipe, work = case.shape, case.recipe, case.work
    config, machine, mean, prompt = case.config, case.machine, case.mean, case.prompt
    completions = work.tasks * work.generations
    steps = math.ceil(completions / recipe.sample_rows) * min(work.new, math.ceil(mean * LONGEST))
    tokens = completions * mean
    weights = shape.linear + shape.head
    lasts = {}
    for name in _formats(config, recipe, machine):
        decode = steps * weights * machine.multiply(name, tokens / steps)
        prompts = work.tasks * prompt * shape.linear * machine.multiply(name, machine.many)
        pack = 0.0 if name == "exact" else weights * PACKING * machine.fresh
        lasts[name] = decode + prompts / machine.many + pack
    chosen = next(name for name in lasts if lasts[name] < PAYS * min(lasts.values()))
    context = (prompt / work.generations + mean / 2) * 2 * shape.kv_width * shape.layers
    attention = tokens * context * work.weight_bytes * machine.move
    drawing = tokens * shape.vocab * machine.draw
    operations = steps * shape.layers * DECODE_OPS * machine.operation
    return (lasts[chosen] + attention + drawing) * _slower(shape, config, machine) + operations


def _formats(config: Config, recipe: Recipe, machine: Machine) -> list[str]:
    """Those that the sampler may use, the most exact first."""
    wanted = config.sampling.rollout_format
    allowed = FORMATS if wanted == "auto" and recipe.rollout_copy else (wanted,)
    return [name for name in allowed if name in machine.sample] or ["exact"]


def _update_s(case: _Case) -> float:
    shape, recipe, work = case.shape, case.recipe, case.work
    config, machine, mean, prompt = case.config, case.machine, case.mean, case.prompt
    trained = work.tasks if config.swarm.host and config.swarm.nodes == 1 else work.trained
    completions = trained * work.generations * mean
    tokens = trained * prompt + completions
    full = recipe.trained == "full"
    each, half = machine.update["float32"], machine.update["bfloat16"]
    wide = shape.hidden * shape.intermediate >= HALF_FROM
    products = config.training.products
    if wide and (products == "bfloat16" or (products == "auto" and each >= UPDATE_PAYS * half)):
        each = half
    # Forward, backward to the inputs, and to the weights where they are trained.
    times = (3 if full else 2) + recipe.gradient_checkpointing
    multiply = times * tokens * shape.linear * each
    head = (3 if full else 2) * completions * shape.head * machine.update["float32"]
    passes = math.ceil(tokens / max(1, recipe.micro_batch_tokens))
    operations = passes * shape.layers * UPDATE_OPS * machine.operation
    kept = tokens * shape.layers * saved_per_token(shape, work, lora=not full, half=False)
    written = passes * PASS * shape.linear + (STEP * shape.parameters if full else 0)
    moved = MOVES * FLOAT * kept * machine.move + written * machine.fresh
    slower = _slower(shape, config, machine)
    once = (multiply + head + moved) * slower + operations
    return config.training.iterations * once
