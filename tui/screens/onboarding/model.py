"""Step 4: the model, with a verdict for this machine's memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Static

from core import catalogue
from core.errors import ConfigError
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field

OWN = "own"
LEVELS = {"fits": "healthy", "tight": "degraded", "too large": "down"}


def model_choices(entries: list[catalogue.Entry], free: int) -> list[Choice]:
    """The catalogue with a verdict each, and an entry for any other model."""
    out = [
        Choice(
            entry.id,
            f"{entry.id} ({size(entry.parameters)})" if entry.parameters else entry.id,
            note=str(catalogue.fit(entry.parameters, free)),
            level=LEVELS.get(catalogue.fit(entry.parameters, free).verdict, ""),
        )
        for entry in entries
    ]
    return [*out, Choice(OWN, "Another model: Hugging Face id or path")]


def size(parameters: int) -> str:
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


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
    ABOUT = "Beside each: the memory that training it needs, of what is free now."

    def fields(self) -> ComposeResult:
        entries = catalogue.entries()
        self._about = {entry.id: entry.about for entry in entries}
        chosen = self.draft.model
        if chosen not in {entry.id for entry in entries}:
            chosen = OWN
        yield Choices(
            model_choices(entries, catalogue.free_memory()), chosen, self.glyphs, id="model"
        )
        yield Field("Id or path", self.draft.own_model, "Qwen/Qwen2.5-0.5B-Instruct", id="own")
        yield Static(id="fit", classes="about", markup=False)

    def on_mount(self) -> None:
        self._show()

    def on_choices_changed(self) -> None:
        self._show()

    def on_input_changed(self) -> None:
        self._show()

    def _show(self) -> None:
        own = self.query_one(Choices).chosen.id == OWN
        typed = self.query_one("#own", Field).value
        self.query_one("#own").display = own
        told = self._about.get(self.query_one(Choices).chosen.id, "")
        if own and typed:
            parameters = catalogue.parameters_of(typed)
            fit = catalogue.fit(parameters, catalogue.free_memory())
            told = str(fit) if parameters else "Its size is known once it is downloaded."
        self.query_one("#fit", Static).update(told)

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
        return draft
