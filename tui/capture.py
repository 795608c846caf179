"""Captures of the screen as SVG and as plain text, for screenshots and for tests."""

from __future__ import annotations

from pathlib import Path

from textual.app import App


def text_of(app: App[object]) -> str:
    """The screen as plain text, one line a row, without trailing spaces."""
    width, height = app.size
    strips = app.screen._compositor.render_strips(app.size)
    rows = ["".join(segment.text for segment in strip) for strip in strips]
    return "\n".join(row[: width * 2].rstrip() for row in rows[:height]) + "\n"


def save(app: App[object], folder: Path | str, name: str) -> tuple[Path, Path]:
    """Write NAME.svg and NAME.txt into `folder`; the two paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    svg, txt = folder / f"{name}.svg", folder / f"{name}.txt"
    svg.write_text(app.export_screenshot(title="Waggle"), encoding="utf-8")
    txt.write_text(text_of(app), encoding="utf-8")
    return svg, txt
