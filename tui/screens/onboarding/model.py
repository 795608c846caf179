"""Step 4: the model, with how it would be trained in this machine's memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Static

from core import catalogue, config, free_memory
from core.config import Effective
from core.errors import ConfigError, WaggleError
from core.listings import size
from core.memory import Plan, plan
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field

OWN = "own"
LEVELS = {"fits": "healthy", "tight": "degraded", "too large": "down"}


def plans(entries: list[catalogue.Entry], effective: Effective) -> dict[str, Plan]:
    """How each model would be trained by one node of that profile, in what is free now."""
    device = free_memory.device_of(effective.config)
    free = free_memory.budget(effective.config, device)
    return {
        entry.id: plan(entry.shape, catalogue.for_model(effective, entry.id), free, device)
        for entry in entries
    }


def model_choices(entries: list[catalogue.Entry], found: dict[str, Plan]) -> list[Choice]:
    """The catalogue with a verdict each, and an entry for any other model."""
    out = [
        Choice(
            entry.id,
            f"{entry.id.rpartition('/')[2]} ({size(entry.parameters)})",
            note=found[entry.id].short(),
            level=LEVELS.get(found[entry.id].verdict, ""),
        )
        for entry in entries
    ]
    return [*out, Choice(OWN, "Another model: Hugging Face id or path")]


def _trained(found: Plan) -> str:
    """How, in a sentence; or what to do about it."""
    if found.then is not None:
        return f"{found.advice}; continuing writes that."
    if found.advice:
        return f"{found.advice}."
    return found.recipe.sentence() if found.recipe else ""


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


def check_model(text: str) -> str:
    """A typed id or path, as far as it can be checked without the network."""
    if not text:
        raise ConfigError("No model is named", "", "Type a Hugging Face id or a path")
    if text.startswith(("/", "~", ".")):
        folder = Path(text).expanduser()
        if not (folder / "config.json").is_file():
            raise ConfigError(
                f"{folder} is not a model folder",
                "it has no config.json",
                "Give the folder that save_pretrained wrote",
            )
        return str(folder.resolve())
    if text.count("/") != 1 or any(char.isspace() for char in text):
        raise ConfigError(
            f"{text[:80]} is no model id", "", "It looks like Qwen/Qwen2.5-0.5B-Instruct"
        )
    return text


class ModelStep(Step):
    NAME = "Model"
    QUESTION = "Which language model should learn?"
    DEFAULT_CSS = """
    ModelStep #fit {
        height: 3;
    }
    """

    def fields(self) -> ComposeResult:
        self._effective = config.load(self.draft.profile, env={})
        entries = catalogue.entries()
        self._about = {entry.id: entry.about for entry in entries}
        self._plans = plans(entries, self._effective)
        chosen = self.draft.model
        if chosen not in self._about:
            chosen = OWN
        yield Static(id="fit", classes="about", markup=False)
        yield Choices(model_choices(entries, self._plans), chosen, self.glyphs, id="model")
        yield Field("Id or path", self.draft.own_model, "Qwen/Qwen2.5-0.5B-Instruct", id="own")

    def on_mount(self) -> None:
        self._show()

    def on_choices_changed(self) -> None:
        self._show()

    def on_input_changed(self) -> None:
        self._show()

    def _show(self) -> None:
        chosen = self.query_one(Choices).chosen.id
        typed = self.query_one("#own", Field).value
        self.query_one("#own").display = chosen == OWN
        if chosen == OWN:
            told = self._told(typed) if typed else "Any decoder of the Llama or Qwen kind."
        else:
            told = f"{chosen}: {self._about[chosen]}. {_trained(self._plans[chosen])}"
        self.query_one("#fit", Static).update(told)

    def _told(self, typed: str) -> str:
        try:
            found = self._plan(typed)
        except WaggleError as error:
            return str(error)
        if not found.recipe:
            return "Its size is known once it is downloaded."
        return f"{found.short()}. {_trained(found)}"

    def _plan(self, model: str) -> Plan:
        device = free_memory.device_of(self._effective.config)
        free = free_memory.budget(self._effective.config, device)
        return catalogue.plan_for(model, self._effective, free, device)

    def leave(self) -> Draft:
        chosen = self.query_one(Choices).chosen.id
        own = self.query_one("#own", Field).value
        model = own if chosen == OWN else chosen
        keys = self.draft.chosen | {"model.id"} if model != self.draft.model else self.draft.chosen
        return replace(self.draft, model=model, own_model=own, chosen=keys)

    async def accept(self) -> Draft | None:
        draft = self.leave()
        if self.query_one(Choices).chosen.id == OWN:
            draft = replace(draft, model=check_model(draft.own_model))
            found = self._plan(draft.model)
        else:
            found = self._plans[draft.model]
        return replace(draft, planned=tuple(settings_of(found, draft.model).items()))
