# pragma version 0.4.3
"""
@title board
@license MIT
@notice Who has how many points, and who the best hundred are. A score only ever grows by one; of
        two peers with the same score the one that reached it earlier is ahead.
@dev    Counting a point writes one slot, so that a vote stays cheap; ranking reads every standing,
        three to a slot, which only a view can afford. See docs/contract.md for how far that goes.
"""

import lanes

MAX_TOP: constant(uint256) = 100

WIDTH: constant(uint256) = 80
PER_SLOT: constant(uint256) = 3
HALF: constant(uint256) = 40
LAST_MOMENT: constant(uint256) = 2**40 - 1
# A bound for loops, far beyond what a call can pay for.
MAX_PEERS: constant(uint256) = 2**32
NUMBER_BITS: constant(uint256) = 32
# A heap of a hundred is seven levels deep.
DEPTH: constant(uint256) = 7

# board -> number // 3 -> lanes of score << 40 | (LAST_MOMENT - the moment it was reached): the
# better standing is the greater number
standings: HashMap[uint256, HashMap[uint256, uint256]]


@internal
def count(board: uint256, number: uint256, moment: uint256) -> uint256:
    """@notice One more point at this moment, which is later than all before; the new score."""
    word: uint256 = self.standings[board][number // PER_SLOT]
    score: uint256 = (lanes.cut(word, number % PER_SLOT, WIDTH) >> HALF) + 1
    self.standings[board][number // PER_SLOT] = lanes.put(
        word, number % PER_SLOT, WIDTH, score << HALF | (LAST_MOMENT - moment)
    )
    return score


@internal
@view
def score(board: uint256, number: uint256) -> uint256:
    word: uint256 = self.standings[board][number // PER_SLOT]
    return lanes.cut(word, number % PER_SLOT, WIDTH) >> HALF


@internal
@view
def top(board: uint256, last: uint256, limit: uint256) -> DynArray[uint256, MAX_TOP]:
    """@notice The best `limit` entries of the numbers up to `last`, best first."""
    # A heap: the worst of the best so far is at index 1.
    heap: uint256[MAX_TOP + 1] = empty(uint256[MAX_TOP + 1])
    size: uint256 = 0
    for slot: uint256 in range(last // PER_SLOT + 1, bound=MAX_PEERS):
        word: uint256 = self.standings[board][slot]
        number: uint256 = slot * PER_SLOT
        for _: uint256 in range(PER_SLOT):
            if word == 0:
                break
            standing: uint256 = word & (2**WIDTH - 1)
            entry: uint256 = standing << NUMBER_BITS | number
            if standing != 0 and size < limit:
                size = unsafe_add(size, 1)
                place: uint256 = size
                for _up: uint256 in range(DEPTH):
                    if place == 1 or heap[place >> 1] <= entry:
                        break
                    heap[place] = heap[place >> 1]
                    place = place >> 1
                heap[place] = entry
            elif size != 0 and entry > heap[1]:
                place: uint256 = 1
                for _down: uint256 in range(DEPTH):
                    child: uint256 = place << 1
                    if child > size:
                        break
                    if child < size and heap[unsafe_add(child, 1)] < heap[child]:
                        child = unsafe_add(child, 1)
                    if heap[child] >= entry:
                        break
                    heap[place] = heap[child]
                    place = child
                heap[place] = entry
            word = word >> WIDTH
            number = unsafe_add(number, 1)
    return self._sorted(heap, size)


@internal
@pure
def _sorted(heap: uint256[MAX_TOP + 1], size: uint256) -> DynArray[uint256, MAX_TOP]:
    """@notice The entries of a heap, the greatest first. From its end, they are nearly in order."""
    entries: DynArray[uint256, MAX_TOP] = []
    for i: uint256 in range(size, bound=MAX_TOP):
        entries.append(heap[size - i])
    for i: uint256 in range(size, bound=MAX_TOP):
        entry: uint256 = entries[i]
        place: uint256 = i
        for _: uint256 in range(MAX_TOP):
            if place == 0 or entries[unsafe_sub(place, 1)] > entry:
                break
            entries[place] = entries[unsafe_sub(place, 1)]
            place = unsafe_sub(place, 1)
        entries[place] = entry
    return entries


@internal
@pure
def number_in(entry: uint256) -> uint256:
    return entry & (2**NUMBER_BITS - 1)


@internal
@pure
def score_in(entry: uint256) -> uint256:
    return entry >> (NUMBER_BITS + HALF)
