"""The coordinator in the EVM and its model, walked side by side.

`Pair` runs each call on both and compares what they say; `agree` compares every view of both, and
recomputes the boards and the sums from the events that the contract emitted. Used by the stateful
test, which chooses the steps with hypothesis, and by benchmarks/contract.py, which takes 10,000.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from eth_utils.crypto import keccak

from core.chain.contract import HAS_REWARD, SUBMIT_REWARD
from tests.chain.bare_evm import Event, Someone, cast
from tests.chain.conftest import Refused
from tests.chain.coordinator_model import NOBODY, ROLES, CoordinatorModel

ACCOUNTS = 10
HAS_BY_ACCOUNT = "hasSubmittedRoundStageReward(uint256,uint256,address)"
UNSIGNED = "submitReward(uint256,uint256,uint256,string)"


def role_id(name: str) -> bytes:
    return bytes(keccak(text=name))


def outcome(call: Callable[[], list[Event]]) -> list[Event] | str:
    """The events of a call, or why it was refused."""
    try:
        return call()
    except Refused as refusal:
        return str(refusal)


class Pair:
    """Both coordinators, the accounts that call them, and the events so far.

    people: around the coordinator, when it is not ours. restored: whether it has what version 0.5
    took away.
    """

    def __init__(self, people: list[Someone] | None = None, *, restored: bool = True) -> None:
        self.people = people or cast(ACCOUNTS)
        self._restored = restored
        self.addresses = [person.address for person in self.people]
        self.model = CoordinatorModel(self.addresses[0])
        self.events: list[Event] = []
        self.refused: Counter[str] = Counter()

    def _both(self, call: Callable[[], list[Event]], model: Callable[[], list[Event]]) -> None:
        expected, found = outcome(model), outcome(call)
        assert found == expected
        if isinstance(found, str):
            self.refused[found] += 1
        else:
            self.events += found

    # --- steps --------------------------------------------------------------------------------

    def grant(self, who: int, role: str, to: int, granted: bool) -> None:
        person, account = self.people[who], self.addresses[to]
        name, change = ("Granted", self.model.grant) if granted else ("Revoked", self.model.revoke)
        call = "grantRole" if granted else "revokeRole"
        fields = {"role": role_id(role), "account": account, "sender": person.address}

        def model() -> list[Event]:
            change(person.address, role, account)
            return [(f"Role{name}", fields)]

        self._both(lambda: person.send(call, role_id(role), account), model)

    def advance(self, who: int) -> None:
        person = self.people[who]
        self._both(
            lambda: person.send("updateStageAndRound"), lambda: self.model.advance(person.address)
        )

    def register(self, who: int, peer: str) -> None:
        person = self.people[who]
        self._both(
            lambda: person.send("registerPeer", peer),
            lambda: self.model.register(person.address, peer),
        )

    def vote(self, who: int, round_: int, winners: list[str], peer: str) -> None:
        person = self.people[who]
        self._both(
            lambda: person.send("submitWinners", round_, winners, peer),
            lambda: self.model.vote(person.address, round_, winners, peer),
        )

    def reward(
        self, who: int, round_: int, stage: int, reward: int, peer: str, unsigned: bool
    ) -> None:
        person = self.people[who]
        call, given = (UNSIGNED, reward % 2**256) if unsigned else (SUBMIT_REWARD, reward)
        self._both(
            lambda: person.send(call, round_, stage, given, peer),
            lambda: self.model.reward(person.address, round_, stage, reward, peer),
        )

    def add_bootnodes(self, who: int, bootnodes: list[str]) -> None:
        person = self.people[who]
        self._both(
            lambda: person.send("addBootnodes", bootnodes),
            lambda: self.model.add_bootnodes(person.address, bootnodes),
        )

    def remove_bootnode(self, who: int, index: int) -> None:
        person = self.people[who]
        self._both(
            lambda: person.send("removeBootnode", index),
            lambda: self.model.remove_bootnode(person.address, index),
        )

    def clear_bootnodes(self, who: int) -> None:
        person = self.people[who]
        self._both(
            lambda: person.send("clearBootnodes"),
            lambda: self.model.clear_bootnodes(person.address),
        )

    # --- what must hold -----------------------------------------------------------------------

    def agree(self, peers: list[str], rounds: list[int]) -> None:
        """Every view, asked about these peers and rounds, says what the model says."""
        model, read = self.model, self.people[-1].read
        assert (read("currentRound"), read("currentStage")) == (model.round, 0)
        for role in ROLES:
            holders = [a for a in self.addresses if read("hasRole", role_id(role), a)]
            assert holders == [a for a in self.addresses if (role, a) in model.roles]
        assert list(read("getBootnodes")) == model.bootnodes
        assert read("getBootnodesCount") == len(model.bootnodes)
        assert list(read("getEoa", peers)) == [model.account_of.get(p, NOBODY) for p in peers]
        listed = 64 if self._restored else None  # ours is bounded
        for account in self.addresses:
            (found,) = read("getPeerId", [account])
            assert list(found) == model.peers_of(account)[:listed]
        assert list(read("getTotalRewards", peers)) == [model.total_reward(p) for p in peers]
        for peer in peers:
            assert read("getVoterVoteCount", peer) == model.voters.scores.get(peer, 0)
            assert read("getTotalWins", peer) == model.winners.scores.get(peer, 0)
        for round_ in rounds:
            for stage in (0, 1):
                assert list(read("getRoundStageReward", round_, stage, self.addresses)) == [
                    model.stage_reward(round_, stage, account) for account in self.addresses
                ]
                for account in self.addresses if self._restored else ():
                    told = read(HAS_BY_ACCOUNT, round_, stage, account)
                    assert told == model.has_submitted(round_, stage, account)
            for peer in peers:
                assert list(read("getVoterVotes", round_, peer)) == model.votes.get(
                    (round_, peer), []
                )
                if self._restored:
                    assert read("getPeerVoteCount", round_, peer) == model.votes_for(round_, peer)
                told = [read(HAS_REWARD, round_, stage, peer) for stage in (0, 1)]
                assert told == [(round_, stage, peer) in model.rewards for stage in (0, 1)]
        self.agree_on_boards()

    def agree_on_boards(self) -> None:
        """The boards and counters against the model, and both against the events alone."""
        model, read = self.model, self.people[-1].read
        assert read("uniqueVoters") == len(model.voters.scores)
        totals = Counter[str]()
        for name, fields in self.events:
            if name == "RewardSubmitted":
                totals[fields["peerId"]] += fields["reward"]
        peers = sorted(totals)[:512]
        assert list(read("getTotalRewards", peers)) == [totals[peer] for peer in peers]
        if not self._restored:
            return
        assert read("uniqueVotedPeers") == len(model.winners.scores)
        votes = [fields for name, fields in self.events if name == "WinnerSubmitted"]
        told = {
            "voter": [fields["peerId"] for fields in votes],
            "winner": [winner for fields in votes for winner in fields["winners"]],
        }
        for name, board in (("voter", model.voters), ("winner", model.winners)):
            found = list(zip(*read(f"{name}Leaderboard", 0, 100), strict=True))
            assert found == board.top(0, 100) == ranked(told[name])
            slice_ = list(zip(*read(f"{name}Leaderboard", 1, 4), strict=True))
            assert slice_ == found[1:4]


def ranked(points: list[str]) -> list[tuple[str, int]]:
    """The hundred with most points, in the order of who had that many first."""
    counts = Counter(points)
    last = {peer: place for place, peer in enumerate(points)}
    best = sorted(counts, key=lambda peer: (-counts[peer], last[peer]))
    return [(peer, counts[peer]) for peer in best[:100]]


def wander(pair: Pair, chance: random.Random, steps: int) -> Counter[str]:
    """Random steps, mostly such as nodes take, by all accounts; how many of each kind."""
    done: Counter[str] = Counter()
    for _ in range(steps):
        kind = chance.choices(
            ("reward", "vote", "register", "advance", "grant", "bootnodes"), (40, 35, 10, 8, 4, 3)
        )[0]
        done[kind] += 1
        peers = list(pair.model.account_of)
        who, round_ = chance.randrange(ACCOUNTS), chance.randint(0, pair.model.round + 1)
        if chance.random() < 0.8:
            round_ = pair.model.round
        peer = chance.choice(peers) if peers else ""
        if peers and chance.random() < 0.9:
            who = pair.addresses.index(pair.model.account_of[peer])
        if kind == "reward":
            size = chance.choice((10, 10**6, 2**200))
            reward = chance.randint(-size, size)
            pair.reward(who, round_, chance.choice((0, 0, 0, 1, 2)), reward, peer, size == 10**6)
        elif kind == "vote":
            names = [*peers, *(f"nobody {n}" for n in range(20))]
            count = chance.choice((0, 1, 1, 1, 1, 2, 2, 3, 8, 12))
            pair.vote(who, round_, chance.choices(names, k=count), peer)
        elif kind == "register":
            who = chance.randrange(ACCOUNTS)
            pair.register(who, f"{'Qm' * chance.randint(1, 40)}{chance.randrange(2000)}")
        elif kind == "advance":
            pair.advance(chance.choice((0, who)))
        elif kind == "grant":
            role = chance.choice(ROLES)
            pair.grant(chance.choice((0, who)), role, chance.randrange(1, ACCOUNTS), who % 2 == 0)
        else:
            _bootnodes(pair, chance, chance.choice((0, who)))
    return done


def _bootnodes(pair: Pair, chance: random.Random, who: int) -> None:
    step = chance.randrange(10)
    if step == 0:
        pair.clear_bootnodes(who)
    elif step < 4:
        pair.remove_bootnode(who, chance.randrange(6))
    elif len(pair.model.bootnodes) < 60:
        pair.add_bootnodes(who, [f"/ip4/10.0.0.{n}" * chance.randint(1, 12) for n in range(2)])
