# pragma version 0.4.3
"""
@title votes
@license MIT
@notice For whom each peer votes in a round, who has taken part how often, and who has won how
        often.
"""

import ballots
import board
import lanes
import peers
import rounds

uses: ballots
uses: board
uses: peers
uses: rounds

# The two boards, and the lanes of `census`.
VOTERS: constant(uint256) = 0
WINNERS: constant(uint256) = 1
MOMENT: constant(uint256) = 2
WIDTH: constant(uint256) = 80


event WinnerSubmitted:
    account: indexed(address)
    peerId: String[peers.MAX_PEER_ID]
    roundNumber: indexed(uint256)
    winners: DynArray[String[peers.MAX_PEER_ID], ballots.MAX_WINNERS]


# lanes: how many peers ever voted, how many were ever voted for, the moment of the next point,
# which begins with 1, also so that the slot is never fresh
census: uint256


@internal
def begin():
    self.census = lanes.put(0, MOMENT, WIDTH, 1)


@external
def submitWinners(
    roundNumber: uint256,
    winners: DynArray[String[peers.MAX_PEER_ID], ballots.MAX_WINNERS],
    peerId: String[peers.MAX_PEER_ID],
):
    """
    @notice One vote per peer and round, for any round so far. Winners need not be registered, and
            may hold the voter. As in the original an empty list counts as a vote each time.
    """
    rounds.only_begun(roundNumber)
    voter: uint256 = 0
    account: address = empty(address)
    voter, account = peers.lookup(peerId)
    if ballots.voted(roundNumber, voter):
        raw_revert(method_id("WinnerAlreadyVoted()"))
    if account != msg.sender:
        raw_revert(method_id("InvalidVoterPeerId()"))
    census: uint256 = self.census
    voters: uint256 = lanes.cut(census, VOTERS, WIDTH)
    voted_for: uint256 = lanes.cut(census, WINNERS, WIDTH)
    moment: uint256 = lanes.cut(census, MOMENT, WIDTH)
    if board.count(VOTERS, voter, moment) == 1:
        voters += 1
    numbers: DynArray[uint256, ballots.MAX_WINNERS] = []
    for winner: String[peers.MAX_PEER_ID] in winners:
        number: uint256 = peers.numbered(winner)
        if number in numbers:
            raw_revert(method_id("InvalidVote()"))
        if board.count(WINNERS, number, moment + len(numbers)) == 1:
            voted_for += 1
        numbers.append(number)
    ballots.cast(roundNumber, voter, numbers)
    census = lanes.put(census, VOTERS, WIDTH, voters)
    census = lanes.put(census, WINNERS, WIDTH, voted_for)
    self.census = lanes.put(census, MOMENT, WIDTH, moment + max(1, len(numbers)))
    log WinnerSubmitted(
        account=msg.sender, peerId=peerId, roundNumber=roundNumber, winners=winners
    )


@external
@view
def getVoterVotes(
    roundNumber: uint256, peerId: String[peers.MAX_PEER_ID]
) -> DynArray[String[peers.MAX_PEER_ID], ballots.MAX_WINNERS]:
    winners: DynArray[String[peers.MAX_PEER_ID], ballots.MAX_WINNERS] = []
    numbers: DynArray[uint256, ballots.MAX_WINNERS] = ballots.winners_of(
        roundNumber, peers.number(peerId)
    )
    for number: uint256 in numbers:
        winners.append(peers.name(number))
    return winners


@external
@view
def getPeerVoteCount(roundNumber: uint256, peerId: String[peers.MAX_PEER_ID]) -> uint256:
    """@notice How many voters named a peer in a round. Reads the votes of the whole round."""
    number: uint256 = peers.number(peerId)
    if number == 0:
        return 0
    return ballots.votes_for(roundNumber, number, peers.seen())


@external
@view
def getVoterVoteCount(peerId: String[peers.MAX_PEER_ID]) -> uint256:
    return board.score(VOTERS, peers.number(peerId))


@external
@view
def getTotalWins(peerId: String[peers.MAX_PEER_ID]) -> uint256:
    return board.score(WINNERS, peers.number(peerId))


@external
@view
def uniqueVoters() -> uint256:
    return lanes.cut(self.census, VOTERS, WIDTH)


@external
@view
def uniqueVotedPeers() -> uint256:
    return lanes.cut(self.census, WINNERS, WIDTH)


@external
@view
def voterLeaderboard(
    start: uint256, end: uint256
) -> (
    DynArray[String[peers.MAX_PEER_ID], board.MAX_TOP], DynArray[uint256, board.MAX_TOP]
):
    """@notice The hundred peers that voted most often, from `start` up to but not `end`."""
    return self._leaderboard(VOTERS, start, end)


@external
@view
def winnerLeaderboard(
    start: uint256, end: uint256
) -> (
    DynArray[String[peers.MAX_PEER_ID], board.MAX_TOP], DynArray[uint256, board.MAX_TOP]
):
    """@notice The hundred peers that were voted for most often, from `start` up to but not `end`."""
    return self._leaderboard(WINNERS, start, end)


@internal
@view
def _leaderboard(
    which: uint256, start: uint256, end: uint256
) -> (
    DynArray[String[peers.MAX_PEER_ID], board.MAX_TOP], DynArray[uint256, board.MAX_TOP]
):
    assert start <= end, "Start index must be less than or equal to end index"
    peer_ids: DynArray[String[peers.MAX_PEER_ID], board.MAX_TOP] = []
    scores: DynArray[uint256, board.MAX_TOP] = []
    place: uint256 = 0
    top: DynArray[uint256, board.MAX_TOP] = board.top(which, peers.seen(), min(end, board.MAX_TOP))
    for entry: uint256 in top:
        if place >= start:
            peer_ids.append(peers.name(board.number_in(entry)))
            scores.append(board.score_in(entry))
        place += 1
    return peer_ids, scores
