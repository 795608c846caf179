# pragma version 0.4.3
"""
@title SwarmCoordinator
@license MIT
@notice Records who takes part in a swarm: rounds and stages, peers and their accounts, bootnodes,
        self-reported rewards and votes for winners. It checks ownership and once-only, never the
        value of a reward: rewards are signals of training, not money.
@dev    Functions, events and errors are those of the RL-Swarm coordinator, versions 0.4.2 to 0.6;
        docs/contract.md lists the differences. It stands behind a proxy (proxy.py), which
        initialises it. Strings and lists are bounded; what is larger reverts without data.
"""

import ballots
import board
import bootnodes
import peers
import rewards
import roles
import rounds
import upgrades
import votes

initializes: roles
initializes: upgrades[roles := roles]
initializes: rounds[roles := roles]
initializes: bootnodes[roles := roles]
initializes: peers
initializes: ballots
initializes: board
initializes: votes[ballots := ballots, board := board, peers := peers, rounds := rounds]
initializes: rewards[peers := peers, rounds := rounds]

exports: (
    roles.OWNER_ROLE,
    roles.STAGE_MANAGER_ROLE,
    roles.BOOTNODE_MANAGER_ROLE,
    roles.hasRole,
    roles.grantRole,
    roles.revokeRole,
    upgrades.UPGRADE_INTERFACE_VERSION,
    upgrades.proxiableUUID,
    upgrades.upgradeToAndCall,
    rounds.currentRound,
    rounds.currentStage,
    rounds.stageCount,
    rounds.updateStageAndRound,
    bootnodes.addBootnodes,
    bootnodes.removeBootnode,
    bootnodes.clearBootnodes,
    bootnodes.getBootnodes,
    bootnodes.getBootnodesCount,
    peers.registerPeer,
    peers.getPeerId,
    peers.getEoa,
    votes.submitWinners,
    votes.getVoterVotes,
    votes.getPeerVoteCount,
    votes.getVoterVoteCount,
    votes.getTotalWins,
    votes.uniqueVoters,
    votes.uniqueVotedPeers,
    votes.voterLeaderboard,
    votes.winnerLeaderboard,
    rewards.submitReward,
    rewards.submitUnsignedReward_dy6osgr,
    rewards.getRoundStageReward,
    rewards.hasSubmittedRoundStageReward,
    rewards.hasAccountSubmittedReward_b4qxx7b,
    rewards.getTotalRewards,
)


@deploy
def __init__():
    upgrades.__init__()


@external
def initialize(owner_: address):
    """@notice Once, by the proxy as it is made: its owner has all three roles."""
    upgrades.once()
    peers.begin()
    votes.begin()
    roles.grant(roles.OWNER_ROLE, owner_)
    roles.grant(roles.STAGE_MANAGER_ROLE, owner_)
    roles.grant(roles.BOOTNODE_MANAGER_ROLE, owner_)
