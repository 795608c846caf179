"""The memory that the net part may take: looked at twice a second, with a reason when exceeded.

Two limits stand behind each other. This watch counts resident memory and has a word to say; beyond
twice as much the kernel refuses (`leash.limit`), for a flood that is faster than a look.
"""

from __future__ import annotations

import asyncio
import os

EVERY_S = 0.5


def resident_mib(pid: int) -> float:
    """Resident memory of a process; 0 for one that is gone.

    Another process's children count, too: where p2pd runs on a leash, it is one. My own do not.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        family = [process, *(process.children() if pid != os.getpid() else ())]
        return float(sum(each.memory_info().rss for each in family) / 2**20)
    except psutil.Error:
        return 0.0


def too_heavy(what: str, pid: int, max_mib: int) -> str:
    """Why a process has to end, or ""."""
    if not max_mib or (resident := resident_mib(pid)) <= max_mib:
        return ""
    return f"{what} took {resident:.0f} MiB, more than the {max_mib} of net.max_memory_mib"


async def outgrown(what: str, pid: int, max_mib: int) -> str:
    """Return the reason once a process has grown past its limit."""
    while True:
        await asyncio.sleep(EVERY_S)
        if reason := too_heavy(what, pid, max_mib):
            return reason
