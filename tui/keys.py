"""One table of everything a person can do: keys, palette entries and the help page come from it.

A screen says which `scope` it is; its bindings are built here, so that a key, its palette entry
and its line of help cannot drift apart.
"""

from __future__ import annotations

from textual.binding import Binding, BindingType

from core.texts import _
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
        _("Quit; twice: at once"),
        _("The first asks as q does; a second one stops the node at once."),
        palette=False,
        priority=True,
    ),
    Command(
        "everywhere",
        "redraw",
        ("ctrl+l",),
        "^l",
        _("Redraw"),
        _("Draw the whole screen anew, when something else has written over it."),
        palette=False,
    ),
    Command(
        "reader",
        "app.back",
        ("escape", "q"),
        "Esc",
        _("Back"),
        _("Return to the dashboard."),
        footer=True,
        palette=False,
    ),
    Command(
        "reader",
        "line_down",
        ("down", "j"),
        "Down j",
        _("Down"),
        _("One line down."),
        palette=False,
    ),
    Command(
        "reader",
        "line_up",
        ("up", "k"),
        "Up k",
        _("Up"),
        _("One line up."),
        palette=False,
    ),
    Command(
        "reader",
        "follow",
        ("end", "G"),
        "End G",
        _("Follow"),
        _("Go to the end and follow what is new."),
        footer=True,
        palette=False,
    ),
    Command(
        "reader",
        "first",
        ("home", "g"),
        "Home g",
        _("Top"),
        _("Go to the start."),
        footer=True,
        palette=False,
    ),
    *keys_settings.COMMANDS,
    *keys_onboarding.COMMANDS,
    *keys_questions.COMMANDS,
)

SCOPES = {
    "dashboard": _("Dashboard"),
    "charts": _("Charts"),
    "filter": _("While filtering charts"),
    "runs": _("While choosing runs to compare"),
    "peers": _("Peers"),
    "rewards": _("Rewards"),
    "rollouts": _("Rollouts"),
    "details": _("Details of a peer or a round"),
    "finding": _("While searching peers or rounds"),
    "logs": _("Logs"),
    "log line": _("While searching the logs"),
    "everywhere": _("Everywhere"),
    "reader": _("Help"),
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
