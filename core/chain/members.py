"""Who may submit through the login proxy: each member has an ORG_ID and an account of its own.

An ORG_ID is a random UUID, as the original's login gives out, and the only thing that a node shows:
whoever knows it submits in that member's name. Accounts are apart because the contract knows peers
by account: on a shared one, any member could submit for the peers of all others, and the rewards
of an account could not be told apart. The member `home` is the account of this home itself.

One folder per member, named for it: `member.json` with the ORG_ID, and the account's files.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from core import boundedjson
from core.errors import ConfigError, StorageError
from core.home import atomic_write, exclusive, set_aside

HOME = "home"
MEMBER = "member.json"
MAX_MEMBERS = 1000
MAX_FILE_BYTES = 4096
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class Member:
    """account: the folder of its keystore. org_id: a secret that is shown only when asked for."""

    name: str
    org_id: str = field(repr=False)
    account: Path


class Members:
    """The members of one home, as they are on disk now: another process may add and remove them."""

    def __init__(self, folder: Path, home_account: Path) -> None:
        """folder: where they are kept. home_account: the account folder of the home itself."""
        self._folder = folder
        self._home_account = home_account

    def all(self) -> tuple[Member, ...]:
        """By name. StorageError when a file is damaged."""
        try:
            names = sorted(p.name for p in self._folder.iterdir() if _NAME.fullmatch(p.name))
        except FileNotFoundError:
            return ()
        found = (self._read(name) for name in names)
        return tuple(each for each in found if each is not None)

    def find(self, org_id: str) -> Member | None:
        return next((each for each in self.all() if each.org_id == org_id), None)

    def named(self, name: str) -> Member | None:
        return next((each for each in self.all() if each.name == name), None)

    def add(self, name: str) -> Member:
        """A new member with a new account, or the account of this home for `home`.

        ConfigError when the name is taken or cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{name[:64]!r} cannot be the name of a member",
                "a name has small letters, digits, - and _, at most 32",
                "Choose such a name",
            )
        from core.chain.account import address_of, load_or_create

        with exclusive(self._folder / "lock"):
            known = self.all()
            if any(each.name == name for each in known):
                raise ConfigError(
                    f"There is a member {name} already", "", "`waggle swarm members` lists them"
                )
            if len(known) >= MAX_MEMBERS:
                raise ConfigError(f"There are {MAX_MEMBERS} members already")
            member = Member(name, str(uuid.uuid4()), self._account(name))
            if address_of(member.account) is None:  # the home's own may be there, and be locked
                load_or_create(member.account)
            # Last: a member is there as a whole, with its account, or not at all.
            text = json.dumps({"org_id": member.org_id}).encode()
            atomic_write(self._folder / name / MEMBER, text)
        return member

    def remove(self, name: str) -> Path:
        """Take the member's ORG_ID out of use; where its folder, with the account, is kept now.

        ConfigError when there is no such member.
        """
        with exclusive(self._folder / "lock"):
            if self.named(name) is None:
                raise ConfigError(
                    f"There is no member {name[:64]!r}", "", "`waggle swarm members` lists them"
                )
            number = 1
            while (kept := self._folder / f"{name}.{number}").exists():
                number += 1
            set_aside(self._folder / name)
        return kept

    def _account(self, name: str) -> Path:
        return self._home_account if name == HOME else self._folder / name

    def _read(self, name: str) -> Member | None:
        path = self._folder / name / MEMBER
        try:
            with path.open("rb") as source:
                data = source.read(MAX_FILE_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None  # being made just now, or something else's
        except OSError as error:
            raise StorageError(f"Cannot read {path}", error.strerror or str(error)) from error
        try:
            org_id = boundedjson.decode(data)["org_id"]
            return Member(name, str(uuid.UUID(org_id)), self._account(name))
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # told below, without a word of the file
        raise StorageError(
            f"{path} is damaged",
            "it names no ORG_ID",
            f"Restore it, or move the folder {path.parent} away; its account is in there, too",
        )
