"""Freed memory: kept for the next round, or given back to the system.

The C library gives large blocks back as soon as they are free, and asks for them again, page by
page, a moment later. For a model of a few megabytes that took a third of every update; for a large
one it is what keeps the peak low. Only glibc can be told; elsewhere nothing happens here. It knows
nothing of tensors.
"""

from __future__ import annotations

import ctypes

SMALL_MODEL = 64 << 20
"""Bytes of weights below which there is too little to give back."""

_KEEP = {-3: 32 << 20, -1: 512 << 20, -2: 16 << 20}
"""M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD of malloc.h: blocks of up to 32 MiB (the most
that glibc allows) come from the heap, which may hold half a gibibyte that is free."""


def keep_freed(model_bytes: int) -> None:
    """If the model is small: from now on, keep what this process frees."""
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None and model_bytes < SMALL_MODEL:
        for name, value in _KEEP.items():
            tune(name, value)


def trim(model_bytes: int) -> None:
    """Unless the model is small: give freed memory back.

    What threads that have ended freed, glibc would otherwise keep for itself.
    """
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None and model_bytes >= SMALL_MODEL:
        release(0)
