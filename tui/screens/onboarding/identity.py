"""Step 2: the peer identity. A new one is ready at once; an existing swarm.pem can be imported,
and either is backed up here if the person wants it.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from core.errors import WaggleError
from core.identity import identities
from core.texts import _
from tui.screens.onboarding import credentials
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import KEYS_TIMEOUT_S, Step
from tui.text import clean, column
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field

CHOICES = (
    Choice("keep", _("Use this identity")),
    Choice(
        "backup",
        _("Make an encrypted backup of it"),
        _("Without a copy, a lost disk is the end of this node's name."),
    ),
    Choice(
        "import",
        _("Import a swarm.pem, or a backup of one"),
        _("From another node of yours; the key that is here now is kept beside it."),
    ),
)


def _target(name: str) -> str:
    return str(identities.default_target(name))


class IdentityStep(Step):
    NAME = _("Identity")
    QUESTION = _("Who is this node in the swarm?")
    ABOUT = _(
        "Others know a node by its peer id, which is made from a private key, and by a name that "
        "follows from it."
    )

    def fields(self) -> ComposeResult:
        yield Static(id="card", markup=False)
        yield Choices(CHOICES, glyphs=self.glyphs, id="identity")
        with Vertical(id="import"):
            yield Field(_("Path of the file"), self.kept("pem"), "~/swarm.pem", id="pem")
            yield Field(_("Passphrase of a backup"), secret=True, id="opener")
        with Vertical(id="backup"):
            yield Field(_("Passphrase"), secret=True, id="passphrase")
            yield Field(_("The same again"), secret=True, id="again")
            name = self.draft.name
            target = self.kept("target", _target(name) if name else "")
            yield Field(_("File"), target, id="target")
        yield Static(
            _(
                "The key is {identity}. Whoever has it is this node, and it cannot be made "
                "again. Later: waggle identity backup."
            ).format(identity=self.home.identity),
            id="why",
            classes="about",
            markup=False,
        )

    async def on_mount(self) -> None:
        self._show()
        self._card(_("making a key"), "")
        if self.draft.peer_id:
            self._card(self.draft.name, self.draft.peer_id)
        else:
            self.run_worker(self._load(), exclusive=True)

    async def _load(self) -> None:
        try:
            await self._ensure()
        except WaggleError as error:
            self._card(str(error), "")
            return
        # The next question is about the account, which takes as long to make as this is read.
        with contextlib.suppress(WaggleError):  # told there
            account = await ask(lambda: credentials.account_of(self.home), KEYS_TIMEOUT_S)
            self.draft = replace(self.draft, address=account.address)

    async def _ensure(self) -> None:
        if not self.draft.peer_id:
            peer_id, name = await ask(lambda: credentials.identity_of(self.home), KEYS_TIMEOUT_S)
            self.draft = replace(self.draft, peer_id=peer_id, name=name)
        self._card(self.draft.name, self.draft.peer_id)
        for field in self.query("#target").results(Field):
            field.input.value = field.value or _target(self.draft.name)

    def _card(self, name: str, peer_id: str) -> None:
        plain = self.glyphs.ascii
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(column(_("name"), 9), "dim")
        text.append(clean(name, ascii_only=plain), "bold")
        text.append("\n" + column(_("peer id"), 9), "dim")
        text.append(clean(peer_id, ascii_only=plain))
        if peer_id:
            text.append("\n" + column(_("backup"), 9), "dim")
            text.append(clean(credentials.backup_told(self.home, peer_id), ascii_only=plain))
        for card in self.query("#card").results(Static):
            card.update(text)  # none is there any more when the person has gone on meanwhile

    def on_choices_changed(self) -> None:
        self._show()

    def _show(self) -> None:
        chosen = self.query_one(Choices).chosen.id
        self.query_one("#import").display = chosen == "import"
        self.query_one("#backup").display = chosen == "backup"
        self.query_one("#why").display = chosen == "keep"  # its lines are needed

    async def _back_up(self) -> None:
        await self._ensure()
        target, first, again = self.value("target"), self.secret("passphrase"), self.secret("again")
        await self.change(
            _("Encrypting the key"),
            lambda: credentials.back_up_identity(self.home, target, first, again),
        )
        self._clear("passphrase", "again")
        self._card(self.draft.name, self.draft.peer_id)

    async def _import(self) -> None:
        path, opener = self.value("pem"), self.secret("opener")
        peer_id, name = await self.change(
            _("Reading the key"), lambda: credentials.import_identity(self.home, path, opener)
        )
        self._clear("opener")
        self.draft = replace(self.draft, peer_id=peer_id, name=name)
        self._card(name, peer_id)

    def _clear(self, *fields: str) -> None:
        for id in fields:
            self.query_one(f"#{id}", Field).clear()

    async def accept(self) -> Draft | None:
        """Stay after a backup or an import, to show it; the next Enter goes on."""
        choices = self.query_one(Choices)
        if choices.chosen.id == "keep":
            await self._ensure()
            return self.with_typed()
        if choices.chosen.id == "backup":
            await self._back_up()
        else:
            await self._import()
        choices.index = 0
        return None
