"""A short list of which exactly one entry is chosen; moving the cursor is choosing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.glyphs import UNICODE, Glyphs
from tui.text import clean, fit


@dataclass(frozen=True)
class Choice:
    """One entry. `note` stands at the right end of the title, `detail` on the line below."""

    id: str
    title: str
    detail: str = ""
    note: str = ""
    level: str = ""
    """Colours the note: a health level, or nothing."""


class Choices(Widget, can_focus=True):
    """Up, down, j and k move and choose; so does a click."""

    DEFAULT_CSS = """
    Choices {
        height: auto;
    }
    """
    MOVES = {"down": 1, "j": 1, "up": -1, "k": -1}
    index: reactive[int] = reactive(0, layout=True)

    class Changed(Message):
        def __init__(self, choices: Choices, choice: Choice) -> None:
            super().__init__()
            self.choices = choices
            self.choice = choice

        @property
        def control(self) -> Choices:
            return self.choices

    def __init__(
        self,
        choices: Sequence[Choice],
        chosen: str = "",
        glyphs: Glyphs = UNICODE,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.choices = list(choices)
        self.glyphs = glyphs
        self.set_reactive(Choices.index, self._position(chosen))

    @property
    def chosen(self) -> Choice:
        return self.choices[self.index]

    def replace(self, choices: Sequence[Choice], chosen: str = "") -> None:
        """Show other entries; keeps the chosen one where it is still there."""
        keep = chosen or self.chosen.id
        self.choices = list(choices)
        self.set_reactive(Choices.index, self._position(keep))
        self.refresh(layout=True)

    def _position(self, id: str) -> int:
        return next((i for i, c in enumerate(self.choices) if c.id == id), 0)

    async def _on_key(self, event: events.Key) -> None:
        """Here and not by a binding, which is looked up only once the key has come to the app, with
        the focus that a Tab behind it has moved on meanwhile."""
        if event.key in self.MOVES:
            event.stop()
            event.prevent_default()
            self.index = min(max(self.index + self.MOVES[event.key], 0), len(self.choices) - 1)

    def watch_index(self) -> None:
        self.post_message(self.Changed(self, self.chosen))

    def on_click(self, event: events.Click) -> None:
        row = event.y
        for position, choice in enumerate(self.choices):
            row -= 2 if choice.detail else 1
            if row < 0:
                self.index = position
                return

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return sum(2 if choice.detail else 1 for choice in self.choices)

    def render(self) -> Text:
        width = self.content_size.width
        cut = self.glyphs.ellipsis
        palette = self.app.pen.palette  # type: ignore[attr-defined]
        cursor = f"bold {palette.accent}"
        text = Text(no_wrap=True, overflow="crop", end="")
        noted = [cell_len(choice.title) for choice in self.choices if choice.note]
        widest = min(max(noted, default=0), width * 3 // 5)
        for position, choice in enumerate(self.choices):
            here = position == self.index
            sign = self.glyphs.chosen if here else self.glyphs.unchosen
            plain = self.glyphs.ascii
            note = clean(choice.note, ascii_only=plain)
            title = fit(clean(choice.title, ascii_only=plain), width - len(sign) - 3, cut)
            if position:
                text.append("\n")
            text.append(f"{sign} {title}", cursor if here else "")
            if note:
                text.append("  ")
                text.append(" " * (widest - cell_len(title)))
                text.append(
                    fit(note, width - len(sign) - 3 - widest, cut),
                    palette.level(choice.level) or palette.label,
                )
            if choice.detail:
                words = clean(choice.detail, ascii_only=plain)
                indent = " " * (len(sign) + 1)
                text.append("\n" + indent)
                text.append(fit(words, width - len(indent), cut), palette.label)
        return text
