"""Keeping what others say within bounds: texts cut, mappings that forget the longest untouched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")
MAX_TEXT = 2000
"""Characters kept of any one text."""
MAX_KEY = 128


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """At most `limit` characters; an ellipsis says that something is gone."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def put(old: Mapping[str, V], key: str, value: V, limit: int) -> dict[str, V]:
    """With `key` set and newest; the longest untouched entries go when there are too many."""
    key = key[:MAX_KEY]
    out = dict(old)  # copied whole and then changed: five times faster than a comprehension
    out.pop(key, None)
    out[key] = value
    while len(out) > limit:
        del out[next(iter(out))]
    return out
