"""Chains that are not the one meant, or not what they say: told in a sentence, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import WaggleError
from tests.chain.anvil import MISSING, Anvil
from tests.chain.faulty_rpc import FaultyRpc
from tests.chain.members import Member, OwnDevnet, check, explained, own_chain, play, settle
from tests.chain.rpc_faults import RECEIPT, SEND
from tests.conftest import wait_until

NOBODY = "0x000000000000000000000000000000000000dEaD"


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[OwnDevnet]:
    with own_chain("devnet", tmp_path / "chain") as chain:
        assert isinstance(chain, OwnDevnet)
        yield chain


@pytest.fixture
def rpc(devnet: OwnDevnet) -> Iterator[FaultyRpc]:
    """Passes everything on to the devnet, as long as no test says otherwise."""
    with FaultyRpc(devnet.url, one_in=0, hang_s=2.0) as passing:
        yield passing


def test_a_wrong_chain_id_is_told_at_the_start(devnet: OwnDevnet, tmp_path: Path) -> None:
    with Member(tmp_path / "home", devnet.url, devnet.contract, "peer", chain_id=1) as member:
        explained(member.incident("WrongChain"), "chain.chain_id", "1")
        with pytest.raises(WaggleError):
            member.room.read()


def test_an_address_without_code_is_told_at_the_start(devnet: OwnDevnet, tmp_path: Path) -> None:
    with Member(tmp_path / "home", devnet.url, NOBODY, "peer") as member:
        explained(member.incident("NoContract"), NOBODY, "chain.contract")


def test_an_rpc_that_moves_to_another_chain_is_noticed_before_anything_is_sent(
    devnet: OwnDevnet, rpc: FaultyRpc, tmp_path: Path
) -> None:
    """As a load balancer does that was configured in a hurry."""
    with Member(tmp_path / "home", rpc.url, devnet.contract, "peer") as member:
        play(devnet, [member], range(2))
        settle([member])
        rpc.lies["eth_chainId"] = lambda params, told: "0x1"
        rpc.down()
        rpc.up()
        play(devnet, [member], range(2, 4))
        explained(member.incident("WrongChain"), "1", "chain.rpc_url")
        assert member.verdict().level == "degraded"
        rpc.lies.clear()
        settle([member])
        check(devnet, [member])


def test_another_chain_with_the_same_id_is_told_and_the_right_one_waited_for(
    devnet: OwnDevnet, rpc: FaultyRpc, tmp_path: Path
) -> None:
    """Somebody else's devnet: it has no contract at the address, and another history."""
    with Member(tmp_path / "home", rpc.url, devnet.contract, "peer") as member:
        play(devnet, [member], range(2))
        settle([member])
        empty = OwnDevnet(tmp_path / "empty", owner=b"\x08" * 32)
        try:
            rpc.upstream = empty.url
            play(devnet, [member], range(2, 4))
            explained(member.incident("WrongChain"), "first block", "chain.rpc_url")
            rpc.upstream = devnet.url
            settle([member])
            check(devnet, [member])
        finally:
            empty.close()


def test_receipts_of_transactions_that_were_never_mined_count_for_nothing(
    devnet: OwnDevnet, rpc: FaultyRpc, tmp_path: Path
) -> None:
    """What counts is what the coordinator says, not what somebody says was mined."""
    with Member(tmp_path / "home", rpc.url, devnet.contract, "peer") as member:
        play(devnet, [member], range(1))
        settle([member])
        rpc.next(SEND, "swallowed")
        rpc.lies[RECEIPT] = lambda params, told: (
            told
            or {
                "transactionHash": params[0],
                "blockNumber": "0x1",
                "blockHash": "0x" + "11" * 32,
                "status": "0x1",
                "gasUsed": "0x5208",
                "effectiveGasPrice": "0x1",
            }
        )
        play(devnet, [member], range(1, 3))
        settle([member])
        rpc.lies.clear()
        check(devnet, [member])


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_a_reorganisation_takes_a_reward_away_and_it_is_sent_again(tmp_path: Path) -> None:
    with own_chain("anvil", tmp_path / "chain") as chain:
        assert isinstance(chain, Anvil)
        home = tmp_path / "home"
        with Member(home, chain.url, chain.contract, "peer", confirmations=3) as member:
            chain.give(member.account)
            member.train(0, 5)
            wait_until(lambda: [r for r in member.rows() if r.kind == "winner" and r.block], 20)
            chain.rpc.call("anvil_reorg", 2, [])
            for _ in range(6):
                chain.rpc.call("anvil_mine", "0x1")
            wait_until(lambda: chain.rpc.call("anvil_mine", "0x1") or member.all_settled(), 30, 0.1)
            check(chain, [member])


def test_a_devnet_started_anew_is_another_swarm(tmp_path: Path) -> None:
    """The same owner, so the same chain id and the same contract address, and round 0 again."""
    old = OwnDevnet(tmp_path / "old")
    member = Member(tmp_path / "home", old.url, old.contract, "peer")
    with member:
        play(old, [member], range(3))
        settle([member])
        swarm = member.room.ledger.swarm()
    port = old.port
    old.close()
    new = OwnDevnet(tmp_path / "new", port)
    try:
        assert (new.contract, new.evm.chain_id) == (old.contract, old.evm.chain_id)
        with member:
            explained(member.incident("ChainAnew"), "began anew", swarm)
            assert member.room.read() == (0, 0)
            assert not member.room.ledger.has_round(0, 0)
            member.train(0, 42)
            settle([member])
            kept = [row for row in member.rows() if row.swarm.startswith(f"{swarm}@")]
            assert len([row for row in kept if row.kind == "reward"]) == 3
        check(new, [member], swarm)
    finally:
        new.close()


def test_a_devnet_started_anew_under_a_running_node_is_noticed(tmp_path: Path) -> None:
    old = OwnDevnet(tmp_path / "old")
    member = Member(tmp_path / "home", old.url, old.contract, "peer")
    with member:
        play(old, [member], range(3))
        settle([member])
        old.close()
        new = OwnDevnet(tmp_path / "new", old.port)
        try:
            wait_until(lambda: refusal_of_clock(member), 15)
            member.train(3, 7)
            explained(member.incident("WrongChain"), "first block", "anew")
        finally:
            new.close()


def refusal_of_clock(member: Member) -> str:
    """Why the round cannot be read, as the worker hears it; empty while it can."""
    try:
        member.room.read()
    except WaggleError as error:
        return str(error)
    return ""
