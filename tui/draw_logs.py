"""The log screen to `rich.text.Text`: rows, the line above them, the line below. Pure.

All text of rows is safe already; what else came from a file or a person is made safe here.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from core.logfiles.scan import LEVELS
from core.texts import _, many
from tui.draw import Pen, line
from tui.screens.logs.frame import Frame
from tui.screens.logs.rows import Row
from tui.text import count

MARKS = {"warning": "warn", "error": "error", "debug": "debug", "info": "info"}
LEAST = (_("all levels"), _("info and worse"), _("warnings and errors"), _("errors only"))
NO_LINES = _("No log has been written yet.")
NOTHING = _("Nothing here. w, e: other levels; s: other logs; Esc: forget the search.")
READING = _("Reading the logs")
SEARCHING = _("Searching")
FOLLOWING = _("following")


def row_text(row: Row, width: int, stream_cells: int, pen: Pen) -> Text:
    """One row, at most `width` cells."""
    palette = pen.palette
    text = line()
    pointer = (">" if pen.glyphs.ascii else "▌") if row.chosen else " "
    text.append(pointer, palette.accent)
    if row.kind == "line":
        text.append(row.mark or " ", palette.accent)
        text.append(f"{row.clock} ", palette.muted)
        word = MARKS.get(row.level, pen.safe(row.level, 5))
        text.append(f"{word:5s} ", palette.level(row.level) or palette.muted)
        if stream_cells:
            name = pen.column(pen.safe(row.stream, 80), stream_cells - 1)
            text.append(f"{name} ", palette.second)
    else:
        lead = 15 + stream_cells
        text.append(" " * (lead + 1 - (5 if row.kind == "hint" else 0)))
    if row.kind == "hint":
        text.append(f"{row.mark:4s} ", palette.accent)
    style = palette.muted if row.kind != "line" or row.level == "debug" else ""
    body = len(text.plain)
    note = f"  {row.note}" if row.note else ""
    room = width - cell_len(text.plain)
    note = pen.fit(note, max(room // 2, room - cell_len(row.text)))
    shown = pen.fit(row.text, room - cell_len(note)) if note else row.text
    text.append(shown, f"bold {style}" if row.chosen and row.kind == "line" else style)
    for start, end in row.spans:
        text.stylize(f"bold underline {palette.accent}", body + start, body + min(end, len(shown)))
    text.append(note, palette.muted)
    return _cropped(text, width, pen)


def _cropped(text: Text, width: int, pen: Pen) -> Text:
    if cell_len(text.plain) > width:
        dots = pen.glyphs.ellipsis
        text.truncate(max(0, width - cell_len(dots)))
        text.append(dots[:width], pen.palette.muted)
    return text


def head(frame: Frame, width: int, pen: Pen) -> Text:
    """What is shown: which log, which levels, what is searched for and how often it is there."""
    wanted = frame.filter
    parts = []
    if wanted.pattern is not None:
        parts.append(_searched(frame, pen))
    parts.append(pen.safe(wanted.stream, 40) if wanted.stream else _("all logs"))
    parts.append(LEAST[min(wanted.least, len(LEVELS) - 1)])
    if not wanted.fold:
        parts.append(_("repeats shown"))
    parts.append(
        many("{count} line, {size}", "{count} lines, {size}", frame.lines).format(
            count=count(frame.lines), size=_size(frame.size_bytes)
        )
    )
    if frame.indexed < 1:
        parts.append(f"{READING}: {frame.indexed * 100:.0f} %")
    text = line()
    text.append(" " + _("Log") + " ", f"bold {pen.palette.accent}")
    between = f" {pen.glyphs.dot} "
    room = width - 1 - cell_len(text.plain)
    text.append(" " + pen.fit(between.join(parts), room), pen.palette.label)
    return text


def _searched(frame: Frame, pen: Pen) -> str:
    pattern = frame.filter.pattern
    assert pattern is not None
    if pattern.problem:
        return _("/{text}: no expression yet").format(text=pen.safe(pattern.text, 40))
    told = many("{n:,} match", "{n:,} matches", frame.matches).format(n=frame.matches)
    if frame.searched < 1:
        told = _("{matches} in {share:.0f} %").format(matches=told, share=frame.searched * 100)
    told = f"/{pen.safe(pattern.text, 40)}: {told}"
    return _("only {matches}").format(matches=told) if frame.filter.only else told


def foot(frame: Frame, width: int, pen: Pen) -> Text:
    """Where the cursor is, and whether it follows."""
    text = line()
    if frame.following:
        state, style = FOLLOWING, pen.palette.good
    else:
        state = _("standing still, End follows")
        if n := frame.behind:
            state = many("+{n:,} line, End follows", "+{n:,} lines, End follows", n).format(n=n)
        style = pen.palette.warn if frame.behind else pen.palette.label
    left = frame.problem or frame.said or (f"{SEARCHING}..." if frame.waiting else "")
    left = left or "  ".join(filter(None, (frame.where, frame.file)))
    room = max(0, width - cell_len(state) - 3)
    left = pen.fit(pen.safe(left, 400), room)
    warn = bool(frame.problem or frame.said)
    text.append(f" {left}", pen.palette.warn if warn else pen.palette.label)
    text.append(" " * max(1, width - 2 - cell_len(left) - cell_len(state)))
    text.append(state, style)
    return text


def empty(frame: Frame, pen: Pen) -> str:
    """What to say where no row is."""
    if frame.waiting or (frame.indexed < 1 and not frame.rows):
        share = frame.searched if frame.waiting else frame.indexed
        word = SEARCHING if frame.waiting else READING
        return f"{word}: {share * 100:.0f} %"
    return NOTHING if frame.lines else NO_LINES


def _size(size_bytes: int) -> str:
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return many("{n} byte", "{n} bytes", size_bytes).format(n=size_bytes)
