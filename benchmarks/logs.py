"""The log screen on a million lines and on a gigabyte, beside toolong in the same run.

    .venv/bin/python benchmarks/logs.py [--toolong PATH/OF/VENV] [--work DIR] [--smoke]

Both programs run on a pseudo-terminal of 100x30 and are timed from outside: a key is answered when
the last byte of what it draws has come. Measured: from asking for the log to its last line in
sight (toolong: without what it needs to start); until all is indexed; each kind of key, 40 times;
a word that stands only in the first line, until that line is in sight; peak memory of the process.
toolong 1.5.0 wants an older Textual: install it into an environment of its own (`python -m venv V;
V/bin/pip install toolong`) and give its path; without one its columns stay empty. Neither program
animates its scrolling. Prints a table and, as last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from logs_terminal import Terminal  # noqa: E402

LIMIT_S = 120.0
REPEATS = 40
FIRST = "needle-in-the-first-line"
SECOND, LAST = "Q" * 24, "@" * 24
"""Signs that stand nowhere else: who sends only the cells that changed sends all of these."""
KEYS = {
    "down": b"\x1b[B",
    "up": b"\x1b[A",
    "page up": b"\x1b[5~",
    "page down": b"\x1b[6~",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
}
OPEN = "open / fold"
OWN_KEYS = {
    "errors / all": (b"e", b"a"),
    "one log / all": (b"s", b"S"),
    OPEN: (b"\r", b"\r"),
    "next / previous match": (b"N", b"n"),
    "only matches / all": (b"f", b"f"),
}
"""What toolong has no key for: pairs that lead back."""


def write_log(path: Path, lines: int, least_bytes: int = 0) -> tuple[int, int]:
    """Lines as node.log has them, a traceback every 5,000; (lines, bytes)."""
    moment, number, size = datetime(2026, 11, 20), 0, 0
    with path.open("w", encoding="utf-8") as out:
        size += out.write(f"2026-11-20 00:00:00,000 INFO    node: {FIRST}\n")
        size += out.write(f"2026-11-20 00:00:00,001 INFO    node: {SECOND}\n")
        while number < lines or size < least_bytes:
            moment += timedelta(milliseconds=37)
            stamp = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}"
            level = ("INFO", "INFO", "DEBUG", "WARNING", "INFO")[number % 5]
            text = f"round {number // 10:>6}  reward 0.{number % 997:03d}  loss -0.0339  1.7 s"
            if number % 5000 == 17:
                level, text = (
                    "ERROR",
                    "the round failed\nTraceback (most recent call last):\n  run()",
                )
            size += out.write(f"{stamp} {level:7s} node: {text}\n")
            number += 1
        size += out.write(f"{stamp} INFO    node: {LAST}\n")
    return number + 3, size


@contextmanager
def running(argv: list[str]) -> Iterator[Terminal]:
    terminal = Terminal(argv)
    try:
        yield terminal
    finally:
        terminal.close()


def spread(values: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = quantiles(values, n=20) if len(values) > 1 else [values[0]] * 19
    return {
        "p50": round(median(values) * 1000, 1),
        "p95": round(cuts[18] * 1000, 1),
        "max": round(max(values) * 1000, 1),
    }


def both_keys(terminal: Terminal, repeats: int) -> dict[str, dict[str, float]]:
    terminal.answer(KEYS["home"])
    out = {}
    for name in ("page down", "down", "up", "page up"):
        values = []
        for _ in range(repeats):
            values.append(terminal.answer(KEYS[name]))
            if name in ("up", "page up") and len(values) == 1:
                terminal.answer(KEYS["end"])
        out[name] = spread(values)
    pairs = [(terminal.answer(KEYS["home"]), terminal.answer(KEYS["end"])) for _ in range(repeats)]
    out["home"], out["end"] = (spread([pair[side] for pair in pairs]) for side in (0, 1))
    return out


def waggle(home: Path, repeats: int) -> dict[str, object]:
    """One session with the log screen of the console."""
    with running([sys.executable, str(HERE / "logs_console.py"), str(home)]) as terminal:
        if terminal.until(rb"Logs", LIMIT_S) is None:
            raise TimeoutError("the console did not appear")
        terminal.settle(0.5)
        before = terminal.peak_mib
        terminal.send(b"l")
        asked = time.perf_counter()
        shown = terminal.until(LAST.encode(), LIMIT_S)
        terminal.settle(1.2, LIMIT_S)  # the share that is indexed is told until it is whole
        indexed = time.perf_counter() - asked - 1.2
        found: dict[str, object] = {
            "first_screen_s": shown and round(shown, 3),
            "indexed_s": round(indexed, 2),
            "keys_ms": both_keys(terminal, repeats),
        }
        keys = found["keys_ms"]
        assert isinstance(keys, dict)
        terminal.answer(b"\x1b[F")
        terminal.send(b"/")
        terminal.settle(0.2)
        typed = [terminal.answer(letter.encode()) for letter in "reward"]
        keys["a letter of a search"] = spread(typed)
        terminal.answer(b"\r")
        for name, (there, back) in OWN_KEYS.items():
            if name == OPEN:  # only an error has something to open
                terminal.answer(b"e")
            values = [terminal.answer(key) for _ in range(repeats // 2) for key in (there, back)]
            keys[name] = spread(values)
            if name == OPEN:
                terminal.answer(b"a")
        terminal.answer(b"\x1b[F")
        terminal.send(b"/" + b"\x7f" * 6)
        terminal.settle(0.3)
        terminal.send(FIRST.encode())
        search = terminal.until(SECOND.encode(), LIMIT_S)
        found["find_first_line_s"] = search and round(search, 2)
        terminal.settle(1.0)
        found["peak_mib"] = round(terminal.peak_mib)
        found["of_which_log_mib"] = round(terminal.peak_mib - before)
        return found


def toolong(command: Path, log: Path, repeats: int) -> dict[str, object]:
    """One session of toolong; its start is measured with an empty log, too, and taken off."""
    empty = log.with_name("nothing.txt")
    empty.write_text(f"2026-11-20 00:00:00,000 INFO node: {LAST}\n", encoding="utf-8")
    with running([str(command), str(empty)]) as terminal:
        start = terminal.until(LAST.encode(), LIMIT_S)
        before = terminal.peak_mib
    with running([str(command), str(log)]) as terminal:
        shown = terminal.until(LAST.encode(), LIMIT_S)
        terminal.settle(1.2, LIMIT_S)
        indexed = time.perf_counter() - terminal.began - 1.2
        found: dict[str, object] = {
            "first_screen_s": shown and start and round(max(0.0, shown - start), 3),
            "indexed_s": start and round(max(0.0, indexed - start), 2),
            "keys_ms": both_keys(terminal, repeats),
        }
        keys = found["keys_ms"]
        assert isinstance(keys, dict)
        terminal.answer(b"\x1b[F")
        terminal.send(b"\x06")
        terminal.settle(0.5)
        typed = [terminal.answer(letter.encode()) for letter in "reward"]
        keys["a letter of a search"] = spread(typed)
        terminal.send(b"\x7f" * 6)
        terminal.settle(0.5)
        terminal.send(FIRST.encode())
        terminal.settle(0.5)
        terminal.send(b"\x1b[A")
        search = terminal.until(SECOND.encode(), LIMIT_S)
        found["find_first_line_s"] = search and round(search, 2)
        found["peak_mib"] = round(terminal.peak_mib)
        found["of_which_log_mib"] = round(terminal.peak_mib - before)
        return found


def show(name: str, ours: dict[str, object], theirs: dict[str, object] | None) -> None:
    print(f"\n{name:34}{'waggle':>24}{'toolong':>24}")
    for key in ("first_screen_s", "indexed_s", "find_first_line_s", "peak_mib", "of_which_log_mib"):
        other = "" if theirs is None else str(theirs[key])
        print(f"  {key:32}{ours[key]!s:>24}{other:>24}")
    mine, other_keys = ours["keys_ms"], theirs["keys_ms"] if theirs else {}
    assert isinstance(mine, dict)
    assert isinstance(other_keys, dict)
    for key, value in mine.items():
        cells = [
            f"{v['p50']:.0f} / {v['p95']:.0f} ms" if v else "" for v in (value, other_keys.get(key))
        ]
        print(f"  {key:32}{cells[0]:>24}{cells[1]:>24}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toolong", type=Path, help="an environment with toolong in it")
    parser.add_argument("--work", type=Path, help="where to write the logs (a temporary folder)")
    parser.add_argument("--smoke", action="store_true", help="20,000 lines, few keys")
    args = parser.parse_args()
    command = args.toolong / "bin" / "tl" if args.toolong else None
    if command is None or not command.exists():
        print("toolong: skipped, no environment with it was given (--toolong)")
        command = None
    sizes = {"20,000 lines": (20_000, 0)}
    if not args.smoke:
        sizes = {"1,000,000 lines": (1_000_000, 0), "1 GiB": (0, 2**30)}
    repeats = 4 if args.smoke else REPEATS
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        for name, (lines, size) in sizes.items():
            home = Path(folder) / name.replace(" ", "-").replace(",", "")
            (home / "logs").mkdir(parents=True)
            log = home / "logs" / "node.log"
            count, length = write_log(log, lines, size)
            ours = waggle(home, repeats)
            theirs = toolong(command, log, repeats) if command else None
            show(f"{name}: {count:,} lines, {length / 2**20:.0f} MiB", ours, theirs)
            figures[name] = {"lines": count, "bytes": length, "waggle": ours, "toolong": theirs}
            log.unlink()
    print(json.dumps({"benchmark": "logs", "keys": "p50, p95, max in ms", "logs": figures}))


if __name__ == "__main__":
    main()
