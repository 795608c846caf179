"""Colours: readable on every theme, and told apart by colour-blind eyes on the theme for them."""

from __future__ import annotations

import itertools

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color
from textual.theme import Theme

from tui.charting.ink import styles
from tui.glyphs import ASCII, LINUX, UNICODE, Glyphs
from tui.palette import READABLE, contrast, palette
from tui.themes import FOCUS, THEMES

MEANINGS = ("good", "warn", "bad", "accent", "second", "muted", "label")
EYES = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Linear RGB as such eyes see it: Machado, Oliveira and Fernandes 2009, severity 1."""
APART = 25.0
"""Difference in CIE Lab (1976) at which two small signs are told apart with ease; 2.3 is the least
that can be seen side by side."""

themes = pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)


def variables(theme: Theme) -> dict[str, str]:
    return theme.to_color_system().generate()


def lab(color: Color, eye: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in color.normalized
    ]
    red, green, blue = (
        min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in eye
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: Color, other: Color, eye: str) -> float:
    pairs = zip(lab(one, EYES[eye]), lab(other, EYES[eye]), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


@themes
@pytest.mark.parametrize("meaning", MEANINGS)
def test_text_can_be_read(theme: Theme, meaning: str) -> None:
    named = variables(theme)
    color = Color.parse(getattr(palette(named), meaning))
    for back in ("background", "surface"):
        assert contrast(color, Color.parse(named[back])) >= READABLE, back


@themes
def test_what_is_chosen_can_be_read(theme: Theme) -> None:
    """Textual's own: the tab in front, the cursor of a list, the keys of the footer."""
    named = variables(theme)
    back = Color.parse(named["background"])
    pairs = [
        (named["primary"], named["panel"]),
        (named["foreground"], named["panel"]),
        (named["footer-key-foreground"], named["footer-background"]),
        (named["footer-description-foreground"], named["footer-background"]),
    ]
    for front, behind in pairs:
        assert contrast(Color.parse(front), Color.parse(behind)) >= READABLE, (front, behind)
    muted = back.get_contrast_text(0.6)  # `$text-muted` is this
    assert contrast(back.blend(muted, muted.a), back) >= READABLE


@themes
def test_what_has_the_focus_stands_out(theme: Theme) -> None:
    """By a box around it; WCAG asks 3 of what is not text."""
    named = {**variables(theme), **theme.variables}
    color, strength = named.get("focus", f"{named['primary']} {FOCUS:.0%}").split()
    for back in ("background", "surface"):
        behind = Color.parse(named[back])
        box = behind.blend(Color.parse(color), float(strength.rstrip("%")) / 100)
        assert contrast(box, behind) >= 3, back


@themes
@pytest.mark.parametrize("meaning", MEANINGS)
def test_what_is_under_the_mouse_can_still_be_made_out(theme: Theme, meaning: str) -> None:
    """`$panel` is behind it for so long: not less than WCAG asks of large letters."""
    named = variables(theme)
    color = Color.parse(getattr(palette(named), meaning))
    assert contrast(color, Color.parse(named["panel"])) >= 3


@pytest.mark.parametrize("signs", [UNICODE, LINUX, ASCII], ids=["unicode", "linux", "ascii"])
def test_levels_differ_without_any_colour(signs: Glyphs) -> None:
    assert len({signs.status(level) for level in ("healthy", "degraded", "down", "starting")}) == 4


@themes
def test_the_lines_of_charts_stand_out(theme: Theme) -> None:
    """WCAG asks 3 of what is not text."""
    named = variables(theme)
    inks = styles(palette(named), named, theme.dark)
    for name, style in inks.items():
        if name.startswith("line "):
            assert contrast(Color.parse(style), Color.parse(named["background"])) >= 3, name


@pytest.mark.parametrize("eye", EYES)
def test_colour_blind_eyes_tell_good_from_bad(eye: str) -> None:
    theme = next(theme for theme in THEMES if theme.name == "waggle-colourblind")
    mine = palette(variables(theme))
    colors = {name: Color.parse(getattr(mine, name)) for name in ("good", "warn", "bad")}
    for one, other in itertools.combinations(colors, 2):
        assert difference(colors[one], colors[other], eye) >= APART, (one, other)


@themes
@pytest.mark.parametrize("eye", EYES)
def test_colour_blind_eyes_tell_the_two_lines_apart_on_every_theme(theme: Theme, eye: str) -> None:
    mine = palette(variables(theme))
    assert difference(Color.parse(mine.accent), Color.parse(mine.second), eye) >= APART


def test_contrast_is_that_of_wcag() -> None:
    black, white, grey = Color(0, 0, 0), Color(255, 255, 255), Color.parse("#767676")
    assert contrast(black, white) == contrast(white, black) == pytest.approx(21)
    assert contrast(white, white) == 1
    assert contrast(grey, white) == pytest.approx(4.54, abs=0.01)


@themes
@pytest.mark.parametrize("meaning", MEANINGS)
def test_sixteen_colours_are_enough_to_see_it(theme: Theme, meaning: str) -> None:
    named = variables(theme)

    def of_sixteen(color: str) -> int | None:
        return RichColor.parse(Color.parse(color).hex6).downgrade(ColorSystem.STANDARD).number

    color = of_sixteen(getattr(palette(named), meaning))
    for back in ("background", "surface", "panel"):
        assert color != of_sixteen(named[back]), back
