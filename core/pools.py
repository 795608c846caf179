"""Model pools: `model.id: pool` draws a model on the first start and keeps it from then on.

As RL-Swarm does: a random one of the large models where the GPU has 40 GiB or more, else of the
small ones; here only among those that fit. Drawn once per home, so that a restart, and its
checkpoints, stay with the same model. It loads nothing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core import catalogue, free_memory, yamlfile
from core.config import Effective, Origin
from core.errors import ConfigError
from core.home import Home, atomic_write

FILE = "drawn.json"
"""In the home: the pool and the model that was drawn from it. Without it, the next start draws."""
MAX_FILE_BYTES = 4096
GIB = 2**30


@dataclass(frozen=True)
class Pool:
    """large: for GPUs with at least `large_from` bytes of memory; small: for everything else."""

    name: str
    about: str
    large_from: int
    large: tuple[str, ...]
    small: tuple[str, ...]

    def members(self, gpu_bytes: int) -> tuple[str, ...]:
        return self.large if gpu_bytes >= self.large_from else self.small


def pools() -> dict[str, Pool]:
    """By name, as `configs/models.yaml` lists them. ConfigError when it cannot be used."""
    sections = yamlfile.read(catalogue.CATALOGUE, catalogue.SHOWN)
    if catalogue.POOLS not in sections:
        return {}
    found = {}
    for name, value in sections[catalogue.POOLS].keys.items():
        if name != "like":
            found[name] = _pool(name, value)
    return found


def _pool(name: str, given: yamlfile.Value) -> Pool:
    values = given.value if isinstance(given.value, dict) else {}
    about, least = values.get("about", ""), values.get("large_from_gib", 40)
    large, small = (values.get(key) for key in ("large", "small"))
    lists = all(
        isinstance(names, list) and names and all(isinstance(n, str) for n in names)
        for names in (large, small)
    )
    whole = isinstance(least, int) and not isinstance(least, bool)
    if not lists or not whole or not isinstance(about, str):
        raise ConfigError(
            f"{catalogue.SHOWN}, line {given.line}: {name} is not a pool",
            "it needs large and small, lists of models, and large_from_gib, a whole number",
        )
    return Pool(name, about, least * GIB, tuple(large or ()), tuple(small or ()))


def candidates(pool: Pool, effective: Effective) -> tuple[str, ...]:
    """What may be drawn on this machine: the members for its GPU that fit, or all of these when
    none does (starting then says what is missing)."""
    device = free_memory.device_of(effective.config)
    gpu = free_memory.gpu() if device == "cuda" else None
    free = free_memory.budget(effective.config, device)
    members = pool.members(gpu.total if gpu else 0)
    fitting = tuple(
        m for m in members if catalogue.plan_for(m, effective, free, device).verdict != "too large"
    )
    return fitting or members


def settle(
    effective: Effective, home: Home, draw: random.Random | None = None, keep: bool = True
) -> Effective:
    """The configuration with a model in place of a pool; as it is when it names no pool.

    The first call draws and, with `keep`, writes the home's drawn.json. StorageError.
    """
    pool = pools().get(effective.config.model.id)
    if pool is None:
        return effective
    model = _remembered(home, pool)
    if model is None:
        model = (draw or random.SystemRandom()).choice(candidates(pool, effective))
        if keep:
            home.create()
            text = json.dumps({"pool": pool.name, "model": model})
            atomic_write(home.path / FILE, text.encode())
    origin = Origin(effective.origins["model.id"].layer, f"drawn from {pool.name}")
    config = catalogue.for_model(effective, model)
    return replace(effective, config=config, origins={**effective.origins, "model.id": origin})


def _remembered(home: Home, pool: Pool) -> str | None:
    """What this home drew from that pool before; None when it did not, or the file is damaged."""
    try:
        with (home.path / FILE).open("rb") as source:
            data = json.loads(source.read(MAX_FILE_BYTES))
    except (OSError, ValueError):
        return None
    known: Sequence[str] = (*pool.large, *pool.small)
    if (
        not isinstance(data, dict)
        or data.get("pool") != pool.name
        or data.get("model") not in known
    ):
        return None
    return str(data["model"])
