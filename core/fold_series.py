"""The part of the fold that makes series: which numbers of which event grow which line of a chart.

Names are the event's own (`reward/own`, `loss`, `seconds`, ...) and every metric as it is called
in `core/training/metrics.py`. A number that is missing where one was expected becomes a gap, so
that a skipped step or a NaN shows as a hole and not as a straight line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core import events
from core.merged_rounds import LIMIT, expected, round_values, to_bucket
from core.series import EMPTY, Series
from core.state import NodeState

MAX_SERIES = 160
MAX_NAME = 80


def grow(
    old: Mapping[str, Series], x: int | None, values: Mapping[str, Any]
) -> Mapping[str, Series]:
    """With one more point in each named series; a NaN or None is a gap in a series that exists."""
    if x is None or abs(x) >= 2**63:
        return old
    out = dict(old)
    for name, value in values.items():
        if not isinstance(name, str) or len(name) > MAX_NAME or isinstance(value, bool):
            continue
        if isinstance(value, (int, float)) and abs(value) < LIMIT:
            if name in out or len(out) < MAX_SERIES:
                out[name] = out.get(name, EMPTY).append(float(x), float(value))
        elif name in out and (value is None or isinstance(value, (int, float))):
            out[name] = out[name].append(float(x), math.nan)
    return out


def round_finished(old: Mapping[str, Series], event: events.RoundFinished) -> Mapping[str, Series]:
    if event.round is None or abs(event.round) >= 2**63:
        return old
    values = round_values(event)
    for name, series in old.items():
        if name not in values and expected(name) and series.newest < event.round:
            values[name] = None
    return grow(old, event.round, values)


def rounds_merged(old: Mapping[str, Series], event: events.RoundsMerged) -> Mapping[str, Series]:
    out = dict(old)
    for name, values in event.values.items():
        bucket = to_bucket(event.first, event.last, values)
        fits = isinstance(name, str) and len(name) <= MAX_NAME
        if bucket and fits and (name in out or (len(out) < MAX_SERIES and bucket.n)):
            out[name] = out.get(name, EMPTY).extend(bucket)
    return out


def model_loaded(state: NodeState, event: events.ModelLoaded) -> NodeState:
    """Fresh weights begin another training run, and its charts; a checkpoint goes on with them."""
    fresh = event.checkpoint_round is None
    return replace(state, model=event, series={} if fresh else state.series)
