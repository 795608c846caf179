"""All that is known of one peer, in the words of `waggle peers --why`. Pure."""

from __future__ import annotations

from core.gate.fates import FATES, sorted_out
from core.gate.fates import NAMES as FATE_NAMES
from core.rewards_words import COUNTERS, NAMES
from core.state import NodeState
from core.swarm.gossip import parts
from core.swarm.leaderboard import Entry
from core.swarm.peer_reports import UNREFUSED, apart, figures, held_words, meaning
from core.texts import _, many
from tui.derive_peers import PeerRow
from tui.draw_facts import Fact, Heading, Line
from tui.text import capital

STRANGER = _("Nothing of it has reached this node yet: it is known from the coordinator alone.")
LABELS = {
    "seen": _("seen"),
    "round": _("round"),
    "groups": _("groups"),
    "admitted": _("admitted"),
    "reward": _("reward"),
    "claim": _("claim"),
    "unsigned": _("unsigned"),
}
"""The names of the figures of `core.swarm.peer_reports`, as they are shown."""
UNRANKED = _("The coordinator has counted nothing of it.")
MESSAGES = 5


def about(row: PeerRow, state: NodeState, now: float) -> tuple[Line, ...]:
    peer, held = state.peers.get(row.account), state.quarantine.get(row.account)
    me = state.node is not None and row.peer_id == state.node.peer_id
    name = (peer.name if peer is not None else "") or row.name
    lines: list[Line] = [
        Fact(_("name"), _("{name} (this node)").format(name=name) if me else name),
        Fact(_("peer id"), row.peer_id, whole=True),
        *_counters(row, state),
    ]
    if not me:
        lines.append(Heading(_("Met by this node")))
        if peer is None:
            lines.append(Fact("", STRANGER))
        else:
            lines += [Fact(LABELS.get(name, name), text) for name, text in figures(peer, now)]
    if held is not None:
        lines.append(Fact(_("quarantine"), held_words(held, now), "degraded"))
    if peer is not None and not me:
        for fate, found in sorted_out(peer.reasons).items():
            lines.append(Heading(f"{capital(FATE_NAMES[fate])}: {FATES[fate]}"))
            for reason, count in found:
                lines.append(
                    Fact(
                        reason,
                        many("{n:,} time. {meaning}", "{n:,} times. {meaning}", count).format(
                            n=count, meaning=meaning(reason)
                        ),
                    )
                )
                if detail := peer.details.get(reason):
                    lines.append(Fact("", _("The last time: {detail}").format(detail=detail)))
        if not peer.reasons:
            lines.append(Heading(_("Refused")))
            lines.append(Fact("", UNREFUSED))
        if other := apart(state, peer):
            lines.append(Fact("", other))
    heard = [message for message in state.gossip if message.node_id == row.peer_id]
    if heard:
        lines.append(Heading(_("What it answered last")))
        for each in heard[-MESSAGES:][::-1]:
            asked, answer = parts(each)
            lines += [Fact(_("round {round}").format(round=each.round), asked)] if asked else []
            lines.append(
                Fact(_("answer") if asked else _("round {round}").format(round=each.round), answer)
            )
    return tuple(lines)


def _counters(row: PeerRow, state: NodeState) -> list[Line]:
    entry = row.entry
    lines: list[Line] = [Heading(_("At the coordinator"))]
    if entry is None or row.rank is None:
        return [*lines, Fact("", UNRANKED)]
    board = state.leaderboard
    values = (entry.total_reward, entry.participation, entry.wins)
    told = _("{rank:,} of {total:,}") if board is not None else "{rank:,}"
    total = board.total if board is not None else 0
    lines.append(Fact(_("rank"), told.format(rank=row.rank, total=total)))
    for name, value in zip(COUNTERS, values, strict=True):
        lines.append(Fact(NAMES[name], f"{value:,}: {COUNTERS[name]}"))
    if entry.round is not None:
        lines.append(
            Fact(
                _("last report"),
                _("{reward} for round {round}").format(reward=entry.last_reward, round=entry.round),
            )
        )
    if growth := _growth(row, state):
        lines.append(Fact(_("growth"), growth))
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
    return _("{growth:+,} from round {first} to {last}").format(
        growth=after - before, first=first, last=last
    )
