"""What is offered per gas: never beyond the bounds, whatever an RPC says; enough to be mined."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chain import fees
from core.chain.fees import GWEI, Bounds, Fee, Market, market, offer, raised, within
from core.chain.rpc import RpcError
from core.errors import TransientError
from core.schema import ChainSection

WEI = st.integers(0, 2**70)
BOUNDS = st.builds(Bounds, WEI, WEI)
MARKETS = st.builds(Market, st.one_of(st.none(), WEI), WEI, WEI, WEI)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80)
    | st.sampled_from(["0x", "0x1", "0x" + "f" * 64, "0x" + "f" * 65, "0xzz", "-0x1"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["baseFeePerGas", "reward", "gasLimit", "x"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(MARKETS, BOUNDS)
def test_an_offer_stays_within_the_bounds_and_is_enough(now: Market, bounds: Bounds) -> None:
    asked = now.gas_price if now.base is None else now.base
    if asked > bounds.fee:
        with pytest.raises(TransientError, match="too expensive"):
            offer(now, bounds)
        return
    fee = offer(now, bounds)
    assert asked <= fee.per_gas <= bounds.fee
    assert (fee.tip is None) == (now.base is None)
    if fee.tip is not None:
        assert 0 <= fee.tip <= min(bounds.tip, fee.per_gas)


@given(MARKETS, BOUNDS, MARKETS)
def test_a_replacement_offers_an_eighth_more_or_nothing(
    before: Market, bounds: Bounds, now: Market
) -> None:
    asked = before.gas_price if before.base is None else before.base
    if asked > bounds.fee:
        return
    old = offer(before, bounds)
    try:
        new = raised(old, now, bounds)
    except TransientError as error:
        why = error.why
        assert "max_fee_gwei" in why or "max_tip_gwei" in why
        return
    assert new.per_gas >= old.per_gas * 9 // 8
    assert new.per_gas <= bounds.fee
    if new.tip is not None and old.tip is not None:
        assert old.tip * 9 // 8 <= new.tip <= min(bounds.tip, new.per_gas)


@given(JSON, JSON, JSON, JSON)
def test_whatever_an_rpc_says_it_is_a_market_or_none(a: Any, b: Any, c: Any, d: Any) -> None:
    found = market(a, b, c, d)
    if found is not None:
        assert min(found.base or 0, found.tip, found.gas_price, found.block_gas) >= 0


def test_what_nodes_say() -> None:
    block = {"baseFeePerGas": hex(20 * GWEI), "gasLimit": hex(30_000_000)}
    history = {
        "baseFeePerGas": [hex(20 * GWEI), hex(22 * GWEI)],
        "reward": [[hex(GWEI)], ["0x0"], [hex(3 * GWEI)], [hex(2 * GWEI)]],
    }
    now = market(block, history, hex(9 * GWEI), hex(23 * GWEI))
    assert now == Market(22 * GWEI, 2 * GWEI, 23 * GWEI, 30_000_000)
    assert now.now == 24 * GWEI
    bounds = Bounds.of(ChainSection(max_fee_gwei=50, max_tip_gwei=1.5))
    assert offer(now, bounds) == Fee(round(45.5 * GWEI), round(1.5 * GWEI))
    missing = RpcError(-32601, "the method does not exist", None)
    assert market(block, missing, hex(GWEI), missing) == Market(20 * GWEI, GWEI, 0, 30_000_000)
    assert market(block, missing, missing, missing) == Market(20 * GWEI, GWEI, 0, 30_000_000)
    legacy = market({"gasLimit": "0x5"}, missing, missing, hex(7))
    assert legacy == Market(None, fees.USUAL_TIP, 7, 5)
    assert offer(legacy, bounds).fields() == {"gasPrice": 7}
    assert market({}, missing, missing, missing) is None


def test_an_account_with_little_offers_what_it_has() -> None:
    now = Market(10, 2, 12, 0)
    assert within(Fee(22, 2), now, 30) == Fee(22, 2)
    assert within(Fee(22, 2), now, 15) == Fee(15, 2)
    assert within(Fee(22, 2), now, 11) is None
    assert within(Fee(12, None), now, 11) is None
