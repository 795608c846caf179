"""Errors as events: every failure that the node survives is told in a person's words."""

from __future__ import annotations

from core import events
from core.errors import WaggleError


def incident(
    code: str, error: Exception, round: int | None = None, level: str = "warning"
) -> events.Incident:
    """The event for an error. What is not a WaggleError is a bug, and is told as one."""
    told = error if isinstance(error, WaggleError) else as_bug(error)
    return events.Incident(
        round=round,
        code=code,
        what=told.what,
        why=told.why,
        next_step=told.next_step,
        level=level,
    )


def as_bug(error: Exception) -> WaggleError:
    return WaggleError(
        f"{type(error).__name__}: {error}"[:500],
        "this is a bug in Waggle or in a library it uses",
        "The details are in logs/node.log; please report them",
    )
