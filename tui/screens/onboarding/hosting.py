"""Step 1, for a swarm of one's own: where others reach it, and what opening it means."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.timer import Timer

from core import addresses, config
from core.errors import ConfigError, WaggleError
from core.home import Home
from core.swarm import hosting, invite_commands
from core.swarm.hosting import Opening
from core.texts import _
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.card import WARN, Card, card_text
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.field import Field
from tui.widgets.lines import Lines

SETTLE_S = 0.4
PLAN_TIMEOUT_S = 15.0


def check_days(text: str) -> int:
    most = invite_commands.MAX_DAYS
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= most):
        raise ConfigError(
            _("{text!r} is not a number of days").format(text=text[:40]),
            "",
            _("1 to {n}").format(n=most),
        )
    return int(text)


def plan(home: Home, flags: tuple[str, ...], name: str, address: str) -> Opening:
    """ConfigError when it is no address, or the flags of this start do not go with it."""
    sets = [*flags, f"swarm.name={name}"]
    return hosting.plan(config.load("solo", home, sets=sets), home, address)


def told(opening: Opening) -> Card:
    return tuple(("", row) for row in hosting.told(opening))


class HostStep(Step):
    NAME = _("Open")
    QUESTION = _("At which address do others reach this machine?")

    @classmethod
    def applies(cls, draft: Draft) -> bool:
        return draft.way == "host"

    def fields(self) -> ComposeResult:
        own = addresses.own()
        first = self.kept("address", own[0] if own else addresses.LOOPBACK)
        yield Field(_("Its address"), first, ", ".join(own), id="address")
        yield Field(_("Name of the swarm"), self.kept("name", self.draft.swarm_name), id="name")
        yield Field(_("Invite valid for days"), self.kept("days", str(self.draft.days)), id="days")
        yield Lines(card_text, id="card")

    def on_mount(self) -> None:
        self._shown: tuple[tuple[str, str], Opening] | None = None
        self._settling: Timer | None = None
        self._settled()

    def on_input_changed(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE_S, self._settled)

    def _settled(self) -> None:
        self.run_worker(self._show(), exclusive=True, group="plan")

    def _asked(self) -> tuple[str, str]:
        return self.value("name"), self.value("address")

    async def _show(self) -> None:
        """What opening it there would mean, while the address is being typed."""
        try:
            asked = self._asked()
            rows = told(await self._plan(asked))
        except WaggleError as error:
            self._shown = None
            rows = ((WARN, str(error)),)
        self._card(rows)

    def _card(self, rows: Card) -> None:
        for card in self.query("#card").results(Lines):
            card.show(rows)

    async def _plan(self, asked: tuple[str, str]) -> Opening:
        work = lambda: plan(self.home, self.draft.flags, *asked)  # noqa: E731
        opening = await ask(work, PLAN_TIMEOUT_S)
        self._shown = (asked, opening)
        return opening

    async def accept(self) -> Draft | None:
        """Nothing is opened that the person was not shown."""
        before = self._shown
        if before is None:
            self._card(())  # what is wrong is said once, below
        asked, days = self._asked(), check_days(self.value("days"))
        opening = await self._plan(asked)
        if before is None or before != (asked, opening):
            await self._show()
            return None
        return replace(self.with_typed(), swarm_name=asked[0], opening=opening, days=days)
