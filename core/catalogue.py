"""The models a person may choose from: their shapes, and how each would be trained here.

It reads `configs/models.yaml` and, for what is on this machine, a model's own config.json and the
headers of its safetensors files. It loads no model, needs no torch, and asks nothing of the
network.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import yamlfile
from core.boundedjson import decode
from core.config import Effective, settings
from core.errors import ConfigError, WaggleError
from core.home import REPO_ROOT
from core.memory import Plan, plan
from core.schema import Config
from core.shape import Shape, from_entry, read_config

CATALOGUE = REPO_ROOT / "configs" / "models.yaml"
SHOWN = "configs/models.yaml"
BUILT_IN = REPO_ROOT / "configs" / "models"
POOLS = "pools"
"""The section of the catalogue that lists pools; every other one is a model."""
SUITED = (
    "sampling.max_new_tokens",
    "sampling.rollout_format",
    "training.learning_rate",
    "training.schedule",
    "training.schedule_steps",
)
"""Settings whose values in a profile suit the profile's own model only."""
MAX_HEADER_BYTES = 32 * 1024 * 1024
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Entry:
    """A model by name. shape: None when it is not known. gated: its licence must be accepted.

    usual: tokens of a usual completion; 0 when nobody knows.
    """

    id: str
    shape: Shape | None
    about: str = ""
    gated: bool = False
    usual: int = 0

    @property
    def parameters(self) -> int:
        """Distinct weights; 0 when they are not known."""
        return self.shape.parameters if self.shape else 0


def entries() -> list[Entry]:
    """The catalogue in its order. ConfigError when the file cannot be used."""
    out = []
    for name, section in yamlfile.read(CATALOGUE, SHOWN).items():
        if name == POOLS:
            continue
        values = {key: value.value for key, value in section.keys.items()}
        place = f"{SHOWN}, line {section.line}: {name}"
        try:
            out.append(_entry(name, values, place))
        except WaggleError as error:
            raise ConfigError(error.what, error.why) from error
    return out


def _entry(name: str, values: dict[str, Any], place: str) -> Entry:
    about, gated = values.get("about", ""), values.get("gated", False)
    if not isinstance(about, str) or not isinstance(gated, bool):
        raise ConfigError(f"{place} is not a model", "about is a text, gated is true or false")
    usual = values.get("usual_tokens", 0)
    if not isinstance(usual, int) or usual < 0:
        raise ConfigError(f"{place} is not a model", "usual_tokens is a number of tokens")
    local = local_shape(name)
    return Entry(name, local or from_entry(values, place), about, gated, usual)


def shape_of(model_id: str) -> Shape | None:
    """Of a built-in model, a folder, a downloaded model or an entry of the catalogue; None when
    nothing is known of it yet. WaggleError when its config.json cannot be used."""
    found = local_shape(model_id)
    if found is not None:
        return found
    sections = yamlfile.read(CATALOGUE, SHOWN)
    like = sections[POOLS].keys.get("like") if POOLS in sections else None
    name = like.value.get(model_id, model_id) if like and isinstance(like.value, dict) else model_id
    return next((entry.shape for entry in entries() if entry.id == name), None)


def local_shape(model_id: str) -> Shape | None:
    """Read from the files on this machine; None where it has none. WaggleError as `shape_of`."""
    folder = folder_of(model_id)
    if folder is None:
        return None
    return read_config(folder / "config.json", parameters_of(folder))


def folder_of(model_id: str) -> Path | None:
    """Where a model's files are: built in, a folder, or downloaded. None when nowhere here."""
    try:
        for folder in (BUILT_IN / model_id, Path(model_id).expanduser()):
            if model_id and folder.is_dir():
                return folder if (folder / "config.json").is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None  # too long for a path, or a home that nobody has
    if not _HUB_ID.fullmatch(model_id):
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.utils import HFValidationError

    try:
        found = try_to_load_from_cache(model_id, "config.json")
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def parameters_of(folder: Path) -> int:
    """Weights in the safetensors files of a folder; 0 when it has none that can be read."""
    return sum(_count(path) for path in sorted(folder.glob("*.safetensors")))


def _count(path: Path) -> int:
    """Weights named in the header of a safetensors file (its specification: 8 bytes, then JSON)."""
    try:
        with path.open("rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            if size > MAX_HEADER_BYTES:
                return 0
            header = decode(file.read(size))
            shapes = [v["shape"] for k, v in header.items() if k != "__metadata__"]
            return max(0, sum(math.prod(int(n) for n in shape) for shape in shapes))
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError):
        return 0  # what is no such file has no known size; loading it will say what is wrong


# --- how a model would be trained here --------------------------------------------------------


def plan_for(model_id: str, effective: Effective, free_bytes: int, device: str) -> Plan:
    """The memory plan of that model under these settings. WaggleError as `shape_of`."""
    return plan(shape_of(model_id), for_model(effective, model_id), free_bytes, device)


def plan_of(entry: Entry, effective: Effective, free_bytes: int, device: str) -> Plan:
    """As `plan_for`, of an entry of the catalogue, whose shape is known."""
    return plan(entry.shape, for_model(effective, entry.id), free_bytes, device)


def for_model(effective: Effective, model_id: str) -> Config:
    """The settings if that model were chosen. Of the settings that suit the profile's own model
    another one gets the defaults, unless a person set them."""
    config = effective.config
    if model_id == config.model.id:
        return config
    sections: dict[str, Any] = {"model": replace(config.model, id=model_id)}
    for key, default in defaults_for_others().items():
        if effective.origins[key].layer == "profile":
            section, name = key.split(".")
            sections[section] = replace(
                sections.get(section, getattr(config, section)), **{name: default}
            )
    return replace(config, **sections)


def defaults_for_others() -> dict[str, Any]:
    """What models other than a profile's own get, by key, for every one of `SUITED`."""
    return {key: settings()[key].default for key in SUITED}
