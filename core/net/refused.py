"""Whose records were refused lately and why, until the node asks: bounded, each once."""

from __future__ import annotations

MAX_NOTES = 64


class Refused:
    """Pairs of a peer and a reason. peer: who brought or told a record, not in whose name it is.

    The connection says who that is, so a forger is noted and never the one it speaks for.
    """

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str], None] = {}

    def note(self, peer_id: str, reason: str) -> None:
        """When there are too many at once, those that came first stay."""
        if len(self._notes) < MAX_NOTES:
            self._notes[peer_id, reason] = None

    def drain(self) -> tuple[tuple[str, str], ...]:
        """All that was noted since the last time."""
        notes, self._notes = tuple(self._notes), {}
        return notes
