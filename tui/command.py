"""A line of the table of keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One action. scope: the screen it belongs to, a name of `keys.SCOPES`."""

    scope: str
    action: str
    keys: tuple[str, ...]
    shown: str
    """How the key is written on the screen; ASCII."""
    title: str
    description: str
    footer: bool = False
    palette: bool = True
    priority: bool = False
