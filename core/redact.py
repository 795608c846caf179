"""Takes secrets out of text that is about to be kept or shown.

It works by shape and context, not by knowing the secrets: a last net under the rule that nobody
logs one. Every pattern runs in linear time on hostile text. What could be a private key goes
unless the words before it say that it is a hash.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

HIDDEN = "[hidden]"

_PEM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.S
)
_TOKEN = re.compile(r"\b(hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,})")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}")
_LOGIN = re.compile(r"(?<!\w)(\w{1,16}://)[^\s/:@]{0,200}:[^\s/@]{1,200}@")
_QUERY = re.compile(r"(?i)([?&](?:api[_-]?key|apikey|key|token|access_token|secret)=)[^&\s]+")
_WORDS = (
    r"private[ _-]?key|priv[_-]?key|secret(?:[ _-]?key)?|pass(?:word|phrase|wd)|mnemonic"
    r"|(?:seed|recovery)[ _-]phrase|(?:api|auth)[ _-]?key|(?:auth|access|hf)[ _-]?token"
)
_NAMED = re.compile(
    rf"(?i)((?:{_WORDS})[\"']?\s{{0,4}}[:=]\s{{0,4}})"
    r"(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;}][^,;}\n]*)"
)
_HEX64 = re.compile(r"(?<![0-9a-fA-F])(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_HASH_WORDS = re.compile(
    r"(?i)(tx|transaction|hash|digest|sha-?256|receipt|block|root|topic)[^\n]{0,16}$"
)


_PLAIN_WORDS = re.compile(r"(?i)(?<![a-z])(?:[a-z]{3,8}[\s,'\"]{1,8}){11,}[a-z]{3,8}(?![a-z])")
_PHRASE_WORDS = 12
"""The shortest recovery phrase."""


def redact(text: str) -> str:
    """The text with everything that looks like a secret replaced by `[hidden]`."""
    text = _PEM.sub(HIDDEN, text)
    text = _TOKEN.sub(HIDDEN, text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _LOGIN.sub(rf"\1{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _PLAIN_WORDS.sub(_without_phrase, text)
    return _HEX64.sub(_unless_hash, text)


def _without_phrase(match: re.Match[str]) -> str:
    """Hide what only has words of a recovery phrase (BIP-39, English), twelve or more in a row."""
    listed = _listed_words()
    words = re.split(r"([\s,'\"]+)", match.group())  # every other one is a gap
    known = [word.lower() in listed for word in words[::2]]
    start = 0
    for end in range(len(known) + 1):
        if end < len(known) and known[end]:
            continue
        if end - start >= _PHRASE_WORDS:
            gone = slice(2 * start, 2 * end - 1)
            words[gone] = [HIDDEN, *[""] * (2 * (end - start) - 2)]
        start = end + 1
    return "".join(words)


@cache
def _listed_words() -> frozenset[str]:
    """The list lies in a library that is heavy to import: its file is read without it."""
    found = importlib.util.find_spec("eth_account")
    if found is None or found.origin is None:
        return frozenset()
    path = Path(found.origin).parent / "hdaccount" / "wordlist" / "english.txt"
    return frozenset(path.read_text(encoding="utf-8").split())


def _unless_hash(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 40) : match.start()]
    return match.group() if _HASH_WORDS.search(before) else HIDDEN
