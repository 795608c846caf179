"""A client of the original against a coordinator: `original_client.py SPEC.json`.

Runs in GenRL's environment (`environment.py`), in the folder of the original's sources. The client
is the original's class, made as the original makes it, and nothing in it is changed; what it does
to whom it talks to is its own business. What came of each call goes to standard output as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

CALLS = 3
"""Of each submission, the second and later ones must be refused or do nothing."""


def code_gen(spec: dict[str, Any]) -> Any:
    """RL-Swarm 0.7: by Hydra, from its own configuration file; the addresses as overrides."""
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    os.environ["SWARM_CONTRACT"], os.environ["ORG_ID"] = spec["contract"], spec["org_id"]
    moved = [
        f"blockchain.alchemy_url={spec['rpc_url']}",
        f"blockchain.modal_proxy_url={spec['login_url']}/api/",
    ]
    with initialize_config_dir(str(Path("code_gen_exp/config").absolute()), version_base=None):
        configuration = compose("code-gen-swarm.yaml", overrides=moved)
    return instantiate(configuration.game_manager.coordinator)


def hivemind_login(spec: dict[str, Any]) -> Any:
    """RL-Swarm 0.4: its login is at localhost:3000 and nowhere else."""
    from hivemind_exp.chain_utils import ModalSwarmCoordinator

    return ModalSwarmCoordinator(web3(spec), spec["contract"], spec["org_id"])


def hivemind_wallet(spec: dict[str, Any]) -> Any:
    """RL-Swarm 0.4 with a key of its own, on a chain with the id of the original's."""
    from hivemind_exp.chain_utils import WalletSwarmCoordinator

    return WalletSwarmCoordinator(web3(spec), spec["contract"], spec["key"])


def genrl_login(spec: dict[str, Any]) -> Any:
    from genrl.blockchain import ModalSwarmCoordinator

    return ModalSwarmCoordinator(
        spec["rpc_url"], spec["contract"], spec["org_id"], f"{spec['login_url']}/api/"
    )


def genrl_wallet(spec: dict[str, Any]) -> Any:
    from genrl.blockchain import WalletSwarmCoordinator

    return WalletSwarmCoordinator(spec["rpc_url"], spec["contract"], spec["key"], spec["chain_id"])


CLIENTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    each.__name__: each
    for each in (code_gen, hivemind_login, hivemind_wallet, genrl_login, genrl_wallet)
}


def web3(spec: dict[str, Any]) -> Any:
    from web3 import HTTPProvider, Web3

    return Web3(HTTPProvider(spec["rpc_url"]))


def attempt(call: Callable[[], Any]) -> str:
    """`done`, the status and error that a login answered with, or what was raised."""
    try:
        call()
    except requests.HTTPError as error:
        answer: Any = error.response
        return f"{answer.status_code} {answer.json()['error']}"
    except Exception as error:  # noqa: BLE001 - whatever the original raises is a finding
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "done"


def views(contract: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Each view of the original's ABI file that can be asked about one peer: its answer, or what
    was raised."""
    peer, account = spec["peer_id"], contract.functions.getEoa([spec["peer_id"]]).call()[0]
    samples = {
        "uint256": 0, "string": peer, "string[]": [peer], "address": account,
        "address[]": [account], "bytes32": b"\0" * 32,
    }  # fmt: skip
    told: dict[str, Any] = {}
    for entry in contract.abi:
        if entry["type"] != "function" or entry["stateMutability"] not in ("view", "pure"):
            continue
        types = [each["type"] for each in entry["inputs"]]
        signature = f"{entry['name']}({','.join(types)})"
        try:
            answer = contract.get_function_by_signature(signature)(*map(samples.get, types)).call()
            told[signature] = answer.hex() if isinstance(answer, bytes) else answer
        except Exception as error:  # noqa: BLE001 - the same
            told[signature] = f"{type(error).__name__}: {str(error)[:100]}"
    return told


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    client, peer = CLIENTS[spec["client"]](spec), spec["peer_id"]
    number, stage = client.get_round_and_stage()
    told: dict[str, Any] = {"round": number, "stage": stage, "bootnodes": client.get_bootnodes()}
    submissions: dict[str, Callable[[], Any]] = {
        "register": lambda: client.register_peer(peer),
        "reward": lambda: client.submit_reward(number, stage, spec["reward"], peer),
        "vote": lambda: client.submit_winners(number, spec["winners"], peer),
    }
    for name, call in submissions.items():
        told[name] = [attempt(call) for _ in range(CALLS)]
    told["late"] = attempt(lambda: client.submit_reward(number + 1000, 0, 1, peer))
    told["views"] = views(client.contract, spec)
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    main()
