"""Makes changed `console` settings count at once: theme, signs, pace, and what a hang-up does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.config import Effective
from core.errors import ConfigError
from core.texts import _
from tui.glyphs import UNICODE, glyphs

if TYPE_CHECKING:
    from tui.app import WaggleApp


def themes_of(app: WaggleApp) -> tuple[str, ...]:
    return tuple(sorted(app.available_themes))


def require_theme(app: WaggleApp, name: str) -> None:
    """ConfigError for a theme that there is not."""
    if name not in app.available_themes:
        raise ConfigError(
            _("There is no theme {name!r}").format(name=name[:60]),
            "",
            _("Known are {themes}").format(themes=", ".join(themes_of(app))),
        )


def apply(app: WaggleApp, now: Effective) -> None:
    """Take the console's settings of `now`; what the node was started with stays as it is."""
    console = now.config.console
    running = app.effective
    if running is None or running.config.console == console:
        return
    before = running.config.console
    app.effective = replace(running, config=replace(running.config, console=console))
    if console.ascii != before.ascii:
        signs = glyphs(console.ascii, app.terminal)
        app.ascii, app.pen = signs.ascii, replace(app.pen, glyphs=signs)
        app.set_class(signs is not UNICODE, "-ascii")
    if console.theme in app.available_themes:
        app.theme = console.theme
    app.renew_pen()
    if console.refresh_hz != before.refresh_hz:
        app.start_ticking()
