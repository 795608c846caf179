"""The key in what a person brings along: a private key, a recovery phrase, or a keystore v3.

Which of the three it is shows in the text itself. The text may be anything: it is bounded before
it is looked at, and nothing of it, and no password, reaches an error or the cause of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from core.chain import account_phrase
from core.chain.account_files import (
    MAX_FILE_BYTES,
    BadKeystore,
    WrongPassphrase,
    decrypt,
    parse,
)
from core.errors import WaggleError

KEYSTORE, PHRASE, KEY = "keystore", "recovery phrase", "private key"


def kind_of(text: str) -> str:
    """KEYSTORE, PHRASE or KEY; WaggleError for what is none of them."""
    stripped = text.strip()
    if stripped.startswith("{"):
        return KEYSTORE
    if re.fullmatch(r"(0[xX])?[0-9a-fA-F]{64}", stripped):
        return KEY
    if account_phrase.looks_like_one(stripped):
        return PHRASE
    raise WaggleError(
        "That is no account",
        "it is neither a private key, nor a recovery phrase, nor a keystore",
        "A private key is 64 hexadecimal digits, with or without 0x; a recovery phrase is 12 to 24 "
        "words; a keystore is a JSON file of a wallet",
    )


def is_secret(text: str) -> bool:
    """Whether somebody typed a key, a phrase or a keystore where a path belongs."""
    try:
        return bool(kind_of(text))
    except WaggleError:
        return False


def key_in(
    data: bytes,
    shown: str,
    password: Callable[[], str],
    path: str = account_phrase.DEFAULT_PATH,
) -> bytes:
    """The 32 bytes of the key in `data`. WaggleError in plain words.

    shown: how messages call where it came from. password: asked for that of a keystore, once the
    keystore is known to be one. path: which key of a recovery phrase.
    """
    if len(data) > MAX_FILE_BYTES:
        raise WaggleError(f"{shown} is far too large for an account")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WaggleError(f"{shown} is not text") from None
    kind = kind_of(text)
    if kind == PHRASE:
        return account_phrase.key_of(text, path)
    if kind == KEY:
        key = bytes.fromhex(text.strip()[-64:])
        address_of(key)
        return key
    return _in_keystore(data, shown, password)


def _in_keystore(data: bytes, shown: str, password: Callable[[], str]) -> bytes:
    try:
        keystore = parse(data.strip().removeprefix(b"\xef\xbb\xbf"))
        return decrypt(keystore, password())
    except BadKeystore as error:
        raise WaggleError(
            f"{shown} is not a keystore that can be used",
            str(error),
            "Export it anew from the wallet, as a keystore (JSON) file",
        ) from None
    except WrongPassphrase:
        raise WaggleError(
            f"The password does not open {shown}", "", "Try again; it is the one of that wallet"
        ) from None


def read_file(source: Path) -> bytes:
    """What is in a file, so far as an account could be. WaggleError when it cannot be read."""
    path = source.expanduser()
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WaggleError(
            f"Cannot read {path}", error.strerror or str(error), "Check the path and try again"
        ) from error


def address_of(key: bytes) -> str:
    """WaggleError for zero, and for what is not below the order of the curve."""
    from eth_account import Account

    try:
        return str(Account.from_key(key).address)
    except ValueError:
        raise WaggleError(
            "That is not a private key of Ethereum's curve", "", "Copy it anew from the wallet"
        ) from None
