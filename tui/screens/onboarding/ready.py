"""Step 6: what will happen, with every value and its origin; Enter saves."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from core import config
from core.config import Effective, Origin
from core.home import Home
from core.swarm import joining
from core.texts import _
from tui.derive_settings import told_value
from tui.draw import Pen, line
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.card import Card
from tui.screens.onboarding.draft import LOCAL, Draft, as_flag
from tui.screens.onboarding.step import KEYS_TIMEOUT_S, Step
from tui.text import column, middle
from tui.widgets.lines import Lines

RANKS = ("flag", "environment", "file", "profile", "default")
View = tuple[Draft, Effective]


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
    """The configuration as it will be. ConfigError when a value cannot be used."""
    sets = [f"{key}={as_flag(value)}" for key, value in draft.settings().items()]
    return config.load(draft.profile, home, sets=[*sets, *draft.flags])


def told_origin(key: str, origin: Origin, draft: Draft) -> str:
    """Where a value comes from, in a few words."""
    if origin.layer == "flag":
        if any(flag.startswith(f"{key}=") for flag in draft.flags):
            return _("command line")
        invited = dict(draft.invite_settings) if draft.invited else {}
        return _("the invite") if key in invited else _("chosen here")
    words = {"file": "config.yaml", "profile": _("profile {profile}").format(profile=draft.profile)}
    return words.get(origin.layer, origin.layer)


def facts(draft: Draft, effective: Effective, cut: str) -> Card:
    """What will happen, in sentences."""
    rows = [
        (_("Swarm"), _swarm(draft, effective)),
        (_("Node"), f"{draft.name}  {middle(draft.peer_id, 16, cut)}"),
        (_("Account"), _account(draft)),
        (_("Model"), _model(draft, effective.config.model.id)),
    ]
    if draft.opening is not None and draft.way == "host" and draft.opening.opens:
        opening = draft.opening
        where = _("every address") if opening.everywhere else opening.address
        told = _("ports {net} and {devnet} open to others at {address}").format(
            net=opening.net_port, devnet=opening.devnet_port, address=where
        )
        rows.insert(1, (_("Opens"), told))
    return tuple(rows)


def _swarm(draft: Draft, effective: Effective) -> str:
    if draft.way == "host":
        return _("{swarm}, for others: this machine runs it.").format(
            swarm=effective.config.swarm.name
        )
    if draft.invited and draft.invite is not None:
        from core.net.names import animal_name

        return _("Joins {swarm}, the swarm of {owner}.").format(
            swarm=draft.invite.swarm, owner=animal_name(draft.invite.owner)
        )
    nodes = LOCAL.get(draft.way)
    if nodes is None:
        return _("Joins the swarm of {contract}.").format(contract=draft.contract)
    if nodes == 1:
        return _("One node, on this machine alone.")
    return _("{n} nodes, on this machine alone.").format(n=nodes)


def _model(draft: Draft, model: str) -> str:
    """What a flag of the start names was not looked at here."""
    if draft.downloads and model == draft.model:
        return _("{model}, downloaded first").format(model=model)
    return model


def _account(draft: Draft) -> str:
    if draft.joins and draft.coordinator == "read-only":
        return _("none: it follows the rounds and submits nothing")
    if draft.joins and draft.coordinator == "login":
        url = told_value("chain.login_url", draft.login_url)
        return _("the one of the login at {url}").format(url=url)
    return draft.address


def ready_text(view: View, width: int, pen: Pen) -> Text:
    draft, effective = view
    text = line()
    for label, value in facts(draft, effective, pen.glyphs.ellipsis):
        text.append(column(label, 10), pen.palette.label)
        text.append(pen.fit(pen.safe(value), width - 10) + "\n", "bold")
    text.append("\n" + _("Every setting, and where it comes from") + "\n", pen.palette.label)
    room = min(30, max(10, width - 52))
    # What was decided here stands first; the defaults come last, in the order of the manual.
    for key, value, where, _doc in sorted(effective.items(), key=lambda i: RANKS.index(i[2].layer)):
        changed = where.layer != "default"
        text.append(column(key, 26, pen.glyphs.ellipsis), "" if changed else pen.palette.muted)
        text.append(
            pen.column(pen.safe(told_value(key, value)), room),
            "bold" if changed else pen.palette.muted,
        )
        told = told_origin(key, where, draft)
        text.append(" " + pen.fit(pen.safe(told), width - 27 - room) + "\n", pen.palette.muted)
    return text


class ReadyStep(Step):
    NAME = _("Ready")
    QUESTION = _("Ready. Enter starts the node.")

    def fields(self) -> ComposeResult:
        yield Lines(ready_text, id="ready")

    def on_mount(self) -> None:
        if self.draft.way == "host":
            told = _("Ready. Enter saves this and makes the invite.")
            for question in self.query(".question").results(Static):
                question.update(told)
        for lines in self.query(Lines):  # none where the console closes as this opens
            lines.show((self.draft, preview(self.draft, self.home)))

    async def accept(self) -> Draft | None:
        await ask(self._save, KEYS_TIMEOUT_S)
        return self.draft

    def _save(self) -> None:
        draft, home = self.draft, self.home
        config.require_complete(preview(draft, home))
        values = user_values(draft, config.user_config(home))
        if draft.invited and draft.invite is not None:
            joining.write_tasks(draft.invite, home)
        config.save_user_config(home, values)
