"""A chain that fails one call in five, in every way there is: each round is credited once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chain.faulty_rpc import FaultyRpc
from tests.chain.members import CHAINS, Member, check, fund, own_chain, play, settle
from tests.chain.rpc_faults import SEND

ROUNDS = 4
OF_SENDS = ("dropped", "late", "already_known", "nonce_too_low", "underpriced", "swallowed")


@pytest.mark.parametrize("kind", CHAINS)
def test_a_chain_that_fails_one_call_in_five_costs_nothing(kind: str, tmp_path: Path) -> None:
    with (
        own_chain(kind, tmp_path / "chain") as chain,
        FaultyRpc(chain.url, seed=3, hang_s=0.6) as rpc,
        Member(tmp_path / "home", rpc.url, chain.contract, "peer", call_timeout_s=0.3) as member,
    ):
        rpc.one_in = 0
        fund(chain, member)
        rpc.one_in = 5
        play(chain, [member], range(ROUNDS))
        settle([member], 60)
        assert sum(rpc.by_kind().values()) >= 10
        check(chain, [member])


@pytest.mark.parametrize("kind", CHAINS)
def test_whatever_happens_to_a_transaction_it_counts_once(kind: str, tmp_path: Path) -> None:
    with (
        own_chain(kind, tmp_path / "chain") as chain,
        FaultyRpc(chain.url, one_in=0, hang_s=1.0) as rpc,
        Member(tmp_path / "home", rpc.url, chain.contract, "peer", call_timeout_s=0.3) as member,
    ):
        fund(chain, member)
        for number, fault in enumerate(OF_SENDS):
            rpc.next(SEND, fault)
            play(chain, [member], range(number, number + 1))
            settle([member])
        assert rpc.by_kind() == dict.fromkeys(sorted(OF_SENDS), 1)
        check(chain, [member])
