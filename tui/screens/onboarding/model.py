"""Step 4: the model, with how it would be trained in this machine's memory, and how fast."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Static

from core import catalogue, measuring
from core.errors import ConfigError, WaggleError
from core.memory import Plan
from core.pace import Machine
from core.texts import _
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.beside import OWN, Beside, Room, model_choices, plans, room_of
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.text import clean
from tui.widgets.choices import Choices
from tui.widgets.field import Field

PLAN_S = 30.0
MEASURE_S = measuring.DEADLINE_S + 10.0
HUB_S = 15.0
SETTLE_S = 0.3
MAX_ID = 96
"""Of huggingface_hub."""
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


def settings_of(found: Plan, model: str) -> dict[str, str | int]:
    """What is written for the model, as planned now: later checkpoints must not meet another
    recipe. WaggleError when no setting makes it fit."""
    chosen = found if found.fits else found.then
    if chosen is None or chosen.recipe is None:
        found.require(model)
        return {}
    recipe = {
        "training.recipe": chosen.recipe.trained,
        "training.optimizer": chosen.recipe.optimizer,
    }
    return {**recipe, **{k: v for k, v in found.changes.items() if k not in recipe}}


def is_path(text: str) -> bool:
    return text.startswith(("/", "~", "."))


def check_model(text: str) -> str:
    """A typed id or path, as far as it can be checked without the network. ConfigError."""
    if not text:
        raise ConfigError(_("No model is named"), "", _("Type a Hugging Face id or a path"))
    if is_path(text):
        return _checked_folder(text)
    if any(text == entry.id for entry in catalogue.entries()):
        return text
    if not _HUB_ID.fullmatch(text) or len(text) > MAX_ID:
        raise ConfigError(
            _("{text} is no model id").format(text=clean(text, 80)),
            "",
            _("It looks like Qwen/Qwen2.5-0.5B-Instruct"),
        )
    return text


def _checked_folder(text: str) -> str:
    try:
        folder = Path(text).expanduser()
        if (folder / "config.json").is_file():
            return str(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        folder = Path(text[:80])  # too long, not a path at all, or a home that nobody has
    raise ConfigError(
        _("{folder} is not a model folder").format(folder=clean(folder, 80)),
        _("it has no config.json"),
        _("Give the folder that save_pretrained wrote"),
    )


class ModelStep(Step):
    NAME = _("Model")
    QUESTION = _("Which language model should learn?")

    def fields(self) -> ComposeResult:
        self._entries = catalogue.entries()
        self._about = {entry.id: entry.about for entry in self._entries}
        self._usual = {entry.id: entry.usual for entry in self._entries}
        self._room: Room | None = None
        self._plans: dict[str, Plan] = {}
        self._machine: Machine | None = None
        self._unmeasured = ""
        self._settling: Timer | None = None
        chosen = self.draft.model
        if chosen not in self._about:
            chosen = OWN
        yield Choices(model_choices(self._entries, {}), chosen, self.glyphs, id="model")
        yield Field(_("Id or path"), self.draft.own_model, "Qwen/Qwen2.5-0.5B-Instruct", id="own")
        # Below the list, which must not move when another entry has more to say.
        yield Static(id="fit", classes="about", markup=False)

    def on_mount(self) -> None:
        self._show()
        self.run_worker(self._load(), exclusive=True, group="plans")

    async def _load(self) -> None:
        """The memory first; then how fast this machine is, which takes seconds, once a session."""
        try:
            room = await self._ensure()
        except WaggleError as error:
            self._fit(str(error))
            return
        try:
            self._machine = await ask(lambda: measuring.SESSION.machine(room.device), MEASURE_S)
        except WaggleError as error:
            self._unmeasured = str(error)
        self._list()

    async def _ensure(self) -> Room:
        """Plan for what is free now, once a visit."""
        if self._room is None:
            room, found = await ask(self._planned, PLAN_S)
            self._room, self._plans = room, found
            self._list()
        return self._room

    def _list(self) -> None:
        """Again, with what is known by now."""
        for choices in self.query(Choices):
            beside = {e.id: self._beside(e.id, self._plans[e.id], e.usual) for e in self._entries}
            choices.replace(model_choices(self._entries, beside))
        self._show()

    def _beside(self, model: str, found: Plan, usual: int = 0) -> Beside:
        pace = None
        if self._machine is not None and self._room is not None:
            pace = self._room.pace_of(model, found, self._machine, usual)
        return Beside(found, pace, self._unmeasured, bool(usual))

    def _planned(self) -> tuple[Room, dict[str, Plan]]:
        room = room_of(self.draft)
        return room, plans(self._entries, room)

    def on_choices_changed(self) -> None:
        self._show()

    def on_input_changed(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE_S, self._show)

    def _show(self) -> None:
        found = self.query(Choices)
        if not found:
            return  # left meanwhile
        chosen = found.first().chosen.id
        self.query_one("#own").display = chosen == OWN
        if chosen != OWN:
            known = self._plans.get(chosen)
            told = self._beside(chosen, known, self._usual[chosen]).sentence() if known else ""
            self._fit(f"{chosen}: {self._about[chosen]}. {told}")
        elif typed := self.value("own"):
            self.run_worker(self._tell(typed), exclusive=True, group="tell")
        else:
            self._fit(_("Any decoder of the Llama or Qwen kind."))

    def _fit(self, text: str) -> None:
        for line in self.query("#fit").results(Static):
            line.update(clean(text, 400, self.glyphs.ascii))

    async def _tell(self, typed: str) -> None:
        """Of what was typed, in words: from what is on this machine."""
        try:
            room = await self._ensure()
            found = await ask(lambda: room.plan_for(typed), PLAN_S)
        except WaggleError as error:
            self._fit(str(error))
            return
        self._fit(self._told(typed, found) if found.recipe else _("Enter asks how large it is."))

    def _told(self, model: str, found: Plan) -> str:
        known = self._beside(model, found)
        return f"{known.note()}. {known.sentence()}"

    # --- Enter --------------------------------------------------------------------------------

    def leave(self) -> Draft:
        chosen = self.query_one(Choices).chosen.id
        own = self.value("own")
        model = own if chosen == OWN else chosen
        keys = self.draft.chosen | {"model.id"} if model != self.draft.model else self.draft.chosen
        return replace(self.with_typed(), model=model, own_model=own, chosen=keys)

    async def accept(self) -> Draft | None:
        """Stay once to show how large a model is that nobody here knew; a person may insist on
        one that does not fit: another program may end meanwhile."""
        draft, room = self.leave(), await self._ensure()
        if self.query_one(Choices).chosen.id != OWN:
            found = self._plans[draft.model]
        else:
            draft = replace(draft, model=check_model(draft.own_model))
            found = await ask(lambda: room.plan_for(draft.model), PLAN_S)
            if found.recipe is None and not is_path(draft.own_model):
                looked = await self._look_up(draft.model, room)
                if looked is not None and looked.recipe is not None:
                    self._fit(self._told(draft.model, looked))
                    return None
        try:
            planned = settings_of(found, draft.model)
        except WaggleError as error:
            self.doubt(error, draft.model)
            planned = {}
        absent = await ask(lambda: catalogue.folder_of(draft.model) is None, PLAN_S)
        return replace(draft, planned=tuple(planned.items()), downloads=absent)

    async def _look_up(self, model: str, room: Room) -> Plan | None:
        """Ask the Hub for its config.json; None when the person insists on it unseen."""
        from core.training import hub

        try:
            await self.look(
                _("Asking the Hugging Face Hub for {model}").format(model=model),
                lambda: hub.configuration(model),
                HUB_S,
            )
            return await ask(lambda: room.plan_for(model), PLAN_S)
        except WaggleError as error:
            self.doubt(error, model)
            return None
