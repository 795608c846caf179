"""What `status` prints: the console's twin, from the same NodeState.

It reads the journal of a home, beside a running node or after it. Text that came from peers is
escaped: a name must not be able to move the cursor.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from typing import Any

from core.fold import replay
from core.grpo_doctor import diagnose
from core.health import verdict
from core.home import Home, HomeLock
from core.journal import Journal
from core.state import NodeState
from core.texts import _, many

SHOWN = 30
"""Rows of a list."""
EXIT_CODES = {"healthy": 0, "starting": 0, "paused": 0, "degraded": 3, "down": 4}


def read(home: Home) -> tuple[NodeState, bool]:
    """The state of the home and whether a node runs on it now."""
    return replay(Journal(home.db).events()), HomeLock(home).held_by_other()


def status(home: Home, as_json: bool) -> int:
    """Print the verdict and the figures; 0 well, 3 degraded, 4 down."""
    state, alive = read(home)
    state = replace(state, backed_up=_backup_time(home, state))
    told = verdict(state, time.time(), alive)
    if as_json:
        print_json(_status_data(state, alive) | {"verdict": asdict(told)})
        return EXIT_CODES[told.level]
    print(f"{told.level}: {told.reason}." + (f" {told.next_step}." if told.next_step else ""))
    for name, value in _status_lines(state):
        if value:
            print(f"  {name:<10} {value}")
    return EXIT_CODES[told.level]


def _backup_time(home: Home, state: NodeState) -> float | None:
    """From the home: a backup that was made while no node ran is in no event."""
    from core.identity.identities import backup_note

    note = backup_note(home, state.node.peer_id) if state.node else None
    return note.time if note else None


def _status_data(state: NodeState, alive: bool) -> dict[str, Any]:
    last, node = state.last_round, state.node
    return {
        "running": alive and state.running,
        "updated": state.updated,
        "round": state.round,
        "stage": state.stage,
        "step": state.step,
        "peer_id": node.peer_id if node else None,
        "name": node.name if node else None,
        "restarts": node.restarts if node else None,
        "identity_backed_up": state.backed_up,
        "model": node.model if node else None,
        "profile": node.profile if node else None,
        "last_round": asdict(last) if last else None,
        "grpo": _grpo_data(state),
        "machine": asdict(state.machine) if state.machine else None,
        "rounds_trained": state.ledger.trained,
        "submitted": state.ledger.submitted,
        "confirmed": dict(state.ledger.confirmed),
        "failed": dict(state.ledger.failed),
        "queue": len(state.ledger.pending),
        "rewards": asdict(state.rewards) if state.rewards else None,
        "peers": len(state.peers),
        "services": {name: asdict(service) for name, service in state.services.items()},
        "net": asdict(state.net) if state.net else None,
        "evaluation": asdict(state.evaluation) if state.evaluation else None,
        "incidents": [asdict(line) for line in state.incidents[-10:]],
    }


def _grpo_data(state: NodeState) -> dict[str, Any]:
    told = diagnose(state)
    return {
        "sentence": told.sentence,
        "advice": told.advice,
        "findings": [asdict(finding) for finding in told.findings],
        "means": dict(told.figures.means) if told.figures is not None else {},
    }


def _status_lines(state: NodeState) -> list[tuple[str, str]]:
    node, last, ledger = state.node, state.last_round, state.ledger
    lines = []
    if node:
        lines.append(("node", f"{clean(node.name)}  {node.peer_id}"))
        made = state.backed_up
        lines.append(("backup", ago(made) if made else "of the identity: none yet"))
        lines.append(("restarts", f"{node.restarts} by the supervisor" if node.restarts else ""))
        lines.append(("model", clean(node.model)))
        lines.append(("swarm", f"{clean(node.swarm)}, profile {clean(node.profile)}"))
    if last:
        loss = "no step" if last.loss is None else f"{last.loss:+.4f}"
        lines.append(("round", f"{last.round}, {ago(last.time)}, {last.seconds:.1f} s"))
        lines.append(
            (
                "reward",
                f"{last.reward_mean:.3f} own, {last.swarm_reward_mean:.3f} swarm; loss {loss}",
            )
        )
    doctor = diagnose(state)
    if doctor.figures is not None:
        lines.append(("learning", doctor.sentence))
        lines.append(("advice", clean(doctor.advice)))
    if ledger.trained:
        confirmed, failed = sum(ledger.confirmed.values()), sum(ledger.failed.values())
        lines.append(
            (
                "ledger",
                f"{ledger.trained} rounds trained; {confirmed} submissions confirmed, "
                f"{len(ledger.pending)} waiting, {failed} refused",
            )
        )
    lines.append(("peers", str(len(state.peers)) if state.peers else ""))
    if "net" in state.services:
        lines.append(("network", clean(state.services["net"].detail)))
    if state.net and state.net.reach != "unknown":
        lines.append(("reach", clean(state.net.reach_words)))
    down = [f"{clean(n)} {clean(s.status)}" for n, s in state.services.items() if s.status != "up"]
    lines.append(("services", ", ".join(down)))
    if state.evaluation:
        told = state.evaluation
        lines.append(
            ("held-out", f"pass@1 {told.pass_at_1:.3f}, greedy {told.greedy_pass_at_1:.3f}")
        )
    return lines


def ago(then: float, now: float | None = None) -> str:
    """A duration that a person reads at a glance. now: Unix seconds; None for this moment."""
    return _("{time} ago").format(time=span((time.time() if now is None else now) - then))


def span(seconds: float) -> str:
    """`90 s`, `5 min`, `3 h`, `4 days`; never negative."""
    seconds = max(0.0, seconds)
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    days = round(seconds / 86_400)
    return many("{n} day", "{n} days", days).format(n=days)


def clean(text: str) -> str:
    """The text in one line, whatever would control a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_json(data: dict[str, Any]) -> None:
    """One line; what is not ASCII is escaped."""
    print(json.dumps(data, ensure_ascii=True))
