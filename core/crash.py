"""What happens to an error that nobody expected: its traceback goes to the log, redacted."""

from __future__ import annotations

import os
import time
import traceback

from core.home import Home
from core.redact import redact


def write_crash(home: Home, error: BaseException) -> str:
    """Append the traceback to the home's log; one sentence that says where it is."""
    what = redact(f"{type(error).__name__}: {error}")[:300]
    told = f"Something unexpected went wrong ({what})."
    text = redact("".join(traceback.format_exception(error))[-32_000:])
    try:
        home.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} ERROR   core.cli: {text}")
    except OSError as refused:
        return f"{told} The log could not be written ({refused.strerror}); add --debug for details."
    return f"{told} The details are in {home.log}; please report them. --debug shows them here."
