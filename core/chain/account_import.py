"""Take over an existing account: from a private key, or from a keystore v3 with its password.

The files that were there are kept beside the new ones as NAME.1, NAME.2, ... No key and no
password reaches an error message.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from core.chain.account import (
    KEYSTORE,
    MAX_FILE_BYTES,
    PASSPHRASE,
    Wallet,
    check_cost,
    creating,
    write,
)
from core.errors import WaggleError
from core.home import set_aside


def import_key(folder: Path, text: str) -> Wallet:
    """`text` is 64 hexadecimal digits, with or without 0x. WaggleError when it is no key."""
    digits = text.strip().removeprefix("0x")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        raise WaggleError(
            "That is not a private key", "", "It is 64 hexadecimal digits, with or without 0x"
        )
    return _keep(folder, bytes.fromhex(digits))


def import_keystore(folder: Path, source: Path, password: str) -> Wallet:
    """A keystore v3 file of any wallet. WaggleError when file and password do not fit."""
    import eth_keyfile

    path = source.expanduser()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WaggleError(
            f"Cannot read {path}", error.strerror or str(error), "Check the path and try again"
        ) from error
    try:
        keystore = json.loads(data) if len(data) <= MAX_FILE_BYTES else None
    except (ValueError, RecursionError):
        keystore = None
    if not isinstance(keystore, dict):
        raise WaggleError(f"{path} is not a keystore", "", "It is a JSON file of a wallet")
    check_cost(path, keystore)
    try:
        key = bytes(eth_keyfile.decode_keyfile_json(keystore, password.encode()))
    except ValueError as error:
        raise WaggleError(f"The password does not open {path}", "", "Try again") from error
    except (KeyError, TypeError, AttributeError, NotImplementedError) as error:
        raise WaggleError(f"{path} is not an Ethereum keystore of version 3") from error
    return _keep(folder, key)


def _keep(folder: Path, key: bytes) -> Wallet:
    try:
        wallet = Wallet(key, folder)
    except ValueError as error:  # zero, or not below the order of the curve
        raise WaggleError("That is not a private key of Ethereum's curve") from error
    with creating(folder):
        # The old keystore leaves first: it must never stand beside a passphrase not its own.
        for name in (KEYSTORE, PASSPHRASE):
            set_aside(folder / name)
        write(folder, key)
    return wallet
