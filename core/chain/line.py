"""Why the sender waits, and until when: one row a peer, so that a restart does not forget it.

A line that fails is tried again after a pause that doubles, with jitter, so that the nodes of a
swarm do not all return at the same moment.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace

from core.chain.ledger import LedgerStore
from core.errors import WaggleError

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0
SHAKY = 4
"""Failures that count, at most, while each is another one: two seconds."""


@dataclass(frozen=True)
class Line:
    """since: of the first failure in a row. next_try: of the next attempt. Unix seconds.

    what, why, next_step, code: of the error that stands in the way; all empty when none does.
    """

    since: float = 0.0
    next_try: float = 0.0
    failures: int = 0
    code: str = ""
    what: str = ""
    why: str = ""
    next_step: str = ""

    def is_open(self) -> bool:
        return not self.what


def pause_s(failures: int, first_s: float, longest_s: float) -> float:
    """After so many failures in a row (from 1)."""
    return min(longest_s, first_s * 2.0 ** min(failures - 1, 32)) * random.uniform(0.7, 1.3)


def failed(
    line: Line, error: WaggleError, first_s: float, longest_s: float, heard: bool = False
) -> Line:
    """The line after one more failure. heard: the coordinator has answered something meanwhile.

    The pause grows while the same thing stands in the way. A line that fails in ever other ways is
    shaky and not dead: it is tried every few seconds at least, and more often when it also answers.
    """
    now = time.time()
    if (error.what, error.why) == (line.what, line.why) or not line.failures:
        failures = line.failures + 1
    elif heard:
        failures = max(1, line.failures // 2)
    else:
        failures = min(line.failures + 1, SHAKY)
    return Line(
        since=line.since if line.what else now,
        next_try=now + pause_s(failures, first_s, longest_s),
        failures=failures,
        code=str(getattr(error, "code", "")),
        what=error.what,
        why=error.why,
        next_step=error.next_step,
    )


def moved(line: Line) -> Line:
    """The line after something got through: the next failure is the first one again."""
    return replace(line, failures=0) if line.failures else line


def load(store: LedgerStore, peer_id: str) -> Line:
    found = store.ask(
        lambda db: db.execute(
            "SELECT since, next_try, failures, code, what, why, next_step FROM outbox_line"
            " WHERE peer_id = ?",
            (peer_id,),
        ).fetchone()
    )
    return Line(*found) if found else Line()


def save(store: LedgerStore, peer_id: str, line: Line) -> None:
    """An open line leaves no row."""
    with store.transaction() as db:
        if line.is_open():
            db.execute("DELETE FROM outbox_line WHERE peer_id = ?", (peer_id,))
            return
        db.execute(
            "INSERT OR REPLACE INTO outbox_line VALUES (?,?,?,?,?,?,?,?)",
            (
                *(peer_id, line.since, line.next_try, line.failures, line.code),
                *(line.what, line.why, line.next_step),
            ),
        )
