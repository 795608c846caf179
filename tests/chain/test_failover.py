"""Several RPCs of one chain: who is asked, who is left out and why; nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.chain import failover
from core.chain.account import Wallet, load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.readonly import ReadOnlyCoordinator
from core.chain.services import SwarmServices
from core.errors import ConfigError, RefusedError, TransientError, WaggleError
from core.schema import ChainSection
from tests.chain.faulty_rpc import FaultyRpc
from tests.chain.rpc_faults import BATCH, SEND

SETTINGS = ChainSection(call_timeout_s=2.0)


class Lines:
    """Two RPCs of the swarm's chain, and coordinators that know both."""

    def __init__(self, swarm: SwarmServices, folder: Path) -> None:
        self.first = FaultyRpc(swarm.devnet.url, one_in=0, hang_s=4.0)
        self.second = FaultyRpc(swarm.devnet.url, one_in=0, hang_s=4.0)
        self.urls = f"{self.first.url}/v2/SECRETKEY, {self.second.url}"
        self.contract = swarm.client.contract
        self.wallet: Wallet = load_or_create(folder / "account")
        self.peer = f"Qm{self.wallet.address}"
        self.told: list[WaggleError] = []
        self._made: list[Any] = []

    def reader(self, settings: ChainSection = SETTINGS) -> ReadOnlyCoordinator:
        made = ReadOnlyCoordinator(self.urls, self.contract, settings, tell=self.told.append)
        self._made.append(made)
        return made

    def node(self) -> WalletCoordinator:
        made = WalletCoordinator(self.urls, self.contract, self.wallet, SETTINGS, self.told.append)
        self._made.append(made)
        return made

    def close(self) -> None:
        for each in (*self._made, self.first, self.second):
            each.close()


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmServices]:
    """One for all: its clock stands still, and each test has a peer and an account of its own."""
    services = SwarmServices(tmp_path_factory.mktemp("swarm"), 0, 60.0)
    services.start()
    services.clock.close()
    yield services
    services.close()


@pytest.fixture
def lines(swarm: SwarmServices, tmp_path: Path) -> Iterator[Lines]:
    made = Lines(swarm, tmp_path)
    yield made
    made.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(failover, "LONGEST_PAUSE_S", 0.05)


def asked(line: FaultyRpc) -> int:
    return sum(line.calls.values())


def test_the_first_one_is_asked_while_it_is_well(lines: Lines) -> None:
    reader = lines.reader()
    for _ in range(3):
        assert reader.round_and_stage() == (0, 0)
    assert asked(lines.first) == 4, "one look at the chain, and a batch a poll"
    assert asked(lines.second) == 0
    assert lines.told == []


@pytest.mark.parametrize("kind", ["refused", "http_500", "busy", "garbage", "truncated", "timeout"])
def test_another_one_steps_in_and_the_first_one_comes_back(
    lines: Lines, kind: str, quick: None
) -> None:
    reader = lines.reader()
    lines.first.next(BATCH, kind)
    assert reader.round_and_stage() == (0, 0)
    (told,) = lines.told
    assert lines.first.url in told.what
    assert "left out" in told.what
    assert told.why
    assert "SECRETKEY" not in f"{told}{told!r}"
    before = asked(lines.second)
    assert before > 0
    while asked(lines.second) > before or reader.rpc._all[0].why:
        before = asked(lines.second)
        assert reader.round_and_stage() == (0, 0)
    assert lines.first.calls[BATCH] > 2, "it is asked again, and looked at before that"


def test_who_failed_is_left_alone_for_a_while(lines: Lines) -> None:
    reader = lines.reader()
    lines.first.down()
    for _ in range(5):
        reader.round_and_stage()
    assert asked(lines.second) == 6
    assert len(lines.told) == 1, "once, not with every call"
    lines.first.up()
    before = asked(lines.first)
    reader.round_and_stage()
    assert asked(lines.first) == before


def test_when_nobody_answers_it_is_told_and_both_are_tried_again(lines: Lines) -> None:
    reader = lines.reader()
    lines.first.down()
    lines.second.down()
    for _ in range(2):
        with pytest.raises(TransientError, match="cannot be reached") as caught:
            reader.round_and_stage()
        assert "SECRETKEY" not in str(caught.value)
    lines.second.up()
    assert reader.round_and_stage() == (0, 0)


def on_another_chain(params: list[Any], told: Any) -> str:
    return "0x2a"


def another_genesis(params: list[Any], told: Any) -> Any:
    return {**told, "hash": "0x" + "ab" * 32} if params[0] == "0x1" else told


