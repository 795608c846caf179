"""`y`: to the clipboard of the person's terminal, or to a file when no terminal would take it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from core.errors import StorageError
from core.home import atomic_write
from core.texts import _
from tui import clipboard, terminal

if TYPE_CHECKING:
    from tui.app import WaggleApp

TOO_LONG = _("That is too long for a terminal's clipboard. It was written to {path}.")
NOT_WRITTEN = _("That is too long for a terminal's clipboard, and could not be written: {why}.")


def copy(app: WaggleApp, text: str) -> None:
    """Returns at once. What no terminal would take is written to a file, and the file is named."""
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair: nobody could paste it
    if len(text.encode()) > clipboard.MAX_BYTES:
        _keep(app, text)
    elif os.environ.get("TMUX"):
        threading.Thread(target=_by_tmux, args=(app, text), name="copy", daemon=True).start()
    else:
        terminal.write(app._driver, clipboard.sequences(text, os.environ))


def _by_tmux(app: WaggleApp, text: str) -> None:
    if not clipboard.by_tmux(text, os.environ):
        terminal.write(app._driver, clipboard.sequences(text, os.environ))


def _keep(app: WaggleApp, text: str) -> None:
    path = app.home.path / "copied.txt"
    try:
        atomic_write(path, text.encode())
    except StorageError as error:
        told = NOT_WRITTEN.format(why=error.why)
    else:
        told = TOO_LONG.format(path=path)
    app.notify(told, markup=False, severity="warning")
