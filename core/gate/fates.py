"""What a rejection says of its sender: a fault, no need of it here, or a way that failed.

`refused` is said of nothing but faults: a group that came when enough of its peer's were admitted,
or one without a signal, is as sound as any. Pure; reasons are the codes of `core.gate.admission`,
and what an old journal calls otherwise counts as a fault, since that cannot be ruled out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.texts import _

SPARE = frozenset({"quota", "no_signal", "busy", "unscored", "held_out"})
"""Nothing was wrong with it: this node had no use, no time or no scorer for it."""
MISSED = frozenset({"timeout", "fetch", "stale", "exchange"})
"""It did not come, or too late; mostly the network's doing."""
NAMES = {"refused": _("refused"), "spare": _("spare"), "missed": _("missed")}
FATES = {
    "refused": _("what no honest node sends, or what the local model would hardly write"),
    "spare": _(
        "sound, but not needed here: the quota was full, or nothing could be learnt from it"
    ),
    "missed": _("not fetched, or too late"),
}
"""Each in a line, gravest first."""


@dataclass(frozen=True)
class Fates:
    """Rejections by what they say."""

    refused: int = 0
    spare: int = 0
    missed: int = 0


def fate(reason: str) -> str:
    """A key of FATES."""
    return "spare" if reason in SPARE else "missed" if reason in MISSED else "refused"


def split(reasons: Mapping[str, int]) -> Fates:
    """Counts of rejections by code, summed by fate."""
    sums = dict.fromkeys(FATES, 0)
    for reason, count in reasons.items():
        sums[fate(reason)] += count
    return Fates(**sums)


def sorted_out(reasons: Mapping[str, int]) -> dict[str, list[tuple[str, int]]]:
    """(reason, count) by fate, gravest fate first, most often first; only where there are some."""
    often = sorted(reasons.items(), key=lambda item: -item[1])
    found = {name: [each for each in often if fate(each[0]) == name] for name in FATES}
    return {name: each for name, each in found.items() if each}
