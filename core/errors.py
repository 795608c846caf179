"""The one family of errors that a person may read.

Raised anywhere in `core`, caught at the edge of a command, a round or a screen. Whatever reaches
that edge as something else is a bug, and is shown as one.
"""

from __future__ import annotations


class WaggleError(Exception):
    """A failure told as three plain sentences.

    what: what failed, naming the file, peer, option or address.
    why: the cause, as exactly as it is known.
    next_step: what the person can do now.
    No field may hold a secret: errors reach logs, events and support bundles.
    """

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why, next_step)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        told = self.what.rstrip(". ") + f": {self.why}" if self.why else self.what
        return " ".join(_sentence(part) for part in (told, self.next_step) if part)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":", ")")) else text + "."


class ConfigError(WaggleError):
    """A configuration value that cannot be used; `what` names file and line."""


class StorageError(WaggleError):
    """The disk said no: full, read-only, no permission, or a damaged file."""


class TransientError(WaggleError):
    """Something outside failed in a way that may mend itself; retrying is sensible."""


class RefusedError(WaggleError):
    """Something outside said a final no; retrying the same thing is useless."""

    def __init__(self, what: str, why: str = "", next_step: str = "", code: str = "") -> None:
        super().__init__(what, why, next_step)
        self.code = code
