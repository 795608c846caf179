"""Rich styles from the variables of the current Textual theme, by meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.color import Color, ColorParseError

READABLE = 4.5
"""The contrast that WCAG 2 asks of text (AA)."""


@dataclass(frozen=True)
class Palette:
    """Style strings for `rich.text.Text`. `series` are the RGB colours of chart lines."""

    good: str = "green"
    warn: str = "yellow"
    bad: str = "red"
    accent: str = "yellow"
    second: str = "cyan"
    muted: str = "dim"
    label: str = "dim"
    series: tuple[tuple[int, int, int], ...] = ((227, 176, 75), (111, 168, 199))

    def level(self, level: str) -> str:
        """Style of a health level, a service's status or a log level."""
        return {
            "healthy": self.good,
            "up": self.good,
            "confirmed": self.good,
            "credited": self.good,
            "degraded": self.warn,
            "warning": self.warn,
            "down": self.bad,
            "error": self.bad,
            "failed": self.bad,
            "debug": self.muted,
        }.get(level, self.muted if level in ("pending", "sent", "starting") else "")


def palette(variables: Mapping[str, str]) -> Palette:
    """The palette of a theme; a variable that is no plain colour keeps the terminal's own."""

    def hex_of(name: str, fallback: str) -> str:
        try:
            return hex_string(Color.parse(variables[name])) if name in variables else fallback
        except (ColorParseError, AttributeError):
            return fallback

    def mixed(amount: float, least: float) -> str:
        """Between background and foreground, but never too faint to be read on a surface."""
        try:
            back = Color.parse(variables["background"])
            front = Color.parse(variables["foreground"])
            surface = Color.parse(variables.get("surface", variables["background"]))
        except (KeyError, ColorParseError):
            return "dim"
        while contrast(back.blend(front, amount), surface) < least and amount < 1:
            amount += 0.01
        return hex_string(back.blend(front, amount))

    accent = hex_of("primary", "yellow")
    second = hex_of("secondary", "cyan")
    return Palette(
        good=hex_of("success", "green"),
        warn=hex_of("warning", "yellow"),
        bad=hex_of("error", "red"),
        accent=accent,
        second=second,
        muted=mixed(0.55, READABLE),
        label=mixed(0.65, READABLE + 0.9),
        series=tuple(rgb(style, index) for index, style in enumerate((accent, second))),
    )


def contrast(one: Color, other: Color) -> float:
    """Of two colours, by WCAG 2: from 1 (the same) to 21 (black on white)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: Color) -> float:
    """Relative luminance by WCAG 2, 0 to 1."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in color.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def hex_string(color: Color) -> str:
    return f"#{color.r:02x}{color.g:02x}{color.b:02x}"


def rgb(style: str, index: int) -> tuple[int, int, int]:
    try:
        color = Color.parse(style)
    except ColorParseError:
        return Palette.series[index]
    return (color.r, color.g, color.b)
