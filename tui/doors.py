"""Builds the pages that open over the dashboard, each imported when it is first asked for.

Imports stand inside the functions: the first frame must not wait for screens nobody has opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

if TYPE_CHECKING:
    from tui.app import WaggleApp


PAGES = (
    *("charts.screen", "logs.screen", "peers", "rewards", "rollouts", "settings", "help"),
    *("quit", "away", "row_details"),
)


def prepare() -> None:
    """Import every page, 20 to 150 ms each, so that nobody's first key waits for it.

    In a thread, once the node runs.
    """
    for page in PAGES:
        import_module(f"tui.screens.{page}")


def help_page(app: WaggleApp) -> Screen[Any]:
    from tui.screens.help import HelpScreen

    return HelpScreen()


def charts(app: WaggleApp) -> Screen[Any]:
    from tui.screens.charts.desk import Desk
    from tui.screens.charts.screen import ChartsScreen

    if app.charts_desk is None:  # window, filter and cursor are as they were left
        app.charts_desk = Desk()
    return ChartsScreen(app.charts_desk)


def logs(app: WaggleApp, round_: float | None = None) -> Screen[Any]:
    from tui.screens.logs.screen import LogsScreen

    return LogsScreen(round_)


def peers(app: WaggleApp) -> Screen[Any]:
    from tui.screens.peers import PeersScreen

    return PeersScreen()


def rewards(app: WaggleApp) -> Screen[Any]:
    from tui.screens.rewards import RewardsScreen

    return RewardsScreen(app.home)


def rollouts(app: WaggleApp) -> Screen[Any]:
    from tui.screens.rollouts import RolloutsScreen

    return RolloutsScreen()


def settings(app: WaggleApp) -> Screen[Any]:
    from tui.screens.settings import SettingsScreen

    return SettingsScreen(app.home)


def first_start(app: WaggleApp) -> Screen[Any]:
    """With what the command line says: it wins over all that is chosen there."""
    from tui.screens.onboarding.draft import Draft, flags_of
    from tui.screens.onboarding.screen import OnboardingScreen

    flags = flags_of(app.effective) if app.effective is not None else ()
    return OnboardingScreen(app.home, app.pen.glyphs, Draft(flags=flags))
