"""Screens as pictures: one as an SVG and a PNG, many as an SVG that moves.

A row that stays is drawn once for as long as it stays, so a minute of a console is a few hundred
kilobytes. No font is loaded from anywhere; every run of characters is told its width, so that any
monospaced font keeps the columns.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME

from tests.recording import Shown

FONT, CELL, ROW, BASELINE = 14, 8.4287, 16.209, 12.9
"""Size of the font, width and height of its cells, where its letters stand, in pixels.

The cells are DejaVu Sans Mono's own, so that frames and blocks close without gaps.
"""
EDGE, BAR = CELL, 1.6 * ROW
"""The frame around the screen, and the bar of the window above it."""
FAINT = 0.45
BRAILLE = range(0x2800, 0x2900)
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of the dot for each bit of a Braille letter."""
HOLD_S = 3.0
"""How long the last frame stays before it begins again."""
PNG_SCALE = 13 / CELL
"""Whole pixels a cell, 13 by 25: letters are set in whole ones, and would drift."""
PNG_COLOURS = 64

Run = tuple[int, str, Style]


def still(shown: Shown) -> str:
    """The screen as an SVG."""
    return moving([shown])


def moving(frames: Sequence[Shown]) -> str:
    """The screens one after another, at their own times, for ever; all of one size.

    Who asked for less motion sees the last one.
    """
    ground = _ground(frames[-1])
    columns, rows = len(frames[0].cells[0]), len(frames[0].cells)
    start = frames[0].time_s
    times = [frame.time_s - start for frame in frames] + [frames[-1].time_s - start + HOLD_S]
    classes: dict[str, str] = {}
    spans: dict[tuple[int, int], list[str]] = defaultdict(list)
    for y in range(rows):
        position = 0
        drawn = [(frame.cells[y], frame.styles[y]) for frame in frames]
        for (cells, styles), same in groupby(drawn):
            end = position + len(list(same))
            spans[position, end].append(_row(y, cells, styles, ground, classes))
            position = end
    body, rules = [], []
    for number, ((first, end), parts) in enumerate(sorted(spans.items())):
        whole = (first, end) == (0, len(frames))
        shown = "" if whole else f' class="s{number}"'
        body.append(f"<g{shown}>{''.join(parts)}</g>")
        if not whole:
            rules.append(_rule(number, times[first], times[end], times[-1], end == len(frames)))
    width = round(columns * CELL + 2 * EDGE, 1)
    height = round(rows * ROW + EDGE + BAR, 1)
    paint = "".join(f".{name}{{{css}}}" for css, name in classes.items())
    move = f"@media(prefers-reduced-motion:no-preference){{{''.join(rules)}}}" if rules else ""
    stay = "".join(
        f".s{number}{{visibility:hidden}}"
        for number, (_, end) in enumerate(sorted(spans))
        if end != len(frames)
    )
    dots = "".join(f'<circle cx="{18 + 16 * n}" cy="14" r="4.5" fill="#4a4a48"/>' for n in range(3))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="Waggle in a terminal">\n'
        f"<style>text{{font-size:{FONT}px;fill:#d8d6cf;white-space:pre}}.d{{fill:none;stroke-width:2;stroke-linecap:round}}{paint}{stay}{move}"
        f"</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="{ground.hex}"/>{dots}\n'
        f'<g transform="translate({EDGE:.3f} {BAR:.3f})" '
        f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace">\n'
        + "\n".join(body)
        + "\n</g></svg>\n"
    )


def _rule(number: int, start_s: float, end_s: float, total_s: float, last: bool) -> str:
    """Visible from `start_s` to `end_s` of every turn."""
    first, then = (f"{100 * at / total_s:.2f}%" for at in (start_s, end_s))
    steps = "0%{visibility:hidden}" if start_s > 0 else ""
    steps += f"{first}{{visibility:visible}}"
    steps += "" if last else f"{then}{{visibility:hidden}}"
    return (
        f".s{number}{{animation:k{number} {total_s:.1f}s step-end infinite}}"
        f"@keyframes k{number}{{{steps}}}"
    )


