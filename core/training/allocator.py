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

_GIVE_BACK = {-3: 4 << 20}
"""Blocks from 4 MiB on are mapped each on its own. Left alone, glibc raises that bound to 32 MiB as
soon as such a block is freed; the activations of a 0.5B model then lie in a heap full of holes
(measured: 6.6 GiB where 4 are in use). Huge pages make up for the page faults (`__init__.py`)."""


def tune(model_bytes: int) -> None:
    """From now on: keep what this process frees if the model is small, else give it back."""
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        for name, value in (_KEEP if model_bytes < SMALL_MODEL else _GIVE_BACK).items():
            option(name, value)


def trim(model_bytes: int) -> None:
    """Unless the model is small: give freed memory back.

    What threads that have ended freed, glibc would otherwise keep for itself.
    """
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None and model_bytes >= SMALL_MODEL:
        release(0)
