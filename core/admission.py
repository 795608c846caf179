"""What a peer sends is a claim: which of it may be trained on, and why the rest may not.

The checks of a contribution, cheapest first: size and schema, round, identity, schedule, duplicate,
quota, and only then the scorer. A task is rebuilt here from its name, the completions are scored
here; nothing that a peer says about answers or rewards is looked at. Pure logic over
`core.protocols.Game`: no network, no model.

What it cannot see: which model wrote a text, or a poisoned text whose answer is right.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import WaggleError
from core.protocols import Game, Gathered
from core.rollouts import Rollout, RolloutGroup, TaskId
from core.schema import Config

CHARS_PER_TOKEN = 32
"""A generous bound: the longest tokens of large vocabularies that occur in running text."""
LEAST_CHARS = 1024
SCORING_BUDGET_S = 3.0
"""Time for scoring one peer's groups in one round. Honest groups need milliseconds."""

REASONS = {
    # found here
    "size": "More groups or longer completions than the settings of this swarm allow.",
    "schema": "A field has a type or a value that no honest node sends.",
    "generations": "The group has another number of completions than this swarm uses.",
    "round": "The group is for another round.",
    "identity": "The group names another peer than the one that signed it, or names this node.",
    "schedule": "The task is not one that this peer has in this round.",
    "task": "The task could not be rebuilt here.",
    "duplicate": "The same group, or another for the same task, was seen before.",
    "quota": "As many groups as allowed from one peer are admitted already.",
    "cost": "Scoring this peer's groups took too long.",
    "no_signal": "All completions earned the same reward, so there is nothing to learn from.",
    # found by the exchange, before anything was decoded
    "stale": "The peer's record is expired or from a wrong clock.",
    "fetch": "The peer's contribution could not be fetched.",
    "timeout": "The peer's contribution did not come in time.",
    "malformed": "The peer's contribution is not what its record says.",
    "exchange": "The peer's contribution failed on its way.",
}
"""Every code of a rejection, with its meaning in one line. Codes are stable."""


@dataclass(frozen=True)
class Rejection:
    """Why a group was left out. task: its name, or "" for a whole contribution.

    detail: for a person, bounded; it may quote a peer.
    """

    task: str
    reason: str
    detail: str = ""


