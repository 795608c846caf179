"""A real swarm on loopback with a quarter of its nodes hostile: does every honest round complete?

    .venv/bin/python benchmarks/hostile.py [--honest 6] [--hostile 2] [--rounds 400]

Every hostile node does one item of the corpus in tests/hostile a round as its contribution, and
several more through the directory, to all the others; every item in turn, those seen by fewest
honest nodes first. In the first part nobody is left alone, however often it is refused, so that the
attack goes on all the time: memory is measured there, after half of the rounds and at the end.
In the second part strikes count as they do by default, until the hostile nodes are left alone.

Sidecars, libp2p daemons, streams, game, scorer, admission and quarantine are the real ones; only
the model is left out, see tests/hostile/swarm.py. Prints a table and, as its last line, one JSON
object; the exit status is 1 when something that is promised does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.gate.quarantine import Policy
from core.schema import AdmissionSection
from tests.hostile.corpus import corpus
from tests.hostile.scene import HANGING, TRICKLE
from tests.hostile.swarm import Played, Swarm

FIRST_ROUND = 100
LATE = {"fetch", "timeout"}
"""What may happen to anybody on a busy machine."""
FLAT = 0.05
OUTSIDE_AT_ONCE = 3
REASONS = {f"{item.door}: {item.name}": {item.reason} for item in corpus()}
REASONS |= {HANGING: LATE, TRICKLE: LATE}
INSIDE = [name for name in REASONS if name.split(":")[0] in ("payload", "groups", "stream")]
OUTSIDE = [name for name in REASONS if name not in INSIDE]


@dataclass
class Tally:
    """What came of it all. seen: by how many honest nodes an item was refused for its reason."""

    rounds: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    honest_trained: int = 0
    hostile_trained: int = 0
    least_trained: int = 10**9
    seen: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    against_honest: Counter[str] = field(default_factory=Counter)
    honest_held: int = 0

    def add(self, played: list[Played], orders: dict[str, list[str]]) -> None:
        """One round of all honest nodes. orders: what each hostile peer did, by peer id."""
        self.rounds += 1
        for each in played:
            self.seconds.append(each.seconds)
            mine = sum(group.peer_id in orders for group in each.chosen)
            self.hostile_trained += mine
            self.honest_trained += len(each.chosen) - mine
            self.least_trained = min(self.least_trained, len(each.chosen) - mine)
            self.honest_held += len(each.held - set(orders))
            for peer_id, reasons in each.refused.items():
                if peer_id not in orders:
                    self.against_honest.update(reasons)
                    continue
                self.reasons.update(reasons)
                expected = set().union(*(REASONS[name] for name in orders[peer_id]))
                self.seen.update(n for n in orders[peer_id] if REASONS[n] & set(reasons))
                wrong = set(reasons) - expected - LATE - {"quarantine"}
                self.unexpected.update(f"{r} for {orders[peer_id]}" for r in wrong)


def orders_of(round: int, hostile: int, seen: Counter[str], given: Counter[str]) -> list[list[str]]:
    """For each hostile node one contribution, and some items for the directory."""
    orders = []
    for _ in range(hostile):
        order = [min(INSIDE, key=lambda name: (seen[name] > 0, given[name]))]
        for _ in range(OUTSIDE_AT_ONCE):
            free = [name for name in OUTSIDE if name not in order]
            order.append(min(free, key=lambda name: (seen[name] > 0, given[name])))
        given.update(order)
        orders.append(order)
    return orders


def run(folder: Path, honest: int, hostile: int, rounds: int) -> dict[str, Any]:
    tally, given = Tally(), Counter[str]()
    memory: list[dict[str, float]] = []
    with Swarm(folder, honest, hostile) as swarm:
        for number in range(FIRST_ROUND, FIRST_ROUND + rounds):
            orders = orders_of(number, hostile, tally.seen, given)
            played = swarm.round(number, orders)
            names = [node.peer_id for node in swarm.hostile]
            tally.add(played, dict(zip(names, orders, strict=True)))
            memory.append(swarm.rss_mib())
            print(
                f"round {number}  slowest {max(p.seconds for p in played):5.1f} s"
                f"  trained {sum(len(p.chosen) for p in played):3}  node {memory[-1]['node']:6.1f}"
                f"  sidecar {memory[-1]['sidecar']:6.1f}  daemon {memory[-1]['daemon']:6.1f} MiB"
                f"  seen {len(tally.seen)}/{len(REASONS)}",
                flush=True,
            )
        quarantined = leave_alone(swarm, tally, given, FIRST_ROUND + rounds)
    return {**figures(tally, memory), **quarantined}


def leave_alone(swarm: Swarm, tally: Tally, given: Counter[str], first: int) -> dict[str, Any]:
    """Play with strikes until every honest node leaves the hostile ones alone, and two more."""
    swarm.use(AdmissionSection().strikes)
    names = [node.peer_id for node in swarm.hostile]
    needed = None
    after: Counter[str] = Counter()
    for number in range(first, first + 25):
        orders = orders_of(number, len(names), Counter(), given)
        played = swarm.round(number, orders)
        tally.add(played, dict(zip(names, orders, strict=True)))
        if needed is not None:
            for each in played:
                for name in names:
                    after.update(each.refused.get(name, ()))
            if number >= first + needed + 1:
                break
        elif all(node.remembered.holds(name) for node in swarm.honest for name in names):
            needed = number - first + 1
    return {"rounds_until_left_alone": needed, "refused_afterwards": dict(after)}


def figures(tally: Tally, memory: list[dict[str, float]]) -> dict[str, Any]:
    warm = max(1, len(memory) // 2)
    width = max(1, (len(memory) - warm) // 6)
    growth = {}
    for kind in ("node", "sidecar", "daemon"):
        early = sum(m[kind] for m in memory[warm : warm + width]) / width
        late = sum(m[kind] for m in memory[-width:]) / width
        growth[kind] = {"early_mib": early, "late_mib": late, "growth": late / early - 1}
    seconds = sorted(tally.seconds)
    return {
        "rounds": tally.rounds,
        "seconds_median": seconds[len(seconds) // 2],
        "seconds_worst": seconds[-1],
        "honest_groups_trained": tally.honest_trained,
        "fewest_trained_in_a_round": tally.least_trained,
        "hostile_groups_trained": tally.hostile_trained,
        "honest_peers_quarantined": tally.honest_held,
        "items": len(REASONS),
        "items_refused_for_their_reason": len(tally.seen),
        "items_not_seen": sorted(set(REASONS) - set(tally.seen)),
        "refused": dict(tally.reasons),
        "unexpected": dict(tally.unexpected),
        "refused_of_honest": dict(tally.against_honest),
        "memory": growth,
    }


def broken(result: dict[str, Any]) -> list[str]:
    """The promises that do not hold."""
    weighty = set(result["refused_of_honest"]) - {"no_signal", "quota", *LATE}
    looked_at = set(result["refused_afterwards"]) - {"quarantine"}
    tests = {
        "a hostile group was trained on": result["hostile_groups_trained"],
        "a round had nobody's groups to train on": result["fewest_trained_in_a_round"] == 0,
        "an honest peer was left alone": result["honest_peers_quarantined"],
        "an honest peer was refused for a fault": weighty,
        "a refusal had another reason than expected": result["unexpected"],
        "memory grew": any(m["growth"] > FLAT for m in result["memory"].values()),
        "the hostile peers were not left alone": result["rounds_until_left_alone"] is None,
        "a peer that is left alone was looked at": looked_at,
    }
    return [what for what, holds_not in tests.items() if holds_not]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--honest", type=int, default=6)
    parser.add_argument("--hostile", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=400, help="of the first part")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waggle-hostile-") as folder:
        result = run(Path(folder), options.honest, options.hostile, options.rounds)
    result["broken"] = broken(result)
    print(f"\n{'':10}{'early MiB':>12}{'late MiB':>12}{'growth':>10}")
    for kind, row in result["memory"].items():
        print(f"{kind:10}{row['early_mib']:12.1f}{row['late_mib']:12.1f}{row['growth']:10.1%}")
    print(f"\nrefused, by reason: {result['refused']}")
    print(
        f"trained on: {result['honest_groups_trained']} honest groups, "
        f"{result['hostile_groups_trained']} hostile ones; "
        f"left alone after {result['rounds_until_left_alone']} rounds at {Policy().limit} strikes"
    )
    for what in result["broken"]:
        print(f"BROKEN: {what}")
    sizes = {"honest": options.honest, "hostile": options.hostile}
    print(json.dumps({"benchmark": "hostile", **sizes, **result}))
    return 1 if result["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
