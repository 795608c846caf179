"""What `leaderboard` and `gossip` print; with --json in the shape of the original's dashboard API.

From the journal of a home, beside a running node or after it. Text that came from peers is
escaped.
"""

from __future__ import annotations

from typing import Any

from core.errors import WaggleError
from core.home import Home
from core.net.names import search
from core.reports import ago, clean, print_json, read
from core.state import Leaderboard
from core.swarm import gossip
from core.swarm.leaderboard import Leader

MESSAGES = 30


def leaderboard(home: Home, as_json: bool, top: int, find: str = "") -> int:
    """Print the first `top` ranks and this node's own; or those that `find` looks for."""
    state, _ = read(home)
    board = state.leaderboard
    if board is None:
        raise WaggleError(
            "No leaderboard yet",
            "this node has not read the coordinator's events",
            "Start the node with chain.enabled, or ask again when the chain could be reached",
        )
    rows = list(board.leaders)
    if board.me is not None and board.me.rank > len(rows):
        rows.append(board.me)
    if find:
        found = set(search((row.entry.peer_id for row in rows), find))
        rows = [row for row in rows if row.entry.peer_id in found]
    else:
        rows = [row for row in rows if row.rank <= top or row == board.me]
    if as_json:
        print_json(
            {
                "leaders": [_original(row) for row in rows],
                "total": board.total,
                "block": board.block,
                "behind": board.behind,
                "read": board.read,
                "me": _original(board.me) if board.me else None,
            }
        )
        return 0
    if not rows:
        looked = min(board.total, len(board.leaders))
        print(
            f"Nobody among the first {looked} of {board.total} is called {clean(find)}."
            if find
            else "Nobody has reported or voted yet."
        )
        return 0
    _table(board, rows)
    return 0


def _table(board: Leaderboard, rows: list[Leader]) -> None:
    mine = board.me.entry.peer_id if board.me else ""
    head = (
        f"{'rank':>5}  {'name':<28} {'score':>8} {'last':>6} {'votes':>6} {'wins':>6} {'round':>7}"
    )
    print(f"{head}  peer id")
    for row in rows:
        entry = row.entry
        round = "" if entry.round is None else str(entry.round)
        name = clean(row.name)[:28]
        print(
            f"{row.rank:>5}  {name:<28} {entry.total_reward:>8} {entry.last_reward:>6} "
            f"{entry.participation:>6} {entry.wins:>6} {round:>7}  {clean(entry.peer_id)}"
            + ("  (this node)" if entry.peer_id == mine else "")
        )
    behind = f"; {board.behind} blocks are still to be read" if board.behind else ""
    print(f"{board.total} peers, read {ago(board.read)} up to block {board.block}{behind}")


def _original(row: Leader) -> dict[str, Any]:
    """A row under the names of the original's `/api/leaderboard-cumulative`. x: a round."""
    entry = row.entry
    return {
        "rank": row.rank,
        "id": entry.peer_id,
        "nickname": row.name,
        "participation": entry.participation,
        "wins": entry.wins,
        "recordedRound": entry.round,
        "recordedStage": entry.stage,
        "cumulativeScore": entry.total_reward,
        "lastScore": entry.last_reward,
        "scoreHistory": [{"x": x, "y": y} for x, y in entry.history],
    }


def heard(home: Home, as_json: bool, since_round: int | None) -> int:
    """Print the gossip feed, newest first."""
    state, _ = read(home)
    messages = gossip.feed(state.gossip, since_round)
    if as_json:
        rows = [
            {
                "id": m.id,
                "message": m.message,
                "node": m.node,
                "nodeId": m.node_id,
                "round": m.round,
            }
            for m in messages
        ]
        print_json({"messages": rows})
        return 0
    if not messages:
        print("Nothing was heard yet." if since_round is None else "Nothing since that round.")
    for message in messages[:MESSAGES]:
        print(f"round {message.round}  {clean(message.node)}: {clean(message.message)}")
    if len(messages) > MESSAGES:
        print(f"and {len(messages) - MESSAGES} more; --json has all")
    return 0