LIES: dict[str, tuple[str, Callable[[list[Any], Any], Any], str]] = {
    "chain id": ("eth_chainId", on_another_chain, "chain id is 42"),
    "first block": ("eth_getBlockByNumber", another_genesis, "first block is another one"),
    "no code": ("eth_getCode", lambda params, told: "0x", "no code at that address"),
    "other code": ("eth_getCode", lambda params, told: told + "00", "code is another one"),
    "no number": ("eth_chainId", lambda params, told: "banana", "not a number"),
    "no round": ("eth_call", lambda params, told: "0x", "answers something else"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_rpc_of_another_chain_is_named_and_left_out(lines: Lines, lie: str, quick: None) -> None:
    """It stands first, was away, and comes back as another one."""
    method, lied, why = LIES[lie]
    reader = lines.reader()
    lines.first.next(BATCH, "http_500")
    reader.round_and_stage()
    lines.first.lies[method] = lied
    before = len(lines.told)
    while len(lines.told) == before:
        assert reader.round_and_stage() == (0, 0), "an answer of the liar never counts"
    assert why in lines.told[-1].why
    assert lines.first.url in lines.told[-1].what
    lines.first.lies.clear()
    while reader.rpc._all[0].why:
        assert reader.round_and_stage() == (0, 0)


def test_an_rpc_that_moves_to_another_chain_is_found_out_with_that_very_answer(
    lines: Lines, quick: None
) -> None:
    node = lines.node()
    node.register(lines.peer)
    lines.first.lies["eth_chainId"] = on_another_chain
    lines.first.lies["eth_call"] = lambda params, told: "0x" + "00" * 31 + "07"
    assert node.round_and_stage() == (0, 0)
    assert "chain id is 42" in lines.told[-1].why
    sent = lines.first.calls[SEND]
    node.submit_reward(0, 0, 3, lines.peer)
    assert lines.first.calls[SEND] == sent, "nothing is sent through it"
    lines.second.lies["eth_chainId"] = on_another_chain
    with pytest.raises(RefusedError) as caught:
        node.round_and_stage()
    assert caught.value.code == "WrongChain"
    lines.first.lies.clear()
    assert node.round_and_stage() == (0, 0), "and it mends itself"


def test_the_chain_of_the_configuration_decides(lines: Lines, swarm: SwarmServices) -> None:
    lines.first.lies["eth_chainId"] = on_another_chain
    reader = lines.reader(ChainSection(call_timeout_s=2.0, chain_id=swarm.evm.chain_id))
    assert reader.round_and_stage() == (0, 0)
    assert "chain id is 42" in lines.told[0].why
    with pytest.raises(RefusedError) as caught:
        lines.reader(ChainSection(call_timeout_s=2.0, chain_id=7))
    assert caught.value.code == "WrongChain"
    assert "this swarm's is 7" in caught.value.why


@pytest.mark.parametrize("kind", ["dropped", "truncated", "refused", "timeout", "http_500"])
def test_a_transaction_goes_to_another_rpc_as_the_very_same_bytes(
    lines: Lines, swarm: SwarmServices, kind: str
) -> None:
    node = lines.node()
    node.register(lines.peer)
    height = swarm.evm.height()
    lines.first.next(SEND, kind)
    receipt = node.submit_reward(0, 0, 5, lines.peer)
    assert swarm.evm.height() == height + 1, "it is on the chain once"
    assert receipt.block == height + 1
    assert lines.second.calls[SEND] == 1
    assert node.counters(lines.peer)["total_reward"] == 5
    assert len(node._sender._tools.store.since(0)) == 2


def test_an_rpc_that_is_behind_is_not_believed(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "MAX_BACK", 1)
    reader = lines.reader()
    reader.round_and_stage()
    lines.first.lies["eth_blockNumber"] = lambda params, told: "0x0"
    reader.round_and_stage()
    assert reader.head() > 0
    assert "newest block is 0" in lines.told[0].why
    lines.second.lies["eth_blockNumber"] = lambda params, told: "0x0"
    with pytest.raises(TransientError, match="behind"):
        reader.round_and_stage()
    monkeypatch.setattr(failover, "BACK_PATIENCE_S", 0.0)
    assert reader.round_and_stage() == (0, 0), "nobody knows better: the chain did go back"
    assert any("went back" in each.what for each in lines.told)


def test_what_is_no_list_of_addresses(lines: Lines) -> None:
    for urls in ("", " , ", ",".join(f"http://127.0.0.1:{n}" for n in range(1, 11)), "http://a b"):
        with pytest.raises(ConfigError, match=r"chain\.rpc_url|RPC address"):
            ReadOnlyCoordinator(urls, lines.contract, SETTINGS)
    with pytest.raises(ConfigError) as caught:
        ReadOnlyCoordinator("ftp://user:SECRETKEY@host/SECRETKEY", lines.contract, SETTINGS)
    assert "SECRETKEY" not in str(caught.value)