def _row(
    y: int,
    cells: Sequence[str],
    styles: Sequence[Style],
    ground: ColorTriplet,
    classes: dict[str, str],
) -> str:
    """Colours behind the letters first: a letter may reach a little into the next cell."""
    behind, letters = [], []
    for x, text, style in _runs(cells, styles):
        fore, back = _colours(style, ground)
        if back != ground:
            fill = _named(f"fill:{back.hex}", classes)
            behind.append(
                f'<rect class="{fill}" x="{x * CELL:.1f}" y="{y * ROW:.1f}" '
                f'width="{len(text) * CELL:.1f}" height="{ROW}"/>'
            )
        shown = text.strip()
        if not shown:
            continue
        left = x + len(text) - len(text.lstrip())
        if ord(shown[0]) in BRAILLE:
            letters.append(_dots(left, y, shown, _named(f"stroke:{fore.hex}", classes)))
            continue
        css = f"fill:{fore.hex}" + (";font-weight:bold" if style.bold else "")
        css += ";text-decoration:underline" if style.underline else ""
        css += ";font-style:italic" if style.italic else ""
        fit = f' textLength="{len(shown) * CELL:.2f}"' if len(shown) > 1 else ""
        letters.append(
            f'<text class="{_named(css, classes)}" x="{left * CELL:.1f}" '
            f'y="{y * ROW + BASELINE:.1f}"{fit}>{escape(shown).replace(" ", "&#160;")}</text>'
        )
    return "".join(behind + letters)


def _dots(left: int, y: int, text: str, colour: str) -> str:
    """Braille, which charts are drawn with, as dots: few monospaced fonts have it."""
    path = []
    for position, letter in enumerate(text, left):
        bits = ord(letter) - BRAILLE.start if ord(letter) in BRAILLE else 0
        for bit, (column, row) in enumerate(DOTS):
            if bits >> bit & 1:
                at_x = (position + 0.25 + 0.5 * column) * CELL
                at_y = (y + 0.125 + 0.25 * row) * ROW
                path.append(f"M{at_x:.1f} {at_y:.1f}h.1")
    return f'<path class="d {colour}" d="{"".join(path)}"/>'


def _runs(cells: Sequence[str], styles: Sequence[Style]) -> list[Run]:
    """Cells of one style and one kind of letter; the second cell of a wide one counts as a space.

    Dots, lines and letters may come from different fonts: each kind is fitted on its own.
    """
    runs: list[Run] = []
    kind = ""
    for x, (cell, style) in enumerate(zip(cells, styles, strict=True)):
        letter = cell or " "
        now = kind if letter == " " else _kind(letter)
        if runs and style == runs[-1][2] and now == kind:
            start, text, same = runs[-1]
            runs[-1] = (start, text + letter[0], same)
        else:
            runs.append((x, letter[0], style))
        kind = now
    return runs


def _kind(letter: str) -> str:
    code = ord(letter[0])
    if code < 0x2000:
        return "letters"
    return f"page {code >> 7}"


def _named(css: str, classes: dict[str, str]) -> str:
    return classes.setdefault(css, f"c{len(classes)}")


def _ground(frame: Shown) -> ColorTriplet:
    """What most of the screen is painted with."""
    black = SVG_EXPORT_THEME.background_color
    cells: Counter[ColorTriplet] = Counter()
    for style, count in Counter(style for row in frame.styles for style in row).items():
        cells[_colours(style, black)[1]] += count
    return cells.most_common(1)[0][0]


def _colours(style: Style, ground: ColorTriplet) -> tuple[ColorTriplet, ColorTriplet]:
    fore = _triplet(style.color, SVG_EXPORT_THEME.foreground_color, True)
    back = _triplet(style.bgcolor, ground, False)
    if style.reverse:
        fore, back = back, fore
    if style.dim:
        fore = blend_rgb(fore, back, FAINT)
    return fore, back


def _triplet(color: Color | None, default: ColorTriplet, foreground: bool) -> ColorTriplet:
    if color is None or color.is_default:
        return default
    return color.get_truecolor(SVG_EXPORT_THEME, foreground)


def thinned(frames: Sequence[Shown], at_most: int) -> list[Shown]:
    """So many of them, evenly in time, with the first and the last; what is equal is left out."""
    changed = [f for f, g in zip(frames, [None, *frames[:-1]], strict=True) if not _same(f, g)]
    if len(changed) <= at_most:
        return changed
    first, last = changed[0].time_s, changed[-1].time_s
    step = (last - first) / (at_most - 1)
    kept = {round((frame.time_s - first) / step): frame for frame in changed}
    return [kept[number] for number in sorted(kept)]


def _same(frame: Shown, other: Shown | None) -> bool:
    return other is not None and (frame.cells, frame.styles) == (other.cells, other.styles)


def save(shown: Shown, folder: Path, name: str) -> None:
    """NAME.svg, NAME.png and NAME.txt."""
    import cairosvg
    from PIL import Image

    svg = still(shown)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{name}.txt").write_text(shown.text, encoding="utf-8")
    png = cairosvg.svg2png(bytestring=svg.encode(), scale=PNG_SCALE)
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(PNG_COLOURS, dither=0)
    picture.save(folder / f"{name}.png", optimize=True)
