"""From `NodeState` and a clock to the views of the panes. Pure."""

from __future__ import annotations

import math

from core.health import verdict
from core.series import Series
from core.state import NodeState, Submission
from core.texts import _
from tui import views
from tui.text import nearest, whole

MAX_PEER_ROWS = 200
MAX_LEDGER_ROWS = 100


def headline(state: NodeState, now: float, starting: str = "") -> views.Headline:
    """The verdict; before there is a node, what is being done to have one."""
    if starting:
        return views.Headline("starting", starting)
    told = verdict(state, now)
    return views.Headline(told.level, told.reason, told.next_step)


def round_view(state: NodeState, now: float, stopping: bool = False) -> views.RoundView:
    phase, last = state.phase, state.last_round
    settled = state.ledger.confirmed.get("reward", 0)
    waiting = sum(1 for row in state.ledger.pending if row.kind == "reward")
    next_in = None
    if state.deadline is not None and state.running:
        next_in = nearest(state.deadline - now)
    name = phase.name if state.running else ""
    detail = _loading(state) if state.running and name == "start" else phase.detail
    return views.RoundView(
        round=state.round,
        stage=state.stage,
        phase=name,
        detail=detail,
        done=phase.done,
        total=phase.total,
        elapsed_s=whole(now - phase.since) if phase.since else 0,
        expected_s=phase.expected_s,
        next_in_s=next_in,
        loss=None if last is None else last.loss,
        reward=None if last is None else last.reward_mean,
        swarm_reward=None if last is None or not last.foreign_groups else last.swarm_reward_mean,
        trained=state.ledger.trained,
        submitted=settled + waiting + state.ledger.failed.get("reward", 0),
        confirmed=settled,
        paused=state.paused and name in ("paused", "wait", ""),
        stopping=stopping,
    )


def _loading(state: NodeState) -> str:
    return "; ".join(
        f"{name}: {service.detail or service.status}"
        for name, service in state.services.items()
        if service.status != "up"
    )


def loss_chart(state: NodeState, width: int) -> views.ChartView:
    series = state.series_of("loss")
    return views.ChartView(_("Loss"), _lines(_("loss"), series, width), series.last, 4)


def reward_chart(state: NodeState, width: int) -> views.ChartView:
    """Own reward with its trend; the swarm's mean where other nodes took part."""
    own = state.series_of("reward/own")
    lines = _lines(_("own"), own, width)
    if any(bucket.high > 0 for bucket in state.series_of("foreign_groups").buckets):
        lines += (_line(_("swarm"), state.series_of("reward/swarm"), width),)
    return views.ChartView(_("Reward"), lines, own.last)


def _lines(label: str, series: Series, width: int) -> tuple[views.ChartLine, ...]:
    return (_line(label, series, width),) if series.count else ()


def _line(label: str, series: Series, width: int) -> views.ChartLine:
    points = series.points(max(width, 2))
    x = [point.last for point in points]
    if x:
        x[0] = points[0].first
    return views.ChartLine(label, tuple(x), tuple(point.mean for point in points))


def peers_view(state: NodeState, now: float, enabled: bool = True) -> views.PeersView:
    """This node first, then the others, last seen first."""
    me = state.node
    rows = []
    if me is not None:
        reward = state.last_round.reward_mean if state.last_round else None
        rows.append(views.PeerRow(me.name, me.peer_id, 0, reward, 0, 0, None, True))
    own_id = me.peer_id if me is not None else ""
    others = sorted(
        (peer for peer in state.peers.values() if peer.peer_id != own_id),
        key=lambda peer: (-peer.last_seen, peer.peer_id),
    )
    # A fixed order among those who are here: rows that jump about cannot be read.
    shown = sorted(
        others[:MAX_PEER_ROWS], key=lambda p: (now - p.last_seen > 300, p.name, p.peer_id)
    )
    rows += [
        views.PeerRow(
            peer.name if peer.signed else _("{name} (unsigned)").format(name=peer.name),
            peer.peer_id,
            whole(now - peer.last_seen) // 5 * 5,
            peer.reward_mean,
            peer.groups,
            peer.used,
            None if peer.latency_ms is None else nearest(peer.latency_ms),
        )
        for peer in shown
    ]
    return views.PeersView(tuple(rows), len(others) - len(shown), enabled)


def ledger_view(state: NodeState, enabled: bool = True) -> views.LedgerView:
    ledger, counters = state.ledger, state.counters
    by_round: dict[int, dict[str, Submission]] = {}
    for row in (*ledger.settled, *ledger.pending):
        if row.round is not None and row.kind in ("reward", "winner"):
            by_round.setdefault(row.round, {})[row.kind] = row
    rows = []
    for number in sorted(by_round, reverse=True)[:MAX_LEDGER_ROWS]:
        reward, winner = by_round[number].get("reward"), by_round[number].get("winner")
        rows.append(
            views.LedgerRow(
                number,
                reward.value if reward else "",
                reward.status if reward else "",
                winner.status if winner else "",
                reward.tx_hash if reward else "",
                next((s.error for s in (reward, winner) if s and s.error), ""),
            )
        )
    confirmed = ledger.confirmed.get("reward", 0)
    waiting = sum(1 for row in ledger.pending if row.kind == "reward")
    return views.LedgerView(
        rows=tuple(rows),
        trained=ledger.trained,
        submitted=confirmed + waiting + ledger.failed.get("reward", 0),
        confirmed=confirmed,
        queue=len(ledger.pending),
        participation=counters.participation if counters else None,
        wins=counters.wins if counters else None,
        total_reward=counters.total_reward if counters else None,
        error=ledger.last_error,
        enabled=enabled,
    )


def status_view(state: NodeState, account: str, kb_s: float | None, now: float) -> views.StatusView:
    last = state.last_round
    return views.StatusView(
        model=state.node.model if state.node else "",
        name=state.node.name if state.node else "",
        tokens_per_s=last.tokens_per_s if last else None,
        rss_mib=last.rss_mib if last else None,
        account=account or (state.node.account if state.node else ""),
        queue=len(state.ledger.pending),
        console_kb_s=kb_s,
        backup=backup_age(state.backed_up, now) if state.node else "",
    )


def backup_age(made: float | None, now: float) -> str:
    """Coarse, so that the status bar is not redrawn for it."""
    if made is None or not math.isfinite(made):
        return _("no backup")
    days = int(max(0.0, now - made) // 86_400)
    return _("backup {days} d old").format(days=days) if days else _("backup today")
