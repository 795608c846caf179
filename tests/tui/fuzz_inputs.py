"""What a fuzzed console is given, as data: keys, clicks, pastes, sizes, and what a node says.

An input is a tuple of its kind and plain values, so that a run can be written down and played
again. Who plays them is `tests.tui.fuzzing`.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any, get_type_hints

from core import events
from tui import keys, themes

Input = tuple[Any, ...]
"""("type", text), ("resize", width, height), ("events", seed, count), ("tick",), ("theme", name),
("later", seconds), ("go", keys): to the dashboard by Escape and on by these keys, ("away",), and
("settle", whole): let it work; whole: and wait for its threads, and compare the screens."""

SIZES = ((80, 24), (100, 30), (140, 40), (200, 60), (40, 12), (20, 6), (1, 1), (300, 100), (80, 3))
ESCAPES = (
    *("\x1b", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[5~", "\x1b[6~"),
    *("\x1bOP", "\x1b[15~", "\x1b[Z", "\x1b[3~", "\x1b[I", "\x1b[O", "\x1b[1;5C", "\x1b[99999~"),
    *("\x1b[0n", "\x1b[?2026;2$y", "\x1b[2;2R", "\x1b[<", "\x1b]", "\x1bP", "\x1b[200~"),
)
BY_NAME = {
    **{"enter": "\r", "escape": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "space": " "},
    **{"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D"},
    **{"home": "\x1b[H", "end": "\x1b[F", "pageup": "\x1b[5~", "pagedown": "\x1b[6~"},
    **{"delete": "\x1b[3~", "f1": "\x1bOP", "slash": "/", "question_mark": "?", "plus": "+"},
    **{"equals_sign": "=", "minus": "-", "left_square_bracket": "[", "right_square_bracket": "]"},
    **{"shift+left": "\x1b[1;2D", "shift+right": "\x1b[1;2C"},
    **{f"ctrl+{letter}": chr(ord(letter) - 96) for letter in "bcdflpu"},
}
"""What a terminal sends for the names in the table of keys."""
TYPED = "".join(sorted({key for c in keys.COMMANDS for key in c.keys if len(key) == 1}))
HOSTILE = (
    *("[/foo]", "[bold red]", "\x1b[2J\x1b[31m", "\u202egnp.exe", "日本語" * 9, "\x00\x07"),
    *("a" * 300, "", "e\u0301" * 40, "\ud800", "{}", "\r\n", "\u2028", "עברית", "../../etc"),
    *(
        "👩\u200d👧",
        "%s%d",
        "None",
        "-1",
        "1e999",
        "0x",
        "\\",
        "'\"",
        "$(reboot)",
        "(a+)+$",
        "(?P<",
    ),
    *("[^\n]*" * 9, "error|warn", "10m ago", "99:99", "round 3", "1e308", "127.0.0.1", "~", "/"),
)
LEAVING = "qQ\r\x03\x11"
"""Keys that may end a console. They are pressed, but not every time that they come up."""
CLOCK_S = (1.0, 61.0, 3700.0, 9e5)


def typed_by(scope: str) -> tuple[str, ...]:
    """What a terminal sends for the keys of a screen."""
    names = [key for command in keys.commands(scope) for key in command.keys]
    return tuple(BY_NAME.get(name, name) for name in names if len(BY_NAME.get(name, name)) < 8)


def random_input(pick: random.Random, width: int, height: int, scope: str) -> Input:
    """The next input to a console of that size, on a screen with the keys of `scope`."""
    dice = pick.random()
    if dice < 0.03:
        return ("resize", *_size(pick))
    if dice < 0.09:
        return ("events", pick.randrange(2**32), pick.randint(1, 5))
    if dice < 0.13:
        return ("tick",)
    if dice < 0.135:
        return ("theme", pick.choice([theme.name for theme in themes.THEMES]))
    if dice < 0.14:
        return ("later", pick.choice(CLOCK_S))
    return ("type", _typed(pick, width, height, scope))


def _size(pick: random.Random) -> tuple[int, int]:
    """From one cell to a wall of them; those cost, so they come up less often."""
    dice = pick.random()
    if dice < 0.5:
        return pick.choice(SIZES[:3])
    if dice < 0.8:
        return pick.choice(SIZES)
    most = (300, 100) if dice < 0.85 else (120, 40)
    return pick.randint(1, most[0]), pick.randint(1, most[1])


def _typed(pick: random.Random, width: int, height: int, scope: str) -> str:
    dice = pick.random()
    if dice < 0.55:
        of_screen = typed_by(scope)
        key = pick.choice(of_screen if of_screen and pick.random() < 0.5 else TYPED)
        return "\t" if key in LEAVING and pick.random() < 0.9 else key
    if dice < 0.70:
        return pick.choice(ESCAPES[:9])
    if dice < 0.74:
        return pick.choice(ESCAPES)
    if dice < 0.80:
        return pick.choice("\r\t\x7f ") if pick.random() < 0.5 else chr(pick.randint(1, 31))
    if dice < 0.83:
        return f"\x1b[200~{pick.choice(HOSTILE).replace(chr(27), '')}\x1b[201~"
    if dice < 0.85:
        return chr(pick.choice((pick.randint(32, 126), pick.randint(160, 0x2FFF), 0x1F642)))
    return _mouse(pick, width, height)


def _mouse(pick: random.Random, width: int, height: int) -> str:
    """A click, a move, a turn of the wheel with or without Shift, or a drag."""
    place = lambda: f"{pick.randint(1, width + 2)};{pick.randint(1, height + 2)}"  # noqa: E731
    here, button = place(), pick.choice((0, 0, 0, 2, 35, 64, 65, 68, 69, 66, 67))
    if button == 0 and pick.random() < 0.3:
        path = "".join(f"\x1b[<32;{place()}M" for _ in range(pick.randint(1, 4)))
        return f"\x1b[<0;{here}M{path}\x1b[<0;{place()}m"
    return f"\x1b[<{button};{here}M\x1b[<{button};{here}m"


def random_event(pick: random.Random, now: float) -> events.Event:
    """Any event, its fields of the right types, and many of them absurd."""
    kind = pick.choice(list(events.EVENT_TYPES.values()))
    hints = get_type_hints(kind)
    values = {f.name: _value(pick, hints[f.name], now) for f in dataclasses.fields(kind)}
    # A node's own clock, swarm and key: nobody else can fill them in.
    own: dict[str, Any] = {"time": now + pick.uniform(-1e6, 1e6)}
    if kind is events.RewardsCounted:
        own |= {"swarm": pick.choice(("", "31337:0x5F")), "peer_id": pick.choice(("", "Qm1"))}
    return kind(**{**values, **own})


def _value(pick: random.Random, hint: Any, now: float) -> Any:
    if hint is bool:
        return pick.random() < 0.5
    if hint is int:
        return pick.choice((0, 1, pick.randint(-5, 50), 10**12, -(2**63), 2**70))
    if hint is float:
        return pick.choice((0.0, now, pick.uniform(-9, 9), 1e308, float("nan"), float("inf")))
    if hint is str:
        return pick.choice((*HOSTILE, "up", "down", "confirmed", "failed", "reward", "warning"))
    parts: tuple[Any, ...] = getattr(hint, "__args__", ())
    if type(None) in parts:
        return None if pick.random() < 0.4 else _value(pick, parts[0], now)
    if getattr(hint, "__origin__", None) is list:
        return [_value(pick, parts[0], now) for _ in range(pick.randint(0, 3))]
    if getattr(hint, "__origin__", None) is dict:
        return {
            _value(pick, str, now): _value(pick, parts[1], now) for _ in range(pick.randint(0, 3))
        }
    if parts:
        return _value(pick, pick.choice(parts), now)
    return pick.choice(("peer_id", 3, None, "\x1b[31m"))
