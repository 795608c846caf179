"""Whether a part of what a peer sent is what its type says; it may come through any codec. Pure."""

from __future__ import annotations

import math
from typing import Any

from core.rollouts import TaskId


def is_task_id(task: TaskId) -> bool:
    try:
        return TaskId.parse(str(task)) == task
    except (ValueError, TypeError):
        return False


def is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_logprob(value: Any) -> bool:
    """A log-probability is at most 0; rounding may put it a little above."""
    return type(value) is float and math.isfinite(value) and value <= 1e-3
