"""What a terminal would show: a grid of cells, fed with the bytes that a console wrote.

Knows as much of a terminal as Textual and tmux use: moving the cursor, colours (skipped), erasing,
the alternate screen, and graphemes, each as wide as Rich thinks. Text beyond the right edge is
dropped, as with line wrap off.
"""

from __future__ import annotations

import codecs
import re

from rich.cells import split_graphemes

_TOKEN = re.compile(
    r"\x1b\[(?P<args>[0-9;:?<>=]*)(?P<op>[ -/]*[@-~])"
    r"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1bP[^\x1b]*(?:\x1b[^\\][^\x1b]*)*\x1b\\"
    r"|\x1b[ -/]*[0-~]"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
)
_UNFINISHED = re.compile(
    r"\x1b(?:\[[0-9;:?<>= -/]*|\][^\x07\x1b]*\x1b?|P[^\x1b]*(?:\x1b[^\\][^\x1b]*)*\x1b?|[ -/]*)?\Z"
)
CONTINUED = ""
"""In the second cell of a wide character."""


class Screen:
    """`feed` bytes; `rows()` is what is shown, a string a row, without trailing spaces."""

    def __init__(self, columns: int, rows: int) -> None:
        self.title = ""
        self.clipboard: list[str] = []
        self.lost = ""
        """Text that came beyond the right edge."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """An empty screen of that size."""
        self.columns, self.lines = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self.x = self.y = 0

    def rows(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    def text(self) -> str:
        return "\n".join(self.rows())

    def feed(self, data: bytes) -> None:
        text = self._rest + self._decode(data)
        cut = _UNFINISHED.search(text)
        self._rest = text[cut.start() :] if cut else ""
        for match in _TOKEN.finditer(text, 0, cut.start() if cut else len(text)):
            if match["text"] is not None:
                self._put(match["text"])
            elif match["control"] is not None:
                self._control(match["control"])
            elif match["op"] is not None:
                self._csi(match["op"], match["args"])
            elif match["osc"] is not None:
                self._osc(match["osc"])

    def _put(self, text: str) -> None:
        if not 0 <= self.y < self.lines:
            return
        row = self._cells[self.y]
        for start, end, width in split_graphemes(text)[0]:
            if width == 0:
                at = self.x - 1
                while at > 0 and row[at] == CONTINUED:
                    at -= 1
                if 0 <= at < self.columns:
                    row[at] += text[start:end]
            elif self.x + width <= self.columns:
                self._break_wide(row, self.x, width)
                row[self.x] = text[start:end]
                row[self.x + 1 : self.x + width] = [CONTINUED] * (width - 1)
                self.x += width
            else:
                self.lost += text[start:end]

    def _break_wide(self, row: list[str], x: int, width: int) -> None:
        """Half of a wide character cannot be shown: the other half becomes a space."""
        if row[x] == CONTINUED:
            row[x - 1] = " "
        if x + width < self.columns and row[x + width] == CONTINUED:
            row[x + width] = " "

    def _control(self, char: str) -> None:
        if char == "\r":
            self.x = 0
        elif char == "\n":
            self.y = min(self.y + 1, self.lines - 1)
        elif char == "\b":
            self.x = max(0, self.x - 1)

    def _csi(self, op: str, args: str) -> None:
        if args[:1] in "?<>=" and args:
            if op in ("h", "l") and args == "?1049":
                self.resize(self.columns, self.lines)
            return
        numbers = [int(n) if n.isdigit() else 0 for n in args.split(";")]
        count = max(1, numbers[0])
        if op == "H":
            self.y = min(count, self.lines) - 1
            self.x = min(max(1, *numbers[1:2], 1), self.columns) - 1
        elif op == "C":
            self.x = min(self.x + count, self.columns - 1)
        elif op == "G":
            self.x = count - 1
        elif op == "d":
            self.y = min(count, self.lines) - 1
        elif op == "X":
            self._blank(self.x, self.x + count)
        elif op == "K":
            ends = (self.x, self.columns), (0, self.x + 1), (0, self.columns)
            self._blank(*ends[numbers[0]])
        elif op == "J" and numbers[0] == 2:
            self._cells = [[" "] * self.columns for _ in range(self.lines)]

    def _blank(self, start: int, stop: int) -> None:
        stop = min(stop, self.columns)
        self._cells[self.y][start:stop] = [" "] * (stop - start)

    def _osc(self, text: str) -> None:
        number, _, rest = text.partition(";")
        if number in ("0", "2"):
            self.title = rest
        elif number == "52":
            self.clipboard.append(rest)
