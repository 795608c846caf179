# pragma version 0.4.3
"""
@title rewards
@license MIT
@notice What each peer says that it earned in a round and stage: once, by the account it is bound
        to, whatever the value.
@dev    Vyper has no overloads. A function whose name ends in seven odd letters has, because of them,
        the selector of an overload: build.py checks this and puts the overload into the ABI.
"""

import peers
import rounds

uses: peers
uses: rounds


event RewardSubmitted:
    account: indexed(address)
    roundNumber: indexed(uint256)
    stageNumber: indexed(uint256)
    reward: int256
    peerId: String[peers.MAX_PEER_ID]


event CumulativeRewardsUpdated:
    account: indexed(address)
    peerId: String[peers.MAX_PEER_ID]
    totalRewards: int256


# round -> stage -> account: the sum over the account's peers
stage_rewards: HashMap[uint256, HashMap[uint256, HashMap[address, int256]]]
# round -> stage -> peer number // 256: a bit for each that has submitted
rewarded: HashMap[uint256, HashMap[uint256, HashMap[uint256, uint256]]]
# peer number -> sum
total_rewards: HashMap[uint256, int256]


@internal
def _submit_reward(
    round_number: uint256,
    stage_number: uint256,
    reward: int256,
    peer_id: String[peers.MAX_PEER_ID],
):
    rounds.only_open(round_number, stage_number)
    number: uint256 = 0
    account: address = empty(address)
    number, account = peers.lookup(peer_id)
    bits: uint256 = self.rewarded[round_number][stage_number][number // 256]
    bit: uint256 = 1 << (number % 256)
    if bits & bit != 0:
        raw_revert(method_id("RewardAlreadySubmitted()"))
    if account != msg.sender:
        raw_revert(method_id("InvalidVoterPeerId()"))
    self.rewarded[round_number][stage_number][number // 256] = bits | bit
    self.stage_rewards[round_number][stage_number][msg.sender] += reward
    total: int256 = self.total_rewards[number] + reward
    self.total_rewards[number] = total
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
    roundNumber: uint256, stageNumber: uint256, reward: int256, peerId: String[peers.MAX_PEER_ID]
):
    """@notice Once per peer, round and stage, for any round so far. A reward may be negative."""
    self._submit_reward(roundNumber, stageNumber, reward, peerId)


@external
def submitUnsignedReward_dy6osgr(
    roundNumber: uint256, stageNumber: uint256, reward: uint256, peerId: String[peers.MAX_PEER_ID]
):
    """@notice submitReward(uint256,uint256,uint256,string): 2**255 and more wrap to negative."""
    signed: int256 = convert(convert(reward, bytes32), int256)
    self._submit_reward(roundNumber, stageNumber, signed, peerId)


@external
@view
def getRoundStageReward(
    roundNumber: uint256, stageNumber: uint256, accounts: DynArray[address, peers.MAX_QUERY]
) -> DynArray[int256, peers.MAX_QUERY]:
    result: DynArray[int256, peers.MAX_QUERY] = []
    for account: address in accounts:
        result.append(self.stage_rewards[roundNumber][stageNumber][account])
    return result


@internal
@view
def _rewarded(round_number: uint256, stage_number: uint256, number: uint256) -> bool:
    bits: uint256 = self.rewarded[round_number][stage_number][number // 256]
    return bits & (1 << (number % 256)) != 0


@external
@view
def hasSubmittedRoundStageReward(
    roundNumber: uint256, stageNumber: uint256, peerId: String[peers.MAX_PEER_ID]
) -> bool:
    return self._rewarded(roundNumber, stageNumber, peers.number(peerId))


@external
@view
def hasAccountSubmittedReward_b4qxx7b(
    roundNumber: uint256, stageNumber: uint256, account: address
) -> bool:
    """
    @notice hasSubmittedRoundStageReward(uint256,uint256,address) of version 0.4.2: whether any of
            the account's peers has.
    """
    for n: uint256 in range(peers.count_of(account), bound=2**32):
        if self._rewarded(roundNumber, stageNumber, peers.nth_of(account, n + 1)):
            return True
    return False


@external
@view
def getTotalRewards(
    peerIds: DynArray[String[peers.MAX_PEER_ID], peers.MAX_QUERY],
) -> DynArray[int256, peers.MAX_QUERY]:
    result: DynArray[int256, peers.MAX_QUERY] = []
    for peer_id: String[peers.MAX_PEER_ID] in peerIds:
        result.append(self.total_rewards[peers.number(peer_id)])
    return result
