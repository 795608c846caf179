"""The gate of a round: what was gathered goes in, what may be trained on comes out.

Applies `admission` to every contribution, books its faults in the `quarantine`, and tells each
rejection with its reason. Remembers, over restarts, what it let in and who is left alone. Worker
thread only; one peer's contribution never changes what becomes of another's, except that a copy
of a group that came first is a copy.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core import events, rounds
from core.errors import StorageError
from core.gate import admission, quarantine
from core.gate.admission import Doubts, Rejection
from core.gate.remembered import Remembered
from core.incidents import incident
from core.protocols import Game, Gathered, PeerRecord
from core.rollouts import RolloutGroup
from core.schema import AdmissionSection, Config

SPARE = 2
"""So many times as many groups as are trained on are judged by the model: some will be refused."""


@dataclass
class _Verdict:
    """What becomes of one contribution. unseen: nothing was looked at; its peer is held, or there
    was no need to fetch from it."""

    record: PeerRecord
    groups: list[RolloutGroup]
    rejections: list[Rejection] = field(default_factory=list)
    unseen: bool = False


class Gatekeeper:
    """Judges what was gathered. doubts: the local model's opinion; None doubts nothing."""

    def __init__(
        self,
        game: Game,
        config: Config,
        my_peer_id: str,
        remembered: Remembered,
        emit: Callable[[events.Event], None],
        doubts: Doubts | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._game = game
        self._config = config
        self._me = my_peer_id
        self._remembered = remembered
        self._emit = emit
        self._doubts = doubts
        self._now = now
        self._policy = policy_of(config.admission)
        self._random = random.Random()
        self.refused: list[tuple[PeerRecord, Rejection]] = []
        """Of the newest `judge`: whose, and why; for the screens."""

    def open(self, round: int, own: Sequence[RolloutGroup]) -> None:
        """Begin a round with my own groups: whoever sends one of them has copied it.

        Releases those whose quarantine is over; before the gather, which asks who is left alone.
        """
        self._remembered.book, due = quarantine.release(self._remembered.book, self._now())
        for name in due:
            peer_id, signed = quarantine.owner(name)
            self._emit(events.PeerReleased(round=round, peer_id=peer_id, signed=signed))
        self._remember(own)
        if self._doubts is not None:
            self._doubts.learn(own)
        self._commit(round)

    def judge(self, round: int, gathered: Sequence[Gathered]) -> tuple[list[RolloutGroup], int]:
        """The groups that may be trained on, scored; and how many rejections there were."""
        verdicts = [self._look_at(round, contribution) for contribution in gathered]
        self._doubt(verdicts)
        self._cap_unsigned(verdicts)
        for verdict in verdicts:
            self._tell(round, verdict)
            self._book(round, verdict)
        self._commit(round)
        self.refused = [(each.record, why) for each in verdicts for why in each.rejections]
        admitted = [group for verdict in verdicts for group in verdict.groups]
        return admitted, sum(len(verdict.rejections) for verdict in verdicts)

    def leaves_alone(self, peer_id: str, signed: bool) -> bool:
        """Whether that peer is held now: nothing of it would be looked at."""
        return quarantine.is_held(self._remembered.book, quarantine.account(peer_id, signed))

    def _look_at(self, round: int, contribution: Gathered) -> _Verdict:
        record = contribution.record
        if quarantine.is_held(self._remembered.book, _account(record)):
            return _Verdict(record, [], [Rejection("", "quarantine")], unseen=True)
        if not (contribution.groups or contribution.reason or contribution.refused):
            return _Verdict(record, [], unseen=True)  # no need for it: no merit, no fault
        groups, rejections = admission.admit(
            contribution,
            self._game,
            self._config,
            my_peer_id=self._me,
            round=round,
            seen_digests=self._remembered,
        )
        self._remember(groups)
        return _Verdict(record, groups, rejections)

    def _remember(self, groups: Sequence[RolloutGroup]) -> None:
        for group in groups:
            self._remembered.add(admission.fingerprint(group))

    def _commit(self, round: int) -> None:
        try:
            self._remembered.commit()
        except StorageError as error:
            self._emit(incident("memory_of_peers_unwritable", error, round))

    def _doubt(self, verdicts: Sequence[_Verdict]) -> None:
        if self._doubts is None:
            return
        self._thin(verdicts)
        groups = [group for verdict in verdicts for group in verdict.groups]
        details = admission.doubtful(groups, self._doubts)
        for verdict in verdicts:
            kept = []
            for group in verdict.groups:
                if (detail := details.get(group.digest)) is None:
                    kept.append(group)
                else:
                    told = Rejection(str(group.task), "implausible", detail, group)
                    verdict.rejections.append(told)
            verdict.groups = kept

    def _thin(self, verdicts: Sequence[_Verdict]) -> None:
        """Leave no more groups than a round has use for: the model is asked about each of them.

        One of every peer, then another one of each, in an order that nobody chooses.
        """
        limit = SPARE * self._config.game.foreign_groups
        shuffled = self._random.sample(verdicts, len(verdicts))
        turns = [(turn, i) for i, each in enumerate(shuffled) for turn in range(len(each.groups))]
        kept = Counter(i for _, i in sorted(turns)[:limit])
        for i, verdict in enumerate(shuffled):
            for group in verdict.groups[kept[i] :]:
                detail = "enough groups of others are admitted already"
                verdict.rejections.append(Rejection(str(group.task), "quota", detail, group))
            verdict.groups = verdict.groups[: kept[i]]

    def _cap_unsigned(self, verdicts: Sequence[_Verdict]) -> None:
        """Names are free for whoever signs nothing, so a limit per peer is not enough for them."""
        limit = self._config.admission.unsigned_groups
        unsigned = [verdict for verdict in verdicts if not verdict.record.signed]
        self._random.shuffle(unsigned)
        for verdict in unsigned:
            for group in verdict.groups[limit:]:
                detail = "enough groups of unsigned peers are admitted already"
                verdict.rejections.append(Rejection(str(group.task), "quota", detail, group))
            verdict.groups = verdict.groups[:limit]
            limit -= len(verdict.groups)

    def _tell(self, round: int, verdict: _Verdict) -> None:
        record, groups = verdict.record, verdict.groups
        for rejection in verdict.rejections:
            self._emit(
                events.GroupRejected(
                    round=round,
                    peer_id=record.peer_id,
                    task=rejection.task,
                    reason=rejection.reason,
                    detail=rejection.detail,
                    signed=record.signed,
                )
            )
        self._emit(
            events.PeerSeen(
                round=round,
                peer_id=record.peer_id,
                name=record.name,
                groups=record.groups,
                used=len(groups),
                reward_mean=rounds.mean_reward(groups) if groups else None,
                claimed=record.reward_mean if record.groups else None,
                latency_ms=record.latency_ms,
                signed=record.signed,
            )
        )

    # --- strikes ------------------------------------------------------------------------------

    def _book(self, round: int, verdict: _Verdict) -> None:
        record, now = verdict.record, self._now()
        if verdict.unseen or record.peer_id == self._me:
            return
        reasons = {rejection.reason for rejection in verdict.rejections}
        name = _account(record)
        book, caught = quarantine.book_in(self._remembered.book, name, reasons, now, self._policy)
        self._remembered.book = book
        if caught:
            standing = book[name]
            self._emit(
                events.PeerQuarantined(
                    round=round,
                    peer_id=record.peer_id,
                    name=record.name,
                    reason=standing.reason,
                    until=standing.until,
                    strikes=standing.strikes,
                    times=standing.times,
                    signed=record.signed,
                )
            )


def policy_of(section: AdmissionSection) -> quarantine.Policy:
    """The settings, in the units that the quarantine reckons in."""
    return quarantine.Policy(
        section.strikes, section.half_life_minutes * 60, section.quarantine_minutes * 60
    )


def _account(record: PeerRecord) -> str:
    return quarantine.account(record.peer_id, record.signed)
