"""Votes and what is counted of them. `test_` with capitals: the original's test of that name."""

from __future__ import annotations

import pytest

from tests.chain.bare_evm import Someone, advance, cast
from tests.chain.conftest import Refused
from tests.chain.test_contract_peers import OTHER, PEER, THIRD


def voters(*peers: str) -> list[Someone]:
    """The owner, then one account for each peer id, registered."""
    people = cast(len(peers) + 1)
    for person, peer in zip(people[1:], peers, strict=True):
        person.send("registerPeer", peer)
    return people


def test_Anyone_CanSubmitWinners_Successfully() -> None:
    _, alice = voters(PEER)
    told = alice.send("submitWinners", 0, [OTHER, THIRD], PEER)
    fields = {
        "account": alice.address,
        "peerId": PEER,
        "roundNumber": 0,
        "winners": (OTHER, THIRD),
    }
    assert told == [("WinnerSubmitted", fields)]
    assert alice.read("getVoterVotes", 0, PEER) == (OTHER, THIRD)


def test_Anyone_CanSubmit_UnregisteredPeerIds_Successfully() -> None:
    _, alice = voters(PEER)
    alice.send("submitWinners", 0, ["nobody", "nobody else"], PEER)
    assert alice.read("getVoterVotes", 0, PEER) == ("nobody", "nobody else")
    assert alice.read("getTotalWins", "nobody else") == 1


def test_Nobody_CanSubmitSameWinner_MultipleTimesInARound_Fails() -> None:
    _, alice = voters(PEER)
    for winners in ([OTHER, OTHER], [THIRD, OTHER, "x", OTHER]):
        with pytest.raises(Refused, match="InvalidVote"):
            alice.send("submitWinners", 0, winners, PEER)
    assert alice.read("getTotalWins", OTHER) == alice.read("uniqueVoters") == 0
    alice.send("submitWinners", 0, [OTHER], PEER)


def test_Nobody_CanSubmitWinners_ForFutureRound_Fails() -> None:
    _, alice = voters(PEER)
    with pytest.raises(Refused, match="InvalidRoundNumber"):
        alice.send("submitWinners", 1, [OTHER], PEER)


def test_Nobody_CanVoteTwice_InSameRound_Fails() -> None:
    _, alice = voters(PEER)
    alice.send("submitWinners", 0, [OTHER], PEER)
    for winners in ([OTHER], [THIRD], []):
        with pytest.raises(Refused, match="WinnerAlreadyVoted"):
            alice.send("submitWinners", 0, winners, PEER)


def test_what_is_refused_is_refused_in_the_originals_order() -> None:
    owner, alice, bob = voters(PEER, OTHER)
    with pytest.raises(Refused, match="InvalidRoundNumber"):
        bob.send("submitWinners", 1, [PEER, PEER], PEER)
    with pytest.raises(Refused, match="InvalidVoterPeerId"):
        bob.send("submitWinners", 0, [PEER, PEER], PEER)
    with pytest.raises(Refused, match="InvalidVoterPeerId"):
        bob.send("submitWinners", 0, [PEER], "nobody")
    with pytest.raises(Refused, match="InvalidVote"):
        alice.send("submitWinners", 0, [PEER, PEER], PEER)
    alice.send("submitWinners", 0, [PEER], PEER)
    with pytest.raises(Refused, match="WinnerAlreadyVoted"):
        bob.send("submitWinners", 0, [PEER, PEER], PEER)
    advance(owner)
    with pytest.raises(Refused, match="InvalidVoterPeerId"):
        alice.send("submitWinners", 1, [PEER], OTHER)


def test_kept_of_the_original_a_peer_may_vote_for_itself_and_for_any_past_round() -> None:
    owner, alice = voters(PEER)
    advance(owner, 3)
    for round_number in (2, 0, 3):
        alice.send("submitWinners", round_number, [PEER], PEER)
    assert alice.read("getTotalWins", PEER) == alice.read("getVoterVoteCount", PEER) == 3
    assert alice.read("getVoterVotes", 1, PEER) == ()


def test_kept_of_the_original_an_empty_vote_counts_each_time() -> None:
    _, alice = voters(PEER)
    for _ in range(3):
        told = alice.send("submitWinners", 0, [], PEER)
        assert told[0][1]["winners"] == ()
    assert alice.read("getVoterVoteCount", PEER) == 3
    assert alice.read("uniqueVoters") == 1
    assert alice.read("getVoterVotes", 0, PEER) == ()
    alice.send("submitWinners", 0, [OTHER], PEER)  # and does not stand in the way of a real one