class _Refused(Exception):
    """A group fails a check. reason is a code of REASONS."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def admit(
    gathered: Gathered,
    game: Game,
    config: Config,
    *,
    my_peer_id: str,
    round: int,
    seen_digests: Collection[str],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[RolloutGroup], list[Rejection]]:
    """The groups of one peer's contribution that may be trained on, scored here; and the others.

    Accepted groups carry nothing of the peer's but texts, whether they were finished, and the
    claimed log-probs. Never raises for what a peer sent; WaggleError when the scorer cannot run.
    """
    if gathered.reason or gathered.error:
        reason = gathered.reason if gathered.reason in REASONS else "exchange"
        return [], [Rejection("", reason, gathered.error[:300])]
    check = _Check(gathered.record.peer_id, game, config, my_peer_id, round, seen_digests)
    accepted: list[RolloutGroup] = []
    rejected: list[Rejection] = []
    limit = config.game.groups
    if len(gathered.groups) > limit:
        detail = f"{len(gathered.groups)} groups came, only the first {limit} are looked at"
        rejected.append(Rejection("", "size", detail))
    spent = 0.0
    for group in gathered.groups[:limit]:
        name = str(group.task)[:128] if isinstance(group.task, TaskId) else ""
        try:
            check.claims(group)
            if len(accepted) >= config.game.groups_per_peer:
                raise _Refused("quota", f"at most {config.game.groups_per_peer}")
            if spent > SCORING_BUDGET_S:
                raise _Refused("cost", f"{spent:.1f} s already")
            before = clock()
            scored = check.score(group)
            spent += clock() - before
            if not scored.carries_signal:
                raise _Refused("no_signal", f"every reward is {scored.rewards[0]:g}")
        except _Refused as refusal:
            rejected.append(Rejection(name, refusal.reason, refusal.detail[:300]))
        else:
            accepted.append(scored)
    return accepted, rejected


class _Check:
    """The checks of one contribution; remembers what it has seen of it."""

    def __init__(
        self,
        peer_id: str,
        game: Game,
        config: Config,
        my_peer_id: str,
        round: int,
        seen_digests: Collection[str],
    ) -> None:
        self._peer_id = peer_id
        self._game = game
        self._config = config
        self._me = my_peer_id
        self._round = round
        self._digests = seen_digests
        self._own_digests: set[str] = set()
        self._tasks: set[TaskId] = set()
        self._schedule: frozenset[TaskId] | None = None

    def claims(self, group: RolloutGroup) -> None:
        """Everything that costs no scoring. _Refused with the first reason that applies."""
        self._schema(group)
        if group.round != self._round:
            raise _Refused("round", f"round {group.round} instead of {self._round}")
        if group.peer_id != self._peer_id or self._peer_id == self._me:
            raise _Refused("identity")
        if self._schedule is None:
            self._schedule = frozenset(self._game.schedule(self._peer_id, self._round))
        if group.task not in self._schedule:
            raise _Refused("schedule")
        digest = group.digest
        if digest in self._digests or digest in self._own_digests or group.task in self._tasks:
            raise _Refused("duplicate")
        self._own_digests.add(digest)
        self._tasks.add(group.task)

    def score(self, group: RolloutGroup) -> RolloutGroup:
        """The group as it may be trained on, with the rewards that it earns here."""
        try:
            task = self._game.task(group.task)
        except WaggleError as error:
            raise _Refused("task", str(error)) from error
        rewards = self._game.score(task, [rollout.text for rollout in group.rollouts])
        rollouts = tuple(
            Rollout(
                text=rollout.text,
                logprobs=rollout.logprobs,
                finished=rollout.finished,
                reward=reward,
            )
            for rollout, reward in zip(group.rollouts, rewards, strict=True)
        )
        return replace(group, rollouts=rollouts)

    def _schema(self, group: RolloutGroup) -> None:
        task = group.task
        if not isinstance(task, TaskId) or not _is_task_id(task):
            raise _Refused("schema", "not a task id")
        if type(group.round) is not int or not isinstance(group.peer_id, str):
            raise _Refused("schema", "round or peer id")
        expected = self._config.game.generations
        if len(group.rollouts) != expected:
            raise _Refused("generations", f"{len(group.rollouts)} instead of {expected}")
        tokens = self._config.sampling.max_new_tokens
        for rollout in group.rollouts:
            if not isinstance(rollout.text, str) or type(rollout.finished) is not bool:
                raise _Refused("schema", "a completion's text or end")
            if len(rollout.text) > max(LEAST_CHARS, CHARS_PER_TOKEN * tokens):
                raise _Refused("size", f"a completion of {len(rollout.text)} characters")
            if not _is_unicode(rollout.text):
                raise _Refused("schema", "a completion that is not Unicode")
            if len(rollout.logprobs) > tokens:
                raise _Refused("size", f"{len(rollout.logprobs)} log-probs")
            if not all(_is_logprob(value) for value in rollout.logprobs):
                raise _Refused("schema", "a log-prob that is none")


def select(
    own: Sequence[RolloutGroup],
    foreign: Sequence[RolloutGroup],
    config: Config,
    rng: random.Random,
) -> list[RolloutGroup]:
    """The foreign groups to train on: at most `game.foreign_groups`, and no more than own ones.

    Drawn uniformly over peers, then over a peer's groups: neither a good score nor many groups nor
    a small peer id buys a place (SAPO, arXiv 2509.08721, samples over rollouts). A group with the
    texts of another one is left out.
    """
    known = {group.digest for group in own}
    by_peer: dict[str, list[RolloutGroup]] = {}
    for group in foreign:
        if group.digest not in known:
            known.add(group.digest)
            by_peer.setdefault(group.peer_id, []).append(group)
    chosen: list[RolloutGroup] = []
    limit = min(config.game.foreign_groups, len(own))
    while by_peer and len(chosen) < limit:
        peer = rng.choice(sorted(by_peer))
        groups = by_peer[peer]
        chosen.append(groups.pop(rng.randrange(len(groups))))
        if not groups:
            del by_peer[peer]
    return chosen


def _is_task_id(task: TaskId) -> bool:
    try:
        return TaskId.parse(str(task)) == task
    except (ValueError, TypeError):
        return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_logprob(value: Any) -> bool:
    """A log-probability is at most 0; rounding may put it a little above."""
    return type(value) is float and math.isfinite(value) and value <= 1e-3
