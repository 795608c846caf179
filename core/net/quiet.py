"""Keeps a log from being flooded by what strangers make libraries say."""

from __future__ import annotations

import logging
import time

LINES, PER_S = 100, 60.0


class Sparing(logging.Filter):
    """Lets LINES records through in every PER_S seconds and says how many it held back."""

    def __init__(self) -> None:
        super().__init__()
        self._since, self._count = 0.0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._since > PER_S:
            if self._count > LINES:
                record.msg = f"({self._count - LINES} lines were held back) {record.msg}"
            self._since, self._count = now, 0
        self._count += 1
        return self._count <= LINES


def setup() -> None:
    """Warnings and worse to stderr, sparingly."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Sparing())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
