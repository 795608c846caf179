"""A swarm of any size for the peers screen: its leaderboard on disk, its news as events."""

from __future__ import annotations

from collections.abc import Sequence

from core import events
from core.home import Home
from core.net.names import animal_name
from core.swarm import board_file
from core.swarm.board_file import Head
from core.swarm.gossip import message_id
from core.swarm.leaderboard import Board, Entry, Leader, to_row
from tests.tui.support import ME, OTHERS, START

SWARM = "31337:0x5FbDB2315678afecb367f032d93F642f64180aa3"
NOW = START + 4 * 245
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def peer_id(number: int) -> str:
    """Forty-six characters, as the real ones."""
    out, rest = "", number * 7919 + 13
    for _ in range(12):
        rest, digit = divmod(rest * 31 + 7, len(ALPHABET))
        out += ALPHABET[digit]
    return f"Qm{out}{number:032d}".replace("0", "z")


def entries(many: int) -> list[Entry]:
    """Best first; this node is the 41st, where there are as many."""
    out = [
        Entry(
            ME if number == 40 else peer_id(number),
            participation=max(0, 400 - number // 50),
            wins=max(0, 120 - number // 3),
            total_reward=3 * (many - number),
            last_reward=number % 7,
            round=None if number % 97 == 96 else 240 + number % 5,
            history=((239, 3 * (many - number) - 4), (240, 3 * (many - number))),
        )
        for number in range(many)
    ]
    return out


def board(ranked: Sequence[Entry], behind: int = 0) -> events.LeaderboardRead:
    """What the node tells of it: the first hundred, and its own place."""
    leaders = [
        to_row(Leader(rank, animal_name(entry.peer_id), entry))
        for rank, entry in enumerate(ranked, 1)
    ]
    me = next((row for row in leaders if row["peer_id"] == ME), {})
    return events.LeaderboardRead(
        time=NOW, block=5000, behind=behind, total=len(ranked), leaders=leaders[:100], me=me
    )


def save(home: Home, ranked: Sequence[Entry], swarm: str = SWARM) -> None:
    board_file.write(home.leaderboard, Head(swarm, 5000, "0xab"), Board(ranked))


def net(reach: str = "reachable") -> events.NetChanged:
    words = "2 nodes dialled this node at /ip4/203.0.113.7/tcp/38331"
    return events.NetChanged(
        time=NOW,
        status="up",
        maddrs=[f"/ip4/203.0.113.7/tcp/38331/p2p/{ME}", f"/ip4/192.168.1.20/tcp/38331/p2p/{ME}"],
        peers=2,
        bootnodes=[
            {"maddr": f"/ip4/198.51.100.4/tcp/38331/p2p/{peer_id(1)}", "outcome": "connected",
             "why": "", "tries": 0, "next_at": 0.0, "latency_ms": 31.4},
            {"maddr": f"/dns/boot.example.org/tcp/38331/p2p/{peer_id(2)}", "outcome": "failed",
             "why": "connection refused", "tries": 4, "next_at": NOW + 32, "latency_ms": 0.0},
        ],
        reach=reach,
        reach_words=words if reach == "reachable" else "2 nodes could not dial this node",
    )  # fmt: skip


def said(number: int, peer: str, name: str, answer: str = "11") -> dict[str, object]:
    question = f"State the final answer to the following arithmetic problem: {number} + 9 - 2 ="
    return {
        "id": message_id(peer, number, 0, question),
        "node": name,
        "node_id": peer,
        "message": f"{question}...{number} + 9 = {number + 9}. <answer>{answer}</answer>",
        "asked": len(question),
    }


def heard(number: int) -> events.GossipHeard:
    peers = {**OTHERS, ME: "calm golden badger"}
    rows = [said(number, peer, name, str(number + 7)) for peer, name in peers.items()]
    return events.GossipHeard(time=NOW, round=number, messages=rows)


def swarm(many: int = 300) -> list[events.Event]:
    """What the screen is told: ranks, peers met, refusals, a quarantine, gossip, the network."""
    ranked = entries(many)
    bad = ranked[7].peer_id
    out: list[events.Event] = [
        events.RewardsCounted(time=NOW, swarm=SWARM, peer_id=ME, trained=240, reward=900),
        board(ranked),
        net(),
        *(heard(number) for number in (238, 239, 240)),
    ]
    for number, entry in enumerate(ranked[:30]):
        out.append(
            events.PeerSeen(
                time=NOW - 7 * number * number,
                round=240,
                peer_id=entry.peer_id,
                name=animal_name(entry.peer_id),
                groups=8 + number,
                used=number % 8,
                reward_mean=0.4 + number / 100,
                claimed=0.5,
                latency_ms=3.0 + number * 4,
            )
        )
    for reason, detail in (("schedule", "the task of another peer"), ("malformed", "cut off")):
        for _ in range(3):
            out.append(
                events.GroupRejected(
                    time=NOW - 60, round=240, peer_id=bad, task="t", reason=reason, detail=detail
                )
            )
    out.append(
        events.PeerQuarantined(
            time=NOW - 60,
            peer_id=bad,
            name=animal_name(bad),
            reason="malformed",
            until=NOW + 540,
            strikes=3.0,
            times=1,
        )
    )
    return out
