"""Accounts and identities that are not as they should be: told in a sentence, nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.chain.account import load_or_create
from tests.chain.anvil import MISSING
from tests.chain.members import (
    CHAINS,
    Member,
    OwnDevnet,
    check,
    explained,
    fund,
    own_chain,
    play,
    reward_of,
    settle,
)
from tests.conftest import wait_until
from tests.support_cli import waggle

ETHER = 10**18


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[OwnDevnet]:
    with own_chain("devnet", tmp_path / "chain") as chain:
        assert isinstance(chain, OwnDevnet)
        yield chain


def with_account_of(other: Member, member: Member) -> Member:
    """As if a person had copied the account folder."""
    load_or_create(other.home.account)
    shutil.copytree(other.home.account, member.home.account, dirs_exist_ok=True)
    return member


@pytest.mark.parametrize("kind", CHAINS)
def test_two_nodes_on_one_account_both_count(kind: str, tmp_path: Path) -> None:
    with own_chain(kind, tmp_path / "chain") as chain:
        ada = Member(tmp_path / "ada", chain.url, chain.contract, "ada")
        ben = with_account_of(ada, Member(tmp_path / "ben", chain.url, chain.contract, "ben"))
        fund(chain, ada)
        with ada, ben:
            assert ada.account == ben.account
            play(chain, [ada, ben], range(5))
            settle([ada, ben])
            check(chain, [ada, ben])
            assert ada.incidents() == ben.incidents() == []


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_two_machines_on_one_account_both_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No lock reaches from one to the other, and blocks come once a second: nonces collide."""
    with own_chain("anvil", tmp_path / "chain", "--block-time", "1") as chain:
        ada = Member(tmp_path / "ada", chain.url, chain.contract, "ada", call_timeout_s=5.0)
        ben = Member(tmp_path / "ben", chain.url, chain.contract, "ben", call_timeout_s=5.0)
        with_account_of(ada, ben)
        for member in (ada, ben):
            monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / member.peer / "state"))
            member.open()
            chain.give(member.account)
        try:
            play(chain, [ada, ben], range(2))
            settle([ada, ben], 60)
            check(chain, [ada, ben])
        finally:
            ada.close()
            ben.close()


def test_the_same_key_on_two_machines_counts_once_and_is_told(
    devnet: OwnDevnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Member(tmp_path / "first", devnet.url, devnet.contract, "peer")
    second = with_account_of(
        first, Member(tmp_path / "second", devnet.url, devnet.contract, "peer")
    )
    with first:
        play(devnet, [first], range(2))
        settle([first])
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other machine"))
        with second:
            for number in range(2):
                second.train(number, reward_of("peer", number) + 100)
            settle([second])
        check(devnet, [first])
        where = (f"chain.rpc_url={devnet.url}", f"chain.contract={devnet.contract}")
        settings = [word for setting in where for word in ("--set", setting)]
        told = waggle("rewards", "--check", "--home", str(second.home.path), *settings)
        assert "another machine with this key" in " ".join(told.out.split()), told


def test_a_peer_of_somebody_elses_account_is_told_and_waits_for_the_right_one(
    devnet: OwnDevnet, tmp_path: Path
) -> None:
    with Member(tmp_path / "owner", devnet.url, devnet.contract, "peer") as owner:
        owner.train(0, 5)
        settle([owner])
    devnet.advance()
    copy = Member(tmp_path / "copy", devnet.url, devnet.contract, "peer")
    with copy:
        stranger = copy.account
        copy.train(1, 7)
        explained(copy.incident("InvalidVoterPeerId"), "peer", stranger)
        assert copy.verdict().level == "degraded"
        assert copy.verdict().next_step
    shutil.rmtree(copy.home.account)
    with with_account_of(owner, copy):
        settle([copy])
        check(devnet, [owner, copy])


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_an_empty_account_is_told_and_goes_on_once_it_is_funded(tmp_path: Path) -> None:
    with (
        own_chain("anvil", tmp_path / "chain") as chain,
        Member(tmp_path / "home", chain.url, chain.contract, "peer") as member,
    ):
        member.train(0, 5)
        told = wait_until(member.incidents)[0]
        explained(told, member.account, "cannot pay", "Send")
        assert not member.all_settled()
        chain.give(member.account, ETHER)
        settle([member])
        check(chain, [member])