@pytest.mark.parametrize("count", [1, 2, 3, 9, 10, 11, 128])
def test_a_list_of_winners_comes_back_in_its_order(count: int) -> None:
    _, alice, bob, carol = voters("a", "b", "c")
    winners = [f"winner {n}" for n in range(count)]
    alice.send("submitWinners", 0, winners, "a")
    bob.send("submitWinners", 0, winners[::-1], "b")
    carol.send("submitWinners", 0, winners[-1:], "c")
    assert alice.read("getVoterVotes", 0, "a") == tuple(winners)
    assert alice.read("getVoterVotes", 0, "b") == tuple(winners[::-1])
    for winner in {winners[0], winners[-1], winners[count // 2]}:
        votes = 3 if winner == winners[-1] else 2
        assert alice.read("getPeerVoteCount", 0, winner) == votes
        assert alice.read("getTotalWins", winner) == votes


def test_bounded_a_vote_names_at_most_128_winners() -> None:
    _, alice = voters(PEER)
    with pytest.raises(Refused, match=r"^$"):
        alice.send("submitWinners", 0, [str(n) for n in range(129)], PEER)


def test_restored_the_votes_for_a_peer_are_counted_by_round() -> None:
    owner, alice, bob, carol = voters(PEER, OTHER, THIRD)
    alice.send("submitWinners", 0, [OTHER, THIRD], PEER)
    bob.send("submitWinners", 0, [THIRD], OTHER)
    advance(owner)
    carol.send("submitWinners", 1, ["x", "y", "z", OTHER], THIRD)
    counts = {
        (round_number, peer): owner.read("getPeerVoteCount", round_number, peer)
        for round_number in (0, 1, 2)
        for peer in (PEER, OTHER, THIRD, "z", "nobody")
    }
    assert {key: count for key, count in counts.items() if count} == {
        (0, OTHER): 1,
        (0, THIRD): 2,
        (1, OTHER): 1,
        (1, "z"): 1,
    }


# --- counters ---------------------------------------------------------------------------------


def test_GetTotalWins_ReturnsZero_ForUnregisteredPeerId() -> None:
    _, alice = voters(PEER)
    assert alice.read("getTotalWins", "unregistered") == 0


def test_GetTotalWins_ReturnsCorrectCount_ForRegisteredPeerId() -> None:
    _, alice, bob = voters(PEER, OTHER)
    alice.send("submitWinners", 0, [PEER], PEER)
    bob.send("submitWinners", 0, [OTHER, PEER], OTHER)
    assert alice.read("getTotalWins", PEER) == 2
    assert alice.read("getTotalWins", OTHER) == 1


def test_GetVoterVoteCount_ReturnsZero_ForUnregisteredVoter() -> None:
    _, alice = voters(PEER)
    assert alice.read("getVoterVoteCount", "unregistered") == 0


def test_GetVoterVoteCount_ReturnsCorrectCount_ForRegisteredVoter() -> None:
    _, alice = voters(PEER)
    alice.send("submitWinners", 0, [OTHER], PEER)
    assert alice.read("getVoterVoteCount", PEER) == 1
    assert alice.read("getVoterVoteCount", OTHER) == 0


def test_VoterVoteCount_IsTrackedCorrectly_Successfully() -> None:
    owner, alice, _ = voters(PEER, OTHER)
    alice.send("submitWinners", 0, [PEER, OTHER], PEER)
    advance(owner)
    alice.send("submitWinners", 1, [PEER, OTHER], PEER)
    assert alice.read("getVoterVoteCount", PEER) == 2
    assert alice.read("getVoterVoteCount", OTHER) == 0


def test_UniqueVoters_StartsAtZero_Successfully() -> None:
    assert cast()[0].read("uniqueVoters") == 0


def test_UniqueVoters_IncrementsForNewVoter_Successfully() -> None:
    _, alice = voters(PEER)
    alice.send("submitWinners", 0, [PEER], PEER)
    assert alice.read("uniqueVoters") == 1


def test_UniqueVoters_DoesNotIncrementForSameVoter_Successfully() -> None:
    owner, alice = voters(PEER)
    alice.send("submitWinners", 0, [OTHER], PEER)
    advance(owner)
    alice.send("submitWinners", 1, [THIRD], PEER)
    assert alice.read("uniqueVoters") == 1


def test_UniqueVoters_IncrementsForDifferentVoters_Successfully() -> None:
    _, alice, bob = voters(PEER, OTHER)
    alice.send("submitWinners", 0, [PEER], PEER)
    bob.send("submitWinners", 0, [PEER], OTHER)
    assert alice.read("uniqueVoters") == 2


def test_UniqueVoters_DoesNotIncrementAcrossRounds_Successfully() -> None:
    owner, alice, bob = voters(PEER, OTHER)
    for round_number in range(3):
        alice.send("submitWinners", round_number, [PEER], PEER)
        bob.send("submitWinners", round_number, [PEER], OTHER)
        advance(owner)
    assert alice.read("uniqueVoters") == 2


def test_UniqueVotedPeers_StartsAtZero_Successfully() -> None:
    assert cast()[0].read("uniqueVotedPeers") == 0


def test_UniqueVotedPeers_IncrementsForNewPeer_Successfully() -> None:
    _, alice = voters(PEER)
    alice.send("submitWinners", 0, [PEER], PEER)
    assert alice.read("uniqueVotedPeers") == 1


def test_UniqueVotedPeers_DoesNotIncrementForSamePeer_Successfully() -> None:
    _, alice, bob = voters(PEER, OTHER)
    alice.send("submitWinners", 0, [THIRD], PEER)
    bob.send("submitWinners", 0, [THIRD], OTHER)
    assert alice.read("uniqueVotedPeers") == 1


def test_UniqueVotedPeers_IncrementsForDifferentPeers_Successfully() -> None:
    _, alice, bob = voters(PEER, OTHER)
    alice.send("submitWinners", 0, [PEER], PEER)
    bob.send("submitWinners", 0, [OTHER, PEER], OTHER)
    assert alice.read("uniqueVotedPeers") == 2


def test_UniqueVotedPeers_DoesNotIncrementAcrossRounds_Successfully() -> None:
    owner, alice = voters(PEER)
    alice.send("submitWinners", 0, [THIRD], PEER)
    advance(owner)
    alice.send("submitWinners", 1, [THIRD], PEER)
    assert alice.read("uniqueVotedPeers") == 1


def test_UniqueVotedPeers_TracksUniquenessAcrossRounds_Successfully() -> None:
    owner, alice, bob = voters(PEER, OTHER)
    alice.send("submitWinners", 0, ["one"], PEER)
    advance(owner)
    bob.send("submitWinners", 1, ["two"], OTHER)
    assert alice.read("uniqueVotedPeers") == 2
    advance(owner)
    alice.send("submitWinners", 2, ["one", "two"], PEER)
    assert alice.read("uniqueVotedPeers") == 2
