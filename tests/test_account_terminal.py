"""`waggle account ...` on a real terminal: what is shown once, and what is never echoed."""

from __future__ import annotations

import re

from eth_account import Account

from core.account import accounts
from core.chain.account import address_of
from core.home import Home
from tests.terminal import Typist

PHRASE = "test test test test test test test test test test test junk"
KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OWNERS = "four unrelated words"


def test_a_new_phrase_is_shown_once_and_asked_for(home: Home) -> None:
    with Typist("account", "new", "--home", str(home.path)) as person:
        person.read_until("written down.")
        words = [m[1] for m in re.finditer(r"\b\d+ ([a-z]{3,8})\b", person.text)]
        numbers = [int(m) for m in re.findall(r"\b(\d+) [a-z]{3,8}\b", person.text)]
        phrase = [word for _, word in sorted(zip(numbers, words, strict=True))]
        assert len(phrase) == 12
        assert person.text.startswith("\x1b[?1049h"), "a page of its own"
        person.type("\n")
        for guess in ("wrong", "words"):
            person.read_until("Word ")
            person.type(f"{guess}\n")
        person.read_until("That is not it")
        assert address_of(home.account) is None, "nothing is written before it is confirmed"
        person.type("\n")
        person.read_until("written down.")
        person.type("\n")
        for _ in range(2):
            number = int(person.read_until(r"Word (\d+):")[1])
            person.type(f"{phrase[number - 1]}\n")
        person.read_until("The account of this home is now")
        assert person.wait() == 0
        after = person.text.rpartition("\x1b[?1049l")[2]
        assert not re.search(r"\d [a-z]{3,8} +\d+ [a-z]", after), "the page leaves nothing behind"
    Account.enable_unaudited_hdwallet_features()
    assert Account.from_mnemonic(" ".join(phrase)).address == address_of(home.account)
    note = accounts.kept_note(home, str(address_of(home.account)))
    assert note is not None


def test_giving_up_makes_no_account(home: Home) -> None:
    with Typist("account", "new", "--home", str(home.path)) as person:
        person.read_until("written down.")
        person.type("\x03")
        assert person.wait() == 130
        assert person.text.rstrip().endswith("\x1b[?1049l")
    assert address_of(home.account) is None


def test_what_is_typed_is_not_echoed(home: Home) -> None:
    where = ("--home", str(home.path))
    with Typist("account", "import", "--passphrase", *where) as person:
        person.read_until("Private key or recovery phrase: ")
        person.type(f"{PHRASE}\n")
        for question in ("New passphrase of the account: ", "The same again: "):
            person.read_until(question)
            person.type(f"{OWNERS}\n")
        person.read_until(ADDRESS)
        assert person.wait() == 0
        assert OWNERS not in person.text
        assert "junk" not in person.text
    with Typist("run", "--headless", "--rounds", "1", *where) as person:
        for _ in range(3):
            person.read_until(f"Passphrase of the account {ADDRESS}: ")
            person.type("mistyped words\n")
        person.read_until("not opened by the passphrase")
        assert person.wait() == 2
        assert "mistyped" not in person.text
    assert not home.db.exists(), "nothing else had started"
    with Typist(*where) as person:  # the console asks before it takes the terminal
        person.read_until(f"Passphrase of the account {ADDRESS}: ")
        person.type("\x03")
        assert person.wait() == 130
        assert "\x1b[?1049h" not in person.text
    with Typist("account", "export", "--private-key", *where) as person:
        person.read_until("Passphrase of the account")
        person.type(f"{OWNERS}\n")
        person.read_until(KEY)
        assert person.wait() == 0
