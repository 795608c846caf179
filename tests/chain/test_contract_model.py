"""Random calls by ten accounts: the contract in the EVM does what its model does, step by step."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.chain.coordinator_model import ROLES
from tests.chain.coordinator_walk import ACCOUNTS, Pair, wander

who = st.integers(0, ACCOUNTS - 1)
some_rounds = st.integers(0, 3)
names = st.sampled_from(["", "a", "b" * 31, "c" * 32, "d" * 46, "e" * 63, "f" * 64, "g" * 127])
rewards = st.one_of(st.integers(-9, 9), st.sampled_from([2**255 - 1, -(2**255)]))


class CoordinatorMachine(RuleBasedStateMachine):
    """Each rule is one call, made on both; each invariant asks both."""

    @initialize()
    def begin(self) -> None:
        self.pair = Pair()
        self.rounds: set[int] = {0}
        self.peers: set[str] = {"nobody"}

    @rule(who=who, peer=names)
    def register(self, who: int, peer: str) -> None:
        self.peers.add(peer)
        self.pair.register(who, peer)

    @rule(who=who, round_=some_rounds, winners=st.lists(names, max_size=5), peer=names)
    def vote_as_anyone(self, who: int, round_: int, winners: list[str], peer: str) -> None:
        self.peers.update(winners)
        self.pair.vote(who, round_, winners, peer)

    @precondition(lambda self: self.pair.model.account_of)
    @rule(data=st.data(), winners=st.lists(names, max_size=4, unique=True))
    def vote(self, data: st.DataObject, winners: list[str]) -> None:
        peer = data.draw(st.sampled_from(sorted(self.pair.model.account_of)))
        account = self.pair.addresses.index(self.pair.model.account_of[peer])
        self.peers.update(winners)
        self.pair.vote(account, self.pair.model.round, winners, peer)

    @rule(
        who=who,
        round_=some_rounds,
        stage=st.integers(0, 2),
        reward=rewards,
        peer=names,
        unsigned=st.booleans(),
    )
    def reward_as_anyone(
        self, who: int, round_: int, stage: int, reward: int, peer: str, unsigned: bool
    ) -> None:
        self.pair.reward(who, round_, stage, reward, peer, unsigned)

    @precondition(lambda self: self.pair.model.account_of)
    @rule(data=st.data(), reward=rewards, unsigned=st.booleans())
    def reward(self, data: st.DataObject, reward: int, unsigned: bool) -> None:
        peer = data.draw(st.sampled_from(sorted(self.pair.model.account_of)))
        account = self.pair.addresses.index(self.pair.model.account_of[peer])
        self.pair.reward(account, self.pair.model.round, 0, reward, peer, unsigned)

    @rule(who=st.sampled_from([0, 0, 1, 2]))
    def advance(self, who: int) -> None:
        self.pair.advance(who)
        self.rounds.add(self.pair.model.round)

    @rule(
        who=st.sampled_from([0, 0, 1]), role=st.sampled_from(ROLES), to=who, granted=st.booleans()
    )
    def grant(self, who: int, role: str, to: int, granted: bool) -> None:
        self.pair.grant(who, role, to, granted)

    @rule(who=st.sampled_from([0, 0, 1]), bootnodes=st.lists(names, max_size=3))
    def add_bootnodes(self, who: int, bootnodes: list[str]) -> None:
        self.pair.add_bootnodes(who, bootnodes)

    @rule(who=st.sampled_from([0, 0, 1]), index=st.integers(0, 4))
    def remove_bootnode(self, who: int, index: int) -> None:
        self.pair.remove_bootnode(who, index)

    @rule(who=st.sampled_from([0, 0, 1]))
    def clear_bootnodes(self, who: int) -> None:
        self.pair.clear_bootnodes(who)

    @invariant()
    def boards_and_sums_are_those_of_the_events(self) -> None:
        if hasattr(self, "pair"):
            self.pair.agree_on_boards()

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.agree(sorted(self.peers), sorted(self.rounds))


CoordinatorMachine.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestContractEqualsModel = CoordinatorMachine.TestCase


def test_a_long_walk_ends_in_the_same_state() -> None:
    pair = Pair()
    done = wander(pair, random.Random(5), 700)
    peers = [*pair.model.account_of, *(f"nobody {n}" for n in range(20))]
    pair.agree(peers[:40], [0, pair.model.round // 2, pair.model.round])
    assert min(done.values()) > 10
    assert set(pair.refused) >= {"RewardAlreadySubmitted", "WinnerAlreadyVoted", "InvalidVote"}
