"""Exchanging rollouts with GenRL nodes, in their own format and under their own keys.

My groups go out with question, answer and metadata, because such a node scores a foreign rollout
with what came along with it. Of theirs only the digest of the question and the completions are
read; which task that is, this node's game says (`core.protocols.Questions`), and a group whose
question it does not know is refused here. Log-probs do not travel, nor whether a completion was
cut off: it counts as finished, and one that fills the token cap is cut when it is tokenised here.

Whose a value is, nobody can prove: everything that comes from here is marked unsigned. The original
has one stage, so there is nothing in the others.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from core.errors import TransientError, WaggleError
from core.net import genrl
from core.net.genrl_messages import HearGenrl, TellGenrl
from core.net.link import NetLink
from core.net.names import animal_name
from core.protocols import Avoid, Gathered, PeerRecord, Questions, Refusal, nobody
from core.rollouts import Rollout, RolloutGroup

CALL_TIMEOUT_S = 6.0
SETTLE_S = 1.0
"""How long a gather looks for somebody when nobody was met lately; the original waits as long."""
FIRST_POLL_S, SLOWEST_POLL_S = 0.1, 1.0
MAX_HEARD = 64
"""Peers that are heard in a round, and remembered, besides those that were heard before."""


class GenrlExchange:
    """`core.protocols.Exchange` over a `NetLink` whose sidecar speaks GenRL.

    Used by one thread at a time.
    """

    def __init__(
        self,
        link: NetLink,
        peer_id: str,
        questions: Questions,
        *,
        limits: genrl.Limits | None = None,
    ) -> None:
        self.peer_id = peer_id
        self._link, self._questions = link, questions
        self._limits = limits or genrl.Limits()
        self._random = random.Random()
        self._untold: TellGenrl | None = None
        self._mine: tuple[TellGenrl, int] | None = None
        self._met: OrderedDict[str, PeerRecord] = OrderedDict()
        self._last = -1

    # --- mine ---------------------------------------------------------------------------------

    def publish(self, round: int, stage: int, groups: Sequence[RolloutGroup]) -> None:
        """Tell as many of my groups as one value holds; those from which there is to learn first.

        While the network part starts, the value waits for it; TransientError when it is down.
        """
        if stage:
            return
        try:
            said = [self._say(group) for group in self._ordered(groups)]
            value, _ = genrl.encode_within(said)
        except (ValueError, WaggleError) as error:
            raise TransientError(
                "My rollouts of this round cannot be told to GenRL nodes", str(error)
            ) from error
        self._untold = TellGenrl(round, value)
        if self._link.status.status != "starting":
            self._tell()

    def _ordered(self, groups: Sequence[RolloutGroup]) -> list[RolloutGroup]:
        shuffled = self._random.sample(list(groups), len(groups))
        return sorted(shuffled, key=lambda group: not group.carries_signal)

    def _say(self, group: RolloutGroup) -> genrl.Said:
        entry = self._questions.entry(group.task)
        actions = tuple(rollout.text for rollout in group.rollouts)
        return genrl.Said(entry.question, entry.answer, entry.metadata, actions)

    def _tell(self) -> None:
        """Put what is not told yet; TransientError when the network part cannot do it now."""
        restarts = self._link.status.restarts
        if self._untold is None and self._mine is not None and self._mine[1] != restarts:
            self._untold = self._mine[0]  # it went down with the sidecar that had it
        if self._untold is not None:
            self._link.call(self._untold, CALL_TIMEOUT_S)
            self._mine, self._untold = (self._untold, restarts), None

    # --- theirs -------------------------------------------------------------------------------

    def gather(
        self,
        round: int,
        stage: int,
        *,
        want: int,
        timeout_s: float,
        stop: threading.Event,
        avoid: Avoid = nobody,
    ) -> list[Gathered]:
        """See `core.protocols.Exchange.gather`; one for every peer id that there is a value of.

        Peer ids cost nothing here: whoever makes some up and then drops them can make every gather
        last `timeout_s`, and no longer.
        """
        if stage:
            return []
        began = time.monotonic()
        if self._last >= 0 and self._last != round:
            self._note_late(self._last)
        self._last = round
        lately = {p for p, record in self._met.items() if record.round >= round - 2}
        expected = {p for p in lately if not avoid(p, False)}
        heard: dict[str, Gathered] = {}
        poll = FIRST_POLL_S
        while not stop.is_set():
            peers = self._poll(round, heard, expected)
            spent = time.monotonic() - began
            groups = sum(len(g.groups) for g in heard.values())
            missing = expected - set(heard)
            if spent >= timeout_s or (peers == 0 and spent >= SETTLE_S):
                break
            settled = spent >= SETTLE_S
            if (expected or settled) and not missing:
                break
            if settled and groups >= want > 0:
                break
            stop.wait(min(poll, max(0.0, timeout_s - spent)))
            poll = min(poll * 1.5, SLOWEST_POLL_S)
        for peer_id in expected - set(heard):
            self._met.pop(peer_id, None)
        found = list(heard.values())
        self._random.shuffle(found)
        return found

    def peers(self) -> list[PeerRecord]:
        return list(self._met.values())

    def close(self) -> None:
        return

    def _note_late(self, round: int) -> None:
        """Who told something after I had stopped waiting is waited for in the next round."""
        if self._link.status.peers:
            self._poll(round, {}, set())

    def _poll(self, round: int, heard: dict[str, Gathered], expected: set[str]) -> int:
        """Hear what is new; how many nodes are connected, 0 too when the network part is away."""
        try:
            self._tell()
            answer = self._link.call(HearGenrl(round), CALL_TIMEOUT_S)
        except TransientError:
            return 0  # the link says so to the person; here it is the same as nobody there
        values: dict[str, list[bytes]] = {}
        for peer_id, value in answer.values:
            if peer_id != self.peer_id:
                values.setdefault(peer_id, []).append(value)
        for peer_id, versions in values.items():
            if peer_id not in heard and len(heard) >= MAX_HEARD and peer_id not in expected:
                continue
            if peer_id not in heard or heard[peer_id].reason:
                heard[peer_id] = self._open(peer_id, round, versions)
                self._meet(heard[peer_id].record)
        return answer.peers

    def _open(self, peer_id: str, round: int, versions: Sequence[bytes]) -> Gathered:
        """The first version that can be read; what is wrong with the first one when none can."""
        errors: list[str] = []
        for value in versions:
            try:
                return self._read(peer_id, round, value, genrl.decode(value, self._limits))
            except ValueError as error:
                errors.append(str(error)[:300])
        record = _record(peer_id, round, versions[0], 0)
        return Gathered(record, reason="malformed", error=errors[0])

    def _read(
        self, peer_id: str, round: int, value: bytes, heard: Sequence[genrl.Heard]
    ) -> Gathered:
        groups: list[RolloutGroup] = []
        refused: list[Refusal] = []
        for item in heard:
            task = self._questions.find(item.batch_id)
            if task is None:
                detail = "no task of this swarm asks the question with that digest"
                refused.append(Refusal(item.batch_id, "task", detail))
            elif self._questions.is_held_out(task):
                refused.append(Refusal(str(task), "held_out"))
            else:
                rollouts = tuple(Rollout(text) for text in item.actions)
                groups.append(RolloutGroup(task, peer_id, round, rollouts))
        record = _record(peer_id, round, value, len(heard))
        return Gathered(record, tuple(groups), refused=tuple(refused))

    def _meet(self, record: PeerRecord) -> None:
        self._met[record.peer_id] = record
        self._met.move_to_end(record.peer_id)
        while len(self._met) > 2 * MAX_HEARD:
            self._met.popitem(last=False)


def _record(peer_id: str, round: int, value: bytes, groups: int) -> PeerRecord:
    return PeerRecord(
        peer_id=peer_id,
        name=animal_name(peer_id),
        round=round,
        stage=0,
        digest=hashlib.sha256(value).hexdigest(),
        size_bytes=len(value),
        groups=groups,
        reward_mean=0.0,
        seen=time.time(),
        signed=False,
    )
