# pragma version 0.4.3
"""
@title peers
@license MIT
@notice Every peer id that the contract has seen has a number, 1, 2, 3 and so on: a peer id is
        stored once, in full, and votes and standings name it by number. Knows which account a peer
        id is bound to and which peer ids an account has; 0 is no peer.
"""

import lanes

# In libp2p's encodings a peer id is 46 to 63 characters.
MAX_PEER_ID: constant(uint256) = 127
# What an account may have is not bounded; what a view can list of it is.
MAX_LISTED: constant(uint256) = 64
MAX_ACCOUNTS: constant(uint256) = 100
MAX_QUERY: constant(uint256) = 512

WIDTH: constant(uint256) = 32
PER_SLOT: constant(uint256) = 8
ACCOUNT_BITS: constant(uint256) = 160

# The number of the next unseen peer id. Begins with 1, also so that its slot is never fresh. Users
# of numbers count on less than 2**31: no chain has the gas for that many names.
next: uint256
# number << 160 | account, which is 0 as long as nobody registered the peer id
entries: HashMap[String[MAX_PEER_ID], uint256]
# number * 4 + i -> the i-th word of one byte of length, then the peer id: a real one takes two
words: HashMap[uint256, bytes32]
# account -> lanes: how many peer ids it has, then their numbers
lists: HashMap[address, HashMap[uint256, uint256]]


event PeerRegistered:
    eoa: indexed(address)
    peerId: String[MAX_PEER_ID]


@internal
def begin():
    self.next = 1


@internal
@view
def seen() -> uint256:
    """@notice The highest number given so far."""
    return self.next - 1


@internal
@view
def number(name: String[MAX_PEER_ID]) -> uint256:
    return self.entries[name] >> ACCOUNT_BITS


@internal
@view
def lookup(name: String[MAX_PEER_ID]) -> (uint256, address):
    """@notice (number, account), each 0 when there is none."""
    entry: uint256 = self.entries[name]
    return entry >> ACCOUNT_BITS, self._account(entry)


@internal
@pure
def _account(entry: uint256) -> address:
    return convert(entry & (2**ACCOUNT_BITS - 1), address)


@internal
def numbered(name: String[MAX_PEER_ID]) -> uint256:
    """@notice The number of a peer id, which is given one when it is new."""
    number: uint256 = self.entries[name] >> ACCOUNT_BITS
    if number == 0:
        number = self._store(name)
        self.entries[name] = number << ACCOUNT_BITS
    return number


@internal
def _bind(name: String[MAX_PEER_ID], account: address) -> bool:
    """@notice Bind a peer id to an account, for ever; False when it is bound already."""
    entry: uint256 = self.entries[name]
    number: uint256 = entry >> ACCOUNT_BITS
    if self._account(entry) != empty(address):
        return False
    if number == 0:
        number = self._store(name)
    self.entries[name] = number << ACCOUNT_BITS | convert(account, uint256)
    head: uint256 = self.lists[account][0]
    count: uint256 = lanes.cut(head, 0, WIDTH) + 1
    head = lanes.put(head, 0, WIDTH, count)
    if count < PER_SLOT:
        head = lanes.put(head, count, WIDTH, number)
    else:
        self.lists[account][count // PER_SLOT] = lanes.put(
            self.lists[account][count // PER_SLOT], count % PER_SLOT, WIDTH, number
        )
    self.lists[account][0] = head
    return True


@internal
def _store(name: String[MAX_PEER_ID]) -> uint256:
    number: uint256 = self.next
    self.next = number + 1
    packed: Bytes[MAX_PEER_ID + 33] = concat(
        slice(convert(len(name), bytes32), 31, 1), convert(name, Bytes[MAX_PEER_ID]), empty(bytes32)
    )
    for i: uint256 in range(4):
        if len(name) < 32 * i:
            break
        self.words[number * 4 + i] = extract32(packed, 32 * i)
    return number


@internal
@view
def name(number: uint256) -> String[MAX_PEER_ID]:
    """@notice The peer id of a number that was given."""
    parts: bytes32[4] = empty(bytes32[4])
    length: uint256 = 0
    for i: uint256 in range(4):
        if length < 32 * i:
            break
        parts[i] = self.words[number * 4 + i]
        if i == 0:
            length = convert(slice(parts[0], 0, 1), uint256)
    packed: Bytes[128] = concat(parts[0], parts[1], parts[2], parts[3])
    return convert(slice(packed, 1, length), String[MAX_PEER_ID])


@internal
@view
def count_of(account: address) -> uint256:
    return lanes.cut(self.lists[account][0], 0, WIDTH)


@internal
@view
def nth_of(account: address, n: uint256) -> uint256:
    """@notice The number of an account's n-th peer id, from 1, in the order of registration."""
    return lanes.cut(self.lists[account][n // PER_SLOT], n % PER_SLOT, WIDTH)


@internal
@view
def _names_of(account: address) -> DynArray[String[MAX_PEER_ID], MAX_LISTED]:
    """@notice An account's peer ids, the first MAX_LISTED of them."""
    found: DynArray[String[MAX_PEER_ID], MAX_LISTED] = []
    for i: uint256 in range(min(self.count_of(account), MAX_LISTED), bound=MAX_LISTED):
        found.append(self.name(self.nth_of(account, i + 1)))
    return found


@external
def registerPeer(peerId: String[MAX_PEER_ID]):
    """@notice Bind a peer id to the sender, for ever. One account may have many peers."""
    if not self._bind(peerId, msg.sender):
        raw_revert(method_id("PeerIdAlreadyRegistered()"))
    log PeerRegistered(eoa=msg.sender, peerId=peerId)


@external
@view
def getPeerId(
    eoas: DynArray[address, MAX_ACCOUNTS],
) -> DynArray[DynArray[String[MAX_PEER_ID], MAX_LISTED], MAX_ACCOUNTS]:
    """@notice Of an account with more peer ids than can be listed, the first ones."""
    result: DynArray[
        DynArray[String[MAX_PEER_ID], MAX_LISTED], MAX_ACCOUNTS
    ] = []
    for eoa: address in eoas:
        result.append(self._names_of(eoa))
    return result


@external
@view
def getEoa(
    peerIds: DynArray[String[MAX_PEER_ID], MAX_QUERY],
) -> DynArray[address, MAX_QUERY]:
    result: DynArray[address, MAX_QUERY] = []
    for peer_id: String[MAX_PEER_ID] in peerIds:
        result.append(self.lookup(peer_id)[1])
    return result
