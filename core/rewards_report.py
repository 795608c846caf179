"""What `waggle rewards` prints: from trained to credited, this side beside the coordinator's."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.config import Effective
from core.errors import WaggleError
from core.home import Home
from core.reports import ago, clean, print_json
from core.rewards_check import Checked, check
from core.rewards_facts import (
    NOTHING,
    UNKNOWN,
    facts,
    receipt,
    round_head,
    round_lines,
    sides,
    stages,
)
from core.rewards_figures import Choice, Figures, collect
from core.rewards_json import data
from core.rewards_words import COUNTERS, differs

if TYPE_CHECKING:
    from core.chain.ledger_pages import Round

WIDTH = 80


def rewards(
    home: Home, load: Callable[[], Effective], choice: Choice, ask: bool, as_json: bool
) -> int:
    """Print it all. load: the configuration, only needed to ask the coordinator anew.

    0; 1 when `ask` was wanted and it could not be asked, or says that nothing counts.
    """
    figures = collect(home, choice)
    if figures is None:
        print_json({"trained": 0, "rounds": []}) if as_json else print(NOTHING)
        return 0
    checked: Checked | None = None
    error: WaggleError | None = None
    if ask:
        try:
            checked = check(home, load, figures)
            figures = checked.figures
        except WaggleError as said:
            error = said
    owner = checked.owner if checked is not None else figures.owner
    if as_json:
        print_json(data(figures, checked, error))
    else:
        _print(figures, choice, checked, error, owner)
    return 1 if error is not None or (ask and differs(figures.account, owner or "")) else 0


def _print(
    figures: Figures,
    choice: Choice,
    checked: Checked | None,
    error: WaggleError | None,
    owner: str | None,
) -> None:
    now = time.time()
    if choice.round is not None:
        _one_round(figures, choice.round, now)
        return
    _stages(figures, now)
    print()
    _sides(figures, now)
    print()
    for name, text in facts(figures, checked, owner, now):
        _told(name, clean(text))
    if error is not None:
        _told("not asked", str(error))
    _table(figures.rounds, choice)


def _stages(figures: Figures, now: float) -> None:
    print(f"{'':<11}{'rewards':>8}{'votes':>7}{'worth':>9}")
    for stage in stages(figures, now):
        votes = "" if stage.votes is None else str(stage.votes)
        _told(f"{stage.name:<11}{stage.rewards:>8}{votes:>7}{stage.worth:>9}", stage.meaning, 37)


def _sides(figures: Figures, now: float) -> None:
    read = figures.counters
    asked = f"coordinator, {ago(read.time, now)}" if read else "coordinator: not asked yet"
    print(f"{'':<15}{'here':>10}  {asked}")
    for side in sides(figures):
        here, there = ("-" if each is None else str(each) for each in (side.here, side.there))
        print(f"{side.name:<15}{here:>10}  {there:>11}  {side.word}".rstrip())
        for amount, reason in side.why:
            _told("", f"{amount:+d}: {reason}", 40)
    print()
    for name, meaning in COUNTERS.items():
        _told(name, meaning)


def _table(rounds: list[Round], choice: Choice) -> None:
    if not rounds:
        print("\nNo round failed." if choice.failed else "")
        return
    print(f"\n{'round':>8} {'earned':>7} {'bonus':>5}  {'reward':<10} {'vote':<10} receipt")
    for each in rounds:
        row, vote = each.row, each.vote.status if each.vote else "-"
        print(
            f"{row.round:>8} {row.reward:>7} {row.bonus or '':>5}  {each.status:<10} {vote:<10} "
            f"{clean(receipt(each))}".rstrip()
        )
        for error in dict.fromkeys(r.error for r in (each.reward, each.vote) if r and r.error):
            _told("", clean(error), 10)


def _one_round(figures: Figures, number: int, now: float) -> None:
    if not figures.rounds:
        _told("", UNKNOWN.format(round=number), 0)
        return
    for each in figures.rounds:
        print(round_head(each, now))
        for name, text in round_lines(each, now):
            if text.startswith("0x"):
                print(f"{name:<13} {clean(text)}")  # whole, for a script or a mouse to take
            else:
                _told(name, clean(text))


def _told(name: str, text: str, indent: int = 15) -> None:
    """`name`, then the text beside it, wrapped."""
    lead = f"{name:<{indent}}"
    wrapped = textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead))
    print("\n".join(wrapped) if wrapped else lead.rstrip())
