"""The memory plan: before anything is loaded, which recipe trains this model in what is free.

It tries recipes in the order in which they teach best, takes the first that leaves a margin, and
says what is large and what would make it fit. It loads nothing and asks the machine nothing:
`footprint.py` has the arithmetic, `free_memory.py` what is free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import WaggleError
from core.footprint import OPTIMIZERS, Recipe, Work, phases
from core.schema import Config
from core.shape import Shape

TIGHT = 0.85
"""From this share of the free memory on, a recipe is tight: estimates err by up to 15 %."""
BESIDE = 250 * 2**20
"""Child processes of a node on the CPU's side: network, scorer, services."""
PROMPT_TOKENS = 256
"""Taken for a prompt's length where nobody has counted."""
TOKENS_ENOUGH = {"cpu": 2048, "mps": 4096, "cuda": 16_384}
"""Micro-batches larger than this use memory and win no time."""
SAMPLE_ROWS = 512
"""Decoding more completions at once than this wins no time."""
GIB = 2**30


@dataclass(frozen=True)
class Plan:
    """What was found. verdict: `fits`, `tight`, `too large` or `unknown` (then without recipe).

    peak: bytes of the node's process at its largest, or of GPU memory; needed: with what runs
    beside it; free: bytes it may take. phase: where the peak is; parts: what it is made of.
    advice: what would make it fit, or empty; changes: the same as settings, and `then` their plan,
    where settings can.
    """

    verdict: str
    free: int
    recipe: Recipe | None = None
    peak: int = 0
    needed: int = 0
    phase: str = ""
    parts: Mapping[str, int] = field(default_factory=dict)
    advice: str = ""
    changes: Mapping[str, str | int] = field(default_factory=dict)
    then: Plan | None = None

    @property
    def fits(self) -> bool:
        return self.verdict in ("fits", "tight")

    @property
    def peak_mib(self) -> float:
        return self.peak / 2**20

    def __str__(self) -> str:
        if self.recipe is None:
            return "size not known yet"
        figures = f"{gib(self.needed)} of {gib(self.free)} GiB"
        return f"{self.verdict}: {self.recipe}, {figures}"

    def short(self) -> str:
        """As `str`, for a narrow place: `fits: LoRA, 4.4 of 6.0 GiB`."""
        if self.recipe is None:
            return str(self)
        how = "LoRA" if self.recipe.trained == "lora" else OPTIMIZERS[self.recipe.optimizer]
        return f"{self.verdict}: {how}, {gib(self.needed)} of {gib(self.free)} GiB"

    def largest(self) -> str:
        """The largest part of the peak, in words."""
        if not self.parts:
            return ""
        name = max(self.parts, key=lambda part: self.parts[part])
        return f"the largest part is {name} with {gib(self.parts[name])} GiB"

    def require(self, model: str) -> None:
        """WaggleError, naming need, free and what to choose instead, when nothing fits."""
        if self.verdict == "too large":
            raise WaggleError(
                f"{model} does not fit into the memory of this machine",
                f"its smallest recipe ({self.recipe}) needs about {gib(self.needed)} GiB and"
                f" {gib(self.free)} GiB are free; {self.largest()}",
                self.advice,
            )


def gib(size: int) -> str:
    """`6.2` for bytes."""
    return f"{size / GIB:.1f}"


def plan(
    shape: Shape | None,
    config: Config,
    free_bytes: int,
    device: str = "cpu",
    *,
    tasks: int | None = None,
    generations: int | None = None,
    prompt_tokens: int = PROMPT_TOKENS,
    new_tokens: int | None = None,
) -> Plan:
    """The first recipe, in the order of preference, that fits with a margin; else one that is
    tight; else the smallest, which is then too large.

    Settings other than auto are binding. device: `cpu`, `cuda` or `mps`; free_bytes: of its
    memory. What is not given follows the config.
    """
    if shape is None:
        return Plan("unknown", free_bytes)
    work = work_of(config, device, tasks, generations, prompt_tokens, new_tokens)
    found = _first(shape, config, free_bytes, device, work)
    if found.verdict == "too large":
        return _advised(shape, config, found, device, work)
    return found


def work_of(
    config: Config,
    device: str = "cpu",
    tasks: int | None = None,
    generations: int | None = None,
    prompt: int = PROMPT_TOKENS,
    new: int | None = None,
) -> Work:
    """A round as configured."""
    own = tasks or config.game.groups
    foreign = config.game.foreign_groups if config.net.enabled else 0
    # The trainer takes bfloat16 on GPUs that compute with it, which all since 2020 do.
    dtype = config.model.dtype
    short = dtype == "bfloat16" or (dtype == "auto" and device == "cuda")
    return Work(
        tasks=own,
        trained=own + foreign,
        generations=generations or config.game.generations,
        prompt=max(1, prompt),
        new=new or config.sampling.max_new_tokens,
        weight_bytes=2 if short else 4,
        rollout_format="bfloat16" if config.sampling.rollout_format == "bfloat16" else "int8",
        lora_rank=config.training.lora_rank,
        reference=config.training.beta > 0,
        # Whether it pays is measured later: here the larger need is assumed.
        half_products=device == "cpu" and config.training.products != "float32",
    )


