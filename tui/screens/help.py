"""The help page, made from the table of keys, so that it cannot drift from what the keys do."""

from __future__ import annotations

import textwrap

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from core.rewards_words import COUNTERS, NAMES
from core.texts import _
from tui import keys
from tui.draw import Pen, line
from tui.screens.reader import Reader
from tui.widgets.lines import Lines

WORDS = (
    (
        _("round"),
        _("one turn of the swarm: sample, share, train, record; the coordinator counts them"),
    ),
    (_("rollout"), _("one answer of a model to a task, with its tokens")),
    (
        _("group"),
        _("all answers to one task; the model learns from the differences inside a group"),
    ),
    (_("reward"), _("what an answer is worth, 0 to 1, decided by the task's own checker")),
    (_("trained"), _("rounds this node has finished")),
    (
        _("submitted"),
        _("rewards handed to the outbox, which keeps them until they are on the chain"),
    ),
    (
        _("confirmed"),
        _("rewards that the coordinator has, in a block that may still be reorganised"),
    ),
    (_("credited"), _("rewards that it has for good")),
    *((NAMES[name], COUNTERS[name]) for name in ("participation", "wins")),
)


def help_text(view: object, width: int, pen: Pen) -> Text:
    text = line()
    for scope, heading in keys.SCOPES.items():
        text.append(f"{heading}\n", f"bold {pen.palette.accent}")
        for command in keys.commands(scope):
            _entry(text, (command.shown, 8), (command.title, 22), command.description, width, pen)
        text.append("\n")
    text.append(_("Words") + "\n", f"bold {pen.palette.accent}")
    for word, meaning in WORDS:
        _entry(text, (word, 15), ("", 0), meaning, width, pen)
    return text


def _entry(
    text: Text, key: tuple[str, int], title: tuple[str, int], meaning: str, width: int, pen: Pen
) -> None:
    """A key, a title and what it means, wrapped under itself."""
    indent = 2 + key[1] + title[1]
    rows = textwrap.wrap(meaning, max(16, width - indent))
    for number, row in enumerate(rows):
        if number:
            text.append(" " * indent)
        else:
            text.append("  " + pen.column(*key), "bold")
            text.append(pen.column(*title))
        text.append(row + "\n", pen.palette.label)


class HelpScreen(Reader):
    TITLE_TEXT = _("Help")

    def body(self) -> ComposeResult:
        with VerticalScroll(can_focus=False, classes="page"):
            yield Lines(help_text, id="help")

    def on_mount(self) -> None:
        self.query_one("#help", Lines).show("table")
