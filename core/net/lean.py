"""Imports hivemind without torch and numpy: 38 MiB and 0.2 s instead of 300 MiB and 4 s.

The DHT and the libp2p bindings of hivemind 1.1.12 name torch in a few annotations, import numpy for
the description of tensors, and call neither at run time; only `hivemind/__init__.py` pulls in the
training parts. So the sidecar, and nothing else, puts an empty package in place of the one and
placeholders in place of the others. A placeholder that is *used* raises, so a change in hivemind
shows at once. When the lean import fails, the real one takes its place.
"""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing.connection  # noqa: F401  (hivemind.utils.mpfuture uses it unimported)
import sys
import types
from typing import Any

_ABSENT = ("torch", "torch.nn", "torch.nn.functional", "torch.multiprocessing", "numpy")
log = logging.getLogger(__name__)


class _Placeholder(type):
    """Stands for any class or function of an absent library; it can be named, not used."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls.__name__ == "set_sharing_strategy":
            return None  # mpfuture calls it while being imported; it has no bearing on the DHT
        raise RuntimeError(f"the net sidecar runs without torch and numpy, but {cls} was called")


class _AbsentModule(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if f"{self.__name__}.{name}" in _ABSENT:
            return sys.modules[f"{self.__name__}.{name}"]
        return _Placeholder(name, (), {})


def install() -> bool:
    """Make `import hivemind.dht.node` light in this process; False when torch had to be real.

    Call it once, before the first import of hivemind, in a process that never needs torch.
    """
    spec = importlib.util.find_spec("hivemind")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("hivemind is not installed")
    for name in _ABSENT:
        sys.modules[name] = _AbsentModule(name)
    package = types.ModuleType("hivemind")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules["hivemind"] = package
    try:
        import hivemind.dht.node
    except (ImportError, AttributeError, RuntimeError, TypeError) as error:
        log.warning("hivemind does not load without torch (%s); loading torch", error)
        for name in [n for n in sys.modules if n in _ABSENT or n.split(".")[0] == "hivemind"]:
            del sys.modules[name]
        import hivemind.dht.node  # noqa: F401

        return False
    return True
