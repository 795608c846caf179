"""How far this machine's clock is from those of other nodes. Pure: offsets in, a verdict out.

Each peer that was asked tells its time; half of the round trip is the doubt. The verdict is the
median over peers, so that a minority of wrong or lying clocks changes nothing, and it is named only
when it is large: nothing here sets a clock or corrects for one.
"""

from __future__ import annotations

import statistics
from collections import OrderedDict
from dataclasses import dataclass

from core.texts import _, many

NAMED_S = 5.0
"""An offset below this is nobody's concern: records stand for minutes."""
FRESH_S = 900.0
MAX_PEERS = 64
MAX_DOUBT_S = 5.0


@dataclass(frozen=True)
class Skew:
    """offset_s: this clock minus the others', by the median of so many peers; 0 when unknown."""

    offset_s: float = 0.0
    peers: int = 0

    @property
    def named(self) -> bool:
        return abs(self.offset_s) >= NAMED_S


class Clocks:
    """The latest answer of each peer, the oldest making room."""

    def __init__(self) -> None:
        self._offsets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def heard(self, peer_id: str, theirs: float, sent: float, received: float, now: float) -> None:
        """theirs: a peer's clock between `sent` and `received` by mine. now: never jumps."""
        doubt = (received - sent) / 2
        if 0 <= doubt <= MAX_DOUBT_S:
            self._offsets.pop(peer_id, None)
            self._offsets[peer_id] = (now, sent + doubt - theirs)
            while len(self._offsets) > MAX_PEERS:
                self._offsets.popitem(last=False)

    def skew(self, now: float) -> Skew:
        offsets = [offset for at, offset in self._offsets.values() if now - at <= FRESH_S]
        return Skew(statistics.median(offsets), len(offsets)) if offsets else Skew()


def sentence(skew: Skew) -> tuple[str, str]:
    """What is wrong and what to do; two empty texts when nothing is."""
    if not skew.named:
        return "", ""
    if skew.offset_s > 0:
        what = many(
            "this machine's clock is {seconds:.0f} s ahead of {n} other node, or that node's clock"
            " is wrong",
            "this machine's clock is {seconds:.0f} s ahead of {n} other nodes",
            skew.peers,
        )
    else:
        what = many(
            "this machine's clock is {seconds:.0f} s behind {n} other node, or that node's clock"
            " is wrong",
            "this machine's clock is {seconds:.0f} s behind {n} other nodes",
            skew.peers,
        )
    return what.format(seconds=abs(skew.offset_s), n=skew.peers), _(
        "Set this machine's clock: `timedatectl set-ntp true`, or the time settings"
    )
