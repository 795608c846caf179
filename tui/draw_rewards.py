"""The rewards screen drawn: rows of the ledger, the stages above, both counters. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from core.chain.ledger_pages import Round
from core.rewards_facts import Side, receipt
from core.rewards_words import COUNTERS, GWEI, NAMES, STAGES, passes
from core.texts import _
from tui.derive_rewards import HeadView
from tui.draw import Pen, bounded, line
from tui.widgets.table_layout import Cell, Column

LEDGER = (
    Column("round", _("round"), 7, right=True, fixed=True, sorts=False),
    Column("path", _("path"), 4, fixed=True, sorts=False),
    Column("earned", _("earned"), 6, right=True, sorts=False),
    Column("reward", _("reward"), 9, sorts=False),
    Column("vote", _("vote"), 9, sorts=False),
    Column("receipt", _("receipt"), 18, most=60, sorts=False),
    Column("block", _("block"), 8, right=True, sorts=False),
    Column("gas", _("gas"), 6, right=True, sorts=False),
    Column("fee", _("gwei"), 11, right=True, sorts=False),
    Column("bonus", _("bonus"), 5, right=True, sorts=False),
    Column("sent", _("submitted"), 9, right=True, sorts=False),
    Column("tries", _("tries"), 5, right=True, sorts=False),
)
STEPS = {"waiting": 1, "pending": 1, "sent": 2, "confirmed": 3, "credited": 4}
"""How far a round is on its path: trained, sent, confirmed, credited."""
NARROW = 28
"""Cells that one step of the line of stages takes, at least, to be told with its worth."""


def cells(each: Round, pen: Pen) -> Sequence[Cell]:
    """A round in the order of the columns; the words are those of `waggle rewards`."""
    row, reward, vote = each.row, each.reward, each.vote
    dim, level = pen.palette.muted, pen.palette.level
    error = next((r.error for r in (reward, vote) if r is not None and r.error), "")
    told = error or receipt(each)
    voted = vote.status if vote is not None else "-"
    figures: list[Cell] = [("", "")] * 6
    if reward is not None:
        figures = [
            (str(reward.block) if reward.block else "-", dim),
            (str(reward.gas_used) if reward.gas_used else "-", dim),
            (gwei(reward.fee_wei) if reward.fee_wei else "-", dim),
            (str(row.bonus) if row.bonus else "", dim),
            (pen.safe(reward.value, 20), ""),
            (str(reward.attempts), dim),
        ]
    return (
        (str(row.round), ""),
        (path(each.status, pen), level(each.status)),
        (str(row.reward), ""),
        (NAMES.get(each.status) or pen.safe(each.status, 20), level(each.status)),
        (NAMES.get(voted) or pen.safe(voted, 20), level(voted)),
        (pen.safe(told, 200), pen.palette.warn if error else dim),
        *figures,
    )


def gwei(wei: int) -> str:
    """A fee to three decimals, so that points stand below points; what is less is told as such."""
    return f"{wei / GWEI:,.3f}" if wei >= GWEI // 1000 else "<0.001"


def path(status: str, pen: Pen) -> str:
    """Four steps: trained, sent, confirmed, credited; a refused one ends in a cross."""
    if status == "failed":
        return pen.glyphs.full * 2 + "x" + pen.glyphs.empty
    done = STEPS.get(status, 1)
    return pen.glyphs.full * done + pen.glyphs.empty * (4 - done)


def head(view: HeadView, width: int, pen: Pen) -> Text:
    """Two lines: the stages one behind the other; then what stands in the way."""
    text = line()
    text.append(" " + _("Rewards") + " ", f"bold {pen.palette.accent}")
    if view.note:
        room = width - 2 - cell_len(text.plain)
        text.append(" " + pen.fit(pen.safe(view.note), room), pen.palette.label)
    pieces = [(stage.name, stage.rewards, stage.worth) for stage in view.stages]
    long = sum(cell_len(f"  {NAMES[name]} {n:,} (+{worth:,})  ") for name, n, worth in pieces)
    arrow = f" {pen.glyphs.arrow} "
    for number, (name, count, worth) in enumerate(pieces):
        between = "" if number == 0 else "  " if name == "failed" else arrow
        told = f"{count:,} (+{worth:,})" if long < width - 10 else f"{count:,}"
        piece = f"{between}{NAMES[name]} {told}"
        if cell_len(text.plain) + cell_len(piece) > width - 1:
            break
        text.append(between, pen.palette.muted)
        text.append(f"{NAMES[name]} ", pen.palette.label)
        style = pen.palette.level(name) if name in STAGES[-3:] and count else ""
        text.append(told, f"bold {style}".strip())
    text.append("\n")
    if view.trouble:
        text.append(f" {pen.glyphs.warn} ", pen.palette.warn)
        text.append(pen.fit(pen.safe(view.trouble, 600), width - 4))
    elif view.failed:
        text.append(
            " " + _("Only rounds with a submission in trouble; f shows all."), pen.palette.label
        )
    elif view.stages:
        text.append(" " + _("Nothing stands in the way."), pen.palette.label)
    return bounded(text, width, pen)


def counters(view: tuple[tuple[Side, ...], str], width: int, pen: Pen) -> Text:
    """This side beside the coordinator's, why they differ, and what each counter counts."""
    rows, asked = view
    text = line()
    heads = pen.column(_("here"), 20, True) + pen.column(_("coordinator"), 13, True)
    text.append(pen.fit(heads, width) + "\n", pen.palette.label)
    for side in rows:
        here, there = ("-" if n is None else f"{n:,}" for n in (side.here, side.there))
        figures = f"{here:>7}  {there:>11}"
        text.append(pen.column(NAMES[side.name], 13), "bold")
        text.append(figures)
        told = f" {pen.glyphs.status(side.level)} {side.word}" if side.level else ""
        if 13 + len(figures) + len(told) <= width or side.level != "starting":
            text.append(told, pen.palette.level(side.level))
        text.append("\n")
        for amount, reason in side.why:
            style = pen.palette.label if passes(reason) else pen.palette.warn
            _wrapped(text, f"  {amount:+,}: ", pen.safe(reason, 300), width, style)
    text.append(pen.fit(asked, width) + "\n", pen.palette.label)
    text.append("\n")
    for name, meaning in COUNTERS.items():
        _wrapped(text, pen.column(NAMES[name], 13) + "  ", meaning, width, pen.palette.label)
    return bounded(text, width, pen)


def _wrapped(text: Text, lead: str, words: str, width: int, style: str) -> None:
    rows = textwrap.wrap(words, max(12, width - len(lead)), break_on_hyphens=False)
    for number, row in enumerate(rows or [""]):
        text.append((" " * len(lead) if number else lead) + row + "\n", style)
