"""What stands beside a model's name: whether it fits here, how it would be trained, how fast.

It plans and reckons; asking the machine is for a thread, drawing for the step.
"""

from __future__ import annotations

from dataclasses import dataclass

from core import catalogue, config, free_memory
from core.config import Effective
from core.listings import size
from core.memory import Plan, gib
from core.pace import Machine, Pace, of_plan, told
from core.texts import _
from tui.screens.onboarding.draft import Draft
from tui.widgets.choices import Choice

OWN = "own"
LEVELS = {"fits": "healthy", "tight": "degraded", "too large": "down"}
LOOKING = _("looking at the memory")
MEASURING = _("measuring ...")
NO_PACE = _("- a round")
LONG = _("The time is for the longest answers; shorter ones take less.")
OTHER = _("Another model: Hugging Face id or path")


@dataclass(frozen=True)
class Room:
    """What the models are planned for."""

    effective: Effective
    device: str
    free_bytes: int

    def plan_for(self, model: str) -> Plan:
        """WaggleError for a folder whose config.json cannot be used."""
        return catalogue.plan_for(model, self.effective, self.free_bytes, self.device)

    def pace_of(self, model: str, found: Plan, machine: Machine, usual: int = 0) -> Pace | None:
        """How long a round would last; None where nothing is known of the model."""
        settings = catalogue.for_model(self.effective, model)
        return of_plan(found, catalogue.shape_of(model), settings, machine, usual)


@dataclass(frozen=True)
class Beside:
    """What is known of a model. pace: None while it is measured, or when it cannot be."""

    plan: Plan
    pace: Pace | None = None
    failed: str = ""
    """Why there is no pace."""
    usual: bool = False
    """Whether it is known how long its completions usually are."""

    def note(self) -> str:
        """In a few words: `fits: 4.1 GiB, about 12 s a round`."""
        needs = f"{self.plan.verdict}: {gib(self.plan.needed)} GiB"
        if not self.plan.fits:
            return needs
        if self.pace is None:
            return f"{needs}, {NO_PACE if self.failed else MEASURING}"
        lasts = _("about {time} a round").format(time=told(self.pace.seconds))
        return f"{needs}, {lasts}"

    def sentence(self) -> str:
        """How it would be trained, and what the expected time holds for."""
        if self.failed and self.plan.fits:
            return f"{trained(self.plan)} {self.failed}"
        if self.pace is None or self.usual:
            return trained(self.plan)
        return f"{trained(self.plan)} {LONG}"


def room_of(draft: Draft) -> Room:
    """What is free now for one node of that profile. Asks the machine: not for the screen's
    thread."""
    effective = config.load(draft.profile, sets=draft.flags)
    device = free_memory.device_of(effective.config)
    return Room(effective, device, free_memory.budget(effective.config, device))


def plans(entries: list[catalogue.Entry], room: Room) -> dict[str, Plan]:
    """How each model would be trained."""
    return {
        entry.id: catalogue.plan_of(entry, room.effective, room.free_bytes, room.device)
        for entry in entries
    }


def model_choices(entries: list[catalogue.Entry], beside: dict[str, Beside]) -> list[Choice]:
    """The catalogue with what is known of each, and an entry for any other model."""
    out = []
    for entry in entries:
        known = beside.get(entry.id)
        out.append(
            Choice(
                entry.id,
                f"{entry.id.rpartition('/')[2]} ({size(entry.parameters).replace(' ', '')})",
                note=known.note() if known else LOOKING,
                level=LEVELS.get(known.plan.verdict, "") if known else "",
            )
        )
    return [*out, Choice(OWN, OTHER)]


def trained(found: Plan) -> str:
    """How, in a sentence; or what to do about it."""
    if found.then is not None:
        return _("{advice}; continuing writes that.").format(advice=found.advice)
    if found.advice:
        return f"{found.advice}."
    if found.recipe is None:
        return ""
    what = _("every weight") if found.recipe.trained == "full" else _("an adapter (LoRA)")
    return _("Trains {what}, in {needed} of {free} GiB that are free.").format(
        what=what, needed=gib(found.needed), free=gib(found.free)
    )
