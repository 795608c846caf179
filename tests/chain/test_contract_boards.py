"""The leaderboards that version 0.5 took off the chain. Capitals: the original's test of it."""

from __future__ import annotations

import pytest

from tests.chain.bare_evm import Someone, advance, cast
from tests.chain.conftest import Refused
from tests.chain.test_contract_peers import OTHER, PEER, THIRD
from tests.chain.test_contract_votes import voters

TOO_FAR = "Start index must be less than or equal to end index"


def board(anyone: Someone, name: str, start: int = 0, end: int = 100) -> list[tuple[str, int]]:
    """(peer id, score), best first."""
    peers, scores = anyone.read(f"{name}Leaderboard", start, end)
    return list(zip(peers, scores, strict=True))


def test_VoterLeaderboard_ReturnsCorrectOrder_Successfully() -> None:
    owner, alice, bob, carol = voters(PEER, OTHER, THIRD)
    for round_number, (person, peer) in enumerate([(alice, PEER), (bob, OTHER), (carol, THIRD)]):
        person.send("submitWinners", round_number, [PEER], peer)
        advance(owner)
    assert board(owner, "voter", 0, 3) == [(PEER, 1), (OTHER, 1), (THIRD, 1)]
    carol.send("submitWinners", 0, [PEER], THIRD)
    assert board(owner, "voter", 0, 3)[0] == (THIRD, 2)


def test_VoterLeaderboard_ReturnsCorrectSlice_Successfully() -> None:
    owner, alice, bob, carol = voters(PEER, OTHER, THIRD)
    for person, peer in ((alice, PEER), (bob, OTHER), (carol, THIRD)):
        person.send("submitWinners", 0, [PEER], peer)
    assert board(owner, "voter", 2, 3) == [(THIRD, 1)]
    assert board(owner, "voter", 1, 2) == [(OTHER, 1)]
    assert board(owner, "voter", 1, 1) == []


def test_VoterLeaderboard_ReturnsEmptyArrays_WhenNoVoters_Successfully() -> None:
    _, alice = voters(PEER)
    assert alice.read("voterLeaderboard", 0, 10) == ((), ())


def test_VoterLeaderboard_CorrectlyHandlesMoreThanMaxTopVoters_Successfully() -> None:
    owner, alice = voters(PEER)
    names = [f"voter {n}" for n in range(100)]
    for name in [*names, "late"]:
        alice.send("registerPeer", name)
    for name in names:
        alice.send("submitWinners", 0, [PEER], name)
    assert board(owner, "voter") == [(name, 1) for name in names]
    advance(owner, 2)
    alice.send("submitWinners", 1, [PEER], "late")  # as many as the last one: not ahead of it
    assert board(owner, "voter", 0, 200) == [(name, 1) for name in names]
    alice.send("submitWinners", 2, [PEER], "late")
    assert board(owner, "voter") == [("late", 2), *((name, 1) for name in names[:99])]


def test_WinnerLeaderboard_ReturnsCorrectOrder_Successfully() -> None:
    owner, alice, bob, carol = voters("a", "b", "c")
    alice.send("submitWinners", 0, [PEER, OTHER], "a")
    advance(owner)
    bob.send("submitWinners", 1, [PEER, OTHER], "b")
    advance(owner)
    carol.send("submitWinners", 2, [THIRD], "c")
    assert board(owner, "winner", 0, 3) == [(PEER, 2), (OTHER, 2), (THIRD, 1)]


def test_WinnerLeaderboard_ReturnsCorrectSlice_Successfully() -> None:
    owner, alice, bob, _ = voters("a", "b", "c")
    alice.send("submitWinners", 0, [PEER, OTHER, THIRD], "a")
    bob.send("submitWinners", 0, [PEER, OTHER], "b")
    assert board(owner, "winner", 2, 3) == [(THIRD, 1)]
    assert board(owner, "winner", 0, 2) == [(PEER, 2), (OTHER, 2)]


def test_WinnerLeaderboard_HandlesInvalidIndexes_Successfully() -> None:
    _, alice = voters(PEER)
    alice.send("submitWinners", 0, [OTHER], PEER)
    for name in ("winner", "voter"):
        with pytest.raises(Refused, match=TOO_FAR):
            alice.read(f"{name}Leaderboard", 2, 1)
    assert board(alice, "winner", 5, 10) == []
    assert board(alice, "winner", 0, 10) == [(OTHER, 1)]
    assert board(alice, "winner", 0, 2**256 - 1) == [(OTHER, 1)]
    assert board(alice, "winner", 2**256 - 1, 2**256 - 1) == []


def test_WinnerLeaderboard_ReturnsEmptyArrays_WhenNoWinners_Successfully() -> None:
    _, alice = voters(PEER)
    assert alice.read("winnerLeaderboard", 0, 10) == ((), ())


def test_WinnerLeaderboard_CorrectlyHandlesMoreThanMaxTopWinners_Successfully() -> None:
    owner, alice = voters(PEER)
    names = [f"winner {n}" for n in range(100)]
    alice.send("submitWinners", 0, names, PEER)
    assert board(owner, "winner") == [(name, 1) for name in names]
    advance(owner, 2)
    alice.send("submitWinners", 1, [PEER], PEER)
    assert board(owner, "winner") == [(name, 1) for name in names]
    alice.send("submitWinners", 2, [PEER], PEER)
    assert board(owner, "winner", 0, 1) == [(PEER, 2)]
    assert board(owner, "winner") == [(PEER, 2), *((name, 1) for name in names[:99])]


def test_fixed_who_climbs_passes_the_others_and_does_not_swap_with_them() -> None:
    """The original swaps the climber with whom it overtakes last: it answers c, b, a here."""
    owner, alice, bob = voters("x", "y")
    alice.send("submitWinners", 0, ["a", "b", "c"], "x")
    bob.send("submitWinners", 0, ["c"], "y")
    assert board(owner, "winner") == [("c", 2), ("a", 1), ("b", 1)]


def test_of_two_with_the_same_score_the_one_that_reached_it_first_is_ahead() -> None:
    owner, alice, bob = voters("x", "y")
    alice.send("submitWinners", 0, ["a", "b"], "x")
    advance(owner)
    bob.send("submitWinners", 0, ["b"], "y")
    alice.send("submitWinners", 1, ["a"], "x")
    assert board(owner, "winner") == [("b", 2), ("a", 2)]
    assert board(owner, "voter") == [("x", 2), ("y", 1)]
    bob.send("submitWinners", 1, [], "y")  # an empty vote is a vote
    assert board(owner, "voter") == [("x", 2), ("y", 2)]


def test_a_board_shows_peers_that_nobody_registered() -> None:
    _, alice, *_ = cast()
    alice.send("registerPeer", PEER)
    alice.send("submitWinners", 0, ["", "nobody"], PEER)
    assert board(alice, "winner") == [("", 1), ("nobody", 1)]
