"""What `peers` prints: everybody who was met, and of one peer everything that is known.

From the journal of a home, beside a running node or after it. Text that came from peers is
escaped.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from core.errors import WaggleError
from core.gate.admission import REASONS
from core.gate.fates import FATES, sorted_out
from core.home import Home
from core.net.names import animal_name, search
from core.reports import SHOWN, ago, clean, print_json, read
from core.state import NodeState, Peer, Quarantine
from core.texts import _

UNREFUSED = _("Nothing that it sent was refused or left over.")
MANY = 8
"""Of several that match, so many are named."""


def peers(home: Home, as_json: bool, find: str = "", why: str = "") -> int:
    """Print the peers, the last seen first; or of the one called `why` what became of it."""
    state, _alive = read(home)
    if why:
        return _explain(state, chosen(state, why), as_json)
    rows = sorted(state.peers.values(), key=lambda peer: -peer.last_seen)
    if find:
        found = set(search((peer.peer_id for peer in rows), find))
        rows = [peer for peer in rows if peer.peer_id in found]
    if as_json:
        print_json(
            {
                "peers": [_data(state, peer) for peer in rows],
                "admitted": state.admitted,
                "rejected": dict(state.rejected),
            }
        )
    elif rows:
        _table(state, rows)
    elif find:
        print(f"Of {len(state.peers)} known peers none is called {clean(find)}.")
    else:
        print("No other peer was seen yet; a swarm of one is a normal state.")
    return 0


def _table(state: NodeState, rows: Sequence[Peer]) -> None:
    head = f"{'name':<28} {'last seen':>12} {'round':>6} {'reward':>7} {'used':>9} {'refused':>7}"
    head += f" {'spare':>7} {'missed':>6}"
    print(f"{head}  peer id")
    for peer in rows[:SHOWN]:
        reward = "" if peer.reward_mean is None else f"{peer.reward_mean:.3f}"
        fates = peer.fates
        marks = "" if peer.signed else "  (unsigned)"
        if quarantine_of(state, peer):
            marks += "  (quarantine)"
        print(
            f"{clean(peer.name)[:28]:<28} {ago(peer.last_seen):>12} {peer.last_round!s:>6} "
            f"{reward:>7} {f'{peer.used}/{peer.groups}':>9} {fates.refused:>7}"
            f" {fates.spare:>7} {fates.missed:>6}  {clean(peer.peer_id)}{marks}"
        )
    if len(rows) > SHOWN:
        print(f"and {len(rows) - SHOWN} more; --find TEXT looks for some, --json has all")
    if state.rejected:
        for name, found in sorted_out(state.rejected).items():
            total = ", ".join(f"{count} {clean(reason)}" for reason, count in found)
            print(f"{name} in all: {total}  ({FATES[name]})")
        print("waggle peers --why NAME explains")


# --- one peer ---------------------------------------------------------------------------------


def chosen(state: NodeState, text: str) -> Peer:
    """The one peer that a person means by its name, its peer id or the start of either.

    WaggleError when it is nobody, several, or this node itself.
    """
    wanted = " ".join(text.replace("_", " ").lower().split())
    known = list(state.peers.values())
    tries = (
        [peer for peer in known if text == peer.peer_id],
        [peer for peer in known if wanted == animal_name(peer.peer_id)],
        [peer for peer in known if peer.peer_id.startswith(text)],
        [peer for peer in known if animal_name(peer.peer_id).startswith(wanted)],
    )
    matching = next((each for each in tries if each), [])
    # What came unsigned in a peer's name stands behind what it signed itself.
    by_id = {peer.peer_id: peer for peer in sorted(matching, key=lambda peer: peer.signed)}
    found = list(by_id.values())
    if len(found) == 1:
        return found[0]
    if found:
        names = [f"{clean(peer.name)} ({peer.peer_id})" for peer in found[:MANY]]
        more = f" and {len(found) - MANY} more" if len(found) > MANY else ""
        raise WaggleError(
            f"{len(found)} peers are called {clean(text)}",
            ", ".join(names) + more,
            "Say which: a whole peer id is never ambiguous",
        )
    node = state.node
    if node and (node.peer_id.startswith(text) or wanted == node.name):
        raise WaggleError(
            f"{clean(text)} is this node itself", "", "Its figures are in `waggle status`"
        )
    near = _near(wanted, known)
    raise WaggleError(
        f"No peer is called {clean(text)}",
        f"this node has met {len(known)} peers" + (f"; near to it is {near}" if near else ""),
        "`waggle peers` lists them; --find TEXT looks for a part of a name",
    )


def _near(wanted: str, known: Iterable[Peer]) -> str:
    import difflib

    names = [animal_name(peer.peer_id) for peer in known]
    return ", ".join(difflib.get_close_matches(wanted, names, n=2))


def quarantine_of(state: NodeState, peer: Peer) -> Quarantine | None:
    """The quarantine that the peer is in now, by the account that it sends on."""
    return next(
        (
            row
            for row in state.quarantine.values()
            if (row.peer_id, row.signed) == (peer.peer_id, peer.signed)
        ),
        None,
    )


def _data(state: NodeState, peer: Peer) -> dict[str, Any]:
    held = quarantine_of(state, peer)
    return asdict(peer) | {
        "rejected": peer.rejected,
        **asdict(peer.fates),
        "quarantine": asdict(held) if held else None,
    }


def _explain(state: NodeState, peer: Peer, as_json: bool) -> int:
    reasons = sorted(peer.reasons.items(), key=lambda item: -item[1])
    if as_json:
        told = [
            {"reason": r, "count": n, "meaning": meaning(r), "last_detail": peer.details.get(r, "")}
            for r, n in reasons
        ]
        print_json({"peer": _data(state, peer), "why": told})
        return 0
    print(f"{clean(peer.name) or animal_name(peer.peer_id)}  {clean(peer.peer_id)}")
    now = time.time()
    for name, value in figures(peer, now):
        print(f"  {name:<9} {value}")
    for name, found in sorted_out(peer.reasons).items():
        print(f"  {name}: {FATES[name]}")
        for reason, count in found:
            print(f"  {count:>7} x {clean(reason)}: {meaning(reason)}")
            if detail := peer.details.get(reason):
                print(f"            the last time: {clean(detail)}")
    if not reasons:
        print(f"  {UNREFUSED}")
    if held := quarantine_of(state, peer):
        print(f"  {clean(held_words(held, now))}")
    if other := apart(state, peer):
        print(f"  {other}")
    return 0


def figures(peer: Peer, now: float) -> list[tuple[str, str]]:
    """What is known of it, as (name, text). now: Unix seconds."""
    seen = _("{last}, first {first}")
    if peer.latency_ms is not None:
        seen = _("{last}, first {first}, fetched in {ms:.0f} ms")
    last, first = ago(peer.last_seen, now), ago(peer.first_seen, now)
    lines = [
        ("seen", seen.format(last=last, first=first, ms=peer.latency_ms)),
        ("round", str(peer.last_round)),
        ("groups", _groups(peer)),
    ]
    if peer.last_admitted is not None:
        lines.append(("admitted", _("last {time}").format(time=ago(peer.last_admitted, now))))
    if peer.reward_mean is not None:
        told = _("{reward:.3f} as scored here, over what was admitted")
        lines.append(("reward", told.format(reward=peer.reward_mean)))
    if peer.claimed_mean is not None:
        told = _("{reward:.3f} for its newest, by its own word")
        lines.append(("claim", told.format(reward=peer.claimed_mean)))
    if not peer.signed:
        lines.append(("unsigned", _("anybody may have sent this in its name")))
    return lines


def _groups(peer: Peer) -> str:
    told = [_("{n} offered").format(n=peer.groups), _("{n} admitted").format(n=peer.used)]
    fates = peer.fates
    told.append(_("{n} refused").format(n=fates.refused))
    if fates.spare:
        told.append(_("{n} spare").format(n=fates.spare))
    if fates.missed:
        told.append(_("{n} missed").format(n=fates.missed))
    return ", ".join(told)


def apart(state: NodeState, peer: Peer) -> str:
    """What else came in its name, and is counted apart; empty when nothing did."""
    for other in state.peers.values():
        if other.peer_id == peer.peer_id and other.signed != peer.signed:
            told = _("Unsigned in its name, and counted apart: {groups}.")
            if other.signed:
                told = _("Signed by it, and counted apart: {groups}.")
            return told.format(groups=_groups(other))
    return ""


def held_words(held: Quarantine, now: float) -> str:
    """Until when it is left alone, and why: a sentence, which holds a peer's text as it came."""
    left = held.until - now
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(min(max(0.0, held.until), 2.0**33)))
    rest = _("and due to be released")
    if left > 0:
        rest = _("for {minutes:.0f} more minutes").format(minutes=left / 60)
    why = _("after too many strikes")
    if held.reason:
        why = _("after another {reason}").format(reason=held.reason)
    told = _("Left alone until {time} ({rest}), {why}.")
    if held.times != 1:
        told = _("Left alone until {time} ({rest}), its quarantine number {n}, {why}.")
    return told.format(time=when, rest=rest, n=held.times, why=why)


def meaning(reason: str) -> str:
    """A reason code in a sentence."""
    return REASONS.get(reason, _("A reason that this version of Waggle does not know."))
