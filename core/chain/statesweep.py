"""Which state nodes of the chain are still needed: those reachable from a recent state root.

Each transaction leaves about 7 KB of superseded trie nodes behind; a swarm of fast rounds would
fill a small disk within days. Walks Merkle Patricia tries (Yellow Paper, appendix D); it deletes
nothing itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rlp
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3

REST_EVERY = 200
REST_S = 0.002
"""The walk shares the interpreter with the devnet: it gives way often."""


def reachable(
    read: Callable[[bytes], bytes], state_root: bytes, should_stop: Callable[[], bool]
) -> set[bytes] | None:
    """Keys of all nodes and contract codes of the state `state_root`; None when told to stop.

    read: the value of a key; may raise KeyError, which means that the store is damaged.
    """
    needed: set[bytes] = set()
    # (key, whether its leaves are accounts, which have tries and code of their own)
    waiting = [(state_root, True)] if state_root != BLANK_ROOT_HASH else []
    while waiting:
        key, has_accounts = waiting.pop()
        if key in needed:
            continue
        needed.add(key)
        if len(needed) % REST_EVERY == 0:
            if should_stop():
                return None
            time.sleep(REST_S)
        for child in _children(rlp.decode(read(key)), has_accounts, needed):
            waiting.append(child)
    return needed


def _children(node: Any, has_accounts: bool, needed: set[bytes]) -> list[tuple[bytes, bool]]:
    """What a node refers to by hash; small children stand inside their parent."""
    found: list[tuple[bytes, bool]] = []
    if len(node) == 17:
        below = [each for each in node[:16] if each]
        leaf = node[16]
    else:
        is_leaf = node[0][0] & 0x20
        below, leaf = ([], node[1]) if is_leaf else ([node[1]], b"")
    for each in below:
        if isinstance(each, bytes):
            found.append((each, has_accounts))
        else:
            found += _children(each, has_accounts, needed)
    if leaf and has_accounts:
        _, _, storage_root, code_hash = rlp.decode(leaf)
        if storage_root != BLANK_ROOT_HASH:
            found.append((storage_root, False))
        if code_hash != EMPTY_SHA3:
            needed.add(code_hash)
    return found
