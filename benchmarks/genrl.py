"""A node of GenRL 0.3.0 and a Waggle node in one swarm, training on each other's rollouts.

    .venv/bin/python benchmarks/genrl.py [--rounds 12]

Waggle hosts the swarm: devnet, coordinator, round clock, bootnode, and its node trains the built-in
model with `swarm.genrl` on. The other node is GenRL's published package, in an environment that
this makes (`peers/environment.py`; `peers/genrl_node.py` says what had to be made up for), with
the same model; it follows the same coordinator. Both know the tasks of configs/tasks/tiny.yaml:
GenRL as a composite of reasoning-gym datasets with fixed seeds, Waggle as a task set that names
those.

Prints a row for each side and, as its last line, one JSON object: `heard` rounds in which a node
got the other's rollouts, `used` rounds in which they were among those that it trained on and its
optimiser took a step, `groups` that it took over, with what was refused and why. Exit status 0 only
if both trained on rollouts of the other.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
sys.path[:0] = [str(PEERS), str(REPOSITORY)]

from environment import genrl_python  # noqa: E402

from core.home import Home  # noqa: E402

GENERATIONS = 2
NEW_TOKENS = 32
START_S = 90.0


def write_tasks(folder: Path) -> tuple[Path, Path, str]:
    """The same tasks for Waggle and for GenRL; and the system prompt of both."""
    source = yaml.safe_load((REPOSITORY / "configs/tasks/tiny.yaml").read_text())
    size = source["index_range"] = 500
    composite: dict[str, Any] = {"size": 1_000, "seed": 42, "datasets": []}
    for position, dataset in enumerate(source["datasets"]):
        dataset["genrl_seed"] = source["seed_base"] + position * size
        config = {**dataset["params"], "seed": dataset["genrl_seed"], "size": size}
        composite["datasets"].append(
            {"name": dataset["name"], "weight": dataset["weight"], "config": config}
        )
    ours, theirs = folder / "tasks.yaml", folder / "datasets.yaml"
    ours.write_text(yaml.safe_dump({**source, "name": "tiny-genrl"}, sort_keys=False))
    theirs.write_text(yaml.safe_dump(composite, sort_keys=False))
    return ours, theirs, str(source["system"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_waggle(home: Home, tasks: Path, port: int) -> subprocess.Popen[str]:
    settings = {
        "swarm.genrl": "true",
        "game.tasks": tasks,
        "game.groups": 8,
        "game.generations": GENERATIONS,
        "net.listen": f"/ip4/127.0.0.1/tcp/{port}",
        "model.threads": 1,
    }
    command = [sys.executable, "-m", "core.cli", "run", "--headless", "--profile", "solo", "--json"]
    command += ["--home", str(home.path)]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WAGGLE")}
    environment |= {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True, env=environment
    )


def start_genrl(python: Path, folder: Path, spec: dict[str, Any]) -> subprocess.Popen[str]:
    (folder / "spec.json").write_text(json.dumps(spec))
    log = (folder / "genrl.log").open("w")
    environment = os.environ | {"WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1"}
    environment |= {"HF_HOME": str(folder / "hf"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [str(python), str(PEERS / "genrl_node.py"), str(folder / "spec.json"), str(folder / "out")],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        text=True,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def events_of(home: Home) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{home.db}?mode=ro", uri=True) as database:
        return [
            json.loads(row) for (row,) in database.execute("select json from events order by id")
        ]


def wait_for(look: Any, timeout_s: float, child: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if found := look():
                return found
        except (OSError, ValueError, KeyError, sqlite3.Error):
            pass  # the file or the table is not there yet
        time.sleep(0.1)
    raise SystemExit("a node ended, or was not as far as it should be in time")


def waggle_side(events: list[dict[str, Any]], peer_id: str) -> dict[str, Any]:
    """What a Waggle node's journal says of its dealings with that peer."""
    theirs = [e for e in events if e.get("peer_id") == peer_id]
    seen = [e for e in theirs if e["event"] == "peer_seen"]
    admitted = [e for e in theirs if e["event"] == "group_admitted"]
    stepped = {e["round"] for e in events if e["event"] == "step_trained" and e["foreign_groups"]}
    return {
        "heard": len({e["round"] for e in seen if e["groups"]}),
        "used": len({e["round"] for e in admitted} & stepped),
        "groups": len(admitted),
        "refused": dict(Counter(e["reason"] for e in theirs if e["event"] == "group_rejected")),
        "signed": any(e.get("signed", True) for e in seen),
    }


