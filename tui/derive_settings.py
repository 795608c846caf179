"""The effective configuration as rows of a screen: what each value is, where it is from, whether it
counts now. Pure: configurations in, frozen rows out.

A secret never becomes text here, and of an address only host and port.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import Effective, Origin, from_text, kind_of, settings, value_of
from core.redact import HIDDEN
from core.schema import Config
from core.texts import _
from core.urls import shown_urls

NOT_SET = _("That one is not in config.yaml: there is nothing to take out.")
LIVE_SECTION = "console"
"""Its settings apply at once; all others are read when the node starts."""
URLS = ("chain.rpc_url", "chain.login_url")
ORIGINS = {
    "default": _("default"),
    "profile": _("profile"),
    "file": "config.yaml",
    "environment": _("environment"),
    "flag": _("flag"),
}
KINDS = {str: _("text"), bool: _("true or false"), int: _("whole number"), float: _("number")}
ABOUT = {
    "swarm": _("Which swarm, and whether it is hosted here"),
    "model": _("What learns, and on what"),
    "game": _("Tasks of a round"),
    "sampling": _("How completions are drawn"),
    "training": _("How the model learns from them"),
    "net": _("How other nodes are reached"),
    "admission": _("What of others is trusted"),
    "chain": _("Where participation is recorded"),
    "checkpoint": _("What is saved, and when"),
    "eval": _("Held-out evaluation"),
    "console": _("This screen; applies at once"),
    "log": _("What is written to the log"),
}


@dataclass(frozen=True)
class Row:
    """One setting. shown: its value, safe to show. default: the schema's, likewise.

    overridden: a flag or a variable that wins over the file, or empty. pending: what the running
    node still uses, where that is something else; None otherwise.
    """

    key: str
    shown: str
    layer: str
    origin: str
    doc: str
    kind: str
    choices: tuple[str, ...]
    default: str
    secret: bool
    in_file: bool
    overridden: str = ""
    pending: str | None = None

    @property
    def section(self) -> str:
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        return self.key.partition(".")[2]

    @property
    def live(self) -> bool:
        return self.section == LIVE_SECTION

    @property
    def hidden(self) -> bool:
        """What stands there is not shown, so a change begins with an empty line."""
        return self.secret or self.shown.endswith("/...")


@dataclass(frozen=True)
class Heading:
    section: str
    about: str


Line = Row | Heading


def told_value(key: str, value: Any) -> str:
    """A value for a screen: no secret, of an address only host and port, `-` for nothing."""
    if value and settings()[key].metadata["secret"]:
        return HIDDEN
    if key in URLS and value:
        return shown_urls(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value) or "-"


def rows(now: Effective, running: Config) -> tuple[Row, ...]:
    """Every setting in the order of the schema.

    now: as the next start would read it. running: what the node that runs was started with.
    """
    return tuple(_row(key, value, origin, doc, running) for key, value, origin, doc in now.items())


def _row(key: str, value: Any, origin: Origin, doc: str, running: Config) -> Row:
    spec = settings()[key]
    meta = spec.metadata
    factory = spec.default_factory
    default = spec.default if factory is dataclasses.MISSING else factory()
    before = value_of(running, key)
    changed = before != value and key.partition(".")[0] != LIVE_SECTION
    return Row(
        key=key,
        shown=told_value(key, value),
        layer=origin.layer,
        origin=ORIGINS.get(origin.layer, origin.layer),
        doc=doc,
        kind=_kind(key),
        choices=_choices(key),
        default=told_value(key, default),
        secret=bool(meta["secret"]),
        in_file=origin.layer == "file",
        overridden=origin.where if origin.layer in ("environment", "flag") else "",
        pending=told_value(key, before) if changed else None,
    )


def _choices(key: str) -> tuple[str, ...]:
    if kind_of(key) is bool:
        return ("true", "false")
    return tuple(settings()[key].metadata["choices"])


def _kind(key: str) -> str:
    """Type and bounds in words."""
    meta = settings()[key].metadata
    word = KINDS.get(kind_of(key), _("texts, commas between them"))
    low, high = meta["low"], meta["high"]
    if low is not None and high is not None:
        return _("{word}, {low:g} to {high:g}").format(word=word, low=low, high=high)
    return _("{word}, {low:g} or more").format(word=word, low=low) if low is not None else word


def lines(found: tuple[Row, ...], search: str = "", changed_only: bool = False) -> tuple[Line, ...]:
    """Rows that have every word of `search`, under the headings of their sections."""
    words = search.lower().split()
    out: list[Line] = []
    section = ""
    for row in found:
        if changed_only and row.layer == "default" and row.pending is None:
            continue
        text = f"{row.key} {row.shown} {row.origin} {row.doc}".lower()
        if not all(word in text for word in words):
            continue
        if row.section != section:
            section = row.section
            out.append(Heading(section, ABOUT.get(section, "")))
        out.append(row)
    return tuple(out)


def editable(row: Row, now: Effective) -> str:
    """What a change begins with: the value as one would type it; empty where it is not shown."""
    if row.hidden:
        return ""
    value = value_of(now.config, row.key)
    if isinstance(value, list):
        return ", ".join(value)
    return row.shown if isinstance(value, (bool, float)) else str(value)


def meant(key: str, text: str) -> Any:
    """The value that a person means who typed that. ConfigError, without the text of a secret."""
    if kind_of(key) == list[str]:
        text = json.dumps([part for part in re.split(r"[\s,]+", text) if part])
    return from_text(key, text.strip(), _("What you typed"))


def standing(row: Row) -> tuple[tuple[str, str], ...]:
    """(level, sentence) of what a person should know before changing it; level as of health."""
    out: list[tuple[str, str]] = []
    if row.overridden:
        wins = _("Set by {overridden}, which wins over config.yaml until it is gone.").format(
            overridden=row.overridden
        )
        out.append(("degraded", wins))
    if row.pending is not None:
        out.append(
            (
                "degraded",
                _("The node still runs with {pending}, until its next start.").format(
                    pending=row.pending
                ),
            )
        )
    elif row.live:
        out.append(("", _("A change applies at once.")))
    elif not row.overridden:
        out.append(("", _("A change counts from the node's next start.")))
    return tuple(out)


def written(row: Row, taken_out: bool, path: Path, changed: bool) -> str:
    """What came of a change of the file at `path`, and when it counts. row: as it is read now."""
    if not changed:
        return (
            NOT_SET
            if taken_out
            else _("{key} is already so in {file}.").format(key=row.key, file=path)
        )
    done = _("{key} is taken out of {file}.") if taken_out else _("{key} is written to {file}.")
    if row.overridden:
        then = _("{origin} still wins over it.").format(origin=row.overridden)
    else:
        then = _("It counts now.") if row.live else _("It counts from the node's next start.")
    return f"{done.format(key=row.key, file=path)} {then}"
