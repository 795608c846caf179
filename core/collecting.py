"""Python's cycle collector, kept from stopping everything now and then.

torch and transformers leave some two million objects behind that live as long as the process. A
full collection looks at each of them while it holds the interpreter lock: measured, 300 to 450 ms
about every seven seconds with a console open, during which no key is answered and nothing is
trained. Objects that are frozen are looked at no more. Only cycles are concerned: what is frozen
and no longer referred to is freed at once, as ever.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SETTLED_ROUNDS = 2
"""Some of torch is imported by the first update, and caches fill in the second."""


@contextmanager
def put_off() -> Iterator[None]:
    """No collection within the block, which loads much and drops little; then `settle`.

    The collections of a start, each longer than the one before, took a second of it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        settle()
        if enabled:
            gc.enable()


def settle() -> None:
    """What is there now stays: no collection looks at it again. Takes microseconds."""
    gc.freeze()