def genrl_side(told: dict[str, Any], peer_id: str) -> dict[str, Any]:
    """What the GenRL node said of the rollouts of that peer in its own game."""
    heard = [r for r in told["rounds"] if peer_id in r["trees"]]
    rewards = [reward for r in heard for reward in r["trees"][peer_id].values()]
    telling = [r for r in heard if any(len(set(x[0])) > 1 for x in r["trees"][peer_id].values())]
    return {
        "heard": len(heard),
        "used": sum(bool(r["losses"]) for r in telling),
        "groups": len(rewards),
        "reward_mean": sum(sum(r[0]) for r in rewards) / max(1, GENERATIONS * len(rewards)),
    }


def enough(out: Path, rounds: int) -> dict[str, Any] | None:
    """What the GenRL node told, once that is of so many rounds."""
    told: dict[str, Any] = json.loads(out.read_text())
    return told if len(told["rounds"]) >= rounds else None


def end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(20)


def play(work: Path, folder: Path, rounds: int) -> dict[str, Any]:
    python = genrl_python(work)
    tasks, datasets, system = write_tasks(folder)
    home = Home(folder / "home")
    port = free_port()
    waggle = start_waggle(home, tasks, port)
    genrl = None
    try:
        services = wait_for(
            lambda: json.loads((home.services / "services.json").read_text()), START_S, waggle
        )
        started = wait_for(
            lambda: [e for e in events_of(home) if e["event"] == "node_started"], START_S, waggle
        )[0]
        wait_for(lambda: (home.logs / "net.log").exists(), START_S, waggle)
        spec = {
            "initial_peers": [f"/ip4/127.0.0.1/tcp/{port}/p2p/{started['peer_id']}"],
            "identity": str(folder / "genrl.pem"),
            "rpc_url": services["rpc_url"],
            "contract": services["contract"],
            "abi": str(REPOSITORY / "core/chain/contract/artifact.json"),
            "datasets": str(datasets),
            "system": system,
            "model": str(REPOSITORY / "configs/models/waggle-tiny"),
            "generations": GENERATIONS,
            "new_tokens": NEW_TOKENS,
            "groups": 4,
            "transplants": 4,
            "learning_rate": 1e-6,
            "seed": 1,
        }
        genrl = start_genrl(python, folder, spec)
        told = wait_for(lambda: enough(folder / "out", rounds), START_S + 60.0 * rounds, genrl)
    finally:
        end(waggle)
        if genrl is not None:
            end(genrl)
            with suppress(ProcessLookupError):  # what it forked for its DHT outlives it
                os.killpg(genrl.pid, signal.SIGKILL)
    return {
        "rounds": rounds,
        "waggle": waggle_side(events_of(home), told["peer_id"]),
        "genrl": genrl_side(told, started["peer_id"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12, help="that the GenRL node plays (12)")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "waggle-benchmarks",
        help="folder for GenRL's environment",
    )
    parser.add_argument("--keep", type=Path, help="leave both nodes' files in this folder")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.keep:
        options.keep.mkdir(parents=True)
        found = play(options.work, options.keep, options.rounds)
    else:
        with tempfile.TemporaryDirectory(prefix="waggle-genrl-") as folder:
            found = play(options.work, Path(folder), options.rounds)
    for side in ("waggle", "genrl"):
        print(f"{side:8}{found[side]}")
    both = all(found[side]["used"] for side in ("waggle", "genrl"))
    print(json.dumps({"benchmark": "genrl", "both_trained_on_the_other": both, **found}))
    return 0 if both else 1


if __name__ == "__main__":
    sys.exit(main())
