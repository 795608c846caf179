"""The leaderboard's file as the peers screen has it: read in a thread, again when it changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.state import NodeState
from core.swarm import board_file
from core.swarm.leaderboard import Leader
from core.texts import _
from tui.derive_peers import ranked


@dataclass(frozen=True)
class Kept:
    """The leaderboard's file as read: what it was then, whose it is, and its ranks."""

    stamp: tuple[int, int] | None = None
    swarm: str = ""
    leaders: tuple[Leader, ...] = ()
    problem: str = ""


def read_kept(wish: tuple[Path, Kept]) -> Kept:
    """In a thread: the file again when it changed; else what was known."""
    path, known = wish
    try:
        at = path.stat()
        stamp = (at.st_mtime_ns, at.st_size)
        if stamp == known.stamp:
            return known
        entries = board_file.entries(path, known.swarm)
        return Kept(stamp, known.swarm, ranked(entries))
    except FileNotFoundError:
        return Kept(None, known.swarm)
    except (OSError, ValueError) as error:
        return Kept(
            None,
            known.swarm,
            problem=_("{file} cannot be read: {error}").format(file=path.name, error=error),
        )


def swarm_of(state: NodeState) -> str:
    """Whose leaderboard the file must be; "" while nobody has said."""
    told = state.rewards or state.counters
    return told.swarm if told is not None else ""
