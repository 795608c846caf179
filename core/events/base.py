"""One thing that happened, its registry, and its JSON: what all events have in common."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import time as _time
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events. `time` is Unix seconds. `round` is the coordinator's, or None."""

    NAME: ClassVar[str] = "event"
    METRIC: ClassVar[bool] = False
    """Droppable under pressure and not written to the journal: only the present needs it."""
    time: float = field(default_factory=_time.time)
    round: int | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.NAME = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        EVENT_TYPES[cls.NAME] = cls


EVENT_TYPES: dict[str, type[Event]] = {}


def to_dict(event: Event) -> dict[str, Any]:
    """`{"event": NAME, "time": ..., "round": ..., ...}`: the line of `run --json`."""
    head = {"event": event.NAME, "time": event.time, "round": event.round}
    return {**head, **{k: v for k, v in dataclasses.asdict(event).items() if k not in head}}


def to_json(event: Event) -> str:
    """`to_dict` as one line of strict JSON. A number that is not finite becomes null."""
    try:
        return json.dumps(to_dict(event), allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_finite(to_dict(event)), allow_nan=False, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_dict(data: dict[str, Any]) -> Event | None:
    """The inverse of `to_dict`. None for an unknown event or one whose fields do not fit their
    types.

    Unknown fields are ignored, so that a journal written by a newer Waggle can be read.
    """
    cls = EVENT_TYPES.get(str(data.get("event")))
    if cls is None:
        return None
    kinds = _field_types(cls.NAME)
    known = {name: value for name, value in data.items() if name in kinds}
    if not all(isinstance(value, kinds[name]) for name, value in known.items()):
        return None
    try:
        return cls(**known)
    except TypeError:
        return None  # a field without a default is missing


@cache
def _field_types(name: str) -> dict[str, tuple[type, ...]]:
    """The types that each field of the named event may have once it went through JSON."""
    cls = EVENT_TYPES[name]
    hints = get_type_hints(cls)
    out = {}
    for spec in dataclasses.fields(cls):
        members = get_args(hints[spec.name]) if _is_union(hints[spec.name]) else (hints[spec.name],)
        kinds = {get_origin(member) or member for member in members}
        out[spec.name] = tuple(kinds | {int} if float in kinds else kinds)
    return out


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)
