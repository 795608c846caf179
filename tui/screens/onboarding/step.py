"""What the steps of onboarding have in common: a question, its fields, and `accept`."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from core.home import Home
from tui.glyphs import Glyphs
from tui.screens.onboarding.draft import Draft


class Step(Vertical):
    """One question with a sensible answer already chosen.

    A step reads `draft` when it is mounted. Enter calls `accept`, which gives back the new draft,
    or None to stay (after showing something that the person should see first).
    """

    NAME = ""
    QUESTION = ""
    ABOUT = ""
    busy_text = "Working"

    def __init__(self, draft: Draft, home: Home, glyphs: Glyphs) -> None:
        super().__init__(classes="step")
        self.draft = draft
        self.home = home
        self.glyphs = glyphs

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
        return self.draft
