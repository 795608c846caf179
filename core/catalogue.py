"""The models a person may choose from, and whether each fits into the memory of this machine.

It reads `configs/models.yaml` and, for local folders, the headers of their safetensors files. It
loads no model, needs no torch, and asks nothing of the network.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

from core import yamlfile
from core.errors import ConfigError
from core.home import REPO_ROOT

CATALOGUE = REPO_ROOT / "configs" / "models.yaml"
BUILT_IN = REPO_ROOT / "configs" / "models"
MAX_HEADER_BYTES = 32 * 1024 * 1024

BYTES_PER_PARAMETER = 16
"""Training in float32 with AdamW: weights, gradients and two moments of 4 bytes each."""
ACTIVATIONS = 0.25
"""Activations and caches, as a share of the above."""
BASE_BYTES = 700 * 2**20
"""torch, transformers and the node itself."""
TIGHT = 0.8
"""From this share of the free memory on, a model is tight."""


@dataclass(frozen=True)
class Entry:
    """A model by name. parameters: 0 when it is not known."""

    id: str
    parameters: int
    about: str = ""


@dataclass(frozen=True)
class Fit:
    """verdict: `fits`, `tight`, `too large` or `unknown`. Sizes in bytes."""

    verdict: str
    needed: int
    free: int

    def __str__(self) -> str:
        if self.verdict == "unknown":
            return "size not known yet"
        needed, free = self.needed / 1e9, self.free / 1e9
        return f"{self.verdict}: {needed:.1f} of {free:.1f} GB"


def entries() -> list[Entry]:
    """The catalogue in its order. ConfigError when the file cannot be used."""
    out = []
    for name, section in yamlfile.read(CATALOGUE, "configs/models.yaml").items():
        values = {key: value.value for key, value in section.keys.items()}
        parameters, about = values.get("parameters", 0), values.get("about", "")
        if not isinstance(parameters, int) or not isinstance(about, str):
            raise ConfigError(
                f"configs/models.yaml, line {section.line}: {name} is not a model",
                "it needs parameters, a whole number, and about, a text",
            )
        out.append(Entry(name, parameters or parameters_of(name), about))
    return out


def parameters_of(model_id: str) -> int:
    """Weights of a built-in model or of a local folder; 0 when nothing local has that name."""
    built_in = BUILT_IN / model_id
    folder = built_in if built_in.is_dir() else Path(model_id).expanduser()
    if not folder.is_dir():
        return 0
    return sum(_count(path) for path in sorted(folder.glob("*.safetensors")))


def _count(path: Path) -> int:
    """Weights named in the header of a safetensors file (its specification: 8 bytes, then JSON)."""
    try:
        with path.open("rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            if size > MAX_HEADER_BYTES:
                return 0
            header = json.loads(file.read(size))
            shapes = [v["shape"] for k, v in header.items() if k != "__metadata__"]
            return sum(math.prod(int(n) for n in shape) for shape in shapes)
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError):
        return 0  # what is no such file has no known size; loading it will say what is wrong


def fit(parameters: int, free_bytes: int) -> Fit:
    """Whether a model of that size can be trained in that much free memory. An estimate."""
    if parameters <= 0:
        return Fit("unknown", 0, free_bytes)
    needed = int(parameters * BYTES_PER_PARAMETER * (1 + ACTIVATIONS)) + BASE_BYTES
    if needed > free_bytes:
        return Fit("too large", needed, free_bytes)
    return Fit("tight" if needed > TIGHT * free_bytes else "fits", needed, free_bytes)


def free_memory() -> int:
    """Bytes that a new process could use now, the limit of a container included."""
    import psutil

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            free = min(free, int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        pass  # no cgroup v2 here: the machine's own figure stands
    return max(free, 0)
