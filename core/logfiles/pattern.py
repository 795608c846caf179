"""A person's regular expression over log entries: checked while it is typed, and never for long.

Upper and lower case are alike until the expression has an upper-case letter. Matching has
deadlines and lets other threads run, because one bad expression on one long line would take hours.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import regex

from core.logfiles.scan import Bools, Scan

MAX_PATTERN = 200
MAX_ENTRY = 64 * 1024
"""Bytes of an entry that are searched."""
BLOCK_S = 0.25
ENTRY_S = 0.02
MAX_REPEATS = 2000
"""Nested counts are written out when an expression is compiled: `((x{50}){50}){50}` takes seconds,
in which no other thread runs."""
MAX_SLOW = 25
"""Entries that may take longer than ENTRY_S before an expression is given up."""

_COUNTED = re.compile(r"\{(\d{0,9}),?(\d{0,9})\}")
_SPECIAL = frozenset(r"\.^$*+?{}[]|()")
_EXOTIC = re.compile(r"\\[AZzGK]|\(\?|\\n|\[\^|\\[sSDWX]|\\P")
"""What could match, or fail to match, because of another line."""


class TooSlow(Exception):
    """The expression was given up."""


class Patience:
    """How often an expression may take too long; one for each search. singly: it did with a whole
    block, and is tried with one entry at a time from then on."""

    def __init__(self) -> None:
        self.left = MAX_SLOW
        self.singly = False

    def lose(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise TooSlow


@dataclass(frozen=True)
class Pattern:
    """text: as typed. problem: why it is not an expression, or ""; then it matches nothing."""

    text: str
    problem: str = ""

    @cached_property
    def compiled(self) -> regex.Pattern[str]:
        return regex.compile(self.text, _flags(self.text))

    @property
    def literal(self) -> bool:
        return not _SPECIAL & set(self.text) and self.text.isascii()

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Where it matches in a short text; nothing when that takes too long."""
        if self.problem:
            return ()
        try:
            found = self.compiled.finditer(text, timeout=ENTRY_S, concurrent=True)
            return tuple(m.span() for m in found if m.end() > m.start())[:50]
        except TimeoutError:
            return ()

    def found_in(self, data: bytes, scan: Scan, patience: Patience) -> Bools:
        """Which entries of a block match. TooSlow when the expression must be given up."""
        hits = np.zeros(len(scan.starts), np.bool_)
        if self.problem or not len(hits):
            return hits
        if self.literal:
            self._literal(data, scan, hits)
        elif patience.singly or _EXOTIC.search(self.text):
            self._each(data, scan, hits, patience)
        else:
            try:
                self._whole(data, scan, hits)
            except TimeoutError:
                patience.singly = True
                hits[:] = False
                self._each(data, scan, hits, patience)
        return hits

    def absent(self, data: bytes, patience: Patience) -> bool:
        """Whether certainly no entry of a block matches: quicker to tell than which ones do."""
        if self.problem:
            return True
        if self.literal:
            wanted = self.text.encode("ascii")
            return wanted not in (data.lower() if _ignores_case(self.text) else data)
        if patience.singly or _EXOTIC.search(self.text):
            return False
        text = data.decode("utf-8", "replace")
        try:
            return self.compiled.search(text, timeout=BLOCK_S, concurrent=True) is None
        except TimeoutError:
            patience.singly = True
            return False

    def _literal(self, data: bytes, scan: Scan, hits: Bools) -> None:
        wanted = self.text.encode("ascii")
        if _ignores_case(self.text):
            data = data.lower()
        at = data.find(wanted)
        while at >= 0:
            entry = int(np.searchsorted(scan.starts, at, "right")) - 1
            hits[entry] = True
            if entry + 1 >= len(hits):
                return
            at = data.find(wanted, int(scan.starts[entry + 1]))

    def _whole(self, data: bytes, scan: Scan, hits: Bools) -> None:
        """The block as one text: far quicker than a search for each entry."""
        text = data.decode("utf-8", "replace")
        deadline = time.monotonic() + BLOCK_S
        at = counted = line = 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            match = self.compiled.search(text, at, timeout=left, concurrent=True)
            if match is None:
                return
            line += text.count("\n", counted, match.start())
            counted = match.start()
            entry = int(np.searchsorted(scan.lines, line, "right")) - 1
            hits[entry] = True
            if entry + 1 >= len(hits):
                return
            # On to the next entry: one match in each is enough.
            for _ in range(int(scan.lines[entry + 1]) - line):
                counted = text.find("\n", counted) + 1
                line += 1
            at = counted

    def _each(self, data: bytes, scan: Scan, hits: Bools, patience: Patience) -> None:
        ends = [*scan.starts[1:].tolist(), len(data)]
        for entry, (start, end) in enumerate(zip(scan.starts.tolist(), ends, strict=True)):
            text = data[start : min(end, start + MAX_ENTRY)].decode("utf-8", "replace").rstrip("\n")
            try:
                found = self.compiled.search(text, timeout=ENTRY_S, concurrent=True)
                hits[entry] = found is not None
            except TimeoutError:
                patience.lose()


def pattern(text: str) -> Pattern | None:
    """None for no text; otherwise a pattern, perhaps one with a problem told in words."""
    text = text[:MAX_PATTERN]
    if not text:
        return None
    if _repeats(text) > MAX_REPEATS:
        return Pattern(text, f"too many repeats: at most {MAX_REPEATS:,} in all")
    try:
        regex.compile(text, _flags(text))
    except regex.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        return Pattern(text, f"not a regular expression yet: {error.msg}{where}")
    return Pattern(text)


def _repeats(text: str) -> int:
    """How often the counted repeats of an expression repeat what is in them, were all nested."""
    product = 1
    for low, high in _COUNTED.findall(text):
        product *= max(1, int(low or 0), int(high or 0))
    return product


def _ignores_case(text: str) -> bool:
    return text == text.lower()


def _flags(text: str) -> int:
    without_escapes = re.sub(r"\\.", "", text)
    ignore = regex.IGNORECASE if _ignores_case(without_escapes) else 0
    return int(regex.MULTILINE | ignore)
