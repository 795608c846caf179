"""Where exported charts go, and how they get there: whole, private, never over an older one."""

from __future__ import annotations

import time
from pathlib import Path

from core.home import Home, atomic_write


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
