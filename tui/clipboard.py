"""The clipboard of the person's own terminal, however many terminals are between.

OSC 52 carries it over SSH. tmux and screen stand in its way, each in its own fashion:

- tmux, as it comes, neither takes OSC 52 from programs (`set-clipboard external`) nor lets it pass
  (`allow-passthrough off`); it does set the clipboard itself when its own command asks for it, and
  keeps the text in its paste buffer besides. So tmux is asked by command, and where that fails,
  both ways are tried.
- screen passes on what stands in a DCS string, of less than 768 bytes each.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Mapping

MAX_BYTES = 74_994
"""The most that xterm takes, and with it whatever imitates it: 100,000 characters of base64."""
SCREEN_STRING = 512
TMUX_TIMEOUT_S = 2.0


def sequences(text: str, environ: Mapping[str, str]) -> str:
    """What to write to the terminal so that `text` reaches the outermost one's clipboard."""
    plain = osc52(text)
    passing = through(plain, environ)
    if passing == plain or environ.get("STY"):
        return passing
    return plain + passing  # tmux may be told to take it; screen knows nothing of it


def through(sequence: str, environ: Mapping[str, str]) -> str:
    """`sequence` in the wrapping in which tmux or screen hands it to the terminal outside."""
    term = environ.get("TERM", "")
    if environ.get("TMUX") or term.startswith("tmux"):
        return through_tmux(sequence)
    # Without STY it is one of the two, at the near end of an SSH connection; tmux ignores this.
    if environ.get("STY") or term.startswith("screen"):
        return through_screen(sequence)
    return sequence


def osc52(text: str) -> str:
    return f"\x1b]52;c;{base64.b64encode(text.encode()).decode('ascii')}\a"


def through_tmux(sequence: str) -> str:
    """For `allow-passthrough on`."""
    doubled = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\"


def through_screen(sequence: str) -> str:
    parts = (sequence[at : at + SCREEN_STRING] for at in range(0, len(sequence), SCREEN_STRING))
    return "".join(f"\x1bP{part}\x1b\\" for part in parts)


def by_tmux(text: str, environ: Mapping[str, str]) -> bool:
    """Ask the tmux that this runs in to set the clipboard; whether it did. May take seconds."""
    tmux = shutil.which("tmux")
    if not environ.get("TMUX") or tmux is None:
        return False
    for options in (("-w",), ()):  # -w sets the clipboard as well, from tmux 3.2 on
        if _tmux([tmux, "load-buffer", *options, "-"], text, environ) is not None:
            nested = _tmux([tmux, "display", "-p", "#{client_termname}"], "", environ) or ""
            return bool(options) and not nested.startswith(("tmux", "screen"))
    return False


def _tmux(command: list[str], given: str, environ: Mapping[str, str]) -> str | None:
    """What it printed; None when it failed."""
    try:
        done = subprocess.run(
            command,
            input=given.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environ},
            timeout=TMUX_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
