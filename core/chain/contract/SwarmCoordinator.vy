# pragma version 0.4.3
# pragma evm-version cancun
"""
@title SwarmCoordinator
@license MIT
@notice Records who takes part in a swarm: rounds and stages, peers and their accounts, bootnodes,
        self-reported rewards and votes for winners. It checks ownership and once-only, never the
        value of a reward: rewards are signals of training, not money.
@dev Function, event and error selectors are those of the RL-Swarm coordinator 0.6. Differences:
     - not upgradeable: the constructor grants the three roles, there is no initialize();
     - strings and lists are bounded (constants below); what is larger reverts without data;
     - Vyper has no overloads: submitReward(uint256,uint256,uint256,string) is answered by
       __default__, as the cast to int256 that the original makes.
     Custom errors are raised as their four selector bytes.
"""

# Peer ids are 46 to 63 characters, in every encoding that libp2p knows.
MAX_PEER_ID: constant(uint256) = 128
MAX_PEERS_PER_ACCOUNT: constant(uint256) = 64
MAX_WINNERS: constant(uint256) = 64
MAX_BOOTNODE: constant(uint256) = 256
MAX_BOOTNODES: constant(uint256) = 64
MAX_QUERY: constant(uint256) = 64
MAX_PEER_ID_QUERY: constant(uint256) = 16

STAGE_COUNT: constant(uint256) = 1

OWNER_ROLE: public(constant(bytes32)) = keccak256("OWNER_ROLE")
STAGE_MANAGER_ROLE: public(constant(bytes32)) = keccak256("STAGE_MANAGER_ROLE")
BOOTNODE_MANAGER_ROLE: public(constant(bytes32)) = keccak256("BOOTNODE_MANAGER_ROLE")


event StageAdvanced:
    roundNumber: indexed(uint256)
    newStage: uint256


event RoundAdvanced:
    newRoundNumber: indexed(uint256)


event PeerRegistered:
    eoa: indexed(address)
    peerId: String[MAX_PEER_ID]


event BootnodesAdded:
    manager: indexed(address)
    count: uint256


event BootnodeRemoved:
    manager: indexed(address)
    index: uint256


event AllBootnodesCleared:
    manager: indexed(address)


event WinnerSubmitted:
    account: indexed(address)
    peerId: String[MAX_PEER_ID]
    roundNumber: indexed(uint256)
    winners: DynArray[String[MAX_PEER_ID], MAX_WINNERS]


event RewardSubmitted:
    account: indexed(address)
    roundNumber: indexed(uint256)
    stageNumber: indexed(uint256)
    reward: int256
    peerId: String[MAX_PEER_ID]


event CumulativeRewardsUpdated:
    account: indexed(address)
    peerId: String[MAX_PEER_ID]
    totalRewards: int256


event RoleGranted:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)


event RoleRevoked:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)


currentRound: public(uint256)
currentStage: public(uint256)
uniqueVoters: public(uint256)
hasRole: public(HashMap[bytes32, HashMap[address, bool]])

peers_of: HashMap[address, DynArray[String[MAX_PEER_ID], MAX_PEERS_PER_ACCOUNT]]
account_of: HashMap[String[MAX_PEER_ID], address]
bootnodes: DynArray[String[MAX_BOOTNODE], MAX_BOOTNODES]

votes: HashMap[uint256, HashMap[String[MAX_PEER_ID], DynArray[String[MAX_PEER_ID], MAX_WINNERS]]]
vote_count: HashMap[String[MAX_PEER_ID], uint256]
wins: HashMap[String[MAX_PEER_ID], uint256]

# round -> stage -> account: the sum over the account's peers
stage_rewards: HashMap[uint256, HashMap[uint256, HashMap[address, int256]]]
# round -> stage -> peer id
rewarded: HashMap[uint256, HashMap[uint256, HashMap[String[MAX_PEER_ID], bool]]]
total_rewards: HashMap[String[MAX_PEER_ID], int256]


@deploy
def __init__(owner: address):
    self._grant(OWNER_ROLE, owner)
    self._grant(STAGE_MANAGER_ROLE, owner)
    self._grant(BOOTNODE_MANAGER_ROLE, owner)


# --- roles ------------------------------------------------------------------------------------


@internal
def _grant(role: bytes32, account: address):
    self.hasRole[role][account] = True
    log RoleGranted(role=role, account=account, sender=msg.sender)


@internal
def _only_owner():
    if not self.hasRole[OWNER_ROLE][msg.sender]:
        raw_revert(method_id("OnlyOwner()"))


@internal
def _only_bootnode_manager():
    if not self.hasRole[BOOTNODE_MANAGER_ROLE][msg.sender]:
        raw_revert(method_id("OnlyBootnodeManager()"))


@external
def grantRole(role: bytes32, account: address):
    """@notice Any role id is accepted; granting twice changes nothing."""
    self._only_owner()
    self._grant(role, account)


