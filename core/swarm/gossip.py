"""The gossip feed: what nodes answered in the last rounds, one message a task and peer.

The original's feed (id, text, how many, from how many peers), made from rollouts that were checked
and scored here. The question is rebuilt here; what follows it is a peer's text, cut
and otherwise as it came: whoever shows it escapes it. Pure, and bounded whatever comes in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from core import events
from core.net.names import animal_name
from core.rollouts import RolloutGroup, Task, TaskId
from core.state import Gossip

ROUNDS = 3
MAX_PEERS = 20
MAX_MESSAGES = 200
MAX_PER_ROUND = MAX_MESSAGES // ROUNDS
MAX_QUESTION, MAX_ANSWER = 240, 400
"""Characters of a message's two parts."""
BETWEEN = "..."
"""The original's sign between the two."""


def heard(
    groups: Sequence[RolloutGroup],
    task_of: Callable[[TaskId], Task],
    round: int,
    stage: int,
    unsigned: Collection[str] = (),
) -> events.GossipHeard | None:
    """The event for a round's scored groups, mine and the admitted ones; None when there are none.

    At most MAX_PEERS peers, each round others, and MAX_PER_ROUND messages, shared out fairly.
    unsigned: peer ids in whose name anybody may have sent what came, which is then said.
    """
    by_peer: dict[str, list[RolloutGroup]] = {}
    for group in groups:
        by_peer.setdefault(group.peer_id, []).append(group)
    chosen = [by_peer[peer_id] for peer_id in _some(by_peer, round)]
    most = max((len(each) for each in chosen), default=0)
    in_turn = [each[n] for n in range(most) for each in chosen if n < len(each)]
    messages = [
        message(group, task_of(group.task), round, stage, group.peer_id not in unsigned)
        for group in in_turn[:MAX_PER_ROUND]
    ]
    return events.GossipHeard(round=round, stage=stage, messages=messages) if messages else None


def message(
    group: RolloutGroup, task: Task, round: int, stage: int, signed: bool = True
) -> dict[str, Any]:
    """One message as JSON: the question, and the best completion of the group. asked: characters
    of the question in it, since neither part is free of the original's three dots."""
    best = max(group.rollouts, key=lambda rollout: rollout.reward or 0.0)
    question = _cut(task.question, MAX_QUESTION)
    return {
        "id": message_id(group.peer_id, round, stage, task.question),
        "node": animal_name(group.peer_id) + ("" if signed else " (unsigned)"),
        "node_id": group.peer_id,
        "message": f"{question}{BETWEEN}{_cut(best.text, MAX_ANSWER)}",
        "asked": len(question),
    }


def message_id(peer_id: str, round: int, stage: int, question: str) -> str:
    """The original's id of a message."""
    text = f"{peer_id}_{round}_{stage}_{question}".encode("utf-8", "replace")
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def hear(old: tuple[Gossip, ...], event: events.GossipHeard) -> tuple[Gossip, ...]:
    """The state with an event's messages, newest last; those of rounds long past are gone."""
    if event.round is None:
        return old
    rows = event.messages[:MAX_PER_ROUND]
    fresh = {found.id: found for row in rows if (found := _read(row, event))}
    together = [*(each for each in old if each.id not in fresh), *fresh.values()]
    newest = max((each.round for each in together), default=0)
    return tuple(each for each in together if newest - ROUNDS < each.round)[-MAX_MESSAGES:]


def feed(state: Iterable[Gossip], since_round: int | None = None) -> list[Gossip]:
    """What the feed shows, newest first: at most MAX_MESSAGES, of at most MAX_PEERS peers."""
    found = [each for each in state if since_round is None or each.round >= since_round]
    newest = max((each.round for each in found), default=0)
    peers = set(_some({each.node_id for each in found}, newest))
    kept = [each for each in found if each.node_id in peers and each.round > newest - ROUNDS]
    kept.reverse()
    return sorted(kept, key=lambda each: -each.round)[:MAX_MESSAGES]


def _some(peer_ids: Iterable[str], round: int) -> list[str]:
    """At most MAX_PEERS of them, by a draw that is the same whenever it is made for this round."""

    def lot(peer_id: str) -> bytes:
        text = f"{round}/{peer_id}".encode("utf-8", "replace")
        return hashlib.md5(text, usedforsecurity=False).digest()

    return sorted(peer_ids, key=lot)[:MAX_PEERS]


def _read(row: Any, event: events.GossipHeard) -> Gossip | None:
    if not isinstance(row, dict) or event.round is None:
        return None
    values = [row.get(key) for key in ("id", "node", "node_id", "message")]
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) < len(values):
        return None
    limits = (64, 120, 128, MAX_QUESTION + MAX_ANSWER + 8)
    name, node, node_id, said = (_cut(t, n) for t, n in zip(texts, limits, strict=True))
    asked = row.get("asked", 0)
    known = type(asked) is int and 0 < asked < len(said) and said.startswith(BETWEEN, asked)
    return Gossip(name, event.round, event.stage, node, node_id, said, asked if known else 0)


def parts(told: Gossip) -> tuple[str, str]:
    """(question, answer) of a message; all of it as an answer where nobody said where one ends."""
    if not told.asked:
        return "", told.message
    return told.message[: told.asked], told.message[told.asked + len(BETWEEN) :]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
