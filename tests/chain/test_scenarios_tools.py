"""The proxy that fails does what it says, and the comparison with the chain finds what is wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.chain.rpc import Rpc, RpcError
from core.errors import TransientError
from tests.chain.audit import differences, read_node
from tests.chain.faulty_rpc import FaultyRpc
from tests.chain.members import Member, OwnDevnet, own_chain, play, settle
from tests.chain.rpc_faults import KINDS, SEND, Lot
from tests.conftest import wait_until

TIMEOUT_S = 0.3
TAKEN = {"truncated", "dropped", "late", "already_known"}
"""The chain has the transaction although whoever sent it was not told so."""


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[OwnDevnet]:
    with own_chain("devnet", tmp_path / "chain") as chain:
        assert isinstance(chain, OwnDevnet)
        yield chain


def outcome(rpc: Rpc, method: str, *params: object) -> str:
    """How a call ended: answered, or why not."""
    try:
        rpc.call(method, *params)
    except RpcError as error:
        return error.message
    except TransientError as error:
        return error.why
    return "answered"


def test_each_kind_fails_as_it_says(devnet: OwnDevnet) -> None:
    with FaultyRpc(devnet.url, one_in=0, hang_s=1.0) as proxy:
        rpc = Rpc(proxy.url, TIMEOUT_S)
        told = {}
        for kind in KINDS:
            if kind == "swallowed":
                continue  # only a transaction can be
            proxy.next("eth_chainId", kind)
            told[kind] = outcome(rpc, "eth_chainId")
            wait_until(lambda: outcome(rpc, "eth_chainId") == "answered")
        rpc.close()
    assert "answered" not in told.values()
    assert told["timeout"] == told["late"] == "it did not answer within 0.3 s"
    assert "500" in told["http_500"]
    assert "429" in told["busy"]
    assert told["nonce_too_low"] == "nonce too low"
    assert told["underpriced"] == "replacement transaction underpriced"
    assert told["revert"] == told["behind"] == "execution reverted"


@pytest.mark.parametrize("kind", sorted(TAKEN | {"timeout", "nonce_too_low", "swallowed"}))
def test_a_transaction_reaches_the_chain_or_does_not(
    devnet: OwnDevnet, tmp_path: Path, kind: str
) -> None:
    with FaultyRpc(devnet.url, one_in=0, hang_s=0.5) as proxy:
        height = devnet.evm.height()
        rpc = Rpc(proxy.url, TIMEOUT_S)
        proxy.next(SEND, kind)
        ended = outcome(rpc, SEND, devnet.signed("registerPeer", "peer"))
        rpc.close()
        assert (ended == "answered") == (kind == "swallowed")
    assert devnet.evm.height() - height == (kind in TAKEN)
    assert len(proxy.accepted) == (kind in TAKEN)


def test_the_lot_is_the_same_for_a_seed_and_leaves_no_kind_out() -> None:
    call = {"method": SEND, "params": ["0x"]}
    first, second, other = (Lot(seed, 5, tuple(KINDS)) for seed in (1, 1, 2))
    drawn = [first.draw(SEND, [call]) for _ in range(400)]
    assert drawn == [second.draw(SEND, [call]) for _ in range(400)]
    assert drawn != [other.draw(SEND, [call]) for _ in range(400)]
    assert 50 < sum(map(bool, drawn)) < 110
    assert set(drawn) - {""} == set(KINDS) - {"revert", "behind"}


def test_the_comparison_finds_what_was_lost_changed_or_left_open(
    devnet: OwnDevnet, tmp_path: Path
) -> None:
    with Member(tmp_path / "home", devnet.url, devnet.contract, "peer") as member:
        play(devnet, [member], range(3))
        settle([member])
    for change, found in (
        ("UPDATE ledger SET reward = 77 WHERE round = 1", "recorded 77, on the chain [0]"),
        ("DELETE FROM ledger WHERE round = 2", "reward ('peer', 2, 0): recorded None"),
        ("UPDATE ledger SET winners = '[\"x\"]' WHERE round = 0", "vote ('peer', 0): recorded"),
        ("UPDATE outbox SET status = 'sent' WHERE round = 0", "['sent'] in the outbox"),
        ("DELETE FROM outbox WHERE kind = 'winner'", "was never put into the outbox"),
    ):
        copy = tmp_path / "copy.db"
        copy.write_bytes(member.home.db.read_bytes())
        assert compared(devnet, copy) == []
        with closing(sqlite3.connect(copy)) as tables:
            tables.execute(change)
            tables.commit()
        assert any(found in sentence for sentence in compared(devnet, copy)), change


def compared(devnet: OwnDevnet, db: Path) -> list[str]:
    return differences(devnet.rpc, devnet.contract, [read_node(db)])
