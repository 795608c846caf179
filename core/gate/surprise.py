"""How surprising a peer's rewarded completions may be, learned from this node's own ones.

The surprise of a token is its negative log-probability, in nats, under the local policy. What is
compared is the worst stretch: the largest sum over neighbouring tokens. It is smooth, so rounding
moves it by as much as it moves a log-probability; whether a token is among the k most likely flips
for many honest tokens between two ways of computing the same model.

Only rewarded completions are compared, and only with rewarded ones: nothing else of a peer pulls
the policy towards itself, and what a policy writes when it is right is far less surprising than
what it writes at large. Pure arithmetic: no model, no peers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

WIDTHS = (8, 32, 128)
"""Tokens of a stretch. A short phrase stands out in the first, a long one in the last."""
USUAL = 0.99
"""The share of one's own completions that counts as usual. What slips into fewer than one in a
hundred of them, such as a phrase that is being learned, does not move the limits."""
KEPT = 1024
LEAST = 8
"""With fewer rewarded completions than this, all of one's own are the measure."""


@dataclass(frozen=True)
class Stretch:
    """nats: summed surprise of the tokens `start` to `start + length`."""

    nats: float
    start: int
    length: int


@dataclass(frozen=True)
class Excess:
    """A stretch over its limit. usual: what USUAL of one's own completions stay below."""

    stretch: Stretch
    limit: float
    usual: float


def worst_stretch(nats: Sequence[float], width: int) -> Stretch:
    """The most surprising `width` neighbouring tokens, or all when there are no more.

    A shorter completion is not measured by its mean: two odd tokens are no odd phrase.
    """
    if len(nats) <= width:
        return Stretch(sum(nats), 0, len(nats))
    sums = [0.0, *accumulate(nats)]
    start = max(range(len(nats) - width + 1), key=lambda i: sums[i + width] - sums[i])
    return Stretch(sums[start + width] - sums[start], start, width)


def allowance(width: int, margin: float) -> float:
    """Nats above the usual that a stretch may have: `margin` a token in the shortest one.

    A peer's policy is another than mine, so its tokens may be less likely here than there. How
    much that adds up to grows with the root of the length, as the sum of chance deviations does.
    """
    return margin * (WIDTHS[0] * width) ** 0.5


class Usual:
    """The worst stretches of the newest own completions, the rewarded ones apart."""

    def __init__(self) -> None:
        self._rewarded: deque[tuple[float, ...]] = deque(maxlen=KEPT)
        self._all: deque[tuple[float, ...]] = deque(maxlen=KEPT)

    def learn(self, nats: Sequence[float], rewarded: bool) -> None:
        """One own completion: the surprise of its tokens, as it was sampled."""
        worst = tuple(worst_stretch(nats, width).nats for width in WIDTHS)
        self._all.append(worst)
        if rewarded:
            self._rewarded.append(worst)

    def quantiles(self) -> tuple[float, ...]:
        """Nats by width; empty before anything was learned."""
        known = self._rewarded if len(self._rewarded) >= LEAST else self._all
        return tuple(_quantile(column, USUAL) for column in zip(*known, strict=True))

    def excess(
        self, completions: Sequence[Sequence[float]], margin: float
    ) -> tuple[int, Excess] | None:
        """Which of these completions is most over a limit, and how; None when none is.

        margin: see `allowance`. Nothing is over a limit before anything was learned.
        """
        found: list[tuple[float, int, Excess]] = []
        for width, usual in zip(WIDTHS, self.quantiles(), strict=False):
            limit = usual + allowance(width, margin)
            for number, nats in enumerate(completions):
                worst = worst_stretch(nats, width)
                if not worst.nats <= limit:  # a NaN is over every limit
                    found.append((worst.nats / limit, number, Excess(worst, limit, usual)))
        if not found:
            return None
        _, number, excess = max(found, key=lambda each: each[0])
        return number, excess


def _quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(0, rank - 1)]
