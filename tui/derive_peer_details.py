"""All that is known of one peer, in the words of `waggle peers --why`. Pure."""

from __future__ import annotations

from core.gate.fates import FATES, sorted_out
from core.rewards_words import COUNTERS
from core.state import NodeState
from core.swarm.gossip import parts
from core.swarm.leaderboard import Entry
from core.swarm.peer_reports import UNREFUSED, apart, figures, held_words, meaning
from tui.derive_peers import PeerRow
from tui.draw_facts import Fact, Heading, Line

STRANGER = "Nothing of it has reached this node yet: it is known from the coordinator alone."
UNRANKED = "The coordinator has counted nothing of it."
MESSAGES = 5


def about(row: PeerRow, state: NodeState, now: float) -> tuple[Line, ...]:
    peer, held = state.peers.get(row.account), state.quarantine.get(row.account)
    me = state.node is not None and row.peer_id == state.node.peer_id
    name = (peer.name if peer is not None else "") or row.name
    lines: list[Line] = [
        Fact("name", f"{name} (this node)" if me else name),
        Fact("peer id", row.peer_id, whole=True),
        *_counters(row, state),
    ]
    if not me:
        lines.append(Heading("Met by this node"))
        if peer is None:
            lines.append(Fact("", STRANGER))
        else:
            lines += [Fact(name, text) for name, text in figures(peer, now)]
    if held is not None:
        lines.append(Fact("quarantine", held_words(held, now), "degraded"))
    if peer is not None and not me:
        for fate, found in sorted_out(peer.reasons).items():
            lines.append(Heading(f"{fate.capitalize()}: {FATES[fate]}"))
            for reason, count in found:
                lines.append(Fact(reason, f"{count:,} times. {meaning(reason)}"))
                if detail := peer.details.get(reason):
                    lines.append(Fact("", f"The last time: {detail}"))
        if not peer.reasons:
            lines.append(Heading("Refused"))
            lines.append(Fact("", UNREFUSED))
        if other := apart(state, peer):
            lines.append(Fact("", other))
    heard = [message for message in state.gossip if message.node_id == row.peer_id]
    if heard:
        lines.append(Heading("What it answered last"))
        for each in heard[-MESSAGES:][::-1]:
            asked, answer = parts(each)
            lines += [Fact(f"round {each.round}", asked)] if asked else []
            lines.append(Fact("answer" if asked else f"round {each.round}", answer))
    return tuple(lines)


def _counters(row: PeerRow, state: NodeState) -> list[Line]:
    entry = row.entry
    lines: list[Line] = [Heading("At the coordinator")]
    if entry is None or row.rank is None:
        return [*lines, Fact("", UNRANKED)]
    board = state.leaderboard
    of = f" of {board.total:,}" if board is not None else ""
    values = (entry.total_reward, entry.participation, entry.wins)
    lines.append(Fact("rank", f"{row.rank:,}{of}"))
    for name, value in zip(COUNTERS, values, strict=True):
        lines.append(Fact(name, f"{value:,}: {COUNTERS[name]}"))
    if entry.round is not None:
        lines.append(Fact("last report", f"{entry.last_reward} for round {entry.round}"))
    if growth := _growth(row, state):
        lines.append(Fact("growth", growth))
    return lines


def _growth(row: PeerRow, state: NodeState) -> str:
    """How its reward grew over its last reports, where the state has them: the first ranks, me."""
    board = state.leaderboard
    if board is None:
        return ""
    known = [*board.leaders, *([board.me] if board.me is not None else [])]
    entry: Entry | None = next((e.entry for e in known if e.entry.peer_id == row.peer_id), None)
    if entry is None or len(entry.history) < 2:
        return ""
    (first, before), (last, after) = entry.history[0], entry.history[-1]
    return f"{after - before:+,} from round {first} to {last}"
