"""The first start: one question a step, Enter goes on, Esc goes back, nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import Worker

from core.errors import WaggleError
from core.home import Home
from core.incidents import as_bug
from core.texts import _
from tui import keys
from tui.glyphs import Glyphs
from tui.screens.onboarding.account import AccountStep
from tui.screens.onboarding.coordinator import CoordinatorStep
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.extras import ExtrasStep
from tui.screens.onboarding.hosting import HostStep
from tui.screens.onboarding.identity import IdentityStep
from tui.screens.onboarding.invited import InviteStep
from tui.screens.onboarding.leaving import LeaveScreen
from tui.screens.onboarding.model import ModelStep
from tui.screens.onboarding.opened import OpenedStep
from tui.screens.onboarding.ready import ReadyStep
from tui.screens.onboarding.step import Step
from tui.screens.onboarding.swarm import SwarmStep
from tui.text import clean
from tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from core.account.unlock import Unlocked

logger = logging.getLogger(__name__)

STEPS: tuple[type[Step], ...] = (
    SwarmStep,
    InviteStep,
    HostStep,
    CoordinatorStep,
    IdentityStep,
    AccountStep,
    ModelStep,
    ExtrasStep,
    ReadyStep,
    OpenedStep,
)
FIRST = _("This is the first step. Ctrl+C leaves.")


def steps_of(draft: Draft) -> list[type[Step]]:
    """The questions on the way that was chosen, in their order."""
    return [step for step in STEPS if step.applies(draft)]


def progress(steps: list[type[Step]], position: int, width: int, glyphs: Glyphs) -> Text:
    """`✓ Swarm  ● Identity  ○ Account ...`; only the current name where the line is narrow."""
    text = Text(no_wrap=True, overflow="crop")
    wide = width >= sum(len(step.NAME) + 4 for step in steps) - 2
    for number, step in enumerate(steps):
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
    AUTO_FOCUS = ""
    """None would be the app's, which is the first field: each step chooses itself."""

    class Finished(Message):
        """Everything is saved; a node can start from the home's config.yaml.

        unlocked: the account, when it was locked with a passphrase just now.
        """

        def __init__(self, unlocked: Unlocked | None) -> None:
            super().__init__()
            self.unlocked = unlocked

    def __init__(self, home: Home, glyphs: Glyphs, draft: Draft | None = None) -> None:
        super().__init__()
        self.home = home
        self.glyphs = glyphs
        self.draft = draft or Draft()
        self.position = 0
        self._busy = False
        self._accepting: Worker[None] | None = None

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
    def steps(self) -> list[type[Step]]:
        return steps_of(self.draft)

    @property
    def step(self) -> Step:
        return self.query_one("#step").query_one(Step)

    def on_resize(self) -> None:
        self._head()

    def _head(self) -> None:
        title = Text("Waggle", "bold")
        told = _("first start, step {n} of {all}").format(n=self.position + 1, all=len(self.steps))
        title.append(f"  {self.glyphs.dot}  {told}", "not bold dim")
        self.query_one("#title", Static).update(title)
        width = self.size.width - 4
        line = progress(self.steps, self.position, width, self.glyphs)
        self.query_one("#progress", Static).update(line)

    async def _show(self) -> None:
        self._tell("")
        holder = self.query_one("#step", VerticalScroll)
        step = self.steps[self.position](self.draft, self.home, self.glyphs)
        step.tell_doing = self._doing
        with self.app.batch_update():  # nobody sees a page with nothing on it
            await holder.remove_children()
            await holder.mount(step)
        holder.scroll_home(animate=False)
        inside = (w for w in step.query("*").results() if w.focusable and w.display)
        self.set_focus(step if step.focusable else next(inside, None))
        self._head()  # last: who sees the step's number can answer it

    # --- what is said below the step ----------------------------------------------------------

    def _tell(self, problem: str) -> None:
        self._below(f"{self.glyphs.warn} {problem}" if problem else "")

    def _below(self, text: str) -> None:
        for bar in self.query("#problem").results(Static):  # none in a console that is closing
            bar.update(Text(clean(text, ascii_only=self.glyphs.ascii)))
            bar.display = bool(text)

    def _doing(self, text: str) -> None:
        self._below(f"{self.glyphs.busy} {text}" if text else "")

    def on_choices_changed(self) -> None:
        self._tell("")

    def on_input_changed(self) -> None:
        self._tell("")

    def action_scroll_step(self, rows: int) -> None:
        self.query_one("#step", VerticalScroll).scroll_relative(y=rows, animate=False)

    # --- going on, back and away --------------------------------------------------------------

    def action_next(self) -> None:
        if not self._busy:
            self._busy = True
            self._behind(self._accept)

    def _behind(self, answer: Callable[[], Coroutine[None, None, None]]) -> None:
        """Answer once all that was pressed before has been. Enter and Esc are looked at before the
        focused widget sees them: on a busy machine they would overtake what was typed."""
        way = [*self.focused.ancestors_with_self] if self.focused is not None else [self]

        def on(position: int) -> None:
            if position < len(way):
                way[position].call_later(on, position + 1)
            else:
                self._accepting = self.run_worker(answer(), exclusive=True, group="accept")

        on(0)

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
        step = self.step
        draft = await step.accept()
        if draft is None:
            return
        self.draft = draft
        here = self.steps.index(type(step))
        if here + 1 == len(self.steps):
            self.post_message(self.Finished(draft.unlocked))
            return
        self.position = here + 1
        await self._show()

    def action_previous(self) -> None:
        if self._busy:
            if self.step.waiting and self._accepting is not None:
                self._accepting.cancel()
        elif self.position == 0:
            self._tell(FIRST)
        else:
            self._busy = True
            self._behind(self._go_back)

    async def _go_back(self) -> None:
        try:
            self.draft = self.step.leave()
            self.position -= 1
            await self._show()
        finally:
            self._busy = False

    def ask_leave(self) -> None:
        """Ctrl+C."""
        saved = isinstance(self.step, OpenedStep)
        self.app.push_screen(LeaveScreen(saved), self._answered)

    def _answered(self, leave: bool | None) -> None:
        if leave:
            self.app.exit("left")
