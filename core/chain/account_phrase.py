"""Recovery phrases (BIP-39) and the key that a wallet derives from one (BIP-32, BIP-44).

A phrase is never kept: what is kept is the key that comes of it. No word of one reaches an error.
"""

from __future__ import annotations

import os
import re

from core.errors import WaggleError

DEFAULT_PATH = "m/44'/60'/0'/0/0"
"""The first account of nearly every wallet."""
WORDS = 12
LENGTHS = (12, 15, 18, 21, 24)
_PATH = re.compile(r"m(/[0-9]{1,9}['hH]?){1,10}")


def new_phrase() -> str:
    """Twelve English words: 128 random bits."""
    from eth_account.hdaccount.mnemonic import Mnemonic

    return Mnemonic().to_mnemonic(os.urandom(WORDS * 4 // 3))


def looks_like_one(text: str) -> bool:
    """As many words as a phrase has, and nothing but letters of any script."""
    letters = "".join(text.split())
    return len(text.split()) in LENGTHS and not re.search(r"[\x00-@\[-`{-\x7f]", letters)


def key_of(phrase: str, path: str = DEFAULT_PATH) -> bytes:
    """The 32 bytes of the key at `path`. WaggleError when the words are no phrase.

    Any language of BIP-39; capitals, line breaks and more than one space do no harm.
    """
    from eth_account.hdaccount import key_from_seed
    from eth_account.hdaccount.mnemonic import Mnemonic

    if not _PATH.fullmatch(path):
        raise WaggleError(
            f"{path[:64]!r} is not a derivation path", "", f"Write it like {DEFAULT_PATH}"
        )
    words = " ".join(phrase.lower().split())
    languages = Mnemonic.list_languages_enum()
    if len(words.split()) not in LENGTHS:
        raise WaggleError(
            f"That is not a recovery phrase: it has {len(words.split())} words",
            "",
            "It has 12, 15, 18, 21 or 24 words, with a space between them",
        )
    if not any(Mnemonic(language).is_mnemonic_valid(words) for language in languages):
        raise WaggleError(
            "That is not a recovery phrase",
            "a word is wrong, or two have changed places: the check in the last word does not hold",
            "Compare every word with what you wrote down",
        )
    return bytes(key_from_seed(Mnemonic.to_seed(words), path.replace("h", "'").replace("H", "'")))