@external
def revokeRole(role: bytes32, account: address):
    """@notice An owner may revoke itself: there is no guard for the last one."""
    self._only_owner()
    self.hasRole[role][account] = False
    log RoleRevoked(role=role, account=account, sender=msg.sender)


# --- rounds -----------------------------------------------------------------------------------


@external
@pure
def stageCount() -> uint256:
    return STAGE_COUNT


@external
def updateStageAndRound() -> (uint256, uint256):
    """@notice Move to the next stage or round. When to do so is decided off chain."""
    if not self.hasRole[STAGE_MANAGER_ROLE][msg.sender]:
        raw_revert(method_id("OnlyStageManager()"))
    if self.currentStage + 1 >= STAGE_COUNT:
        self.currentRound += 1
        self.currentStage = 0
        log RoundAdvanced(newRoundNumber=self.currentRound)
    else:
        self.currentStage += 1
    log StageAdvanced(roundNumber=self.currentRound, newStage=self.currentStage)
    return self.currentRound, self.currentStage


# --- peers ------------------------------------------------------------------------------------


@external
def registerPeer(peerId: String[MAX_PEER_ID]):
    """@notice Bind a peer id to the sender, for ever. One account may have many peers."""
    if self.account_of[peerId] != empty(address):
        raw_revert(method_id("PeerIdAlreadyRegistered()"))
    self.peers_of[msg.sender].append(peerId)
    self.account_of[peerId] = msg.sender
    log PeerRegistered(eoa=msg.sender, peerId=peerId)


@external
@view
def getPeerId(
    eoas: DynArray[address, MAX_PEER_ID_QUERY],
) -> DynArray[DynArray[String[MAX_PEER_ID], MAX_PEERS_PER_ACCOUNT], MAX_PEER_ID_QUERY]:
    result: DynArray[
        DynArray[String[MAX_PEER_ID], MAX_PEERS_PER_ACCOUNT], MAX_PEER_ID_QUERY
    ] = []
    for eoa: address in eoas:
        result.append(self.peers_of[eoa])
    return result


@external
@view
def getEoa(
    peerIds: DynArray[String[MAX_PEER_ID], MAX_QUERY],
) -> DynArray[address, MAX_QUERY]:
    result: DynArray[address, MAX_QUERY] = []
    for peer_id: String[MAX_PEER_ID] in peerIds:
        result.append(self.account_of[peer_id])
    return result


# --- bootnodes --------------------------------------------------------------------------------


@external
def addBootnodes(newBootnodes: DynArray[String[MAX_BOOTNODE], MAX_BOOTNODES]):
    self._only_bootnode_manager()
    for bootnode: String[MAX_BOOTNODE] in newBootnodes:
        self.bootnodes.append(bootnode)
    log BootnodesAdded(manager=msg.sender, count=len(newBootnodes))


@external
def removeBootnode(index: uint256):
    """@notice The last one takes the place of the removed one."""
    self._only_bootnode_manager()
    if index >= len(self.bootnodes):
        raw_revert(method_id("InvalidBootnodeIndex()"))
    last: String[MAX_BOOTNODE] = self.bootnodes.pop()
    if index < len(self.bootnodes):
        self.bootnodes[index] = last
    log BootnodeRemoved(manager=msg.sender, index=index)


@external
def clearBootnodes():
    self._only_bootnode_manager()
    self.bootnodes = []
    log AllBootnodesCleared(manager=msg.sender)


@external
@view
def getBootnodes() -> DynArray[String[MAX_BOOTNODE], MAX_BOOTNODES]:
    return self.bootnodes


@external
@view
def getBootnodesCount() -> uint256:
    return len(self.bootnodes)


# --- votes ------------------------------------------------------------------------------------


@external
def submitWinners(
    roundNumber: uint256,
    winners: DynArray[String[MAX_PEER_ID], MAX_WINNERS],
    peerId: String[MAX_PEER_ID],
):
    """
    @notice One vote per peer and round, for any round so far. Winners need not be registered, and
            may hold the voter. As in the original an empty list counts as a vote each time.
    """
    if roundNumber > self.currentRound:
        raw_revert(method_id("InvalidRoundNumber()"))
    if len(self.votes[roundNumber][peerId]) > 0:
        raw_revert(method_id("WinnerAlreadyVoted()"))
    if self.account_of[peerId] != msg.sender:
        raw_revert(method_id("InvalidVoterPeerId()"))
    seen: DynArray[bytes32, MAX_WINNERS] = []
    for winner: String[MAX_PEER_ID] in winners:
        digest: bytes32 = keccak256(winner)
        if digest in seen:
            raw_revert(method_id("InvalidVote()"))
        seen.append(digest)
    self.votes[roundNumber][peerId] = winners
    if self.vote_count[peerId] == 0:
        self.uniqueVoters += 1
    self.vote_count[peerId] += 1
    for winner: String[MAX_PEER_ID] in winners:
        self.wins[winner] += 1
    log WinnerSubmitted(
        account=msg.sender, peerId=peerId, roundNumber=roundNumber, winners=winners
    )


