"""What a peer sends is a claim: which of it may be trained on, and why the rest may not.

The checks of a contribution, in the order in which a reason is reported: size, schema, identity,
round, schedule, task, scoring, signal, duplicate, quota; then, for all peers at once, plausibility
(`doubtful`). A task is rebuilt here from its name, the completions are scored here; nothing that a
peer says about answers or rewards is looked at. The signature was checked before: a payload is
opened only under a record that its peer signed, and an unsigned one says so.

One check comes earlier than its place: as soon as a peer's quota is full of groups that passed the
others, the rest is refused as `quota` without being scored. So a peer costs this node a bounded
number of scorings and of passes through the model, however much it sends. The window of rounds is
one round: an exchange is asked for exactly the round that is played.

Pure logic over `core.protocols.Game`: no network, no model. What it cannot see: which model wrote a
text, or a poisoned text whose answer is right and which reads like the model's own.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from core.errors import WaggleError
from core.gate.wellformed import is_logprob, is_task_id, is_unicode
from core.protocols import Game, Gathered, PeerRecord
from core.rollouts import Rollout, RolloutGroup, TaskId
from core.schema import Config
from core.texts import _

CHARS_PER_TOKEN = 32
"""A generous bound: the longest tokens of large vocabularies that occur in running text."""
LEAST_CHARS = 1024
SCORING_BUDGET_S = 3.0
"""Time for scoring one peer's groups in one round. Honest groups need milliseconds."""

REASONS = {
    # found here
    "size": _("More groups or longer completions than the settings of this swarm allow."),
    "schema": _("A field has a type or a value that no honest node sends."),
    "generations": _("The group has another number of completions than this swarm uses."),
    "identity": _("It is in the name of another peer, or of this node, or of another swarm."),
    "round": _("It is for another round."),
    "schedule": _("The task is not one that this peer has in this round."),
    "task": _("The task could not be rebuilt here."),
    "unscored": _("The scorer here could not score this group."),
    "held_out": _("The question is one of those that this node keeps for evaluation."),
    "cost": _(
        "Scoring an answer had to be cut off, so this peer's groups are not scored any more."
    ),
    "busy": _("There was no time left to score more groups of this peer."),
    "no_signal": _("All completions earned the same reward, so there is nothing to learn from."),
    "duplicate": _("The same group, or another for the same task, was seen before."),
    "implausible": _("The local model would hardly have written these completions."),
    "quota": _("As many groups as allowed from one peer are admitted already."),
    "quarantine": _("The peer is left alone for a while, because of what it sent before."),
    # found by the exchange, before anything was decoded
    "signature": _("The peer brought or told a record that nobody has signed as it says."),
    "stale": _("The peer's record is expired or from a wrong clock."),
    "fetch": _("The peer's contribution could not be fetched."),
    "timeout": _("The peer's contribution did not come in time."),
    "malformed": _("The peer's contribution is not what its record says."),
    "exchange": _("The peer's contribution failed on its way."),
}
"""Every code of a rejection, with its meaning in one line. Codes are stable."""


class Doubts(Protocol):
    """The local model's opinion of what it did not write."""

    def learn(self, own: Sequence[RolloutGroup]) -> None:
        """My own scored groups of a round, before any foreign one of it: what is usual here."""

    def __call__(self, groups: Sequence[RolloutGroup]) -> Mapping[str, str]:
        """The digests of the implausible ones of these scored groups, with why."""


@dataclass(frozen=True)
class Rejection:
    """Why a group was left out. task: its name, or "" for a whole contribution.

    detail: for a person, bounded; it may quote a peer. group: what was refused, scored if it came
    that far, as its peer sent it otherwise: nothing about it is known to hold.
    """

    task: str
    reason: str
    detail: str = ""
    group: RolloutGroup | None = field(default=None, compare=False, repr=False)


class _Refused(Exception):
    """A group fails a check. reason: a code of REASONS. scored: the group, if it came that far."""

    def __init__(self, reason: str, detail: str = "", scored: RolloutGroup | None = None) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.scored = scored


def admit(
    gathered: Gathered,
    game: Game,
    config: Config,
    *,
    my_peer_id: str,
    round: int,
    seen_digests: Container[str],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[RolloutGroup], list[Rejection]]:
    """The groups of one peer's contribution that may be trained on, scored here; and the others.

    Accepted groups carry nothing of the peer's but texts, whether they were finished, and the
    claimed log-probs. seen_digests: `fingerprint`s of groups that count as seen. Never raises for
    what a peer sent, nor when the scorer cannot run.
    """
    if gathered.reason or gathered.error:
        reason = gathered.reason if gathered.reason in REASONS else "exchange"
        return [], [Rejection("", reason, gathered.error[:300])]
    check = _Check(gathered.record, game, config, my_peer_id, round, seen_digests, clock)
    accepted: list[RolloutGroup] = []
    rejected = [Rejection(r.task[:128], r.reason, r.detail[:300]) for r in gathered.refused]
    limit = config.game.groups
    if len(gathered.groups) > limit:
        detail = f"{len(gathered.groups)} groups came, only the first {limit} are looked at"
        rejected.append(Rejection("", "size", detail))
    for group in gathered.groups[:limit]:
        try:
            check.claims(group)
            if len(accepted) >= check.quota:
                raise _Refused("quota", f"at most {check.quota}")
            accepted.append(check.worth(group))
        except _Refused as refusal:
            name = str(group.task)[:128] if isinstance(group.task, TaskId) else ""
            seen = refusal.scored or group
            rejected.append(Rejection(name, refusal.reason, refusal.detail[:300], seen))
    return accepted, rejected


