"""reasoning-gym, imported without the plotting library that it never plots with here.

Knows how to import the library quickly and how to build one of its datasets. Knows nothing of task
sets, of seeds that may be used, or of answers.
"""

from __future__ import annotations

import importlib.metadata
import sys
import threading
import types
from collections.abc import Mapping
from typing import Any

_PLOTTING = (
    "matplotlib",
    "matplotlib.animation",
    "matplotlib.collections",
    "matplotlib.pyplot",
    "mpl_toolkits",
    "mpl_toolkits.mplot3d",
)
_lock = threading.Lock()


def reasoning_gym() -> types.ModuleType:
    """The library. ImportError when it is not installed.

    One of its dependencies (cellpylib) imports matplotlib for plots that nothing draws: a third of
    the import time, and folders made in the user's home. Empty modules stand in for it during the
    import only, so a later real import of matplotlib is not disturbed.
    """
    with _lock:
        if "reasoning_gym" in sys.modules:
            return sys.modules["reasoning_gym"]
        stand_ins = {} if "matplotlib" in sys.modules else {n: _Empty(n) for n in _PLOTTING}
        sys.modules.update(stand_ins)
        try:
            import reasoning_gym

            return reasoning_gym
        finally:
            for name, module in stand_ins.items():
                if sys.modules.get(name) is module:
                    del sys.modules[name]


class _Empty(types.ModuleType):
    """A module in which every name that is imported from it is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def version() -> str:
    """The installed version; the module's own `__version__` lags behind. Imports nothing."""
    return importlib.metadata.version("reasoning-gym")


def build(name: str, seed: int, size: int, params: Mapping[str, Any]) -> Any:
    """A dataset object. ValueError, AssertionError or TypeError when it refuses its parameters."""
    return reasoning_gym().create_dataset(name, seed=seed, size=size, **params)
