"""Keeping the devnet's file from growing without bound: what no client may need is deleted.

That is the state that only old blocks had, and the headers, transactions and receipts of very old
blocks. Logs stay: a board or a ledger is read from them. Slow on purpose, safe to interrupt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from core.chain.chainreader import unusable
from core.chain.chainstore import ChainStore
from core.chain.chainview import ChainView
from core.chain.statesweep import reachable

BATCH = 500
REST_S = 0.005


def sweep_history(
    view: ChainView,
    store: ChainStore,
    lock: threading.RLock,
    closing: threading.Event,
    number: int,
) -> int:
    """Delete what only the blocks up to `number` need, other than their logs; how many rows."""
    keys = view.reader.history_keys(number)
    return _drop(keys, lambda some: store.drop_history(some, number), lock, closing)


def sweep_states(
    view: ChainView,
    store: ChainStore,
    lock: threading.RLock,
    closing: threading.Event,
    number: int,
) -> int:
    """Delete the state nodes that only blocks before `number` need; how many.

    0 when `closing` was set meanwhile. StorageError when the state of `number` is not whole.
    """
    try:
        root = view.header(number).state_root
        needed = reachable(view.reader.__getitem__, root, closing.is_set)
    except KeyError as error:
        raise unusable(store.path, ValueError(f"the state of block {number} is damaged")) from error
    if needed is None:
        return 0
    # What later blocks wrote, or wrote again, has a higher number and is not touched.
    stale = [key for key in view.reader.state_keys(number) if key not in needed]
    dropped = _drop(stale, lambda some: store.drop_state(some, number), lock, closing)
    if not closing.is_set():
        with lock:
            store.swept = number
    return dropped


def _drop(
    keys: Sequence[bytes],
    drop: Callable[[Sequence[bytes]], None],
    lock: threading.RLock,
    closing: threading.Event,
) -> int:
    for start in range(0, len(keys), BATCH):
        if closing.is_set():
            return start
        with lock:
            drop(keys[start : start + BATCH])
        time.sleep(REST_S)
    return len(keys)
