"""reasoning-gym, imported without the plotting library that it never plots with here.

Knows how to import the library quickly and how to build one of its datasets. Knows nothing of task
sets, of seeds that may be used, or of answers.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import json
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
            from reasoning_gym.code.contrib.bfit.Compiler import Optimizer

            Optimizer.print = _print_nothing  # it prints a dot for every task it makes
            return reasoning_gym
        finally:
            for name, module in stand_ins.items():
                if sys.modules.get(name) is module:
                    del sys.modules[name]


def _print_nothing(*_: object, **__: object) -> None:
    return


class _Empty(types.ModuleType):
    """A module in which every name that is imported from it is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def version() -> str:
    """The installed version; the module's own `__version__` lags behind. Imports nothing."""
    return importlib.metadata.version("reasoning-gym")


ALIKE = 4
"""Datasets of different seeds that must have been alike before the next ones are copies."""


def build(name: str, seed: int, size: int, params: Mapping[str, Any]) -> Any:
    """A dataset object. ValueError, AssertionError or TypeError when it refuses its parameters.

    A few generators read and filter a word list whenever they are made, which takes longer than
    all that is then drawn from them. Where that was seen to give the same for every seed, the next
    dataset takes it over from one that is there.
    """
    return _maker(name, size, json.dumps(params, sort_keys=True)).make(seed)


@functools.lru_cache(maxsize=256)
def _maker(name: str, size: int, params: str) -> _Maker:
    return _Maker(name, size, json.loads(params))


class _Maker:
    """Makes one dataset for many seeds. Thread-safe."""

    def __init__(self, name: str, size: int, params: Mapping[str, Any]) -> None:
        self._name = name
        self._size = size
        self._params = params
        self._lock = threading.Lock()
        self._first: Any = None
        self._seeds: set[int] = set()
        """Of the datasets that were made and found alike; empty once two were not."""

    def make(self, seed: int) -> Any:
        with self._lock:
            if len(self._seeds) >= ALIKE:
                return _with_seed(self._first, seed)
            made = reasoning_gym().create_dataset(
                self._name, seed=seed, size=self._size, **self._params
            )
            if self._first is None:
                self._first, self._seeds = made, {seed}
            elif self._seeds:
                alike = _apart_from_seed(made) == _apart_from_seed(self._first)
                self._seeds = {*self._seeds, seed} if alike else set()
            return made


def _apart_from_seed(dataset: Any) -> dict[str, Any]:
    """What the dataset holds. Drawing must not have changed it, or it will differ from a new one's;
    what is compared by identity, as random number generators are, differs in any case.
    """
    held = {key: value for key, value in vars(dataset).items() if key != "seed"}
    return held | {"config": dataclasses.replace(dataset.config, seed=None)}


def _with_seed(dataset: Any, seed: int) -> Any:
    """A dataset of another seed that shares everything else."""
    made = object.__new__(type(dataset))
    vars(made).update(vars(dataset))
    made.seed = seed
    made.config = dataclasses.replace(dataset.config, seed=seed)
    return made
