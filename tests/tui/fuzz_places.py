"""Every place of a console that a fuzz run must spend time in: its name, and the way there."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from core import away, config, events
from core.errors import WaggleError
from core.fold import replay
from core.home import Home
from core.swarm import hosting, invite_commands, joining
from core.swarm.invite import Invite
from tests.logfile_support import line, write_logs
from tests.tui import charts_support, peers_support, rewards_support, rollouts_support
from tests.tui.fuzz_inputs import HOSTILE
from tests.tui.support import ACCOUNT, ME, ReplayNode, keep
from tui.app import WaggleApp
from tui.screens.charts.filter_line import FilterLine
from tui.screens.onboarding.account import AccountStep
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.screen import STEPS, OnboardingScreen, steps_of
from tui.screens.settings_line import SettingsLine
from tui.widgets.log_prompt import LogPrompt
from tui.widgets.table_search import SearchLine

NOW = peers_support.NOW
FAILURE, AWAY = "Failure", "Away"
FIRST = "First start: "
STEP = {step: FIRST + step.NAME for step in STEPS}
ROUTES = {
    "Dashboard": "",
    "Charts": "c",
    "Charts: one": "c\r",
    "Charts: filter": "c/",
    "Charts: runs": "cc",
    "Rollouts": "r",
    "Rollouts: line": "r/",
    "Details": "r\r",
    "Peers: peers": "n1",
    "Peers: gossip": "n2",
    "Peers: network": "n3",
    "Peers: quarantine": "n4",
    "Peers: line": "n/",
    "Rewards: ledger": "w1",
    "Rewards: counters": "w2",
    "Rewards: about": "w3",
    "Rewards: line": "w/",
    "Logs": "l",
    "Logs: line": "l/",
    "Settings": "s",
    "Settings: line": "s\r",
    "Help": "?",
    "Palette": "\x10",
    "Quit": "q",
    AWAY: "",
}
"""Keys from the dashboard; the card comes by itself to who returns."""
IN_ONBOARDING = {f"{FIRST}phrase": "\x1b[B\r", f"{FIRST}leaving": "\x03"}
"""Keys from the account step."""
PLACES = (*ROUTES, FAILURE, *STEP.values(), *IN_ONBOARDING)
LINES = {
    **{"ChartsScreen": FilterLine, "LogsScreen": LogPrompt, "SettingsScreen": SettingsLine},
    **dict.fromkeys(("PeersScreen", "RewardsScreen", "RolloutsScreen"), SearchLine),
}
PAGES = {
    **{"HelpScreen": "Help", "Palette": "Palette", "QuitScreen": "Quit", "AwayScreen": AWAY},
    **{"FailureScreen": FAILURE, "DetailsScreen": "Details", "RunsScreen": "Charts: runs"},
    **{"PhraseScreen": f"{FIRST}phrase", "LeaveScreen": f"{FIRST}leaving"},
}


def place_of(app: WaggleApp) -> str:
    """Where the next input goes."""
    screen: Any = app.screen
    kind = type(screen).__name__
    if kind in PAGES:
        return PAGES[kind]
    if isinstance(screen, OnboardingScreen):
        return STEP[screen.steps[min(screen.position, len(screen.steps) - 1)]]
    name = kind.removesuffix("Screen")
    if kind in LINES and any(each.display for each in screen.query(LINES[kind])):
        return f"{name}: {'filter' if name == 'Charts' else 'line'}"
    if name == "Charts":
        return "Charts: one" if screen._desk.look.open else "Charts"
    return f"{name}: {screen.section}" if name in ("Peers", "Rewards") else name


@lru_cache(1)
def invited(folder: Path) -> tuple[str, Invite]:
    """An invite of a swarm in another home; made once, as it costs a contract."""
    other = Home(folder / "other")
    effective = config.load("solo", other, env={})
    opening = hosting.plan(effective, other, "127.0.0.1")
    return invite_commands.create(effective, other, opening, 30)


def first_start(pick: random.Random, place: str, home: Home, folder: Path) -> tuple[Draft, int]:
    """What was chosen up to the step of `place`, on one of the ways that lead there; its number."""
    wanted = next((step for step, name in STEP.items() if name == place), AccountStep)
    opening = hosting.plan(config.load("solo", home, env={}), home, "127.0.0.1")
    rpc, contract, (text, invite) = "http://127.0.0.1:9", f"0x{5:040x}", invited(folder)
    text = text if pick.random() < 0.7 else "waggle://x"
    settings = tuple(joining.settings_of(invite, home).items())
    chain = {"CoordinatorStep.rpc": rpc, "CoordinatorStep.contract": contract}
    drafts = (
        Draft(way="solo"),
        Draft(way="trio"),
        Draft(way="host", opening=opening),
        Draft("invite", {"InviteStep.invite": text}, invite=invite, invite_settings=settings),
        Draft("join", chain, rpc_url=rpc, contract=contract, chain_id=31337),
    )
    draft = pick.choice([draft for draft in drafts if wanted in steps_of(draft)])
    if STEPS.index(wanted) > STEPS.index(AccountStep):
        draft = replace(draft, peer_id=ME, name="calm golden badger", address=ACCOUNT)
    return draft, steps_of(draft).index(wanted)


def furnish(pick: random.Random, home: Home, place: str) -> ReplayNode:
    """A home with an earlier run, logs and a ledger, mostly; and the node that goes on in it."""
    if pick.random() < 0.15 and place != AWAY:
        return ReplayNode([])
    rounds = pick.choice((1, 2, 40))
    earlier = charts_support.run(1, 60) if pick.random() < 0.5 or place == AWAY else []
    if earlier:
        keep(home, earlier)
    if place == AWAY:
        away.save(home.look, away.look(replay(earlier[:20]), NOW - 1e5))
    write_logs(home, {name: _log(pick, name) for name in ("node", "net", "console")})
    if pick.random() < 0.7:
        rewards_support.fill(home, pick.choice((3, 30)), NOW)
    recorded: list[events.Event] = rollouts_support.history(rounds)
    recorded += charts_support.run(rounds + 1, pick.choice((1, 90)))[1:]
    recorded += peers_support.swarm(pick.choice((12, 120)))
    if home.db.exists() and pick.random() < 0.7:
        recorded += rewards_support.told(home, trouble=pick.random() < 0.5)
    return ReplayNode(recorded)


def failing(pick: random.Random) -> WaggleError:
    return WaggleError(*(pick.choice(HOSTILE) * pick.choice((1, 20)) or "It failed" for _ in "123"))


def _log(pick: random.Random, name: str) -> str:
    """Levels, repeats, tracebacks, foreign text, lines without end and without a time."""
    out = []
    for second in range(pick.choice((3, 200))):
        level = pick.choice(("INFO", "INFO", "DEBUG", "WARNING", "ERROR"))
        text = pick.choice((*HOSTILE, f"round {second} finished", "again", "connection refused"))
        text = text.encode("utf-8", "replace").decode()
        out.append(line(second * pick.choice((0.5, 1)), level, f"{name} {text}"))
        if pick.random() < 0.1:
            out.append('Traceback (most recent call last):\n  File "x.py", line 1\nOSError: no\n')
    if pick.random() < 0.2:
        out.append("\x1b[31mx\x00" * 30_000)
    return "".join(out)
