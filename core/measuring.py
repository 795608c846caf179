"""Has this machine measured for `pace.py`, once a session, in a child process.

The child needs torch, which the console must not import; it takes two to five seconds, most of
them for that import. It knows nothing of models.
"""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from pathlib import Path

from core import children
from core.boundedjson import decode
from core.errors import TransientError, WaggleError
from core.pace import Machine

DEADLINE_S = 60.0
"""Of a machine that does much else; a quiet one needs three seconds."""
MAX_BYTES = 64 * 1024


def measure(deadline_s: float = DEADLINE_S) -> Machine:
    """Measure now. WaggleError when that does not work, TransientError when it takes too long."""
    child = children.spawn("core.training.speed", log=Path(os.devnull), inherit_env=False)
    try:
        told = _read(child, time.monotonic() + deadline_s)
    finally:
        children.stop(child, grace_s=0.5)
        assert child.stdout is not None
        child.stdout.close()
    try:
        return Machine.from_dict(decode(told))
    except ValueError as error:
        raise WaggleError(
            "The speed of this machine could not be measured",
            f"the measurement ended with status {child.returncode} and gave no figures",
            "`waggle doctor` says whether torch works here",
        ) from error


def _read(child: subprocess.Popen[bytes], deadline: float) -> bytes:
    """All that it says. Its standard input stays open: end of file there ends it."""
    assert child.stdout is not None
    told = b""
    while len(told) < MAX_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            raise TransientError(
                "Measuring the speed of this machine took too long",
                "it has much else to do",
                "Try again when it is quieter",
            )
        more = os.read(child.stdout.fileno(), MAX_BYTES)
        if not more:
            return told
        told += more
    return told


class Measurement:
    """What was measured, kept. Thread-safe: who asks meanwhile waits for the same figures."""

    def __init__(self, found: Machine | None = None) -> None:
        """found: what is known already."""
        self._lock = threading.Lock()
        self._found = found

    def machine(self, device: str = "cpu") -> Machine:
        """As `measure`, but only once. WaggleError for a device that is not the CPU."""
        if device != "cpu":
            raise WaggleError(f"How long a round takes is not measured on {device}", "", "")
        with self._lock:
            if self._found is None:
                self._found = measure()
            return self._found


SESSION = Measurement()
