"""What a round's exchange costs a node, in swarms of several sizes, beside GenRL's way of it.

    .venv/bin/python benchmarks/swarm.py [--sizes 4,16,32] [--want 4] [--kib 50] [--rounds 3]

Starts real nodes' net parts on loopback: for each a sidecar with its libp2p daemon, driven through
`NetLink` and `StreamExchange` from this process. In every round each node publishes its rollouts,
then each gathers those of `--want` others; `--at-once` nodes act at a time, so that times tell the
work of a node and not how many nodes share two cores. Beside it, at the same sizes, what GenRL's
nodes do over hivemind: store one's rollouts under a key of the round, get the whole dictionary.

It puts itself into a network namespace of its own, where the loopback device carries the swarm's
traffic and nothing else: bytes are those of that device, headers and background included, divided
by nodes and rounds. CPU time and memory are those of the sidecars and daemons, from /proc; as a
round lasts longer with more nodes on one machine, what an idle node takes meanwhile stands apart.
Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import string
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from swarm_dictionary import whole_dictionary  # noqa: E402
from swarm_meters import (  # noqa: E402
    Meter,
    figures,
    into_a_namespace,
    memory_mib,
    side_by_side,
    wait_until,
)

from core.net.exchange import StreamExchange  # noqa: E402
from core.net.identity import load_or_create  # noqa: E402
from core.net.link import LinkOptions, NetLink  # noqa: E402
from core.rollouts import Rollout, RolloutGroup, TaskId  # noqa: E402

ROLLOUTS, TOKENS = 8, 90
UP_S, SETTLE_S, ROUND_S, IDLE_S = 90.0, 2.0, 60.0, 5.0
NODE_MIB = 130
"""What must be free for each node more, daemon included."""


def groups(round: int, node: int, kib: int) -> list[RolloutGroup]:
    """Groups of one node whose payload has about `kib` KiB; no two nodes have the same."""
    rng = random.Random(f"{round}/{node}")
    chars = 400
    count = max(1, kib * 1024 // (ROLLOUTS * (chars + 4 * TOKENS + 12)))
    return [
        RolloutGroup(
            task=TaskId("chain_sum", node, 1_000 * round + n),
            peer_id="",
            round=round,
            rollouts=tuple(
                Rollout(
                    "".join(rng.choices(string.ascii_letters, k=chars)),
                    logprobs=tuple(-rng.random() for _ in range(TOKENS)),
                    reward=float(k % 2),
                )
                for k in range(ROLLOUTS)
            ),
        )
        for n in range(count)
    ]


def waggle(size: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures of one swarm of `size` nodes."""
    with ExitStack() as stack:
        links: list[NetLink] = []
        exchanges: list[StreamExchange] = []
        for number in range(size):
            home = folder / f"{size}-{number}"
            home.mkdir()
            identity = load_or_create(home / "swarm.pem")
            bootnodes = [m for link in links[:2] for m in link.visible_maddrs(UP_S)]
            link = NetLink(
                LinkOptions(
                    identity.path, "benchmark", home / "net.log", bootnodes=tuple(bootnodes)
                )
            )
            stack.callback(link.close)
            link.start()
            links.append(link)
            exchanges.append(StreamExchange(link, identity, "benchmark"))
            if number % options.at_once == 0:
                link.wait_up(UP_S)
        for link in links:
            link.wait_up(UP_S)
        wait_until(lambda: all(x.status.peers >= min(size - 1, 12) for x in links), UP_S)
        time.sleep(SETTLE_S + size / 8)
        sidecars = [psutil.Process(link.pid) for link in links]
        daemons = [child for p in sidecars for child in p.children(recursive=True)]
        pool = stack.enter_context(ThreadPoolExecutor(options.at_once))
        stop = threading.Event()
        meter, idle = Meter([*sidecars, *daemons]), Meter([*sidecars, *daemons])
        published: list[float] = []
        gathers: list[float] = []
        fetched: list[int] = []
        seen: list[int] = []

        def play(round: int) -> None:
            mine = [groups(round, n, options.kib) for n in range(size)]
            acts = [
                lambda x=x, g=g: x.publish(round, 0, g)
                for x, g in zip(exchanges, mine, strict=True)
            ]
            published.extend(s for s, _ in side_by_side(pool, acts))
            acts = [
                lambda x=x: x.gather(round, 0, want=options.want, timeout_s=ROUND_S, stop=stop)
                for x in exchanges
            ]
            for seconds, found in side_by_side(pool, acts):
                gathers.append(seconds)
                seen.append(len(found))
                fetched.append(sum(bool(g.groups) for g in found))

        for warm_up in range(2):
            play(warm_up)
        for figures_of in (published, gathers, fetched, seen):
            figures_of.clear()
        with idle.running():
            time.sleep(IDLE_S)
        for number in range(options.rounds):
            with meter.running():
                play(2 + number)
        turns = size * options.rounds
        idle_cpu = idle.cpu / idle.seconds
        return {
            "nodes": size,
            "publish_s": figures(published),
            "gather_s": figures(gathers),
            "fetched": sum(fetched) / turns,
            "seen": sum(seen) / turns,
            "kb": meter.bytes / turns / 1_000,
            "cpu_s": meter.cpu / turns,
            "cpu_s_above_idle": max(0.0, meter.cpu - idle_cpu * meter.seconds) / turns,
            "idle_kb_per_s": idle.bytes / idle.seconds / size / 1_000,
            "idle_cpu_percent": 100 * idle_cpu / size,
            "sidecar": memory_mib(sidecars),
            "daemon": memory_mib(daemons),
        }


