"""The first start: one question a step, Enter goes on, Esc goes back, nothing is lost."""

from __future__ import annotations

import logging

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from core.errors import WaggleError
from core.home import Home
from core.incidents import as_bug
from tui import keys
from tui.glyphs import Glyphs
from tui.screens.onboarding.account import AccountStep
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.extras import ExtrasStep
from tui.screens.onboarding.identity import IdentityStep
from tui.screens.onboarding.model import ModelStep
from tui.screens.onboarding.ready import ReadyStep
from tui.screens.onboarding.step import Step
from tui.screens.onboarding.swarm import SwarmStep
from tui.text import clean
from tui.widgets.key_bar import KeyBar

logger = logging.getLogger(__name__)

STEPS: tuple[type[Step], ...] = (
    SwarmStep,
    IdentityStep,
    AccountStep,
    ModelStep,
    ExtrasStep,
    ReadyStep,
)


def progress(position: int, width: int, glyphs: Glyphs) -> Text:
    """`✓ Swarm  ● Identity  ○ Account ...`; only the current name where the line is narrow."""
    text = Text(no_wrap=True, overflow="crop")
    wide = width >= sum(len(step.NAME) + 4 for step in STEPS)
    for number, step in enumerate(STEPS):
        sign = (
            glyphs.done if number < position else glyphs.ok if number == position else glyphs.busy
        )
        style = "bold" if number == position else "dim" if number > position else ""
        text.append(f"{sign} ", style)
        if wide or number == position:
            text.append(f"{step.NAME}  ", style)
    return text


class OnboardingScreen(Screen[None]):
    """Shows one `Step` at a time and keeps the `Draft`."""

    BINDINGS = keys.bindings("onboarding")
    AUTO_FOCUS = None

    class Finished(Message):
        """Everything is saved; a node can start from the home's config.yaml."""

    def __init__(self, home: Home, glyphs: Glyphs, draft: Draft | None = None) -> None:
        super().__init__()
        self.home = home
        self.glyphs = glyphs
        self.draft = draft or Draft()
        self.position = 0
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical(id="onboarding"):
            yield Static(id="title", markup=False)
            yield Static(id="progress", markup=False)
            yield VerticalScroll(id="step", can_focus=False)
            yield Static(id="problem", markup=False)
        yield KeyBar("onboarding")

    async def on_mount(self) -> None:
        await self._show()

    @property
    def step(self) -> Step:
        return self.query_one("#step").query_one(Step)

    def on_resize(self) -> None:
        self._head()

    def _head(self) -> None:
        title = Text("Waggle", "bold")
        told = f"  {self.glyphs.dot}  first start, step {self.position + 1} of {len(STEPS)}"
        title.append(told, "not bold dim")
        self.query_one("#title", Static).update(title)
        width = self.size.width - 4
        self.query_one("#progress", Static).update(progress(self.position, width, self.glyphs))

    async def _show(self) -> None:
        self._tell("")
        holder = self.query_one("#step", VerticalScroll)
        await holder.remove_children()
        step = STEPS[self.position](self.draft, self.home, self.glyphs)
        await holder.mount(step)
        holder.scroll_home(animate=False)
        first = next((w for w in step.query("*").results() if w.focusable), None)
        self.set_focus(first)
        self._head()  # last: who sees the step's number can answer it

    def _tell(self, problem: str) -> None:
        bar = self.query_one("#problem", Static)
        sign = f"{self.glyphs.warn} " if problem else ""
        bar.update(Text(sign + clean(problem, ascii_only=self.glyphs.ascii)))
        bar.display = bool(problem)

    def on_choices_changed(self) -> None:
        self._tell("")

    def on_input_changed(self) -> None:
        self._tell("")

    def action_scroll_step(self, rows: int) -> None:
        self.query_one("#step", VerticalScroll).scroll_relative(y=rows, animate=False)

    def action_next(self) -> None:
        if not self._busy:
            self._busy = True
            self.run_worker(self._accept(), exclusive=True, group="accept", exit_on_error=True)

    async def _accept(self) -> None:
        try:
            await self._go_on()
        except WaggleError as error:
            self._tell(str(error))
        except Exception as error:
            logger.exception("step %s", self.step.NAME)
            self._tell(str(as_bug(error)))
        finally:
            self._busy = False

    async def _go_on(self) -> None:
        """Accept this step and show the next one, whole, before another key counts."""
        self._tell("")
        draft = await self.step.accept()
        if draft is None:
            return
        self.draft = draft
        if self.position + 1 == len(STEPS):
            self.post_message(self.Finished())
            return
        self.position += 1
        await self._show()

    async def action_previous(self) -> None:
        if self._busy or self.position == 0:
            return
        self._busy = True
        try:
            self.draft = self.step.leave()
            self.position -= 1
            await self._show()
        finally:
            self._busy = False
