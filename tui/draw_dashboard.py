"""The lines of the dashboard: verdict, round and status. Views in, `rich.text.Text` out; pure.

Each keeps within the width it is given; what is least needed goes first.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from core.health_words import LEVELS
from core.texts import _
from tui import views
from tui.draw import Pen, bounded, line
from tui.text import count, duration, mebibytes, middle, nearest, number

WORDS = {
    "start": _("Starting"),
    "sample": _("Sampling answers"),
    "publish": _("Publishing rollouts"),
    "gather": _("Gathering rollouts"),
    "admit": _("Checking rollouts"),
    "update": _("Updating the model"),
    "account": _("Recording the round"),
    "save": _("Saving a checkpoint"),
    "eval": _("Evaluating"),
    "wait": _("Waiting"),
    "paused": _("Paused"),
}
"""A phase in a person's words."""

BAR_WIDTH = 24


def headline(view: views.Headline, width: int, pen: Pen) -> Text:
    """Two lines: the verdict with its reason, and what to do next."""
    text = line()
    style = pen.palette.level(view.level) or pen.palette.accent
    word = f" {pen.glyphs.status(view.level)} {LEVELS.get(view.level, view.level).upper()}  "
    text.append(word, f"bold {style}")
    text.append(pen.fit(pen.safe(view.reason), width - cell_len(word)), "bold")
    text.append("\n")
    if view.next_step:
        lead = f" {pen.glyphs.arrow} "
        text.append(lead + pen.fit(pen.safe(view.next_step), width - cell_len(lead)))
    return text


def bar(fraction: float | None, width: int, pen: Pen) -> Text:
    text = line()
    filled = 0 if fraction is None else min(width, nearest(width * fraction))
    text.append(pen.glyphs.full * filled, pen.palette.accent)
    text.append(pen.glyphs.empty * (width - filled), pen.palette.muted)
    return text


def round_line(view: views.RoundView, width: int, pen: Pen) -> Text:
    """Two lines: the round with its phase and progress; the figures that matter."""
    dim, text = pen.palette.label, line()
    known = view.round is not None
    head = _("Round {round}").format(round=view.round) if known else _("No round yet")
    text.append(f" {head}", "bold")
    if known:
        text.append(" " + _("stage {stage}").format(stage=view.stage), dim)
    phase = WORDS["paused"] if view.paused else WORDS.get(view.phase, pen.safe(view.phase, 30))
    times = _times(view)
    text.append("  ")
    text.append(pen.column(phase, 19), pen.palette.accent)
    bar_width = min(BAR_WIDTH, width - cell_len(text.plain) - cell_len(times) - 4)
    if bar_width >= 6 and view.phase not in ("", "wait", "start") and not view.paused:
        text.append(" ")
        text.append_text(bar(view.fraction, bar_width, pen))
    text.append("  ")
    text.append(times, dim)
    if view.detail and (left := width - cell_len(text.plain) - 3) > 8:
        text.append(" " + pen.fit(pen.safe(view.detail), left), dim)
    text.append("\n")
    text.append_text(figures(view, width, pen))
    return bounded(text, width, pen)


def _times(view: views.RoundView) -> str:
    if view.paused or not view.phase:
        return ""
    if view.phase == "wait":
        return _("for {time}").format(time=duration(view.elapsed_s))
    told = duration(view.elapsed_s)
    if view.expected_s and view.expected_s >= 0.5:
        expected = duration(view.expected_s)
        told = _("{spent} of about {expected}").format(spent=told, expected=expected)
    if view.total:
        told = f"{100 * min(view.done, view.total) // view.total:3d} %  {told}"
    return told


def figures(view: views.RoundView, width: int, pen: Pen) -> Text:
    parts: list[tuple[str, str]] = []
    if view.stopping:
        parts.append((_("stopping"), _("after this round")))
    parts.append((_("reward"), number(view.reward)))
    if view.swarm_reward is not None:
        parts.append((_("swarm"), number(view.swarm_reward)))
    parts.append((_("loss"), number(view.loss, 4)))
    parts.append((_("confirmed"), f"{view.confirmed}/{view.trained}"))
    if view.next_in_s is not None:
        parts.append((_("next within"), duration(view.next_in_s)))
    text = line()
    for label, value in parts:
        piece = f" {label} {value} "
        if cell_len(text.plain) + cell_len(piece) > width:
            break
        text.append(f" {label} ", pen.palette.label)
        text.append(f"{value} ")
    return text


def status(view: views.StatusView, width: int, pen: Pen) -> Text:
    """The bottom line; what is least needed goes first when it is narrow."""
    speed = "-" if view.tokens_per_s is None else f"{count(view.tokens_per_s)} tok/s"
    memory = "-" if view.rss_mib is None else mebibytes(view.rss_mib)
    parts = [
        pen.safe(view.model.rstrip("/").rsplit("/", 1)[-1], 40),
        pen.safe(view.name, 40),
        speed,
        memory,
        middle(pen.safe(view.account), 9, pen.glyphs.ellipsis) if view.account else _("no account"),
        _("queue {n}").format(n=view.queue),
    ]
    if view.console_kb_s is not None:
        parts.append(
            f"{view.console_kb_s:.0f} KB/s"
            if view.console_kb_s >= 10
            else f"{view.console_kb_s:.1f} KB/s"
        )
    if view.backup:
        parts.append(view.backup)
    between = f" {pen.glyphs.dot} "
    if cell_len(between.join(parts)) + 2 > width:
        between = "  "
    while len(parts) > 2 and cell_len(between.join(parts)) + 2 > width:
        parts.pop()
    text = line()
    text.append(" " + pen.fit(between.join(parts), width - 2), pen.palette.label)
    return text
