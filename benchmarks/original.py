"""Clients of the original, unchanged, against Waggle's contract, devnet and login proxy.

    .venv/bin/python benchmarks/original.py [--rl-swarm REPOSITORY] [--genrl REPOSITORY]

`waggle swarm serve --login-proxy` runs as a person would run it. RL-Swarm's and GenRL's own classes
(`peers/original_sources.py` has the commits), in GenRL's environment, with the ABI file and the
configuration of RL-Swarm, then register a peer, read bootnodes, round and stage, submit a reward
and a vote, and try each again; what the contract says afterwards is held against what they did. The
lines of RL-Swarm's start script that wait for its login run as they are, too.

RL-Swarm 0.4 knows its login at localhost:3000 only, and signs by itself for a chain with the id
685685 only: that one is an anvil, where one is on the PATH. What cannot run here is told.

Prints a row for each client and, as its last line, one JSON object. Exit status 0 if every client
that ran got what the original's coordinator and login give it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
sys.path[:0] = [str(PEERS), str(REPOSITORY)]

import original_sources as sources  # noqa: E402
from environment import genrl_python  # noqa: E402
from eth_account import Account  # noqa: E402

from core.chain.account import load_or_create  # noqa: E402
from core.chain.coordinator import WalletCoordinator  # noqa: E402
from core.chain.rpc import Rpc  # noqa: E402
from core.home import Home  # noqa: E402

LOGIN_PORT = 3000
ORIGINAL_CHAIN_ID = 685_685
BOOTNODE = "/ip4/127.0.0.1/tcp/38331/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
REWARD, WINNERS = -3, ["QmSomebody", "QmSomebodyElse"]
START_S = 60.0
CLIENTS = {
    "code_gen": "RL-Swarm 0.7, login",
    "hivemind_login": "RL-Swarm 0.4, login",
    "hivemind_wallet": "RL-Swarm 0.4, wallet",
    "genrl_login": "GenRL 0.1.4, login",
    "genrl_wallet": "GenRL 0.1.4, wallet",
}
BEHIND_A_PROXY = "proxiableUUID()"
"""The one view that the original's contract refuses as well (ERC-1822)."""
SILENT = ["done"] * 3
"""A wallet of the original looks at no receipt; the older logins swallow status 500 only."""
REFUSED = {
    "register": SILENT,  # PeerIdAlreadyRegistered is what they expect
    "reward": ["done", *["400 RewardAlreadySubmitted"] * 2],
    "vote": ["done", *["400 WinnerAlreadyVoted"] * 2],
}


def free_port(wanted: int) -> int:
    """That port, or any that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("there is no free port")


def clean_environment() -> dict[str, str]:
    """Without proxies: the original's `requests` would send calls to localhost there."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return {k: v for k, v in kept.items() if not k.startswith(("WAGGLE", "ORG_ID"))}


@contextmanager
def served(home: Home, port: int, login_data: Path) -> Iterator[dict[str, Any]]:
    """`waggle swarm serve` while the block runs; what it said it serves."""
    command = [sys.executable, "-m", "core.cli", "--home", str(home.path), "swarm", "serve"]
    command += ["--profile", "solo", "--set", "swarm.round_timeout_s=86400", "--json"]
    command += ["--login-proxy", "--port", str(port), "--login-data", str(login_data)]
    child = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    assert child.stdout is not None
    told: dict[str, Any] = {}
    try:
        for line in child.stdout:  # ends when the process does
            event = json.loads(line)
            told[event["event"]] = event
            if event["event"] == "ready":
                break
        if "ready" not in told:
            raise SystemExit(f"waggle swarm serve ended: {told}")
        yield told
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)


