"""What charts are exported as, and where to: whole, private, never over an older file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from core.home import Home, atomic_write
from core.texts import _
from tui.charting import svg, tables
from tui.charting.catalogue import Chart
from tui.charting.look import Look
from tui.charting.sources import Source


def exported(
    ending: str, charts: Sequence[Chart], sources: Sequence[Source], look: Look, now: float
) -> str:
    """The text of the file. ending: csv or svg."""
    if ending == "csv":
        return tables.table(charts, sources, look)
    day = time.strftime("%d %B %Y %H:%M", time.localtime(now))
    return svg.picture(charts, sources, look, _("Waggle charts, {day}").format(day=day))


def export_path(home: Home, ending: str, now: float) -> Path:
    """A new file in the home's `exports`; the name is made of a date, never of foreign text."""
    stem = f"waggle-charts-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"
    folder = home.path / "exports"
    path, number = folder / f"{stem}.{ending}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.{ending}"
    return path


def save(path: Path, text: str) -> Path:
    """StorageError when the disk refuses."""
    atomic_write(path, text.encode("utf-8"))
    return path
