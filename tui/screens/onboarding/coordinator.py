"""Step 1, for somebody who knows the chain: addresses, looked at while they are entered."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Input, Label

from core.errors import ConfigError, RefusedError, WaggleError
from core.schema import ChainSection
from core.swarm.invite import MULTIADDR
from core.texts import _
from tui.screens.onboarding import looking
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.card import WARN, Card, card_text
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.looking import Seen
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field
from tui.widgets.lines import Lines

SETTLE_S = 0.7
"""The chain is asked once nobody has typed for so long."""
MAX_BOOTNODES = 64
SUBMITS = (
    Choice("wallet", _("An account of its own")),
    Choice("login", _("A login proxy, which signs for it")),
    Choice("read-only", _("Nobody: it follows the rounds, and nothing counts")),
)
Asked = tuple[str, str, int]
"""RPC URL, contract, chain id."""


def parse_bootnodes(text: str) -> tuple[str, ...]:
    """Multiaddrs, separated by spaces or commas; none is fine. ConfigError names what is wrong."""
    found = tuple(part for part in re.split(r"[\s,]+", text) if part)
    if len(found) > MAX_BOOTNODES:
        raise ConfigError(
            _("{n} bootnodes are too many").format(n=len(found)),
            "",
            _("{n} at most").format(n=MAX_BOOTNODES),
        )
    for part in found:
        if not MULTIADDR.fullmatch(part):
            raise ConfigError(
                _("{text} is not a bootnode's multiaddr").format(text=repr(part[:80])),
                "",
                _("It looks like /ip4/203.0.113.7/tcp/38331/p2p/Qm..."),
            )
    return found


def check_url(text: str, what: str, example: str) -> str:
    """ConfigError unless it is one HTTP address."""
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not text.isprintable() or " " in text:
        raise ConfigError(
            _("The {what} is missing or is not an HTTP address").format(what=what), "", example
        )
    return text


def check_rpc_url(text: str) -> str:
    example = _("It looks like http://203.0.113.7:8545; several have commas between them")
    listed = [each.strip() for each in text.split(",")]
    for each in listed:
        check_url(each, _("RPC URL"), example)
    return ",".join(listed)


def check_contract(text: str) -> str:
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise ConfigError(
            _("The coordinator's address is missing or not complete"),
            "",
            _("It is 0x and 40 hexadecimal digits"),
        )
    return text


def check_chain_id(text: str) -> int:
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ConfigError(
            _("{text} is not a chain id").format(text=text[:40]),
            "",
            _("It is a number; or leave it empty"),
        )
    return int(text or 0)


def seen_card(seen: Seen, typed: tuple[str, ...]) -> Card:
    well = [shown for shown, wrong in seen.rpcs if not wrong]
    rows = [
        (
            _("chain"),
            _("id {id}, at {urls}").format(id=seen.chain_id, urls=", ".join(well)),
        ),
        (
            _("coordinator"),
            _("it is there, in round {round}, stage {stage}").format(
                round=seen.round, stage=seen.stage
            ),
        ),
    ]
    rows += [
        (WARN, _("{url} does not answer: {why}").format(url=shown, why=wrong))
        for shown, wrong in seen.rpcs
        if wrong
    ]
    if seen.bootnodes:
        rows.append(
            (
                _("bootnodes"),
                _("{n} listed by the coordinator").format(n=len(seen.bootnodes)),
            )
        )
    elif not typed:
        rows.append((WARN, _("It lists no bootnodes. Ask for one, or this node finds nobody.")))
    return tuple(rows)


class CoordinatorStep(Step):
    NAME = _("Chain")
    QUESTION = _("Where is the coordinator of that swarm?")
    ABOUT = _(
        "It is a contract on a blockchain that counts the rounds and what each node earned. "
        "Whoever runs the swarm knows these addresses."
    )

    @classmethod
    def applies(cls, draft: Draft) -> bool:
        return draft.way == "join"

    def fields(self) -> ComposeResult:
        yield Field(_("RPC URL"), self.kept("rpc"), _("http://..., more with commas"), id="rpc")
        yield Field(_("Coordinator address"), self.kept("contract"), "0x...", id="contract")
        yield Field(_("Chain id"), self.kept("chain"), _("as the RPC says"), id="chain")
        yield Field(
            _("Bootnode multiaddrs"),
            self.kept("bootnodes"),
            _("those that the coordinator lists"),
            id="bootnodes",
        )
        yield Label(_("Who submits what this node earns?"), classes="heading", markup=False)
        yield Choices(SUBMITS, self.draft.coordinator, self.glyphs, "submits", "under")
        yield Field(_("Login proxy URL"), self.kept("login", self.draft.login_url), "", id="login")
        yield Lines(card_text, id="card")

    def on_mount(self) -> None:
        self._seen: Seen | None = None
        self._seen_for: Asked | None = None
        self._settling: Timer | None = None
        self._show()

    def on_choices_changed(self) -> None:
        self._show()

    def _show(self) -> None:
        self.query_one("#login").display = self.query_one(Choices).chosen.id == "login"

    def on_input_changed(self, event: Input.Changed) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._card(())
        self._settling = self.set_timer(SETTLE_S, self._settled)

    def _settled(self) -> None:
        self.run_worker(self._peek(), exclusive=True, group="look")

    async def _peek(self) -> None:
        """Look while nobody has asked yet, as soon as the addresses are whole."""
        try:
            asked, typed = self._asked(), parse_bootnodes(self.value("bootnodes"))
        except ConfigError:
            return  # told at Enter: whoever is typing still knows
        if asked != self._seen_for:
            self._card((("", _("Asking the chain ...")),))
            try:
                self._seen = await ask(lambda: looking.coordinator_at(*asked), looking.LOOK_S)
                self._seen_for = asked
            except WaggleError as error:
                self._card(((WARN, str(error)),))
                return
        assert self._seen is not None
        self._card(seen_card(self._seen, typed))

    def _card(self, rows: Card) -> None:
        for card in self.query("#card").results(Lines):
            card.show(rows)

    def _asked(self) -> Asked:
        return (
            check_rpc_url(self.value("rpc")),
            check_contract(self.value("contract")),
            check_chain_id(self.value("chain")),
        )

    def leave(self) -> Draft:
        chosen = self.query_one(Choices).chosen.id
        return replace(self.with_typed(), coordinator=chosen)

    async def accept(self) -> Draft | None:
        """Stay once to show the chain; a chain out of reach may be believed in."""
        asked, typed = self._asked(), parse_bootnodes(self.value("bootnodes"))
        draft = self.leave()
        login_url = draft.login_url
        if draft.coordinator == "login":
            example = _("It looks like {url}").format(url=ChainSection.login_url)
            login_url = check_url(self.value("login"), _("login proxy URL"), example)
        seen = self._seen if self._seen_for == asked else None
        if seen is None:
            if self._settling is not None:
                self._settling.stop()
            self.workers.cancel_group(self, "look")
            self._card(())  # what is wrong is said once, below
            try:
                seen = await self.look(
                    _("Asking the chain"), lambda: looking.coordinator_at(*asked), looking.LOOK_S
                )
            except RefusedError:
                raise
            except WaggleError as error:
                self.doubt(error, asked)
            else:
                self._seen, self._seen_for = seen, asked
                self._card(seen_card(seen, typed))
                return None
        return replace(
            draft,
            rpc_url=asked[0],
            contract=asked[1],
            chain_id=seen.chain_id if seen else asked[2],
            bootnodes=typed,
            login_url=login_url,
        )
