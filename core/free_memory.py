"""How much memory this process may take now: the machine's, its control groups', the GPU's.

Linux accounts memory in nested control groups (kernel documentation, cgroup-v1/memory and
cgroup-v2): the tightest one on the way to the root decides. A GPU is asked through its driver's
own tool, for torch is not loaded here. It knows nothing of models.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path

from core.schema import Config

GIB = 2**30
TOOL_TIMEOUT_S = 5.0
UNLIMITED = 2**60
"""Version 1 writes "no limit" as a number near 2**63."""


@dataclass(frozen=True)
class Gpu:
    """Sizes in bytes. free: what no process holds now."""

    name: str
    total: int
    free: int


def budget(config: Config, device: str) -> int:
    """Bytes that this node may take on `device`: what is free, shared by the nodes on this
    machine, and no more than --max-ram or --max-vram. 0 when nothing is known of a GPU."""
    if device == "cuda":
        found = gpu()
        free, limit = (found.free if found else 0), config.model.max_vram_gib
    else:
        free, limit = free_ram(), config.model.max_ram_gib
    free //= max(1, config.swarm.nodes)
    return min(free, int(limit * GIB)) if limit else free


def one_of(config: Config) -> Config:
    """The configuration of one of the nodes on this machine, with its share of the memory as it is
    now, before any of them has taken its own."""
    if config.swarm.nodes <= 1:
        return config
    device = device_of(config)
    share = round(budget(config, device) / GIB, 3)
    model = config.model
    if share and device == "cuda":
        model = replace(model, max_vram_gib=share)
    elif share:
        model = replace(model, max_ram_gib=share)
    return replace(config, swarm=replace(config.swarm, nodes=1), model=model)


def device_of(config: Config) -> str:
    """Where the model would run: `cpu`, `cuda` or `mps`; as the trainer decides, without torch."""
    wanted = config.model.device
    if wanted != "auto":
        return wanted
    return "cuda" if _torch_knows_gpus() and gpu() is not None else "cpu"


def free_ram(proc: Path = Path("/proc/self"), root: Path = Path("/")) -> int:
    """Bytes that this process could hold in all: what is available, and what it has already.

    proc, root: where the kernel's files are (tests lay out other machines).
    """
    import psutil

    own = int(psutil.Process().memory_info().rss)
    free = int(psutil.virtual_memory().available)
    return min([free, *_groups(proc, root)]) + own


# --- control groups ---------------------------------------------------------------------------


def _groups(proc: Path, root: Path) -> Iterator[int]:
    """What each control group above this process still gives, in bytes."""
    for version, folder, top in _folders(proc, root):
        while True:
            left = _left(version, folder)
            if left is not None:
                yield left
            if folder == top or top not in folder.parents:
                break
            folder = folder.parent


def _folders(proc: Path, root: Path) -> Iterator[tuple[int, Path, Path]]:
    """(version, this process's group, topmost visible group) for each hierarchy with memory."""
    paths = {}
    for line in _text(proc / "cgroup").splitlines():
        number, controllers, path = ([*line.split(":", 2), "", ""])[:3]
        if number == "0" and not controllers:
            paths[2] = path
        elif "memory" in controllers.split(","):
            paths[1] = path
    for line in _text(proc / "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        version = {"cgroup2": 2, "cgroup": 1}.get(kind[0], 0)
        if version not in paths or (version == 1 and "memory" not in kind[2].split(",")):
            continue
        # A container sees only its own branch: the mount shows `inside` of the host's tree.
        inside, top = fields[3].rstrip("/"), root / fields[4].lstrip("/")
        path = paths[version]
        if path.startswith(f"{inside}/") or path == inside:
            path = path[len(inside) :]
        folder = top / path.strip("/")
        while not folder.is_dir() and folder != top and top in folder.parents:
            folder = folder.parent
        yield version, folder, top


def _left(version: int, folder: Path) -> int | None:
    """Limit less use; page cache that the kernel would give back is not use. None: no limit."""
    if version == 2:
        limits = [_number(folder / name) for name in ("memory.max", "memory.high")]
        used, cached = _number(folder / "memory.current"), _cached(folder, "inactive_file")
    else:
        limits = [_number(folder / "memory.limit_in_bytes")]
        used, cached = (
            _number(folder / "memory.usage_in_bytes"),
            _cached(folder, "total_inactive_file"),
        )
    known = [limit for limit in limits if limit is not None and limit < UNLIMITED]
    if not known or used is None:
        return None
    return max(0, min(known) - max(0, used - cached))


def _cached(folder: Path, key: str) -> int:
    found = re.search(rf"^{key} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
    return int(found[1]) if found else 0


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None  # "max" is no limit


def _text(file: Path) -> str:
    """Empty where there is no such file: not Linux, or another version of control groups."""
    try:
        with file.open("rb") as source:
            return source.read(1 << 20).decode("utf-8", "replace")
    except OSError:
        return ""


# --- GPU --------------------------------------------------------------------------------------


def gpu() -> Gpu | None:
    """The first NVIDIA GPU that this process may use; None when the driver shows none."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not re.match(r"\d|GPU-|MIG-", visible):
        return None  # empty or -1: all hidden
    return next(iter(_nvidia((visible or "0").split(",")[0])), None)


def _nvidia(which: str) -> list[Gpu]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = "--query-gpu=name,memory.total,memory.free"
    command = [tool, query, "--format=csv,noheader,nounits", f"--id={which}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_nvidia(done.stdout) if done.returncode == 0 else []


def parse_nvidia(text: str) -> list[Gpu]:
    """Of `name, total MiB, free MiB` lines; others are left out."""
    found = []
    for line in text.splitlines()[:64]:
        told = re.fullmatch(r"(.{1,100}), (\d{1,9}), (\d{1,9})", line.strip())
        if told:
            found.append(Gpu(told[1], int(told[2]) * 2**20, int(told[3]) * 2**20))
    return found


@cache
def _torch_knows_gpus() -> bool:
    """Whether the installed torch was built for one; its version says so, without importing it."""
    try:
        return not metadata.version("torch").endswith("+cpu")
    except metadata.PackageNotFoundError:
        return False
