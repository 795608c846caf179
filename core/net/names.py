"""Animal names: what a person calls a peer.

The scheme is the original's (MD5 of the peer id picks three words) so that two nodes give a peer
the same name without asking. A name proves nothing, only the peer id does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from core.net.wordlists import ADJECTIVES, ANIMALS


def animal_name(peer_id: str, no_spaces: bool = False) -> str:
    """`plucky amber otter`, or `plucky_amber_otter` with `no_spaces`. Same peer id, same name."""
    raw = peer_id.encode("utf-8", "replace")  # a chain may hold half a surrogate pair
    digest = hashlib.md5(raw, usedforsecurity=False).digest()
    words = (
        ADJECTIVES[digest[2] % len(ADJECTIVES)],
        ADJECTIVES[digest[1] % len(ADJECTIVES)],
        ANIMALS[digest[0] % len(ANIMALS)],
    )
    return ("_" if no_spaces else " ").join(words)


def search(peer_ids: Iterable[str], text: str) -> list[str]:
    """The peer ids whose name or own text contains `text`, in order; case and spacing are free."""
    wanted = " ".join(text.replace("_", " ").lower().split())
    if not wanted:
        return []
    return [p for p in peer_ids if wanted in animal_name(p) or wanted in p.lower()]
