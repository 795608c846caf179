"""Dots on a grid of character cells: braille, half blocks, or ASCII. Pure but for the grid itself.

A column of dots is one integer, bit 0 on top, so that a vertical stroke costs the same however
long it is. It knows nothing of values, scales or metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

_LEFT = (0x01, 0x02, 0x04, 0x40)
_RIGHT = (0x08, 0x10, 0x20, 0x80)


def _braille() -> tuple[str, ...]:
    out = []
    for bits in range(256):
        code = sum(_LEFT[i] for i in range(4) if bits >> i & 1)
        code += sum(_RIGHT[i] for i in range(4) if bits >> (4 + i) & 1)
        out.append(chr(0x2800 + code) if bits else " ")
    return tuple(out)


@dataclass(frozen=True)
class Signs:
    """How a cell of `across` x `down` dots is written, by its bits; faint: behind the lines."""

    across: int
    down: int
    strong: tuple[str, ...]
    faint: tuple[str, ...]
    marked: bool
    """Whether a line other than the first is drawn with its mark in every cell."""
    cursor: str
    bracket: str
    point: str
    """Where the cursor meets a line."""
    dot: str
    """A point that no line leads to."""
    hole: str
    over: str
    under: str
    axis: str
    tick: str
    chosen: str


BRAILLE = Signs(
    2, 4, _braille(), _braille(), False, "│", "┊", "◆", "•", "×", "▲", "▼", "│", "┤", "▸"
)
BLOCKS = Signs(
    1,
    2,
    (" ", "▀", "▄", "█"),
    (" ", "░", "░", "░"),
    True,
    "│",
    ":",
    "■",
    "•",
    "x",
    "^",
    "v",
    "│",
    "┤",
    ">",
)
ASCII = Signs(
    1,
    2,
    (" ", "*", "*", "*"),
    (" ", "'", ".", ":"),
    True,
    "|",
    "!",
    "@",
    "o",
    "x",
    "^",
    "v",
    "|",
    "+",
    ">",
)


def signs(ascii_only: bool, terminal: str = "") -> Signs:
    """The finest dots that the terminal has: the Linux console's font has no braille."""
    return ASCII if ascii_only else BLOCKS if terminal == "linux" else BRAILLE


@dataclass(frozen=True)
class Ink:
    """line: whose; faint: the raw values behind a smoothed or averaged line."""

    line: int
    faint: bool = False


Cell = tuple[str, Ink | None]


class Layer:
    """The dots of one ink. Columns and rows count from the top left."""

    def __init__(self, ink: Ink, columns: int, rows: int, mark: str = "") -> None:
        self.ink = ink
        self.rows = rows
        self.mark = mark
        self.bits = [0] * columns

    def stroke(self, column: int, a: int, b: int) -> None:
        """A vertical stroke from row `a` to row `b`, either first; outside parts are left out."""
        if 0 <= column < len(self.bits):
            top, bottom = max(min(a, b), 0), min(max(a, b), self.rows - 1)
            if top <= bottom:
                self.bits[column] |= ((1 << (bottom - top + 1)) - 1) << top

    def line(self, x0: int, y0: int, x1: int, y1: int) -> None:
        """A connected line, x0 <= x1."""
        steps = x1 - x0
        if steps == 0:
            self.stroke(x0, y0, y1)
            return
        before = y0
        for k in range(1, steps + 1):
            after = y0 + (y1 - y0) * k // steps
            middle = (before + after) // 2
            self.stroke(x0 + k - 1, before, middle)
            self.stroke(x0 + k, middle + (after > middle) - (after < middle), after)
            before = after


def cells(layers: list[Layer], width: int, height: int, how: Signs) -> list[list[Cell]]:
    """`height` rows of `width` cells; in a cell the last layer with a dot in it wins."""
    grid: list[list[Cell]] = [[(" ", None)] * width for _ in range(height)]
    down, mask = how.down, (1 << how.down) - 1
    for layer in layers:
        table = how.faint if layer.ink.faint else how.strong
        own = how.marked and layer.mark and not layer.ink.faint
        for x in range(width):
            left = layer.bits[x * how.across]
            right = layer.bits[x * how.across + 1] if how.across == 2 else 0
            both = left | right
            if not both:
                continue
            bottom = (both.bit_length() - 1) // down
            for y in range(((both & -both).bit_length() - 1) // down, bottom + 1):
                bits = (left >> y * down & mask) | (right >> y * down & mask) << down
                if bits:
                    grid[y][x] = (layer.mark if own else table[bits], layer.ink)
    return grid
