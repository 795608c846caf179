"""The command palette, from the same table as keys and help."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.command import (
    CommandInput,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
    SearchIcon,
)
from textual.containers import Horizontal, Vertical
from textual.events import Click
from textual.widgets import LoadingIndicator

from core.texts import _
from tui import keys
from tui.once import Once

ASKS = _("Search for a command")
PROMPT = ">"
"""Before what is typed. Textual's magnifier is an emoji: an empty box in many terminals."""


class Entries(CommandList):
    """Textual fails on a click at an entry that went while the click was under way."""

    def _on_click(self, event: Click) -> None:  # type: ignore[override]
        entry = event.style.meta.get("option")
        if entry is not None and entry >= len(self._options):
            event.prevent_default()


class Palette(Once, CommandPalette):
    """Textual's, in letters and lines that every terminal has.

    A key that turns the page of a list of which no line is drawn ends Textual's; not this one.
    """

    DEFAULT_CSS = """
    Palette > Vertical, Palette:dark > Vertical { margin-top: 2; background: $surface; }
    Palette SearchIcon { color: $primary; margin: 0 0 0 1; }
    Palette #--input { border: round $focus; height: 3; }
    Palette #--input.--list-visible { border-bottom: round $focus; }
    Palette CommandInput, Palette CommandInput:focus { border: none; height: 1; }
    Palette CommandInput > .input--placeholder { color: $text-muted; }
    Palette CommandList { border: none; margin-top: 0; min-width: 8; }
    Palette LoadingIndicator { border-bottom: none; }
    .-ascii Palette #--input, .-ascii Palette #--input.--list-visible {
        border: ascii $focus;
    }
    """

    def __init__(self) -> None:
        super().__init__(placeholder=ASKS)

    def compose(self) -> ComposeResult:
        """As Textual's, but for its list."""
        with Vertical(id="--container"):
            with Horizontal(id="--input"):
                yield SearchIcon()
                yield CommandInput(placeholder=ASKS, select_on_focus=False)
            with Vertical(id="--results"):
                yield Entries()
                yield LoadingIndicator()

    def on_mount(self) -> None:
        self.query_one(SearchIcon).icon = PROMPT

    def _action_command_list(self, action: str) -> None:
        with contextlib.suppress(KeyError):
            super()._action_command_list(action)


class Commands(Provider):
    """Offers the commands of the screen that has a `KEY_SCOPE`, by title and description."""

    async def discover(self) -> Hits:
        for command in self._commands():
            yield DiscoveryHit(
                f"{command.title}  ({command.shown})",
                self._runner(command),
                text=command.title,
                help=command.description,
            )

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in self._commands():
            score = matcher.match(f"{command.title} {command.description}")
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(f"{command.title}  ({command.shown})"),
                    self._runner(command),
                    text=command.title,
                    help=command.description,
                )

    def _commands(self) -> list[keys.Command]:
        scope = getattr(self.screen, "KEY_SCOPE", "")
        return [command for command in keys.commands(scope) if command.palette]

    def _runner(self, command: keys.Command) -> Callable[[], Any]:
        """Nothing when the page that it was chosen for has been left meanwhile."""
        app, screen = self.app, self.screen
        return lambda: screen.run_action(command.action) if screen in app.screen_stack else None
