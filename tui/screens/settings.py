"""The effective configuration: every value with its origin, changed here and kept in config.yaml.

What is written is read back the way the next start will read it. Files are touched in threads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from core import settings_edit
from core.config import Effective, value_of
from core.errors import WaggleError
from core.home import Home
from core.settings_edit import Saved
from core.texts import _
from tui import derive_settings, keys
from tui.derive_settings import Row, editable
from tui.draw_settings import About, Head, about_text, head_text
from tui.screens import settings_live
from tui.screens.onboarding.asking import ask
from tui.screens.settings_line import SettingsLine
from tui.screens.settings_list import SettingsList
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines
from tui.widgets.typed_line import typed

if TYPE_CHECKING:
    from tui.app import WaggleApp

FILE_S = 20.0
MAX_UNDO = 100
NEVER = _("A secret is never copied.")
NOTHING = _("Nothing was changed here yet.")


class SettingsScreen(Screen[None]):
    BINDINGS = keys.bindings("settings")
    AUTO_FOCUS = ""
    KEY_SCOPE = "settings"

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._home = home
        self._now: Effective | None = None
        self._rows: tuple[Row, ...] = ()
        self._search = ""
        self._changed_only = False
        self._undo: list[Saved] = []
        self._said = ("", "")
        self._busy = False

    def compose(self) -> ComposeResult:
        yield Lines(head_text, id="settings-head")
        yield SettingsList(id="settings")
        yield Lines(about_text, id="about")
        yield SettingsLine()
        with Container(classes="keys", id="keys-settings"):
            yield KeyBar("settings")
        with Container(classes="keys", id="keys-line"):
            yield KeyBar("setting line")

    @property
    def _app(self) -> WaggleApp:
        return self.app  # type: ignore[return-value]

    @property
    def list(self) -> SettingsList:
        return self.query_one(SettingsList)

    def on_mount(self) -> None:
        self._now = self._app.effective
        self._refresh()
        self._work(self._app.read_config, self._take)  # the file may be another one by now

    def show_state(self) -> None:
        """Nothing here follows the node."""

    # --- drawing ------------------------------------------------------------------------------

    def _take(self, now: Effective) -> None:
        self._now = now
        settings_live.apply(self._app, now)
        self._refresh()

    @property
    def _left(self) -> bool:
        """Whether somebody closed this page while a file was read or written."""
        return self not in self.app.screen_stack

    def _refresh(self, key: str = "") -> None:
        running = self._app.effective
        if self._now is None or running is None or self._left:
            return
        self._rows = derive_settings.rows(self._now, running.config)
        found = derive_settings.lines(self._rows, self._search, self._changed_only)
        self.list.show(found, key)
        shown = sum(isinstance(each, Row) for each in found)
        self.query_one("#settings-head", Lines).show(
            Head(
                self._now.profile,
                str(self._home.config),
                shown,
                self._search,
                self._changed_only,
                sum(row.pending is not None for row in self._rows),
            )
        )
        self._about()

    def _about(self) -> None:
        if self._left:
            return
        text, level = self._said
        self.query_one("#about", Lines).show(About(self.list.row, text, level))

    def _say(self, text: str, level: str = "") -> None:
        self._said = (text, level)
        self._about()

    def on_settings_list_moved(self) -> None:
        self._say("")

    def on_settings_list_chosen(self) -> None:
        self.action_edit()

    # --- moving -------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        self.list.move(step)

    def action_page(self, pages: int) -> None:
        self.list.page(pages)

    def action_home(self) -> None:
        self.list.home()

    def action_end(self) -> None:
        self.list.end()

    def action_section(self, step: int) -> None:
        self.list.section(step)

    def action_only_changed(self) -> None:
        self._changed_only = not self._changed_only
        self._refresh()

    async def action_leave(self) -> None:
        if self._search or self._changed_only:
            self._search, self._changed_only = "", False
            self._refresh()
        else:
            await self._app.action_back()

    async def on_key(self, event: events.Key) -> None:
        await typed(self, event, {"slash": "search", "enter": "edit"})

    # --- the line -----------------------------------------------------------------------------

    @property
    def _line(self) -> SettingsLine:
        return self.query_one(SettingsLine)

    def action_search(self) -> None:
        self.set_class(True, "-typing")
        self._line.open(_("Search /"), self._search, _("words of a name, value, origin or meaning"))

    def action_edit(self) -> None:
        row = self.list.row
        if row is None or self._now is None:
            return
        values = row.choices
        if row.key == "console.theme":
            values = settings_live.themes_of(self._app)
        hint = _("what is there is not shown; type all of it anew") if row.hidden else row.kind
        text = editable(row, self._now)
        self.set_class(True, "-typing")
        self._line.open(row.name, text, hint, row.key, values, row.secret)
        self._say("")

    def on_settings_line_typed(self, event: SettingsLine.Typed) -> None:
        if not self._line.key:
            self._search = event.text
            self._refresh()
            return
        try:
            self._value(self._line.key, event.text)
        except WaggleError as error:
            self._say(str(error), "degraded")
        else:
            self._say("")

    def on_settings_line_closed(self) -> None:
        self.set_class(False, "-typing")

    def on_settings_line_turned(self, event: SettingsLine.Turned) -> None:
        if not self._line.key:
            self.list.move(event.step)

    def on_settings_line_given_up(self) -> None:
        if not self._line.key:
            self._search = ""
            self._refresh()
        self._say("")

    def on_settings_line_kept(self, event: SettingsLine.Kept) -> None:
        key = self._line.key
        if not key or event.text == self._line.begun:
            return self._line.close()  # nothing new; least of all that a secret is empty
        try:
            value = self._value(key, event.text)
        except WaggleError as error:
            self._say(str(error), "degraded")
            return
        self._line.close()
        self._set(key, value)

    def _value(self, key: str, text: str) -> Any:
        """ConfigError, without the text of a secret."""
        value = derive_settings.meant(key, text)
        if key == "console.theme":
            settings_live.require_theme(self._app, value)
        return value

    # --- the file -----------------------------------------------------------------------------

    def _set(self, key: str, value: Any) -> None:
        assert self._now is not None
        home, profile = self._home, self._now.profile

        def work() -> tuple[Saved, Effective]:
            return settings_edit.set_value(home, key, value, profile), self._app.read_config()

        def done(found: tuple[Saved, Effective]) -> None:
            saved, now = found
            if saved.before != saved.after:
                self._undo = [*self._undo[1 - MAX_UNDO :], saved]
            self._take(now)
            self._refresh(key)
            row = next(row for row in self._rows if row.key == key)
            changed = saved.before != saved.after
            self._say(derive_settings.written(row, value is None, home.config, changed))

        self._work(work, done)

    def action_reset(self) -> None:
        if (row := self.list.row) is not None:  # in the file perhaps, though a flag wins over it
            self._set(row.key, None)

    def action_undo(self) -> None:
        if not self._undo:
            return self._say(NOTHING)
        saved = self._undo[-1]

        def work() -> Effective:
            settings_edit.take_back(self._home, saved)
            return self._app.read_config()

        def done(now: Effective) -> None:
            self._undo.pop()
            self._take(now)
            self._refresh(saved.key)
            self._say(_("{key} is as it was before.").format(key=saved.key))

        self._work(work, done)

    def action_copy(self) -> None:
        row = self.list.row
        if row is None or self._now is None:
            return
        if row.hidden:
            self._say(NEVER, "degraded")
            return
        value = value_of(self._now.config, row.key)
        text = value if isinstance(value, str) else json.dumps(value)
        self.app.copy_to_clipboard(f"{row.key}={text}")
        self._say(_("Copied {key}=...").format(key=row.key))

    def _work(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """One change at a time; what goes wrong is said below the list."""
        if not self._busy:
            self._busy = True
            self.run_worker(self._do(work, done), group="file")

    async def _do(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        try:
            found = await ask(work, FILE_S)
        except WaggleError as error:
            self._say(str(error), "degraded")
        else:
            done(found)
        finally:
            self._busy = False
