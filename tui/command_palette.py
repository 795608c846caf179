"""The command palette, from the same table as keys and help."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from tui import keys


class Palette(CommandPalette):
    """Textual's, but for a key that turns the page of a list of which no line is drawn."""

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
        return lambda: self.screen.run_action(command.action)
