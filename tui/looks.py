"""How a console looks: its theme, the signs that its terminal has, and the pen made of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui import themes
from tui.draw import Pen
from tui.glyphs import UNICODE
from tui.palette import palette

if TYPE_CHECKING:
    from tui.app import WaggleApp


def take_theme(app: WaggleApp, wanted: str) -> bool:
    """Whether there is a theme of that name; the default one otherwise."""
    for theme in themes.THEMES:
        app.register_theme(theme)
    known = wanted in app.available_themes
    app.theme = wanted if known else themes.DEFAULT_THEME
    return known


def renew(app: WaggleApp) -> None:
    """Draw everything with the theme and the signs of now."""
    from tui.widgets.lines import Lines
    from tui.widgets.log_view import LogView

    app.set_class(app.pen.glyphs is not UNICODE, "-ascii")
    app.pen = Pen(app.pen.glyphs, palette(app.theme_variables))
    for screen in app.screen_stack:
        for block in screen.query(Lines):
            block.redraw()
        for view in screen.query(LogView):
            view.redraw()