def dictionary(size: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures of as many nodes that share as GenRL does."""
    return whole_dictionary(size, kib=options.kib, rounds=options.rounds, at_once=options.at_once)


def line(name: str, row: dict[str, Any]) -> str:
    first, second = ("store_s", "get_s") if "store_s" in row else ("publish_s", "gather_s")
    text = f"{name:<18}{row['nodes']:>5}"
    for times in (row[first], row[second]):
        text += f"{1000 * times['median']:>9.0f}{1000 * times['p95']:>7.0f}"
    text += f"{row['kb']:>10.0f}{1000 * row['cpu_s']:>9.0f}"
    if "fetched" in row:
        text += f"{1000 * row['cpu_s_above_idle']:>7.0f}"
        text += f"{row['fetched']:>8.1f}{row['seen']:>6.1f}"
        memory = (row["sidecar"]["rss_mib"], row["sidecar"]["pss_mib"])
        text += f"{memory[0]:>9.0f}{memory[1]:>5.0f}"
        memory = (row["daemon"]["rss_mib"], row["daemon"]["pss_mib"])
        text += f"{memory[0]:>7.0f}{memory[1]:>5.0f}{row['idle_kb_per_s']:>8.2f}"
        text += f"{row['idle_cpu_percent']:>6.2f}"
    else:
        text += f"{100 * row['complete']:>14.0f}%"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="4,16,32", help="swarm sizes (4,16,32)")
    parser.add_argument("--want", type=int, default=4, help="peers to gather from (4)")
    parser.add_argument("--kib", type=int, default=50, help="rollouts of a node in KiB (50)")
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds (3)")
    parser.add_argument("--at-once", type=int, default=4, help="nodes that act at a time (4)")
    parser.add_argument("--only", choices=("waggle", "dictionary"), help="one of the two")
    options = parser.parse_args()
    into_a_namespace()
    print(
        f"{'':<18}{'nodes':>5}{'publish ms':>16}{'gather ms':>16}{'kB':>10}{'CPU ms':>9}"
        f"{'of it':>7}{'fetched':>8}{'seen':>6}{'sidecar MiB':>14}{'p2pd MiB':>12}{'idle':>14}\n"
        f"{'':<23}{'median':>9}{'p95':>7}{'median':>9}{'p95':>7}{'per node and round':>19}"
        f"{'round':>7}{'peers':>14}{'RSS':>9}{'PSS':>5}{'RSS':>7}{'PSS':>5}{'kB/s':>8}{'CPU %':>6}",
        flush=True,
    )
    results: dict[str, Any] = {"benchmark": "swarm", "waggle": [], "dictionary": [], "failed": {}}
    runs = {"waggle": waggle, "dictionary": dictionary}
    for size in [int(text) for text in options.sizes.split(",")]:
        for name in [options.only] if options.only else runs:
            if psutil.virtual_memory().available < size * NODE_MIB * 2**20:
                results["failed"][f"{name}-{size}"] = "not enough memory"
                continue
            with tempfile.TemporaryDirectory(prefix="waggle-swarm-") as folder:
                try:
                    row = runs[name](size, options, Path(folder))
                except Exception as error:  # noqa: BLE001  (a size that fails is a result)
                    results["failed"][f"{name}-{size}"] = f"{type(error).__name__}: {error}"
                    print(f"{name:<18}{size:>5}  failed: {error!r}", flush=True)
                    continue
            results[name].append(row)
            print(line(name, row), flush=True)
    print(json.dumps({**results, "want": options.want, "kib": options.kib}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
