"""A page that closes once, whoever asks how often."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete


class Once:
    """Goes before a `Screen` among the bases; no widget itself, or its styles would count first.

    A click and a key may both reach a page before it has gone; for the second one Textual closes
    what lies beneath, down to an empty screen.
    """

    def dismiss(self, result: Any = None) -> AwaitComplete:
        if self.app.screen is not self:  # type: ignore[attr-defined]
            return AwaitComplete()
        return super().dismiss(result)  # type: ignore[misc,no-any-return]
