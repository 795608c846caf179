"""Showing a recovery phrase once, to a person who writes it down.

On a page of its own, which leaves nothing in the terminal's history, and never where nobody reads
it. Two of the words are asked for: only who has written them down gets an account from them.
"""

from __future__ import annotations

import os
import secrets
import sys

from core.errors import WaggleError

OPEN, CLEAR, CLOSE = "\x1b[?1049h", "\x1b[2J\x1b[H", "\x1b[?1049l"
COLUMNS = 3


def is_possible() -> bool:
    """Whether there is a person at a terminal, on both sides."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def show(phrase: str) -> None:
    """Return once the person has shown that it is written down. WaggleError when he gives up."""
    words = phrase.split()
    plain = os.environ.get("TERM", "dumb") in ("", "dumb")
    clear = "\n" * 3 if plain else CLEAR
    try:
        _say("" if plain else OPEN)
        while True:
            _say(clear + _page(words))
            _answer("Press Enter when every word is written down.")
            _say(clear)
            if _knows(words):
                return
            _answer("That is not it. Press Enter to see them again; Ctrl+C makes no account.")
    finally:
        _say("" if plain else CLOSE)


def _page(words: list[str]) -> str:
    rows = -(-len(words) // COLUMNS)
    lines = [
        "Your recovery phrase. Write it on paper, in this order, and keep it away from computers:",
        "whoever has it has the account, and it is never shown again.",
        "",
    ]
    for row in range(rows):
        cells = [f"{number + 1:>2} {words[number]:<12}" for number in range(row, len(words), rows)]
        lines.append("  " + "".join(cells).rstrip())
    return "\n".join([*lines, "", ""])


def _knows(words: list[str]) -> bool:
    """Whether two words, asked for by their number, are given right."""
    asked = sorted(secrets.SystemRandom().sample(range(len(words)), 2))
    given = [_answer(f"Word {number + 1}:") for number in asked]
    return given == [words[number] for number in asked]


def _say(text: str) -> None:
    """On stderr: standard output may be a file or the answer of `--json`."""
    sys.stderr.write(text)
    sys.stderr.flush()


def _answer(question: str) -> str:
    _say(f"{question} ")
    line = sys.stdin.readline()
    if not line:
        raise WaggleError("No account was made", "the recovery phrase was not confirmed")
    return line.strip().lower()