@external
@view
def getVoterVotes(
    roundNumber: uint256, peerId: String[MAX_PEER_ID]
) -> DynArray[String[MAX_PEER_ID], MAX_WINNERS]:
    return self.votes[roundNumber][peerId]


@external
@view
def getVoterVoteCount(peerId: String[MAX_PEER_ID]) -> uint256:
    return self.vote_count[peerId]


@external
@view
def getTotalWins(peerId: String[MAX_PEER_ID]) -> uint256:
    return self.wins[peerId]


# --- rewards ----------------------------------------------------------------------------------


@internal
def _submit_reward(
    round_number: uint256, stage_number: uint256, reward: int256, peer_id: String[MAX_PEER_ID]
):
    if round_number > self.currentRound:
        raw_revert(method_id("InvalidRoundNumber()"))
    if round_number == self.currentRound:
        if stage_number > self.currentStage:
            raw_revert(method_id("InvalidStageNumber()"))
    elif stage_number > STAGE_COUNT:
        # `>`, not `>=`: the original accepts stage == stageCount for past rounds.
        raw_revert(method_id("InvalidStageNumber()"))
    if self.rewarded[round_number][stage_number][peer_id]:
        raw_revert(method_id("RewardAlreadySubmitted()"))
    if self.account_of[peer_id] != msg.sender:
        raw_revert(method_id("InvalidVoterPeerId()"))
    self.stage_rewards[round_number][stage_number][msg.sender] += reward
    self.rewarded[round_number][stage_number][peer_id] = True
    total: int256 = self.total_rewards[peer_id] + reward
    self.total_rewards[peer_id] = total
    log RewardSubmitted(
        account=msg.sender,
        roundNumber=round_number,
        stageNumber=stage_number,
        reward=reward,
        peerId=peer_id,
    )
    log CumulativeRewardsUpdated(account=msg.sender, peerId=peer_id, totalRewards=total)


@external
def submitReward(
    roundNumber: uint256, stageNumber: uint256, reward: int256, peerId: String[MAX_PEER_ID]
):
    """@notice Once per peer, round and stage, for any round so far. A reward may be negative."""
    self._submit_reward(roundNumber, stageNumber, reward, peerId)


@external
@payable
def __default__():
    """
    @notice submitReward(uint256,uint256,uint256,string): a reward of 2**255 or more wraps to a
            negative one. Every other call, and every payment, is refused.
    """
    assert msg.value == 0
    assert slice(msg.data, 0, 4) == method_id(
        "submitReward(uint256,uint256,uint256,string)", output_type=Bytes[4]
    )
    round_number: uint256 = convert(slice(msg.data, 4, 32), uint256)
    stage_number: uint256 = convert(slice(msg.data, 36, 32), uint256)
    reward: int256 = convert(convert(slice(msg.data, 68, 32), bytes32), int256)
    # Vyper slices call data by constant lengths only: the text is read word by word.
    assert convert(slice(msg.data, 100, 32), uint256) == 128
    length: uint256 = convert(slice(msg.data, 132, 32), uint256)
    assert length <= MAX_PEER_ID
    words: bytes32[4] = empty(bytes32[4])
    for i: uint256 in range(4):
        if i * 32 < length:
            words[i] = convert(slice(msg.data, 164 + i * 32, 32), bytes32)
    peer_id: String[MAX_PEER_ID] = convert(
        slice(concat(words[0], words[1], words[2], words[3]), 0, length), String[MAX_PEER_ID]
    )
    self._submit_reward(round_number, stage_number, reward, peer_id)


@external
@view
def getRoundStageReward(
    roundNumber: uint256, stageNumber: uint256, accounts: DynArray[address, MAX_QUERY]
) -> DynArray[int256, MAX_QUERY]:
    result: DynArray[int256, MAX_QUERY] = []
    for account: address in accounts:
        result.append(self.stage_rewards[roundNumber][stageNumber][account])
    return result


@external
@view
def hasSubmittedRoundStageReward(
    roundNumber: uint256, stageNumber: uint256, peerId: String[MAX_PEER_ID]
) -> bool:
    return self.rewarded[roundNumber][stageNumber][peerId]


@external
@view
def getTotalRewards(
    peerIds: DynArray[String[MAX_PEER_ID], MAX_QUERY],
) -> DynArray[int256, MAX_QUERY]:
    result: DynArray[int256, MAX_QUERY] = []
    for peer_id: String[MAX_PEER_ID] in peerIds:
        result.append(self.total_rewards[peer_id])
    return result
