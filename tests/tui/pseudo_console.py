"""The console in a language that nobody speaks: English with an accent on every vowel.

`python -m tests.tui.pseudo_console FOLDER` reads a catalogue there (LANGUAGE=qps), walks through
the real screens and prints what stood on each as one JSON object. A word that has a vowel and no
accent did not come through the catalogue.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
import tempfile
from pathlib import Path
from string import Formatter

LANGUAGE = "qps"
ACCENTS = str.maketrans("aeiouyAEIOUY", "áéíóúýÁÉÍÓÚÝ")
PLURALS = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=n != 1;\n"
SCREENS = {
    "dashboard": (),
    "charts": ("c",),
    "the filter of charts": ("slash",),
    "runs to compare": ("escape", "escape", "c", "c"),
    "rollouts": ("escape", "escape", "r"),
    "details of a group": ("enter",),
    "peers": ("escape", "escape", "n"),
    "details of a peer": ("down", "enter"),
    "gossip": ("escape", "2"),
    "network": ("3",),
    "quarantine": ("4",),
    "rewards": ("escape", "w"),
    "counters": ("2",),
    "queue and gas": ("3",),
    "logs": ("escape", "l"),
    "settings": ("escape", "s"),
    "searching a setting": ("slash",),
    "help": ("escape", "escape", "question_mark"),
    "palette": ("escape", "ctrl+p"),
    "quitting": ("escape", "q"),
}
"""The keys that lead to each screen from the one before."""


def accented(text: str) -> str:
    """`text` with an accent on every vowel; placeholders as they are."""
    parts = []
    for plain, name, form, how in Formatter().parse(text):
        parts.append(plain.translate(ACCENTS).replace("{", "{{").replace("}", "}}"))
        if name is not None:
            parts.append(
                "{" + name + (f"!{how}" if how else "") + (f":{form}" if form else "") + "}"
            )
    return "".join(parts)


def compiled(messages: dict[str, str]) -> bytes:
    """A gettext catalogue (.mo), as `msgfmt` would write it. A text for one and many has both,
    with a zero byte between them; a context stands before its text, with byte 4 between them."""
    rows = sorted((key.encode(), value.encode()) for key, value in messages.items())
    at = 7 * 4 + 16 * len(rows)
    keys, values, data = [], [], b""
    for column, index in ((0, keys), (1, values)):
        for row in rows:
            index += [len(row[column]), at + len(data)]
            data += row[column] + b"\0"
    head = (0x950412DE, 0, len(rows), 7 * 4, 7 * 4 + 8 * len(rows), 0, 0)
    numbers = (*head, *keys, *values)
    return struct.pack(f"<{len(numbers)}I", *numbers) + data


def written(folder: Path, messages: dict[str, str], language: str = LANGUAGE) -> None:
    path = folder / language / "LC_MESSAGES" / "waggle.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(compiled({"": PLURALS, **messages}))


async def walk(place: Path) -> dict[str, str]:
    from core.home import Home
    from tests.tui.conftest import running, settle
    from tests.tui.onboarding_support import console
    from tests.tui.support import history, now_of
    from tui import capture

    shown = {}
    async with running(Home(place / "one"), history(40), now_of(40), size=(140, 40)) as started:
        app, pilot, _node = started
        for name, keys in SCREENS.items():
            for key in keys:
                await pilot.press(key)
            await settle(pilot, lambda: True)
            shown[name] = capture.text_of(app)
    app, _node = console(Home(place / "two"))
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot, lambda: True)
        shown["first start"] = capture.text_of(app)
    return shown


def main() -> None:
    from core import texts

    os.environ["LANGUAGE"] = LANGUAGE
    texts.FOLDER = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(walk(Path(folder)))))


if __name__ == "__main__":
    main()
