"""Step 3: the account that the coordinator knows this node by, or the login that has one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from core.errors import WaggleError
from core.schema import ChainSection
from core.texts import _
from tui.screens.onboarding import credentials, looking
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.card import WARN, Card, card_text
from tui.screens.onboarding.coordinator import check_url
from tui.screens.onboarding.credentials import Account
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.phrase import PhraseScreen
from tui.screens.onboarding.step import KEYS_TIMEOUT_S, Step
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field
from tui.widgets.lines import Lines

OWN = (
    Choice("keep", _("Use the account of this home")),
    Choice("new", _("Make one with a recovery phrase, shown once")),
    Choice("import", _("Import a key or recovery phrase")),
    Choice("keystore", _("Import a keystore file")),
)
ELSEWHERE = (
    Choice("login", _("Use a login proxy, which signs for this node")),
    Choice("read-only", _("None: follow the rounds, submit nothing")),
)
WHY = {
    "keep": _("It signs rewards and votes. One that you lock is asked for at each start."),
    "new": _("Twelve words on paper bring the account back, on any machine and in any wallet."),
    "import": _("Never shown. The account that is here now is kept beside it."),
    "keystore": _("Ethereum keystore v3, of any wallet. The account here now is kept beside it."),
    "login": _(
        "RL-Swarm's modal-login, or `waggle swarm serve --login-proxy`. Its ORG_ID is found by"
        " itself where one signed in on this machine."
    ),
    "read-only": _("The node trains along; nobody counts what it does."),
}
LOOKING = _("a moment: it is read, or made where there is none")
COORDINATOR, LOGIN = _("coordinator"), _("login")
BESIDE = _("a passphrase beside it; a restart needs no keyboard")
FIELDS = {
    "keep": ("lock", "again"),
    "new": ("lock", "again"),
    "import": ("secret", "lock", "again"),
    "keystore": ("keystore", "password", "lock", "again"),
    "login": ("login", "data", "org"),
    "read-only": (),
}
Asker = Callable[[Callable[[], str | None], float], Awaitable[str | None]]
"""Asks in a thread, with a deadline."""
SECRETS = ("secret", "password", "lock", "again")


class AccountStep(Step):
    NAME = _("Account")
    QUESTION = _("Which account does the work of this node count for?")

    def fields(self) -> ComposeResult:
        yield Lines(card_text, id="card")
        choices = (*OWN, *ELSEWHERE) if self.draft.joins else OWN
        chosen = self.draft.coordinator if self.draft.joins else "keep"
        yield Choices(choices, chosen, self.glyphs, id="account")
        yield Static(id="why", classes="about", markup=False)
        with Vertical(id="typed"):
            yield Field(
                _("Key or phrase"), "", _("64 hex digits, or 12 to 24 words"), True, "secret"
            )
            yield Field(_("Keystore file"), self.kept("keystore"), "~/keystore.json", id="keystore")
            yield Field(_("Its password"), secret=True, id="password")
            yield Field(
                _("Lock with passphrase"), "", _("none, or a passphrase of yours"), True, "lock"
            )
            yield Field(_("The same again"), secret=True, id="again")
            yield Field(_("Login proxy URL"), self.draft.login_url, id="login")
            folder = self.draft.login_data
            yield Field(_("Folder of the login"), folder, _("~/rl-swarm and the like"), id="data")
            yield Field("ORG_ID", "", _("as found there, or in the environment"), True, "org")

    def on_mount(self) -> None:
        self._account: Account | None = None
        self._told: Card = ()
        self._show()
        self.run_worker(self._load(), exclusive=True, group="load")

    @property
    def chosen(self) -> str:
        return self.query_one(Choices).chosen.id

    def on_choices_changed(self) -> None:
        self._told = ()
        self._show()
        self.run_worker(self._load(), exclusive=True, group="load")

    def _show(self) -> None:
        for each in self.query(Field):
            each.display = each.id in FIELDS[self.chosen]
        locked = self._account is not None and self._account.locked
        if self.chosen == "keep" and locked:
            for id in FIELDS["keep"]:  # who wants another passphrase: waggle account passphrase
                self.query_one(f"#{id}").display = False
        self.query_one("#why", Static).update(WHY[self.chosen])
        self._card()

    # --- the card -----------------------------------------------------------------------------

    def _card(self) -> None:
        rows: Card = ()
        if self.chosen not in ("login", "read-only"):
            mine = self._account
            address = mine.address if mine else self.draft.address or LOOKING
            rows = ((_("address"), address),)
            if mine is not None:
                how = _("your passphrase, asked for at each start") if mine.locked else BESIDE
                rows += ((_("opened by"), how), (_("copy"), mine.copy))
        for card in self.query("#card").results(Lines):
            card.show(rows + self._told)

    async def _load(self) -> None:
        """Who it is now, and what the coordinator says of that."""
        try:
            await self._ensure()
            if self.draft.joins and self.chosen == "keep":
                self._told = ((COORDINATOR, _("asking whose this peer is there")),)
                self._show()
                self._told = (await self._registered(ask, self.draft.address))[1]
            elif self.chosen == "login":
                self._told = await self._login_known()
        except WaggleError as error:
            self._told = ((WARN, str(error)),)
        self._show()

    async def _ensure(self) -> None:
        if self._account is None:
            self._take(await ask(lambda: credentials.account_of(self.home), KEYS_TIMEOUT_S))

    def _take(self, account: Account) -> None:
        self._account = account
        unlocked = account.unlocked or self.draft.unlocked
        self.draft = replace(self.draft, address=account.address, unlocked=unlocked)

    async def _registered(
        self, by: Asker, mine: str, login: bool = False
    ) -> tuple[str | None, Card]:
        """(the owner of this peer, that in words). WaggleError when it cannot be asked."""
        target, peer_id = self.draft.target, self.draft.peer_id
        assert target is not None, "asked for a swarm that is joined"
        work = lambda: looking.owner_of(target, peer_id)  # noqa: E731
        owner = await by(work, looking.LOOK_S)
        well, words = looking.owner_told(owner, mine, login)
        return owner, ((COORDINATOR if well else WARN, words),)

    async def _login_known(self) -> Card:
        data, org = self.value("data"), self.secret("org").strip()
        known = await ask(lambda: looking.login_known(data, org), looking.LOOK_S)
        if known is None:
            return ((LOGIN, _("no ORG_ID is found on this machine yet")),)
        return (
            (LOGIN, _("ORG_ID from {source}").format(source=known.source)),
            (_("acts for"), known.account or _("not told")),
        )

    # --- Enter --------------------------------------------------------------------------------

    def leave(self) -> Draft:
        joins = self.draft.joins
        elsewhere = self.chosen if self.chosen in ("login", "read-only") else "wallet"
        return replace(
            self.with_typed(),
            coordinator=elsewhere if joins else ChainSection.coordinator,
            login_url=self.value("login"),
            login_data=self.value("data"),
            org_id=self.secret("org").strip() or self.draft.org_id,
        )

    async def accept(self) -> Draft | None:
        """Stay after each change, to show the address; the next Enter goes on."""
        chosen, home = self.chosen, self.home
        await self._ensure()
        lock, again = self.secret("lock"), self.secret("again")
        if chosen == "login":
            await self._accept_login()
        elif chosen == "keep":
            if lock or again:
                await self._made(_("Locking it"), lambda: credentials.lock(home, lock, again))
                return None
            if self.draft.joins:
                await self._check(self.draft.address, login=False)
        elif chosen == "new":
            credentials.check_lock(lock, again)
            phrase = await ask(credentials.new_phrase, KEYS_TIMEOUT_S)
            if await self.app.push_screen_wait(PhraseScreen(phrase)):
                make = lambda: credentials.import_secret(home, phrase, lock, again)  # noqa: E731
                await self._made(_("Making the account"), make)
            return None
        elif chosen == "import":
            secret = self.secret("secret")
            bring = lambda: credentials.import_secret(home, secret, lock, again)  # noqa: E731
            await self._made(_("Opening it"), bring)
            return None
        elif chosen == "keystore":
            path, password = self.value("keystore"), self.secret("password")
            await self._made(
                _("Opening the keystore"),
                lambda: credentials.import_keystore(home, path, password, lock, again),
            )
            return None
        return self.leave()

    async def _made(self, doing: str, work: Callable[[], Account]) -> None:
        self._take(await self.change(doing, work))
        for id in SECRETS:
            self.query_one(f"#{id}", Field).clear()
        self.query_one(Choices).index = 0  # shows the address
        await self._load()

    async def _accept_login(self) -> None:
        url = check_url(
            self.value("login"),
            _("login proxy URL"),
            _("It looks like {url}").format(url=ChainSection.login_url),
        )
        data, org = self.value("data"), self.secret("org").strip() or self.draft.org_id
        about = (url, data, org)
        try:
            work = lambda: looking.login_at(url, data, org)  # noqa: E731
            found = await self.look(_("Asking the login"), work, looking.LOOK_S)
        except WaggleError as error:
            self.doubt(error, about)
            return
        self._told = ((LOGIN, _("activated; ORG_ID from {source}").format(source=found.source)),)
        self._card()
        await self._check(found.account, login=True)

    async def _check(self, mine: str, login: bool) -> None:
        """What the coordinator says to that; the person may know better."""
        try:
            by = partial(self.look, _("Asking the coordinator"))
            owner, told = await self._registered(by, mine, login)
        except WaggleError as error:
            self.doubt(error, (mine, "unknown"))
            return
        self._told += told
        if told[0][0] == WARN:
            self.doubt(looking.not_yours(owner, mine, login), (mine, owner))
