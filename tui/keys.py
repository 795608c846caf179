"""One table of everything a person can do: keys, palette entries and the help page come from it.

A screen says which `scope` it is; its bindings are built here, so that a key, its palette entry
and its line of help cannot drift apart.
"""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tui import (
    keys_charts,
    keys_dashboard,
    keys_logs,
    keys_onboarding,
    keys_peers,
    keys_questions,
    keys_rewards,
    keys_rollouts,
    keys_settings,
)
from tui.command import Command

COMMANDS: tuple[Command, ...] = (
    *keys_dashboard.COMMANDS,
    *keys_charts.COMMANDS,
    *keys_logs.COMMANDS,
    *keys_peers.COMMANDS,
    *keys_rewards.COMMANDS,
    *keys_rollouts.COMMANDS,
    Command(
        "everywhere",
        "interrupt",
        ("ctrl+c",),
        "^c",
        "Quit; twice: at once",
        "The first asks as q does; a second one stops the node at once.",
        palette=False,
        priority=True,
    ),
    Command(
        "everywhere",
        "redraw",
        ("ctrl+l",),
        "^l",
        "Redraw",
        "Draw the whole screen anew, when something else has written over it.",
        palette=False,
    ),
    Command(
        "reader",
        "app.back",
        ("escape", "q"),
        "Esc",
        "Back",
        "Return to the dashboard.",
        footer=True,
        palette=False,
    ),
    Command(
        "reader",
        "line_down",
        ("down", "j"),
        "Down j",
        "Down",
        "One line down.",
        palette=False,
    ),
    Command(
        "reader",
        "line_up",
        ("up", "k"),
        "Up k",
        "Up",
        "One line up.",
        palette=False,
    ),
    Command(
        "reader",
        "follow",
        ("end", "G"),
        "End G",
        "Follow",
        "Go to the end and follow what is new.",
        footer=True,
        palette=False,
    ),
    Command(
        "reader",
        "first",
        ("home", "g"),
        "Home g",
        "Top",
        "Go to the start.",
        footer=True,
        palette=False,
    ),
    *keys_settings.COMMANDS,
    *keys_onboarding.COMMANDS,
    *keys_questions.COMMANDS,
)

SCOPES = {
    "dashboard": "Dashboard",
    "charts": "Charts",
    "filter": "While filtering charts",
    "runs": "While choosing runs to compare",
    "peers": "Peers",
    "rewards": "Rewards",
    "rollouts": "Rollouts",
    "details": "Details of a peer or a round",
    "finding": "While searching peers or rounds",
    "logs": "Logs",
    "log line": "While searching the logs",
    "everywhere": "Everywhere",
    "reader": "Help",
    **keys_settings.SCOPES,
    **keys_onboarding.SCOPES,
    **keys_questions.SCOPES,
}
"""Headings of the help page, in its order."""


def commands(scope: str) -> list[Command]:
    return [command for command in COMMANDS if command.scope == scope]


def bindings(scope: str) -> list[BindingType]:
    """The Textual bindings of a scope; only the first key of a command shows in the footer."""
    return [
        Binding(
            key,
            command.action,
            command.title,
            show=command.footer and position == 0,
            key_display=command.shown.split()[0],
            priority=command.priority,
            tooltip=command.description,
        )
        for command in commands(scope)
        for position, key in enumerate(command.keys)
    ]
