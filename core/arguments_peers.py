"""The grammar of the commands that tell of others: `peers`, `leaderboard`, `gossip`.

Made from the pieces of `arguments.py`; what they print is in `peer_reports.py` and
`swarm_reports.py`.
"""

from __future__ import annotations

from core.arguments import Commands, add_json, command, natural, positive

FIND = "only those whose name or peer id contains TEXT"


def add_peers(commands: Commands) -> None:
    """`peers [--find|--why]`, `leaderboard` and `gossip`."""
    peers = command(
        commands,
        "peers",
        "who is in the swarm, whose rollouts were used, and why others were not",
        "works beside a running node, from its journal.\n\n"
        "reward: of its admitted rollouts, as scored here; with --why also what it claims\n"
        "used: its groups that were admitted, of those it offered\n"
        "example: waggle peers --why 'plucky amber otter'\n\n"
        "exit codes: 0, 1 (--why) nobody or several are called that",
    )
    which = peers.add_mutually_exclusive_group()
    which.add_argument("--find", metavar="TEXT", default="", help=FIND)
    which.add_argument(
        "--why",
        metavar="NAME|PEER_ID",
        default="",
        help="what became of one peer's contributions, and why; the start of a peer id will do",
    )
    board = command(
        commands,
        "leaderboard",
        "the ranks of the swarm, counted from the coordinator's events",
        "works beside a running node, from its journal: the first hundred, and this node.\n\n"
        "score: the sum of the rewards that a peer reported; last: its newest report\n"
        "participation: how many votes it has cast; wins: how many votes named it\n"
        "the order is by score, then participation, then wins, then who came first\n\n"
        "exit codes: 0, 1 nothing is known yet",
    )
    board.add_argument("--top", type=positive, metavar="N", default=20, help="so many (20)")
    board.add_argument("--find", metavar="TEXT", default="", help=FIND)
    talk = command(
        commands,
        "gossip",
        "what nodes answered in the last rounds",
        "works beside a running node, from its journal: at most 200 messages of at most 20 peers,\n"
        "out of rollouts whose signature and rewards were checked here.\n\nexit codes: 0, 1",
    )
    talk.add_argument(
        "--since-round", type=natural, metavar="N", help="only of round N and later ones"
    )
    for reporter in (peers, board, talk):
        add_json(reporter)
