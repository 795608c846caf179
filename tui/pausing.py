"""`p`: the node pauses at the round boundary, and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.app import WaggleApp

STARTING = "The node is still starting."
PAUSING = "Pausing at the end of this round."
GOING_ON = "Going on."


def toggle(app: WaggleApp) -> None:
    if app.node is None or app.starting:
        app.notify(STARTING, markup=False)
    elif app.state.paused:
        app.node.resume()
        app.notify(GOING_ON, markup=False)
    else:
        app.node.pause()
        app.notify(PAUSING, markup=False)
