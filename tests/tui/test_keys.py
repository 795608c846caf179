"""One table: bindings, palette, key bar and help say the same."""

from __future__ import annotations

import pytest

from tui import keys
from tui.app import WaggleApp
from tui.draw import Pen
from tui.glyphs import UNICODE
from tui.palette import Palette
from tui.screens.away import AwayScreen
from tui.screens.charts.filter_line import FilterLine
from tui.screens.charts.runs import RunsScreen
from tui.screens.charts.screen import ChartsScreen
from tui.screens.dashboard import Dashboard
from tui.screens.failure import FailureScreen
from tui.screens.help import help_text
from tui.screens.logs.screen import LogsScreen
from tui.screens.onboarding.leaving import LeaveScreen
from tui.screens.onboarding.opened import OpenedStep
from tui.screens.onboarding.phrase import PhraseScreen
from tui.screens.onboarding.screen import OnboardingScreen
from tui.screens.peers import PeersScreen
from tui.screens.quit import QuitScreen
from tui.screens.reader import Reader
from tui.screens.rewards import RewardsScreen
from tui.screens.rollouts import RolloutsScreen
from tui.screens.row_details import DetailsScreen
from tui.screens.settings import SettingsScreen
from tui.screens.settings_line import SettingsLine
from tui.widgets.key_bar import spans
from tui.widgets.log_prompt import LogPrompt
from tui.widgets.table_search import SearchLine

SCREENS = {
    "everywhere": WaggleApp,
    "dashboard": Dashboard,
    "charts": ChartsScreen,
    "filter": FilterLine,
    "runs": RunsScreen,
    "logs": LogsScreen,
    "log line": LogPrompt,
    "peers": PeersScreen,
    "rewards": RewardsScreen,
    "rollouts": RolloutsScreen,
    "details": DetailsScreen,
    "finding": SearchLine,
    "reader": Reader,
    "settings": SettingsScreen,
    "setting line": SettingsLine,
    "onboarding": OnboardingScreen,
    "invite": OpenedStep,
    "phrase": PhraseScreen,
    "leaving": LeaveScreen,
    "question": QuitScreen,
    "card": AwayScreen,
    "failure": FailureScreen,
}


def test_every_scope_has_a_screen_and_a_heading() -> None:
    assert set(SCREENS) == set(keys.SCOPES) == {command.scope for command in keys.COMMANDS}


@pytest.mark.parametrize("scope", SCREENS)
def test_bindings_are_the_table(scope: str) -> None:
    bound = {(binding.key, binding.action) for binding in SCREENS[scope].BINDINGS}
    table = {(key, c.action) for c in keys.commands(scope) for key in c.keys}
    assert bound == table


@pytest.mark.parametrize("scope", SCREENS)
def test_no_key_does_two_things(scope: str) -> None:
    used = [key for command in keys.commands(scope) for key in command.keys]
    assert len(used) == len(set(used))


@pytest.mark.parametrize("scope", SCREENS)
def test_every_action_exists(scope: str) -> None:
    from textual.app import App

    for command in keys.commands(scope):
        name = command.action.partition("(")[0]
        owner: type = SCREENS[scope]
        if name.startswith("app."):
            owner, name = WaggleApp, name.removeprefix("app.")
        assert hasattr(owner, f"action_{name}") or hasattr(App, f"action_{name}"), command


def test_help_names_every_command() -> None:
    shown = help_text("table", 200, Pen(UNICODE, Palette())).plain
    for command in keys.COMMANDS:
        assert command.title in shown
        assert command.description in shown
        assert command.shown in shown


@pytest.mark.parametrize("scope", SCREENS)
def test_the_key_bar_fits_80_columns(scope: str) -> None:
    wanted = [command for command in keys.commands(scope) if command.footer]
    assert [command for _, _, command in spans(scope, 80)] == wanted
