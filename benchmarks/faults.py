"""Three whole nodes, a hundred rounds, twenty random faults: what the survivors lose, and how long.

    .venv/bin/python benchmarks/faults.py [--faults 20] [--rounds 100] [--seed 1] [--kinds a,b]

Each node is `waggle run --headless` in a network namespace of its own, with a home of its own; the
first hosts the swarm, the others join with its invite, all know a bootnode that does nothing else.
Then, one after the other, in random order: kill -9 of a libp2p daemon, of a sidecar, of the only
bootnode; a daemon or a sidecar that hangs (SIGSTOP); a cable pulled for up to 30 s; a clock 60 s
off. After each, the run waits until every node has begun and finished another round with the
rollouts of both others.

A survivor is a node that the fault did not strike. `gap_s` is its longest time without a finished
round while the fault lasted and until all was well; `back_s` is the time from the fault's end until
every node had finished such a round. Needs root, `ip`, and some 3 GiB of memory. Prints a line
for each fault and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from faults_node import BOOTNODE, Clock, Running  # noqa: E402

from core.home import Home  # noqa: E402
from tests.net.lab import Lab, lacking  # noqa: E402

NAMES = ("one", "two", "three")
KINDS = (
    "kill_daemon",
    "kill_sidecar",
    "kill_bootnode",
    "stop_daemon",
    "stop_sidecar",
    "cut",
    "skew",
)
PORT = 38_500
GIVE_UP_S, UP_S = 90.0, 180.0
ENDING_S = 10.0
"""The children of a killed process may take so long to see that it is gone."""
GAME = ("game.groups=4", "game.generations=8", "swarm.round_timeout_s=10")


@dataclass(frozen=True)
class Outcome:
    """Of one fault. lasted_s: until it was taken away, 0 for a kill."""

    kind: str
    struck: str
    lasted_s: float
    gap_s: float
    back_s: float
    lonely_rounds: int

    @property
    def beyond_s(self) -> float:
        """How much longer than the fault itself a survivor was without a finished round."""
        return max(0.0, self.gap_s - self.lasted_s)


class Swarm:
    """The lab, the bootnode and the nodes."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab()
        self.folder = folder
        self.clocks = {name: Clock(folder / name) for name in NAMES}
        self.nodes: dict[str, Running] = {}
        self.bootnode: subprocess.Popen[str] | None = None
        self.boot_maddr = ""
        for number, name in enumerate(("boot", *NAMES), start=2):
            self.lab.machine(name, f"10.78.0.{number}")

    def start_bootnode(self) -> None:
        """The same identity and port each time."""
        line = [sys.executable, "-c", BOOTNODE, str(self.folder / "boot"), str(PORT), "waggle"]
        self.bootnode = subprocess.Popen(
            self.lab.command("boot", *line), stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.bootnode.stdout is not None
        self.boot_maddr = self.bootnode.stdout.readline().strip()

    def waggle(self, name: str, *arguments: str) -> str:
        """The output of one command on that machine."""
        line = [sys.executable, "-m", "core.cli", *arguments, "--home", str(self.home(name).path)]
        done = subprocess.run(
            self.lab.command(name, *line), capture_output=True, text=True, cwd=ROOT, timeout=120
        )
        if done.returncode != 0:
            raise RuntimeError(f"waggle {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def home(self, name: str) -> Home:
        return Home(self.folder / name / "home")

    def run(self, name: str, *options: str) -> None:
        line = [sys.executable, "-m", "core.cli", "run", "--headless", "--json"]
        line += ["--home", str(self.home(name).path), "--bootnode", self.boot_maddr, *options]
        for setting in GAME:
            line += ["--set", setting]
        self.nodes[name] = Running(
            self.lab.command(name, *line), self.folder / name, self.clocks[name].environment
        )

    def start(self) -> None:
        self.start_bootnode()
        self.run("one", "--profile", "solo", "--host", "10.78.0.3", "--seed", "1")
        wait(lambda: self.nodes["one"].rounds, UP_S, "the first round of the host")
        invite = json.loads(self.waggle("one", "invite", "--host", "10.78.0.3", "--yes", "--json"))[
            "invite"
        ]
        for seed, name in enumerate(NAMES[1:], start=2):
            self.waggle(name, "join", invite, "--yes")
            self.run(name, "--seed", str(seed))
        wait(self.well, UP_S, "everybody exchanging with everybody")

    def well(self) -> bool:
        """Whether the newest round of every node had both others in it."""
        return all(n.rounds and n.rounds[-1].peers >= len(NAMES) - 1 for n in self.nodes.values())

    def left_behind(self) -> list[str]:
        """Command lines of processes that still run on one of the machines, after a while."""
        deadline = time.monotonic() + ENDING_S
        while time.monotonic() < deadline:
            pids = [pid for name in ("boot", *NAMES) for pid in self.lab.pids(name)]
            if not pids:
                return []
            time.sleep(0.1)
        lines = (Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)
        return [line.replace(b"\0", b" ").decode()[:160] for line in lines]

    def stop(self) -> None:
        for node in self.nodes.values():
            node.stop()
        if self.bootnode is not None:
            self.bootnode.kill()
            self.bootnode.wait()


def strike(swarm: Swarm, kind: str, rng: random.Random) -> Outcome:
    """Do it, take it away again, wait until all is well."""
    name = rng.choice(NAMES)
    node = swarm.nodes[name]
    began = time.monotonic()
    lasted = 0.0
    if kind == "kill_bootnode":
        name, lasted = "boot", rng.uniform(5, 15)
        assert swarm.bootnode is not None
        swarm.bootnode.kill()
        swarm.bootnode.wait()
        time.sleep(lasted)
        swarm.start_bootnode()
    elif kind == "cut":
        lasted = rng.choice([5.0, 10.0, 30.0])
        swarm.lab.cut(name)
        time.sleep(lasted)
        swarm.lab.mend(name)
    elif kind == "skew":
        lasted = 20.0
        swarm.clocks[name].set(rng.choice([-60.0, 60.0]))
        time.sleep(lasted)
        swarm.clocks[name].set(0.0)
    else:
        victim = node.daemon() if kind.endswith("daemon") else node.sidecar()
        stop = kind.startswith("stop")
        os.kill(victim, signal.SIGSTOP if stop else signal.SIGKILL)
        if stop:
            lasted = 15.0
            time.sleep(lasted)
            try:
                os.kill(victim, signal.SIGCONT)
            except ProcessLookupError:
                pass  # it was replaced meanwhile, as it should be
    ended = time.monotonic()

    def well(node: Running) -> float | None:
        """When it first finished a round, begun since then, with everybody else in it."""
        full = (r.at for r in node.rounds if r.began > ended and r.peers >= len(NAMES) - 1)
        return next(full, None)

    nodes = list(swarm.nodes.values())
    wait(lambda: all(map(well, nodes)), GIVE_UP_S, f"all well after {kind} of {name}")
    back = max(moment for moment in map(well, nodes) if moment is not None)
    survivors = [n for other, n in swarm.nodes.items() if other != name]
    return Outcome(
        kind,
        name,
        round(lasted, 1),
        round(max(n.longest_gap(began, back) for n in survivors), 1),
        round(back - ended, 1),
        sum(n.lonely(began, back) for n in survivors),
    )


def wait(predicate: Any, timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--keep", action="store_true", help="leave the homes and logs behind")
    options = parser.parse_args()
    if why := lacking():
        sys.exit(f"faults.py: {why}")
    rng = random.Random(options.seed)
    kinds = options.kinds.split(",")
    plan = [kinds[n % len(kinds)] for n in range(options.faults)]
    rng.shuffle(plan)
    folder = Path(tempfile.mkdtemp(prefix="waggle-faults-"))
    swarm = Swarm(folder)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    try:
        swarm.start()
        first = swarm.nodes["one"].rounds[-1].number
        print(f"up after {time.monotonic() - began:.0f} s, at round {first}", flush=True)
        per_fault = options.rounds / max(1, len(plan))
        for done, kind in enumerate(plan):
            due = first + done * per_fault
            wait(lambda due=due: swarm.nodes["one"].rounds[-1].number >= due, 600, "the next round")
            outcomes.append(strike(swarm, kind, rng))
            print(f"{done + 1:>3} round {swarm.nodes['one'].rounds[-1].number:>4} ", end="")
            print("  ".join(f"{k} {v}" for k, v in asdict(outcomes[-1]).items()), flush=True)
        last = first + options.rounds
        wait(lambda: swarm.nodes["one"].rounds[-1].number >= last, 600, "the last round")
        per_round = {
            name: round(statistics.median(node.seconds()), 2) for name, node in swarm.nodes.items()
        }
        rounds = {name: len(node.rounds) for name, node in swarm.nodes.items()}
        incidents = {name: node.incidents() for name, node in swarm.nodes.items()}
    finally:
        swarm.stop()
        orphans = swarm.left_behind()
        swarm.lab.close()
        print(f"homes and logs: {folder}" if options.keep else "", flush=True)
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    by_kind = {
        kind: {
            "faults": len(found),
            "longest_gap_beyond_fault_s": max(o.beyond_s for o in found),
            "back_s_max": max(o.back_s for o in found),
        }
        for kind in kinds
        if (found := [o for o in outcomes if o.kind == kind])
    }
    print(
        json.dumps(
            {
                "faults": len(outcomes),
                "seed": options.seed,
                "rounds": rounds,
                "round_s_median": per_round,
                "longest_gap_beyond_fault_s": max((o.beyond_s for o in outcomes), default=0.0),
                "back_s_median": statistics.median(o.back_s for o in outcomes),
                "back_s_max": max(o.back_s for o in outcomes),
                "by_kind": by_kind,
                "incidents": incidents,
                "orphans": orphans,
                "seconds": round(time.monotonic() - began),
            }
        )
    )
    if orphans or any(o.beyond_s > 15 for o in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
