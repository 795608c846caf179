"""Finds out what this machine can do for sampling, by trying: CPU threads and weight formats.

Decode steps of the model itself, on a slice of it, are timed for each number format and number
of threads; nothing is concluded from a processor's name or flags. A format that rounds must earn
it: it is chosen only when it is clearly faster, its packing of changed weights counted. Ties go
to exactness and to fewer threads, so that noise does not turn the choice; where exact resumption
counts, the caller keeps the `Probe` instead of measuring again.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.training.model_slice import Clock, ModelSlice
from core.training.models import choose_threads
from core.training.quantized import unavailable
from core.training.rollout_weights import FORMATS, RolloutWeights, refusal

PAYS = 1.3
"""A less exact format must sample at least this many times as fast as a more exact one."""

FEWER = 1.1
"""Fewer threads are taken when a round lasts at most this many times as long with them."""

SWEEPS = 4
"""Every combination is tried this often, so that a busy moment does not spoil one of them."""

HOPELESS = 2.0
"""A number of threads with which the first format takes this many times as long is not tried on.

Where cores are busy with other programs, threads that wait for one another cost up to a hundred
times as much as one alone: the budget is better spent on the others.
"""

CPU_FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8"),
    *("asimddp", "i8mm", "bf16"),
)
"""Of /proc/cpuinfo; told to people, never decided by."""


@dataclass(frozen=True)
class Cell:
    """step_ms: one decode step of all rows on the whole model, estimated from a slice."""

    threads: int
    format: str
    step_ms: float


@dataclass(frozen=True)
class Measured:
    """What was timed. pack_ms: per format, packing every weight that an update changes.

    update_ms: per number of threads, matrix products of training on one token. missing: formats
    that could not be tried, with the reason.
    """

    rows: int
    dtype: str
    cells: tuple[Cell, ...] = ()
    pack_ms: tuple[tuple[str, float], ...] = ()
    update_ms: tuple[tuple[int, float], ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    flags: tuple[str, ...] = ()
    seconds: float = 0.0

    def sampling_ms(self, cell: Cell, tokens: int) -> float:
        """Sampling `tokens` tokens in a round, packing included."""
        return tokens / self.rows * cell.step_ms + dict(self.pack_ms).get(cell.format, 0.0)

    def best_ms(self, tokens: int) -> dict[str, float]:
        """Per format, with the number of threads that suits it."""
        out: dict[str, float] = {}
        for cell in self.cells:
            value = self.sampling_ms(cell, tokens)
            out[cell.format] = min(value, out.get(cell.format, value))
        return out


@dataclass(frozen=True)
class Probe:
    """What was chosen, and what it rests on. tokens: sampled in a round."""

    threads: int
    format: str
    tokens: int
    measured: Measured

    def speedups(self) -> dict[str, float]:
        """Sampling speed of each rounding format over exact weights; empty when not measured."""
        best = self.measured.best_ms(self.tokens)
        if "exact" not in best:
            return {}
        return {f: best["exact"] / ms for f, ms in best.items() if f != "exact"}

    def __str__(self) -> str:
        said = [f"{self.threads} thread{'s' * (self.threads != 1)}", f"{self.format} rollouts"]
        speedups = sorted(self.speedups().items(), key=lambda item: item[0] != self.format)
        ratios = [f"{name} {ratio:.1f}x" for name, ratio in speedups]
        if ratios and speedups[0][0] == self.format:
            said[1] += f": {speedups[0][1]:.1f}x {self.measured.dtype}"
            ratios = ratios[1:]
        elif ratios:
            ratios[-1] += f" {self.measured.dtype}"
        said += ratios
        said += [f"no {name}: {why}" for name, why in self.measured.missing]
        return "; ".join(said)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        m = self.measured
        return {
            "threads": self.threads,
            "format": self.format,
            "tokens": self.tokens,
            "rows": m.rows,
            "dtype": m.dtype,
            "cells": [[c.threads, c.format, c.step_ms] for c in m.cells],
            "pack_ms": dict(m.pack_ms),
            "update_ms": [list(pair) for pair in m.update_ms],
            "missing": dict(m.missing),
            "flags": list(m.flags),
            "seconds": m.seconds,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Probe:
        """What `to_dict` gave. KeyError, TypeError or ValueError for anything else."""
        if stored["format"] not in FORMATS or int(stored["threads"]) < 1:
            raise ValueError("no probe: unknown format or number of threads")
        measured = Measured(
            rows=int(stored["rows"]),
            dtype=str(stored["dtype"]),
            cells=tuple(Cell(int(t), str(f), float(ms)) for t, f, ms in stored["cells"]),
            pack_ms=tuple((str(f), float(ms)) for f, ms in stored["pack_ms"].items()),
            update_ms=tuple((int(t), float(ms)) for t, ms in stored["update_ms"]),
            missing=tuple((str(f), str(why)) for f, why in stored["missing"].items()),
            flags=tuple(map(str, stored["flags"])),
            seconds=float(stored["seconds"]),
        )
        return cls(int(stored["threads"]), stored["format"], int(stored["tokens"]), measured)


def choose(measured: Measured, tokens: int) -> tuple[int, str]:
    """Threads and format for rounds of `tokens` sampled tokens. At least one cell is needed."""
    best = measured.best_ms(tokens)
    chosen = ""
    for name in FORMATS:
        if name in best and (not chosen or best[chosen] >= PAYS * best[name]):
            chosen = name
    update = dict(measured.update_ms)
    rounds = {
        cell.threads: measured.sampling_ms(cell, tokens) + tokens * update.get(cell.threads, 0.0)
        for cell in measured.cells
        if cell.format == chosen
    }
    shortest = min(rounds.values())
    return min(t for t, ms in rounds.items() if ms <= FEWER * shortest), chosen


def measure(
    model: Any,
    rows: int,
    tokens: int,
    *,
    budget_s: float = 2.0,
    formats: Sequence[str] = FORMATS,
    threads: Sequence[int] = (),
    missing: Mapping[str, str] | None = None,
) -> Probe:
    """Try `formats` and `threads` (default: `candidates`) on `model`, for about `budget_s`.

    rows: completions decoded together. tokens: sampled in a round, for the cost of packing.
    missing: formats not to try, with the reason; default: what this machine cannot do. One format
    or one number of threads alone is taken as wished. What does not fit into the budget is left
    out, but the first format with the fewest threads is always measured. torch's number of
    threads is left as it was. On a GPU nothing is measured, and the weights are used as they are.
    WaggleError when none of `formats` works here.
    """
    dtype = str(model.dtype).removeprefix("torch.")
    if model.device.type != "cpu":
        return Probe(threads[0] if threads else choose_threads(0), "exact", tokens,
                     Measured(rows, dtype, flags=cpu_flags()))  # fmt: skip
    before, training = torch.get_num_threads(), model.training
    missing = unavailable() if missing is None else missing
    model.eval()
    try:
        measured = _time(model, rows, budget_s, formats, threads or candidates(), missing, dtype)
    finally:
        torch.set_num_threads(before)
        model.train(training)
    return Probe(*choose(measured, tokens), tokens, measured)


def _time(
    model: Any,
    rows: int,
    budget_s: float,
    formats: Sequence[str],
    threads: Sequence[int],
    missing: Mapping[str, str],
    dtype: str,
) -> Measured:
    begun = time.perf_counter()
    order = sorted(set(threads))
    torch.set_num_threads(order[-1])
    piece = ModelSlice(model)
    clock = Clock(piece, rows)
    wanted = [f for f in FORMATS if f in formats and f not in missing]
    if not wanted:
        raise refusal(formats[0], missing[formats[0]])
    if len(wanted) == len(order) == 1:
        budget_s = 0.0  # nothing to choose from
    pack_ms: dict[str, float] = {}
    weights = {name: RolloutWeights(piece, name) for name in wanted}
    for name in wanted:
        packing = time.perf_counter()
        weights[name].refresh()
        if piece.any_trained and name != "exact":
            pack_ms[name] = 1000.0 * (time.perf_counter() - packing) / piece.trained_share
    steps: dict[tuple[int, str], float] = {}
    turns = SWEEPS * len(wanted) * len(order)
    for sweep in range(SWEEPS):
        for place, name in enumerate(wanted):
            for count in order:
                left = budget_s - (time.perf_counter() - begun)
                if left > 0 or not steps:
                    torch.set_num_threads(count)
                    with weights[name]:
                        step_ms = _fastest(clock.step_ms, left / turns)
                    steps[count, name] = min(step_ms, steps.get((count, name), step_ms))
                turns -= 1
            if sweep == place == 0:
                least = min(steps.values())
                order = [n for n in order if steps.get((n, name), math.inf) <= HOPELESS * least]
                turns = (SWEEPS * len(wanted) - 1) * len(order)
    update_ms = []
    for count in sorted({count for count, _ in steps}):
        torch.set_num_threads(count)
        update_ms.append((count, _fastest(clock.update_ms, 0.02)))
    return Measured(
        rows,
        dtype,
        tuple(Cell(*key, step_ms) for key, step_ms in steps.items()),
        tuple(pack_ms.items()),
        tuple(update_ms),
        tuple(missing.items()),
        cpu_flags(),
        time.perf_counter() - begun,
    )


def _fastest(timed: Any, budget_s: float) -> float:
    """The least of what `timed` returns within the budget; the first call warms up.

    The least, not the mean: what else runs on the machine only ever adds to it.
    """
    begun = time.perf_counter()
    best: float = timed()
    while time.perf_counter() - begun < budget_s:
        best = min(best, timed())
    return best


def candidates() -> tuple[int, ...]:
    """Numbers of threads worth trying: 1, all physical cores but one, all, all logical ones."""
    import psutil

    logical = allowed_cores(os.cpu_count() or 1)
    physical = min(psutil.cpu_count(logical=False) or logical, logical)
    return tuple(sorted({1, max(1, physical - 1), physical, logical}))


def allowed_cores(logical: int, quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores that this process may use: of its affinity, and of its container's share of time."""
    if hasattr(os, "sched_getaffinity"):
        logical = min(logical, len(os.sched_getaffinity(0)))
    try:
        granted, period = quota.read_text().split()
        return max(1, min(logical, math.ceil(int(granted) / int(period))))
    except (OSError, ValueError):  # no such file here, or "max": no limit
        return logical


def cpu_flags() -> tuple[str, ...]:
    """Those of CPU_FLAGS that the processor has, where Linux tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ()
    found = {
        flag
        for line in text.splitlines()
        if line.lower().startswith(("flags", "features"))
        for flag in line.partition(":")[2].split()
    }
    return tuple(flag for flag in CPU_FLAGS if flag in found)