def org_id_of(home: Home) -> str:
    command = [sys.executable, "-m", "core.cli", "--home", str(home.path), "swarm", "members"]
    out = subprocess.run(
        [*command, "--json"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
    return str(json.loads(out)["members"][0]["org_id"])


def play(python: Path, folder: Path, spec: dict[str, Any], path: str = "") -> dict[str, Any]:
    """What the client told. path: what it imports first."""
    file = folder / f"{spec['client']}.json"
    file.write_text(json.dumps(spec))
    run = subprocess.run(
        [str(python), str(PEERS / "original_client.py"), str(file)],
        cwd=spec["cwd"],
        env=clean_environment() | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if run.returncode:
        raise SystemExit(f"{spec['client']} failed: {run.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return told


def judge(spec: dict[str, Any], told: dict[str, Any], node: WalletCoordinator) -> dict[str, bool]:
    """What the original's coordinator and login would have given, and whether it was that."""
    login, peer, number = not spec["key"], spec["peer_id"], told["round"]
    late = told["late"] == ("400 InvalidRoundNumber" if login else "done")
    counted = node.counters(peer)
    return {
        "reads": told["bootnodes"] == [BOOTNODE] and told["stage"] == 0,
        "registered": told["register"] == SILENT and node.owner_of(peer) == spec["account"],
        "rewarded": told["reward"] == (REFUSED["reward"] if login else SILENT)
        and counted["total_reward"] == REWARD,
        "voted": told["vote"] == (REFUSED["vote"] if login else SILENT)
        and node.votes(number, peer) == WINNERS
        and counted["participation"] == 1,
        "refused_late": late,
        "views": {name for name, said in told["views"].items() if "Error" in str(said)[:40]}
        == {BEHIND_A_PROXY},
    }


def start_script(source: Path, folder: Path) -> str:
    """The ORG_ID that the lines of RL-Swarm's start script end with, which wait for its login."""
    text = (source / "run_rl_swarm.sh").read_text()
    found = re.search(
        r"^ *while \[ ! -f \"modal-login/temp-data/userData\.json\".*?^    done\n.*?^    done\n",
        text,
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, "the start script is another one"
    run = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{found[0]}\necho END:$ORG_ID"],
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return run.stdout.rpartition("END:")[2].strip() if run.returncode == 0 else ""


def wallet_spec(rpc_url: str) -> dict[str, Any]:
    """A new account with ether on that chain."""
    account, rpc = Account.create(), Rpc(rpc_url, 10.0)
    rpc.call("waggle_fund", account.address)
    rpc.close()
    return {"key": account.key.hex(), "account": account.address}


@contextmanager
def original_chain(folder: Path) -> Iterator[dict[str, Any]]:
    """An anvil with the original's chain id, our contract and an account with ether on it."""
    from tests.chain.anvil import Anvil

    account = Account.create()
    with Anvil(folder / "anvil", "--chain-id", str(ORIGINAL_CHAIN_ID)) as anvil:
        contract = anvil.deploy()
        anvil.give(account.address)
        from core.chain import codec

        data = "0x" + codec.encode("addBootnodes", [BOOTNODE]).hex()
        anvil.own(data, to=contract)
        yield {
            "rpc_url": anvil.url,
            "contract": contract,
            "key": account.key.hex(),
            "account": account.address,
        }


def run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    python = genrl_python(options.work)
    rl_swarm = sources.rl_swarm(options.work, options.rl_swarm)
    genrl = sources.genrl(options.work, options.genrl)
    home, data = Home(folder / "home"), folder / "modal-login" / "temp-data"
    port = free_port(LOGIN_PORT)
    found: dict[str, Any] = {"clients": {}, "skipped": {}}
    with ExitStack() as closing:
        told = closing.enter_context(served(home, port, data))
        rpc_url, contract = told["ready"]["rpc"], told["ready"]["contract"]
        wallet = load_or_create(home.account)
        node = WalletCoordinator(rpc_url, contract, wallet)
        closing.callback(node.close)
        node.add_bootnodes([BOOTNODE])
        login = {"key": "", "org_id": org_id_of(home), "account": wallet.address}
        login |= {"login_url": f"http://localhost:{port}"}
        common = {"rpc_url": rpc_url, "contract": contract, "chain_id": node.chain_id}
        common |= {"reward": REWARD, "winners": WINNERS, "cwd": str(rl_swarm)}

        def one(client: str, *more: dict[str, Any], path: str = "", judged_by: Any = node) -> None:
            spec = {**common, "client": client, "peer_id": f"QmOf-{client}"}
            for each in more:
                spec |= each
            said = play(python, folder, spec, path)
            found["clients"][client] = {**judge(spec, said, judged_by), "told": said}

        one("code_gen", login, path=str(rl_swarm))
        own = str(genrl / "src")
        one("genrl_login", login, path=own)
        one("genrl_wallet", wallet_spec(rpc_url), path=own)
        if port == LOGIN_PORT:
            one("hivemind_login", login, path=str(rl_swarm))
            found["start_script"] = start_script(rl_swarm, folder) == login["org_id"]
        else:
            why = f"port {LOGIN_PORT} is taken, and it knows no other"
            found["skipped"] |= {"hivemind_login": why, "start_script": why}
        if shutil.which("anvil"):
            chain = closing.enter_context(original_chain(folder))
            there = WalletCoordinator(chain["rpc_url"], chain["contract"], wallet)
            closing.callback(there.close)
            one("hivemind_wallet", chain, path=str(rl_swarm), judged_by=there)
        else:
            why = f"it signs for chain {ORIGINAL_CHAIN_ID} only, and no anvil is on the PATH"
            found["skipped"]["hivemind_wallet"] = why
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rl-swarm", default=sources.RL_SWARM, help="repository, for git clone")
    parser.add_argument("--genrl", default=sources.GENRL, help="repository, for git clone")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "waggle-benchmarks",
        help="folder for the original's sources and environment",
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="waggle-original-") as folder:
        found = run_all(options, Path(folder))
    for client, words in CLIENTS.items():
        if client in found["skipped"]:
            print(f"{words:22} skipped: {found['skipped'][client]}")
            continue
        row = found["clients"][client]
        marks = ", ".join(f"{k} {'yes' if v else 'NO'}" for k, v in row.items() if k != "told")
        print(f"{words:22} {marks}; {len(row['told']['views'])} views")
    if "start_script" in found:
        print(f"{'its start script':22} {'goes on' if found['start_script'] else 'WAITS FOR EVER'}")
    good = found.get("start_script", True) and all(
        value for row in found["clients"].values() for key, value in row.items() if key != "told"
    )
    took_s = round(time.monotonic() - started, 1)
    print(json.dumps({"benchmark": "original", "all": good, "took_s": took_s, **found}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
