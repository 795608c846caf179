"""Step 6: what will happen, with every value and its origin; Enter saves and starts."""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text
from textual.app import ComposeResult

from core import config
from core.config import Effective, Origin
from core.home import Home
from core.swarm import joining
from tui.draw import Pen, line
from tui.screens.onboarding.draft import LOCAL, Draft
from tui.screens.onboarding.step import Step
from tui.text import column, middle
from tui.widgets.lines import Lines


def user_values(draft: Draft, before: dict[str, Any]) -> dict[str, Any]:
    """What goes into config.yaml: what was there before, and over it what was chosen."""
    if draft.invited:
        return joining.merged(draft.settings(), before)
    out: dict[str, Any] = {"profile": draft.profile}
    for name, section in before.items():
        if name != "profile":
            out[name] = dict(section)
    for key, value in draft.settings().items():
        section, name = key.split(".")
        out.setdefault(section, {})[name] = value
    return out


def preview(draft: Draft, home: Home) -> Effective:
    """The configuration as it will be; the origin of a choice made here is a flag."""
    sets = [f"{key}={_flag(value)}" for key, value in draft.settings().items()]
    return config.load(draft.profile, home, sets=sets)


def _flag(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def told_origin(origin: Origin, profile: str) -> str:
    """Where a value comes from, in a few words."""
    words = {
        "flag": "chosen here",
        "default": "default",
        "file": "config.yaml",
        "profile": f"profile {profile}",
    }
    return words.get(origin.layer, str(origin))


def told_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(value) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value) or "-"


def _joins(draft: Draft) -> str:
    if draft.invite is None or not draft.invited:
        return f"Joins the swarm of {draft.contract}."
    from core.net.names import animal_name

    return f"Joins {draft.invite.swarm}, the swarm of {animal_name(draft.invite.owner)}."


def ready_text(view: tuple[Draft, Effective], width: int, pen: Pen) -> Text:
    draft, effective = view
    text = line()
    nodes = LOCAL.get(draft.profile)
    plan = (
        _joins(draft)
        if nodes is None
        else f"{'One node' if nodes == 1 else f'{nodes} nodes'} on this machine, "
        "with a chain of their own."
    )
    rows = [
        ("Swarm", plan),
        ("Node", f"{draft.name}  {middle(draft.peer_id, 16, pen.glyphs.ellipsis)}"),
        ("Account", draft.address),
        ("Model", effective.config.model.id),
    ]
    for label, value in rows:
        text.append(column(label, 10), pen.palette.label)
        text.append(pen.fit(pen.safe(value), width - 10) + "\n", "bold")
    text.append("\nEvery setting, and where it comes from\n", pen.palette.label)
    invited = dict(draft.invite_settings) if draft.invited else {}
    # What was decided stands first; the defaults follow in the order of the manual.
    for key, value, where, _ in sorted(effective.items(), key=lambda i: i[2].layer == "default"):
        changed = where.layer != "default"
        text.append(column(key, 26, pen.glyphs.ellipsis), "" if changed else pen.palette.muted)
        text.append(
            pen.column(pen.safe(told_value(value)), min(30, max(10, width - 52))),
            "bold" if changed else pen.palette.muted,
        )
        told = told_origin(where, effective.profile)
        if key in invited:
            told = "the invite"
        text.append(" " + pen.fit(pen.safe(told), width - 57) + "\n", pen.palette.muted)
    return text


class ReadyStep(Step):
    NAME = "Ready"
    QUESTION = "Ready. Enter starts the node."

    def fields(self) -> ComposeResult:
        yield Lines(ready_text, id="ready")

    def on_mount(self) -> None:
        self.query_one(Lines).show((self.draft, preview(self.draft, self.home)))

    async def accept(self) -> Draft | None:
        effective = preview(self.draft, self.home)
        config.require_complete(effective)
        values = user_values(self.draft, config.user_config(self.home))
        if self.draft.invited and self.draft.invite is not None:
            joining.write_tasks(self.draft.invite, self.home)
        config.save_user_config(self.home, values)
        return self.draft
