"""The bottom row: the keys of a screen, from the table of `tui/keys.py`; each is a mouse target."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual import events

from tui import keys
from tui.draw import Pen, line
from tui.widgets.lines import Lines

GAP = 2


def spans(scope: str, width: int) -> list[tuple[int, int, keys.Command]]:
    """(start, end, command) of what fits, in the order of the table."""
    out, x = [], 1
    for command in keys.commands(scope):
        if not command.footer:
            continue
        size = cell_len(f"{first_key(command)} {command.title}")
        if x + size > width:
            break
        out.append((x, x + size, command))
        x += size + GAP
    return out


def first_key(command: keys.Command) -> str:
    return command.shown.split()[0]


def key_bar(scope: str, width: int, pen: Pen) -> Text:
    text = line()
    text.append(" ")
    for start, _, command in spans(scope, width):
        text.append(" " * (start - cell_len(text.plain)))
        text.append(first_key(command), f"bold {pen.palette.accent}")
        text.append(f" {command.title}", pen.palette.label)
    return text


class KeyBar(Lines):
    """Unlike Textual's Footer it keeps the table's order and redraws on nothing but a resize."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; width: 1fr; background: $surface; }
    """

    def __init__(self, scope: str) -> None:
        super().__init__(key_bar)
        self._view = scope

    def on_click(self, event: events.Click) -> None:
        for start, end, command in spans(self._view, self.size.width):
            if start <= event.x < end:
                self.app.simulate_key(command.keys[0])
                return
