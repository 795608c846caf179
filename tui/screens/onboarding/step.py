"""What the steps of onboarding have in common: a question, its fields, and `accept`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from core.errors import WaggleError
from core.home import Home
from core.texts import _
from tui.glyphs import Glyphs
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.draft import Draft
from tui.widgets.field import Field

AGAIN = _("Enter again goes on all the same")
KEYS_TIMEOUT_S = 60.0
"""Making or opening a key takes a second or two, on a slow machine ten."""
T = TypeVar("T")


class Step(Vertical):
    """One question with a sensible answer already chosen.

    A step reads `draft` when it is mounted. Enter calls `accept`, which gives back the new draft,
    or None to stay (after showing something that the person should see first).
    """

    NAME = ""
    QUESTION = ""
    ABOUT = ""

    def __init__(self, draft: Draft, home: Home, glyphs: Glyphs) -> None:
        super().__init__(classes="step")
        self.draft = draft
        self.home = home
        self.glyphs = glyphs
        self.tell_doing: Callable[[str], None] = lambda text: None
        """Says what the person waits for, and with an empty text that it is over. Not a message:
        it would come after what is said of the outcome."""
        self.waiting = False
        """For something that Esc may break off."""
        self._doubted: object = None

    @classmethod
    def applies(cls, draft: Draft) -> bool:
        """Whether this question is asked of somebody who has chosen that so far."""
        return True

    def compose(self) -> ComposeResult:
        yield Static(self.QUESTION, classes="question", markup=False)
        if self.ABOUT:
            yield Static(self.ABOUT, classes="about", markup=False)
        yield from self.fields()

    def fields(self) -> ComposeResult:
        yield from ()

    async def accept(self) -> Draft | None:
        """Check and keep what was entered. WaggleError tells what is wrong with it."""
        raise NotImplementedError

    def leave(self) -> Draft:
        """What to keep when going back; never fails, never checks."""
        return self.with_typed()

    # --- what was typed -----------------------------------------------------------------------

    def kept(self, id: str, instead: str = "") -> str:
        """What stood in a field of this step when it was left."""
        return self.draft.typed.get(f"{type(self).__name__}.{id}", instead)

    def with_typed(self) -> Draft:
        """The draft with every field's text; what is not echoed is not kept either."""
        found = {
            f"{type(self).__name__}.{field.id}": field.input.value
            for field in self.query(Field)
            if not field.input.password
        }
        return replace(self.draft, typed={**self.draft.typed, **found})

    def value(self, id: str) -> str:
        return self.query_one(f"#{id}", Field).value

    def secret(self, id: str) -> str:
        """As it was typed: a space at the end of a passphrase is a part of it."""
        return self.query_one(f"#{id}", Field).input.value

    # --- what takes a while -------------------------------------------------------------------

    async def look(self, doing: str, work: Callable[[], T], timeout_s: float) -> T:
        """Ask something outside, which Esc may break off. Raises what `work` does; TransientError
        after `timeout_s`."""
        self.waiting = True
        self.tell_doing(_("{doing}. Esc stops waiting.").format(doing=doing))
        try:
            return await ask(work, timeout_s)
        finally:
            self.waiting = False
            self.tell_doing("")

    async def change(self, doing: str, work: Callable[[], T]) -> T:
        """Change files of the home: whole, whatever is pressed meanwhile."""
        self.tell_doing(f"{doing}.")
        try:
            return await ask(work, KEYS_TIMEOUT_S)
        finally:
            self.tell_doing("")

    def doubt(self, error: WaggleError, about: object) -> None:
        """Raise the error, and let it pass when the person insists: no answer is a dead end.

        about: what it is said of; another Enter on the same is to insist.
        """
        if self._doubted is not None and self._doubted == about:
            return
        self._doubted = about
        step = error.next_step.rstrip(". ")
        raise WaggleError(error.what, error.why, f"{step}. {AGAIN}" if step else AGAIN)
