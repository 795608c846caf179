"""What the panes show, as plain data. Pure: no widget, no clock, no terminal.

Each view is a frozen dataclass, so that a pane can compare it with what it drew last and stay
quiet when nothing changed. `tui/derive.py` makes them from `NodeState`; `tui/draw_*.py` draw them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Headline:
    """The verdict line. level: healthy, degraded, down or starting."""

    level: str
    reason: str
    next_step: str = ""


@dataclass(frozen=True)
class RoundView:
    """What the node does now. Seconds are whole, so that a redraw happens once a second at most."""

    round: int | None
    stage: int
    phase: str
    detail: str = ""
    done: int = 0
    total: int = 0
    elapsed_s: int = 0
    expected_s: float | None = None
    next_in_s: int | None = None
    loss: float | None = None
    reward: float | None = None
    swarm_reward: float | None = None
    trained: int = 0
    submitted: int = 0
    confirmed: int = 0
    paused: bool = False
    stopping: bool = False

    @property
    def fraction(self) -> float | None:
        """How far the phase is: counted where it can be, else by the time it usually takes."""
        if self.total > 0:
            return min(1.0, self.done / self.total)
        if self.expected_s:
            return min(0.99, self.elapsed_s / self.expected_s)
        return None


@dataclass(frozen=True)
class ChartLine:
    """One line of a chart: at most as many points as the pane has columns."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class ChartView:
    title: str
    lines: tuple[ChartLine, ...]
    last: float | None = None
    digits: int = 3
    """Of the newest value, after the point."""

    @property
    def empty(self) -> bool:
        return not any(line.x for line in self.lines)


@dataclass(frozen=True)
class PeerRow:
    """latency in milliseconds. seen_s: seconds since its last record, in steps of five."""

    name: str
    peer_id: str
    seen_s: int
    reward: float | None
    groups: int
    used: int
    latency_ms: int | None = None
    me: bool = False


@dataclass(frozen=True)
class PeersView:
    rows: tuple[PeerRow, ...]
    hidden: int = 0
    enabled: bool = True


@dataclass(frozen=True)
class LedgerRow:
    """One round of the ledger. reward and winner: a submission's status, or "" for none."""

    round: int
    value: str
    reward: str
    winner: str
    tx_hash: str = ""
    error: str = ""


@dataclass(frozen=True)
class LedgerView:
    rows: tuple[LedgerRow, ...]
    trained: int
    submitted: int
    confirmed: int
    queue: int
    participation: int | None = None
    wins: int | None = None
    total_reward: int | None = None
    error: str = ""
    enabled: bool = True


@dataclass(frozen=True)
class StatusView:
    """The bottom line."""

    model: str
    name: str
    tokens_per_s: float | None
    rss_mib: float | None
    account: str
    queue: int
    console_kb_s: float | None = None
    backup: str = ""
    """How old the last backup of the identity is, in words."""
