"""The original's nodes in a Waggle swarm: each call as they make it, and themselves where they are.

The first test repeats what `hivemind_exp/chain_utils.py` and `genrl/blockchain` of RL-Swarm send,
with the libraries that they use. The second one runs them; `benchmarks/original.py` has fetched
them by then.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account
from web3 import HTTPProvider, Web3

from core.chain.login_server import LoginServer
from core.chain.members import Members
from core.chain.services import SwarmServices
from core.home import REPO_ROOT

PEER, OWN = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "QmWithAWallet"
INTERFACE = Path(__file__).parent / "original_interface.txt"
WORK = Path(tempfile.gettempdir()) / "waggle-benchmarks"
FETCHED = [WORK / name for name in ("gensyn-genrl-0.3.0", "original-rl-swarm", "original-genrl")]
BOOTNODE = "/ip4/127.0.0.1/tcp/38331/p2p/QmBootnode"


def abi_0_4_2() -> list[dict[str, Any]]:
    """The functions of the ABI that RL-Swarm carries."""

    def typed(types: str) -> list[dict[str, str]]:
        return [{"name": "", "type": each} for each in types.split(",") if each]

    found = []
    for line in INTERFACE.read_text().splitlines():
        versions, _, entry = line.partition("|")
        parts = re.match(r" function (\w+)\((.*)\) (\w+) -> \((.*)\)", entry)
        if parts is not None and "0.4.2" in versions.split():
            name, inputs, mutability, outputs = parts.groups()
            found.append(
                {
                    "type": "function",
                    "name": name,
                    "inputs": typed(inputs),
                    "outputs": typed(outputs),
                    "stateMutability": mutability,
                }
            )
    return found


def test_every_call_of_the_original(
    swarm: SwarmServices, proxy: LoginServer, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")  # the original asks the environment's proxies
    swarm.client.send("addBootnodes", [BOOTNODE])
    web3 = Web3(HTTPProvider(swarm.devnet.url))
    assert web3.is_connected()
    contract: Any = web3.eth.contract(
        address=web3.to_checksum_address(swarm.client.contract), abi=abi_0_4_2()
    )
    assert contract.functions.getBootnodes().call() == [BOOTNODE]
    with web3.batch_requests() as batch:
        batch.add(contract.functions.currentRound())
        batch.add(contract.functions.currentStage())
        number, stage = batch.execute()
    assert (number, stage) == (0, 0)

    def send_via_api(org_id: str, method: str, args: dict[str, Any]) -> tuple[int, Any]:
        response = requests.post(
            f"http://localhost:{proxy.port}/api/{method}", json={"orgId": org_id} | args, timeout=60
        )
        return response.status_code, response.json()

    org_id = members.add("node").org_id
    assert send_via_api(org_id, "register-peer", {"peerId": PEER})[0] == 200
    status, again = send_via_api(org_id, "register-peer", {"peerId": PEER})
    assert (status, again["error"]) == (400, "PeerIdAlreadyRegistered")
    reward = {"roundNumber": number, "stageNumber": stage, "reward": -3, "peerId": PEER}
    assert send_via_api(org_id, "submit-reward", reward)[0] == 200
    status, again = send_via_api(org_id, "submit-reward", reward)
    assert (status, again["error"]) == (400, "RewardAlreadySubmitted")
    vote = {"roundNumber": number, "winners": [OWN], "peerId": PEER}
    assert send_via_api(org_id, "submit-winner", vote)[0] == 200

    # And with a wallet: an old kind of transaction, much gas, and nobody waits for a receipt.
    account = Account.create()
    swarm.evm.fund(bytes.fromhex(account.address[2:]))
    for call in (
        contract.functions.registerPeer(OWN),
        contract.functions.submitReward(number, stage, 5, OWN),
        contract.functions.submitWinners(number, [PEER], OWN),
    ):
        gas = {"gas": 2_000_000, "gasPrice": web3.to_wei("5", "gwei")}
        transaction = call.build_transaction(gas) | {
            "chainId": web3.eth.chain_id,
            "nonce": web3.eth.get_transaction_count(account.address),
        }
        signed = web3.eth.account.sign_transaction(transaction, private_key=account.key)
        web3.eth.send_raw_transaction(signed.raw_transaction)
    assert contract.functions.getTotalRewards([PEER, OWN]).call() == [-3, 5]
    assert contract.functions.getVoterVotes(number, PEER).call() == [OWN]
    assert [contract.functions.getTotalWins(each).call() for each in (PEER, OWN)] == [1, 1]
    assert contract.functions.uniqueVoters().call() == 2
    assert contract.functions.getEoa([OWN]).call() == [account.address]


@pytest.mark.slow
@pytest.mark.skipif(
    not all((each / "complete").exists() for each in FETCHED),
    reason="the original's clients are not here: run benchmarks/original.py once",
)
def test_the_original_clients_themselves() -> None:
    run = subprocess.run(
        [sys.executable, REPO_ROOT / "benchmarks" / "original.py"],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    told = json.loads(run.stdout.splitlines()[-1])
    assert {"code_gen", "genrl_login", "genrl_wallet"} <= set(told["clients"])
