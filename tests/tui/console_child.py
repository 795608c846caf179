"""A console to be run on a terminal: python -m tests.tui.console_child HOME [--OPTION]... [SET]...

Its node replays five recorded rounds. --noise: everything writes to the standard descriptors;
--feed: goes on with ten rounds a second; --fails: the key `t` is a bug. What came of it is in
HOME/ended, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import tui.app
import tui.session
from core import config
from core.home import Home
from tests.tui.support import START, ReplayNode, history, now_of, round_events

ROUNDS = 5
FEED_S = 0.1


class Node(ReplayNode):
    """Counts the rounds that it fed."""

    def __init__(self, options: set[str]) -> None:
        super().__init__(history(ROUNDS))
        self.fed = 0
        self._options = options

    def start(self) -> None:
        for name, work in (("--noise", self._noise), ("--feed", self._feed)):
            if name in self._options:
                threading.Thread(target=work, daemon=True).start()
        super().start()

    def _noise(self) -> None:
        while True:
            os.write(1, b"NOISE-ON-1")
            os.write(2, b"NOISE-ON-2")
            print("NOISE-PRINTED", flush=True)
            os.system("echo NOISE-CHILD")
            time.sleep(0.1)

    def _feed(self) -> None:
        while not self.ended.is_set():
            self.fed += 1
            number = ROUNDS + self.fed
            for event in round_events(number, START + 4 * number):
                self.bus.emit(event)
            time.sleep(FEED_S)


def main() -> None:
    home = Home(Path(sys.argv[1]))
    options = {word for word in sys.argv[2:] if word.startswith("--")}
    sets = [word for word in sys.argv[2:] if word not in options]
    defaults = tui.app.WaggleApp.__init__.__kwdefaults__
    assert defaults is not None
    defaults["clock"] = lambda: now_of(ROUNDS)
    if "--fails" in options:
        tui.app.WaggleApp.key_t = lambda app: 1 / 0  # type: ignore[attr-defined]
    node = Node(options)
    effective = config.load("solo", home, env=os.environ, sets=sets)
    began = time.monotonic()
    code = tui.session.run_session(home, effective, False, None, lambda *_: node)
    told = {"code": code, "asked": node.asked, "fed": node.fed, "s": time.monotonic() - began}
    (home.path / "ended").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
