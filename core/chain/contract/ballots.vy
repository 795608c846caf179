# pragma version 0.4.3
"""
@title ballots
@license MIT
@notice For whom each peer voted in each round, by number. A vote for one or two winners, which is
        what nodes cast, takes a quarter of a slot; the further winners of a longer list have slots
        of their own.
"""

import lanes

MAX_WINNERS: constant(uint256) = 128

# A lane of `pairs`: first winner | second winner << 32, and MORE when further ones follow.
PAIR: constant(uint256) = 64
PAIRS: constant(uint256) = 4
MORE: constant(uint256) = 2**63
# A lane of `others`.
WIDTH: constant(uint256) = 32
PER_SLOT: constant(uint256) = 8
NUMBER: constant(uint256) = 2**31 - 1
# A bound for loops, far beyond what a call can pay for.
MAX_PEERS: constant(uint256) = 2**31

# round -> voter // 4 -> lanes: 0 when the voter has not voted
pairs: HashMap[uint256, HashMap[uint256, uint256]]
# round -> voter -> i // 8 -> lanes: the third winner and so on, ended by 0
others: HashMap[uint256, HashMap[uint256, HashMap[uint256, uint256]]]


@internal
@view
def _pair(round_number: uint256, voter: uint256) -> uint256:
    return lanes.cut(self.pairs[round_number][voter // PAIRS], voter % PAIRS, PAIR)


@internal
@view
def voted(round_number: uint256, voter: uint256) -> bool:
    return self._pair(round_number, voter) != 0


@internal
def cast(round_number: uint256, voter: uint256, winners: DynArray[uint256, MAX_WINNERS]):
    """@notice Keep a vote. An empty one leaves no trace, as in the original."""
    count: uint256 = len(winners)
    if count == 0:
        return
    pair: uint256 = winners[0]
    if count > 1:
        pair |= winners[1] << WIDTH
    if count > 2:
        pair |= MORE
    self.pairs[round_number][voter // PAIRS] = lanes.put(
        self.pairs[round_number][voter // PAIRS], voter % PAIRS, PAIR, pair
    )
    if count <= 2:
        return
    word: uint256 = 0
    for i: uint256 in range(2, count, bound=MAX_WINNERS):
        lane: uint256 = (i - 2) % PER_SLOT
        word |= winners[i] << (lane * WIDTH)
        if lane == PER_SLOT - 1 or i == count - 1:
            self.others[round_number][voter][(i - 2) // PER_SLOT] = word
            word = 0


@internal
@view
def winners_of(round_number: uint256, voter: uint256) -> DynArray[uint256, MAX_WINNERS]:
    """@notice In the order in which the voter named them; none when it has not voted."""
    winners: DynArray[uint256, MAX_WINNERS] = []
    pair: uint256 = self._pair(round_number, voter)
    if pair == 0:
        return winners
    winners.append(pair & NUMBER)
    if pair >> WIDTH != 0:
        winners.append((pair >> WIDTH) & NUMBER)
    if pair < MORE:
        return winners
    for i: uint256 in range(MAX_WINNERS - 2):
        winner: uint256 = lanes.cut(
            self.others[round_number][voter][i // PER_SLOT], i % PER_SLOT, WIDTH
        )
        if winner == 0:
            break
        winners.append(winner)
    return winners


@internal
@view
def votes_for(round_number: uint256, winner: uint256, last: uint256) -> uint256:
    """@notice How many of the voters up to `last` named this winner in a round."""
    votes: uint256 = 0
    for slot: uint256 in range(last // PAIRS + 1, bound=MAX_PEERS):
        word: uint256 = self.pairs[round_number][slot]
        voter: uint256 = slot * PAIRS
        for _: uint256 in range(PAIRS):
            if word == 0:
                break
            pair: uint256 = word & (2**PAIR - 1)
            if pair & NUMBER == winner or (pair >> WIDTH) & NUMBER == winner:
                votes = unsafe_add(votes, 1)
            elif pair >= MORE and self._also(round_number, voter, winner):
                votes = unsafe_add(votes, 1)
            word = word >> PAIR
            voter = unsafe_add(voter, 1)
    return votes


@internal
@view
def _also(round_number: uint256, voter: uint256, winner: uint256) -> bool:
    """@notice Whether a winner is among the third and further ones of a vote."""
    for slot: uint256 in range(MAX_WINNERS // PER_SLOT):
        word: uint256 = self.others[round_number][voter][slot]
        for _: uint256 in range(PER_SLOT):
            if word == 0:
                return False
            if word & NUMBER == winner:
                return True
            word = word >> WIDTH
    return False
