"""`p`: the node pauses at the round boundary, and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.texts import _

if TYPE_CHECKING:
    from tui.app import WaggleApp

STARTING = _("The node is still starting.")
PAUSING = _("Pausing at the end of this round.")
GOING_ON = _("Going on.")


def toggle(app: WaggleApp) -> None:
    if app.node is None or app.starting:
        app.notify(STARTING, markup=False)
    elif app.state.paused:
        app.node.resume()
        app.notify(GOING_ON, markup=False)
    else:
        app.node.pause()
        app.notify(PAUSING, markup=False)
