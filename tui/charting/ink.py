"""The colours of charts: for each line a strong one, and a faint one for the values behind it.

After the theme's own two come colours of Okabe and Ito's palette, which colour-blind eyes tell
apart. Colour is never all: every line carries a mark where there is more than one.
"""

from __future__ import annotations

from textual.color import Color, ColorParseError

from tui.palette import Palette, hex_string

DARK = ("#3fbf9b", "#d68fb8", "#e8834a", "#b9c26a")
LIGHT = ("#00694e", "#8f3f70", "#a84300", "#5d6400")
FAINT = 0.42
"""How much of a line's colour is in the values behind it."""


def styles(palette: Palette, variables: dict[str, str], dark: bool) -> dict[str, str]:
    """By the names of `panel.py`, as style strings of Rich."""
    back = _color(variables.get("background", ""), Color(0, 0, 0) if dark else Color(255, 255, 255))
    lines = [palette.accent, palette.second, *(DARK if dark else LIGHT)]
    out = {
        "": "",
        "title": "bold",
        "chosen": f"bold {palette.accent}",
        "value": "",
        "label": palette.label,
        "muted": palette.muted,
        "cursor": palette.label,
        "warn": palette.warn,
    }
    for number, line in enumerate(lines):
        out[f"line {number}"] = line
        out[f"faint {number}"] = hex_string(back.blend(_color(line, back.inverse), FAINT))
    return out


def _color(text: str, fallback: Color) -> Color:
    try:
        return Color.parse(text)
    except ColorParseError:
        return fallback
