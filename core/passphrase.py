"""A passphrase from a person, a file or the environment; never echoed, never logged.

It knows where a passphrase comes from, and nothing of what it opens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from core.errors import WaggleError

BACKUP = "WAGGLE_BACKUP_PASSPHRASE"
"""Environment variable with the passphrase of what is written for keeping elsewhere."""
ACCOUNT = "WAGGLE_PASSPHRASE"
"""Environment variable with the passphrase that the owner chose for the account."""
VARIABLES = (BACKUP, ACCOUNT)
MAX_BYTES = 4096


def given(file: str | None, variable: str = BACKUP) -> str | None:
    """From the file, else from the environment; None when a person has to be asked.

    WaggleError when the file cannot be read or has no text in it.
    """
    if file:
        return from_file(Path(file).expanduser())
    return os.environ.get(variable) or None


def taken(variable: str) -> str | None:
    """Out of the environment: what this process starts later does not inherit it."""
    return os.environ.pop(variable, None) or None


def ask(prompt: str, new: Callable[[str], None] | None = None, variable: str = BACKUP) -> str:
    """Typed on the terminal without an echo. WaggleError without a terminal.

    new: for a new one, which is asked for twice: raises what is wrong with it.
    """
    instead = f"Give it with --passphrase-file FILE, or in the environment variable {variable}"
    first = ask_for(prompt, instead)
    if new is None:
        return first
    new(first)
    if ask_for("The same again", instead) != first:
        raise WaggleError("The two passphrases differ", "", "Nothing was written; try again")
    return first


def ask_for(prompt: str, instead: str = "") -> str:
    """Any secret, typed on the terminal without an echo. instead: what to do where there is no
    terminal, which is a WaggleError."""
    import getpass

    if not sys.stdin.isatty():
        raise WaggleError(
            f"There is no terminal to ask on: {prompt}", "standard input is not one", instead
        )
    return getpass.getpass(f"{prompt}: ")


def from_file(path: Path) -> str:
    """The first line, without the line's end. WaggleError, without a word of what is in it."""
    try:
        with path.open("rb") as source:
            data = source.read(MAX_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise WaggleError(
            f"Cannot read the passphrase file {path}", error.strerror or str(error)
        ) from error
    except UnicodeDecodeError:
        # Without its cause, whose words would repeat a part of the file.
        raise WaggleError(f"The passphrase file {path} is not UTF-8 text") from None
    line = text.splitlines()[0] if text else ""
    if not line or len(data) > MAX_BYTES:
        raise WaggleError(
            f"The passphrase file {path} is empty or too long", "", "One line with the passphrase"
        )
    return line