def _first(shape: Shape, config: Config, free: int, device: str, work: Work) -> Plan:
    smallest = None
    tight = None
    for recipe in _recipes(config, device, work):
        found = judge(shape, recipe, work, free, device)
        if found.verdict == "fits":
            return found
        if found.verdict == "tight" and tight is None:
            tight = found
        if smallest is None or found.needed < smallest.needed:
            smallest = found
    assert smallest is not None
    return tight or smallest


def judge(shape: Shape, recipe: Recipe, work: Work, free: int, device: str = "cpu") -> Plan:
    """How one recipe stands to what is free."""
    sums = phases(shape, recipe, work)
    phase = max(sums, key=lambda name: sum(sums[name].values()))
    peak = sum(sums[phase].values())
    needed = peak + (0 if device == "cuda" else BESIDE)
    verdict = "fits" if needed <= TIGHT * free else "tight" if needed <= free else "too large"
    return Plan(verdict, free, recipe, peak, needed, phase, sums[phase])


def _recipes(config: Config, device: str, work: Work) -> Iterator[Recipe]:
    """Every recipe that the settings allow, best first."""
    training = config.training
    for trained, optimizer in _trainings(config):
        for checkpointing in _either(training.gradient_checkpointing):
            sizes = _whole_groups(device, work)
            if checkpointing or training.gradient_checkpointing == "off":
                sizes += _parts_of_a_group(work)
            for tokens in [training.micro_batch_tokens] if training.micro_batch_tokens else sizes:
                for copy in _copies(config, device):
                    for rows in _rows(work):
                        yield Recipe(trained, optimizer, checkpointing, tokens, copy, rows)


def _trainings(config: Config) -> list[tuple[str, str]]:
    training = config.training
    order = [
        ("full", "adamw"),
        ("full", "adamw8bit"),
        ("full", "adafactor"),
        ("lora", "adamw"),
        ("lora", "adamw8bit"),
        ("lora", "adafactor"),
    ]
    if training.recipe != "auto":
        order = [pair for pair in order if pair[0] == training.recipe]
    if training.optimizer != "auto":
        return [pair for pair in order if pair[1] == training.optimizer]
    # An adapter's own state is so small that a smaller optimiser saves nothing.
    return [pair for pair in order if pair[0] == "full" or pair[1] == "adamw"]


def _either(setting: str) -> list[bool]:
    return {"on": [True], "off": [False]}.get(setting, [False, True])


def _copies(config: Config, device: str) -> list[bool]:
    wanted = config.sampling.rollout_format
    if device != "cpu" or wanted == "exact":
        return [False]
    return [True, False] if wanted == "auto" else [True]


def _rows(work: Work) -> list[int]:
    """All completions at once, at most SAMPLE_ROWS; else fewer and fewer groups."""
    groups = max(1, min(work.tasks, SAMPLE_ROWS // work.generations))
    sizes = []
    while groups:
        sizes.append(groups * work.generations)
        groups //= 2
    return sizes


def _whole_groups(device: str, work: Work) -> list[int]:
    most = min(work.trained, max(1, TOKENS_ENOUGH[device] // work.group))
    counts = dict.fromkeys([most, max(1, most // 2), 1])
    return [n * work.group for n in counts]


def _parts_of_a_group(work: Work) -> list[int]:
    """A prompt with some of its completions, down to one."""
    sizes = []
    completions = work.generations // 2
    while completions >= 1:
        sizes.append(work.prompt + completions * work.new)
        completions //= 2
    return sizes


def _advised(shape: Shape, config: Config, found: Plan, device: str, work: Work) -> Plan:
    """What is too large, with the mildest change that makes it fit: tried out, not guessed."""
    free = found.free
    training = {
        f"training.{key}": value
        for key, value in _FREE.items()
        if getattr(config.training, key) != value
    }
    bound = dict(training)
    if config.sampling.rollout_format != "auto":
        bound["sampling.rollout_format"] = "auto"
    freed = replace(
        config,
        training=replace(config.training, **_FREE),
        sampling=replace(config.sampling, rollout_format="auto"),
    )
    changes: list[tuple[dict[str, str | int], Work]] = [({}, work)] if bound else []
    changes += _smaller(work)
    for change, smaller in changes:
        better = _first(shape, freed, free, device, replace(smaller, rollout_format="int8"))
        if better.fits:
            change = {**bound, **change}
            told = " and ".join(f"{key}={value}" for key, value in change.items())
            return replace(
                found, advice=f"Set {told}: {better.recipe} then fits", changes=change, then=better
            )
    limit = config.model.max_vram_gib if device == "cuda" else config.model.max_ram_gib
    flag = "--max-vram" if device == "cuda" else "--max-ram"
    raised = f", or raise {flag}" if limit and free >= 0.99 * limit * GIB else ""
    least = gib(found.needed)
    return replace(
        found, advice=f"Choose a smaller model (`waggle models`), or free {least} GiB{raised}"
    )


_FREE: dict[str, Any] = {
    "recipe": "auto",
    "optimizer": "auto",
    "gradient_checkpointing": "auto",
    "micro_batch_tokens": 0,
}
"""What a plan may decide, where nobody else has."""


def _smaller(work: Work) -> Iterator[tuple[dict[str, str | int], Work]]:
    """Rounds with less in them: shorter completions, then fewer of them."""
    new = work.new // 2
    while new >= 64:
        yield {"sampling.max_new_tokens": new}, replace(work, new=new)
        new //= 2
    if work.generations > 4 and work.new >= 64:
        yield (
            {"game.generations": 4, "sampling.max_new_tokens": 64},
            replace(work, generations=4, new=64),
        )
