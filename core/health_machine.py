"""Has it room, and copies of its keys: the rules of the verdict about machine and home. Pure."""

from __future__ import annotations

from core.health_words import Told, number
from core.state import NodeState
from core.texts import _

DISK_BYTES = 10**9
CHECKPOINTS = 2
"""The next one is written whole before an old one goes."""
MEMORY_LEFT, MEMORY_LEFT_MIB = 0.05, 128.0
"""Less than this share of what the process could hold, or than so much, is nearly nothing."""
MOST = 2**60
"""What an old journal may say beyond that is nonsense."""
WORTH_A_BACKUP = 20
"""Rounds trained after which a key without a copy is worth a hint."""


def disk(state: NodeState, now: float) -> Told:
    read, saved = state.machine, state.checkpoint
    if read is None:
        return None
    size = min(max(0, saved.size_bytes), MOST) if saved is not None else 0
    free = min(max(0, read.disk_free_bytes), MOST)
    needed = max(DISK_BYTES, CHECKPOINTS * size)
    if free >= needed:
        return None
    told = _("The disk is nearly full: {free:.1f} GB free")
    if CHECKPOINTS * size > DISK_BYTES:
        told = _("The disk is nearly full: {free:.1f} GB free, and a checkpoint takes {size:.1f}")
    return (
        told.format(free=free / 1e9, size=size / 1e9),
        _("Free some space, or keep fewer checkpoints: checkpoint.keep"),
    )


def memory(state: NodeState, now: float) -> Told:
    """The peak of a round, which comes back with the next one, against what there is."""
    read, last, node = state.machine, state.last_round, state.node
    fresh = last is not None and node is not None and last.time >= node.time
    if last is not None and fresh and number(last.metrics, "out_of_memory_retries") > 0:
        return (
            _(
                "The memory did not suffice in round {round}: the update was done in smaller pieces"
            ).format(round=last.round),
            _("It goes on so, slower; to mend it, close other programs or lower game.groups"),
        )
    if read is None or read.memory_limit_mib <= 0:
        return None
    peak = number(last.metrics, "peak_rss_mib") if last is not None and fresh else 0.0
    used, limit = max(read.memory_mib, peak), read.memory_limit_mib
    if limit - used >= max(MEMORY_LEFT * limit, MEMORY_LEFT_MIB):
        return None
    return (
        _("The memory is nearly full: rounds take up to {used:.1f} of {limit:.1f} GiB").format(
            used=used / 1024, limit=limit / 1024
        ),
        _("Close other programs, or take a recipe or a model that needs less: waggle models"),
    )


def hint(state: NodeState) -> str:
    """A key of which there is one copy only, once there is something to lose."""
    if state.ledger.trained < WORTH_A_BACKUP:
        return ""
    if state.backed_up is None:
        return _("There is no copy of this node's key yet: waggle identity backup")
    read = state.machine
    if read is not None and read.account and read.account_kept is None:
        return _("No copy of this node's account is known of: waggle account export")
    return ""
