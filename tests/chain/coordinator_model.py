"""What the coordinator should do, said once more in plain Python.

Knows the rules only: no slots, no numbers for peers, no bounds on sizes. Every method that changes
something returns the events that the contract emits, or raises Refused with the error's name; state
is changed only when nothing is refused. Leaderboards are kept as the rule says them: by score, and
of equals the one that reached it first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.chain.conftest import Refused

Event = tuple[str, dict[str, Any]]
TOP = 100
NOBODY = "0x" + "00" * 20
ROLES = ("OWNER_ROLE", "STAGE_MANAGER_ROLE", "BOOTNODE_MANAGER_ROLE")
INT256 = range(-(2**255), 2**255)


@dataclass
class Board:
    """Peers in the order in which they reached their scores."""

    scores: dict[str, int] = field(default_factory=dict)

    def count(self, peer: str) -> None:
        self.scores[peer] = self.scores.pop(peer, 0) + 1

    def top(self, start: int, end: int) -> list[tuple[str, int]]:
        if start > end:
            raise Refused("Start index must be less than or equal to end index")
        ranked = sorted(self.scores.items(), key=lambda each: -each[1])  # stable
        return ranked[:TOP][start:end]


@dataclass
class CoordinatorModel:
    """Of one stage a round, as version 0.6."""

    owner: str
    round: int = 0
    roles: set[tuple[str, str]] = field(default_factory=set)
    account_of: dict[str, str] = field(default_factory=dict)
    bootnodes: list[str] = field(default_factory=list)
    votes: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    voters: Board = field(default_factory=Board)
    winners: Board = field(default_factory=Board)
    rewards: dict[tuple[int, int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roles = {(role, self.owner) for role in ROLES}

    # --- roles and rounds ---------------------------------------------------------------------

    def _only(self, sender: str, role: str, error: str) -> None:
        if (role, sender) not in self.roles:
            raise Refused(error)

    def grant(self, sender: str, role: str, account: str) -> None:
        self._only(sender, "OWNER_ROLE", "OnlyOwner")
        self.roles.add((role, account))

    def revoke(self, sender: str, role: str, account: str) -> None:
        self._only(sender, "OWNER_ROLE", "OnlyOwner")
        self.roles.discard((role, account))

    def advance(self, sender: str) -> list[Event]:
        self._only(sender, "STAGE_MANAGER_ROLE", "OnlyStageManager")
        self.round += 1
        return [
            ("RoundAdvanced", {"newRoundNumber": self.round}),
            ("StageAdvanced", {"roundNumber": self.round, "newStage": 0}),
        ]

    # --- peers and bootnodes ------------------------------------------------------------------

    def register(self, sender: str, peer: str) -> list[Event]:
        if peer in self.account_of:
            raise Refused("PeerIdAlreadyRegistered")
        self.account_of[peer] = sender
        return [("PeerRegistered", {"eoa": sender, "peerId": peer})]

    def peers_of(self, account: str) -> list[str]:
        return [peer for peer, owner in self.account_of.items() if owner == account]

    def add_bootnodes(self, sender: str, bootnodes: list[str]) -> list[Event]:
        self._only(sender, "BOOTNODE_MANAGER_ROLE", "OnlyBootnodeManager")
        self.bootnodes += bootnodes
        return [("BootnodesAdded", {"manager": sender, "count": len(bootnodes)})]

    def remove_bootnode(self, sender: str, index: int) -> list[Event]:
        self._only(sender, "BOOTNODE_MANAGER_ROLE", "OnlyBootnodeManager")
        if index >= len(self.bootnodes):
            raise Refused("InvalidBootnodeIndex")
        last = self.bootnodes.pop()
        if index < len(self.bootnodes):
            self.bootnodes[index] = last
        return [("BootnodeRemoved", {"manager": sender, "index": index})]

    def clear_bootnodes(self, sender: str) -> list[Event]:
        self._only(sender, "BOOTNODE_MANAGER_ROLE", "OnlyBootnodeManager")
        self.bootnodes = []
        return [("AllBootnodesCleared", {"manager": sender})]

    # --- votes --------------------------------------------------------------------------------

    def vote(self, sender: str, round_: int, winners: list[str], peer: str) -> list[Event]:
        if round_ > self.round:
            raise Refused("InvalidRoundNumber")
        if self.votes.get((round_, peer)):
            raise Refused("WinnerAlreadyVoted")
        if self.account_of.get(peer) != sender:
            raise Refused("InvalidVoterPeerId")
        if len(set(winners)) < len(winners):
            raise Refused("InvalidVote")
        self.votes[round_, peer] = winners
        self.voters.count(peer)
        for winner in winners:
            self.winners.count(winner)
        fields = {"peerId": peer, "roundNumber": round_, "winners": tuple(winners)}
        return [("WinnerSubmitted", {"account": sender, **fields})]

    def votes_for(self, round_: int, peer: str) -> int:
        return sum(peer in winners for (at, _), winners in self.votes.items() if at == round_)

    # --- rewards ------------------------------------------------------------------------------

    def reward(self, sender: str, round_: int, stage: int, reward: int, peer: str) -> list[Event]:
        if round_ > self.round:
            raise Refused("InvalidRoundNumber")
        if stage > (0 if round_ == self.round else 1):
            raise Refused("InvalidStageNumber")
        if (round_, stage, peer) in self.rewards:
            raise Refused("RewardAlreadySubmitted")
        if self.account_of.get(peer) != sender:
            raise Refused("InvalidVoterPeerId")
        stage_sum = self.stage_reward(round_, stage, sender) + reward
        total = self.total_reward(peer) + reward
        if stage_sum not in INT256 or total not in INT256:
            raise Refused("")
        self.rewards[round_, stage, peer] = reward
        fields = {"roundNumber": round_, "stageNumber": stage, "reward": reward, "peerId": peer}
        return [
            ("RewardSubmitted", {"account": sender, **fields}),
            (
                "CumulativeRewardsUpdated",
                {"account": sender, "peerId": peer, "totalRewards": total},
            ),
        ]

    def stage_reward(self, round_: int, stage: int, account: str) -> int:
        return sum(
            reward
            for (at, in_stage, peer), reward in self.rewards.items()
            if (at, in_stage, self.account_of[peer]) == (round_, stage, account)
        )

    def total_reward(self, peer: str) -> int:
        return sum(reward for (_, _, name), reward in self.rewards.items() if name == peer)

    def has_submitted(self, round_: int, stage: int, account: str) -> bool:
        """As version 0.4.2 asks: by account."""
        return any(
            (at, in_stage, self.account_of[peer]) == (round_, stage, account)
            for at, in_stage, peer in self.rewards
        )