def doubtful(groups: Sequence[RolloutGroup], doubts: Doubts) -> dict[str, str]:
    """Of these admitted groups the digests of the implausible ones, with why in bounded words.

    One call for the groups of all peers, because the model is fastest on many at once.
    """
    known = {group.digest for group in groups}
    found = doubts(groups) if groups else {}
    return {digest: detail[:300] for digest, detail in found.items() if digest in known}


def fingerprint(group: RolloutGroup) -> str:
    """Hex SHA-256 that a copied group has too when its completions were reordered or respaced."""
    texts = sorted(" ".join(rollout.text.split()) for rollout in group.rollouts)
    h = hashlib.sha256(str(group.task).encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(4, "big") + data)
    return h.hexdigest()


class _Check:
    """The checks of one contribution; remembers what it has seen of it and what it cost."""

    def __init__(
        self,
        record: PeerRecord,
        game: Game,
        config: Config,
        my_peer_id: str,
        round: int,
        seen_digests: Container[str],
        clock: Callable[[], float],
    ) -> None:
        self._record = record
        self._game = game
        self._config = config
        self._me = my_peer_id
        self._round = round
        self._digests = seen_digests
        self._clock = clock
        self._tasks: set[TaskId] = set()
        self._spent = 0.0
        self._cut_off = False
        self._schedule: frozenset[TaskId] | None = None
        self.quota = config.game.groups_per_peer
        if not record.signed:
            self.quota = min(self.quota, config.admission.unsigned_per_peer)

    def claims(self, group: RolloutGroup) -> None:
        """Everything that costs no scoring. _Refused with the first reason that applies."""
        self._schema(group)
        peer_id = self._record.peer_id
        if group.peer_id != peer_id or peer_id == self._me:
            raise _Refused("identity")
        if group.round != self._round:
            raise _Refused("round", f"round {group.round} instead of {self._round}")
        if not self._record.signed:
            return  # whoever is no Waggle node chooses its tasks itself; hence the smaller quota
        if self._schedule is None:
            self._schedule = frozenset(self._game.schedule(peer_id, self._round))
        if group.task not in self._schedule:
            raise _Refused("schedule")

    def worth(self, group: RolloutGroup) -> RolloutGroup:
        """The group, scored here, if it is worth training on. _Refused if not."""
        if self._cut_off:
            raise _Refused("cost", "an answer before this one was cut off")
        if self._spent > SCORING_BUDGET_S:
            raise _Refused("busy", f"{self._spent:.1f} s already")
        before, cut_off_before = self._clock(), self._game.cut_off()
        scored = self._score(group)
        self._spent += self._clock() - before
        self._cut_off = self._game.cut_off() > cut_off_before
        if self._cut_off:
            raise _Refused("cost", "an answer of this group was cut off")
        if not scored.carries_signal:
            raise _Refused("no_signal", f"every reward is {scored.rewards[0]:g}", scored)
        if group.task in self._tasks or fingerprint(group) in self._digests:
            raise _Refused("duplicate", scored=scored)
        self._tasks.add(group.task)
        return scored

    def _score(self, group: RolloutGroup) -> RolloutGroup:
        """The group as it may be trained on, with the rewards that it earns here."""
        try:
            task = self._game.task(group.task)
        except WaggleError as error:
            raise _Refused("task", str(error)) from error
        try:
            rewards = self._game.score(task, [rollout.text for rollout in group.rollouts])
        except WaggleError as error:  # my own groups were scored before; so it is this task
            raise _Refused("unscored", str(error)) from error
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
        if not isinstance(task, TaskId) or not is_task_id(task):
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
            if not is_unicode(rollout.text):
                raise _Refused("schema", "a completion that is not Unicode")
            if len(rollout.logprobs) > tokens:
                raise _Refused("size", f"{len(rollout.logprobs)} log-probs")
            if not all(is_logprob(value) for value in rollout.logprobs):
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
    known = {fingerprint(group) for group in own}
    by_peer: dict[str, list[RolloutGroup]] = {}
    for group in foreign:
        if (print_ := fingerprint(group)) not in known:
            known.add(print_)
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
