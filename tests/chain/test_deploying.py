"""A coordinator of one's own on a chain elsewhere: deployed once, found again, usable at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import config
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.deploying import address_at, deploy
from core.chain.services import SwarmServices
from core.errors import ConfigError, RefusedError, TransientError
from core.home import Home
from core.schema import ChainSection
from core.swarm.deploying import command
from tests.chain.anvil import MISSING, Anvil
from tests.chain.faulty_rpc import FaultyRpc
from tests.chain.rpc_faults import SEND

SETTINGS = ChainSection(call_timeout_s=2.0)
SENT: list[tuple[str, str]] = []


def note(tx_hash: str, contract: str) -> None:
    SENT.append((tx_hash, contract))


@pytest.fixture
def line(swarm: SwarmServices) -> Iterator[FaultyRpc]:
    with FaultyRpc(swarm.devnet.url, one_in=0, hang_s=5.0) as made:
        yield made


@pytest.mark.parametrize("kind", ["", "dropped", "timeout"])
def test_it_is_deployed_once_however_the_line_fails(
    line: FaultyRpc, tmp_path: Path, kind: str
) -> None:
    wallet = load_or_create(tmp_path / "account")
    if kind:
        line.next(SEND, kind)
        with pytest.raises(TransientError, match="cannot be reached"):
            deploy(line.url, wallet, SETTINGS, note)
    made = deploy(line.url, wallet, SETTINGS, note)
    assert made.contract == address_at(wallet.address, 0) == SENT[-1][1]
    assert deploy(line.url, wallet, SETTINGS, note) == made
    assert (made.gas_used > 0, made.fee_wei > 0) == (True, True)
    assert line.accepted.count(made.tx_hash) >= 1
    assert set(line.accepted) == {made.tx_hash}
    other = deploy(line.url, wallet, SETTINGS, note, again=True)
    assert other.contract == address_at(wallet.address, 1)
    node = WalletCoordinator(line.url, made.contract, wallet, SETTINGS)
    node.register("Qm-owner")
    node.add_bootnodes(["/ip4/192.0.2.1/tcp/4001"])
    assert node.bootnodes() == ["/ip4/192.0.2.1/tcp/4001"]
    node.close()


def test_what_stands_in_the_way_is_told(line: FaultyRpc, tmp_path: Path) -> None:
    wallet = load_or_create(tmp_path / "account")
    line.lies["web3_clientVersion"] = lambda params, told: "somebody"
    with pytest.raises(TransientError, match=wallet.address) as caught:
        deploy(line.url, wallet, SETTINGS, note)
    assert "ether" in caught.value.why
    with pytest.raises(RefusedError) as refused:
        deploy(line.url, wallet, ChainSection(chain_id=5), note)
    assert refused.value.code == "WrongChain"
    assert line.accepted == []


def test_the_command(line: FaultyRpc, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="where to deploy"):
        command(config.load("solo", home), home, again=False, as_json=False)
    effective = config.load("solo", home, sets=[f"chain.rpc_url={line.url}/v2/SECRETKEY"])
    assert command(effective, home, again=False, as_json=False) == 0
    told = capsys.readouterr()
    assert command(effective, home, again=False, as_json=True) == 0
    made = json.loads(capsys.readouterr().out)
    assert f'contract: "{made["contract"]}"' in told.out
    assert f"chain_id: {made['chain_id']}" in told.out
    assert made["tx_hash"] in told.err
    assert "SECRETKEY" not in told.out + told.err


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_on_a_chain_that_cannot_run_it(tmp_path: Path) -> None:
    wallet = load_or_create(tmp_path / "account")
    with Anvil(tmp_path, "--hardfork", "berlin") as chain:
        chain.give(wallet.address)
        with pytest.raises(RefusedError, match="cannot run") as caught:
            deploy(chain.url, wallet, SETTINGS, note)
        assert "Cancun" in caught.value.next_step
