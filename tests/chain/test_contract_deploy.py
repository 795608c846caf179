"""The contract on the devnet's own chain: deployed once and for ever, and what its calls cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.chain.account import Wallet
from core.chain.chainclient import ChainClient
from core.chain.contract import HAS_REWARD, SUBMIT_REWARD, artifact, deployment
from core.chain.contract.proxy import IMPLEMENTATION_SLOT
from core.chain.evm import Evm
from core.errors import WaggleError
from tests.chain.gas_calls import Meter, a_first_vote, a_swarms_life
from tests.chain.test_contract import lines
from tests.chain.test_contract_peers import PEER

MOST = 1.15
"""Of the original's gas: what a call of ours may use."""


@pytest.fixture
def owner(tmp_path: Path) -> Wallet:
    return Wallet(b"\x07" * 32, tmp_path)


class Stopped(Exception):
    """Stands for the end of the process."""


# --- deploying --------------------------------------------------------------------------------


def test_opening_the_folder_again_finds_the_same_contract(tmp_path: Path, owner: Wallet) -> None:
    evm = Evm(tmp_path)
    first = ChainClient(evm, owner)
    first.send("registerPeer", PEER)
    height = evm.height()
    evm.close()
    evm = Evm(tmp_path)
    again = ChainClient(evm, owner)
    assert again.contract == first.contract
    assert evm.height() == height  # nothing was deployed twice
    assert again.read("getEoa", [PEER])[0] == (owner.address.lower(),)
    assert evm.storage(again.address, IMPLEMENTATION_SLOT) != 0
    evm.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_deploying_leaves_no_contract_or_all_of_it(
    tmp_path: Path, owner: Wallet, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    evm = Evm(tmp_path)
    submit = evm.submit

    def crash(raw: bytes) -> bytes:
        if when == "after":
            submit(raw)
        raise Stopped

    monkeypatch.setattr(evm, "submit", crash)
    with pytest.raises(Stopped):
        ChainClient(evm, owner)
    evm.close()
    evm = Evm(tmp_path)
    client = ChainClient(evm, owner)
    assert client.read("hasRole", client.read("OWNER_ROLE")[0], owner.address) == (True,)
    assert evm.nonce(bytes.fromhex(owner.address[2:])) == 1
    evm.close()


def test_a_chain_that_lost_the_contract_is_told_plainly(tmp_path: Path, owner: Wallet) -> None:
    evm = Evm(tmp_path)
    meter = ChainClient(evm, Wallet(b"\x08" * 32, tmp_path))
    evm.fund(bytes.fromhex(owner.address[2:]))
    evm.submit(
        owner.sign(
            {
                "chainId": evm.chain_id,
                "nonce": 0,
                "to": meter.address,
                "value": 0,
                "data": "0x",
                "gas": 100_000,
                "maxFeePerGas": 2 * evm.base_fee() + 1,
                "maxPriorityFeePerGas": 0,
            }
        )
    )
    with pytest.raises(WaggleError, match="contract is missing") as caught:
        ChainClient(evm, owner)
    assert "backup" in caught.value.next_step
    evm.close()


def test_a_swarm_that_began_with_other_code_goes_on_with_it(tmp_path: Path, owner: Wallet) -> None:
    """As the coordinator of earlier versions of Waggle was, which stood there without a proxy."""
    evm = Evm(tmp_path)
    bare = Meter(evm, tmp_path)
    sender = Wallet(b"\x01" * 32, tmp_path)
    code = bytes.fromhex(artifact()["bytecode"][2:])[artifact()["implementation_at"] :]
    address, _ = bare.deploy(code)
    client = ChainClient(evm, sender)
    assert client.address == address
    assert client.read("stageCount") == (1,)
    evm.close()


# --- gas --------------------------------------------------------------------------------------


def original_gas() -> dict[str, int]:
    """Of version 0.6, which is the cheaper one."""
    rows = (line.split(" | ") for line in lines("gas"))
    return {label: int(figures.split()[0]) for figures, label in rows}


def test_no_call_needs_more_gas_than_the_bound_and_votes_need_less(tmp_path: Path) -> None:
    evm = Evm(tmp_path)
    meter = Meter(evm, tmp_path)
    code = deployment("0x" + meter.senders[0].hex())
    contract, used = meter.deploy(code)
    found = {"deployment": used, **meter.measure(contract, a_swarms_life(stages=1))}
    for winners in (1, 2, 8):
        found |= meter.measure(meter.deploy(code)[0], a_first_vote(winners))
    assert set(found) == set(original_gas())
    ratios = {label: used / original_gas()[label] for label, used in found.items()}
    assert {label: ratio for label, ratio in ratios.items() if ratio > MOST} == {}
    assert ratios["submitWinners 1, again"] < 0.5
    assert ratios["submitReward, again"] < 0.85
    evm.close()


def test_what_a_node_does_in_a_round_through_the_client_of_the_services(
    tmp_path: Path, owner: Wallet
) -> None:
    evm = Evm(tmp_path)
    client = ChainClient(evm, owner)
    client.send("registerPeer", PEER)
    client.send(SUBMIT_REWARD, 0, 0, -3, PEER)
    client.send("submitWinners", 0, [PEER], PEER)
    assert client.read(HAS_REWARD, 0, 0, PEER) == (True,)
    assert client.read("getVoterVotes", 0, PEER) == ((PEER,),)
    evm.close()
