"""The key in what a person brings along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chain import account_import, account_phrase
from core.chain.account_files import encrypt
from core.errors import WaggleError

KEY = "0x" + "11" * 32
PHRASES = {
    # The one that anvil and hardhat start with, and the first vector of BIP-39.
    "test test test test test test test test test test test junk": (
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    ),
    "abandon " * 11 + "about": "1ab42cc412b618bdea3a599e3c9bae199ebf030895b039e9db1e30dafb12b727",
}


def no_password() -> str:
    raise AssertionError("nobody is asked for a password that is not needed")


def key_in(text: str | bytes, password: str | None = None, **more: str) -> str:
    data = text.encode() if isinstance(text, str) else text
    ask = no_password if password is None else lambda: password
    return account_import.key_in(data, "the file", ask, **more).hex()


@pytest.mark.parametrize("text", [KEY, KEY[2:], f"\n  {KEY}\r\n", KEY.replace("0x", "0X")])
def test_a_private_key(text: str) -> None:
    assert key_in(text) == KEY[2:]


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_recovery_phrase(phrase: str) -> None:
    assert key_in(phrase) == PHRASES[phrase]
    assert key_in(phrase.upper().replace(" ", " \n ")) == PHRASES[phrase]


def test_another_account_of_a_phrase() -> None:
    second = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
    phrase = next(iter(PHRASES))
    assert key_in(phrase, path="m/44'/60'/0'/0/1") == second
    assert key_in(phrase, path="m/44h/60H/0'/0/1") == second
    for path in ("", "m", "44'/60'", "m/44'/../1", "m/99999999999", "m" + "/0" * 5000):
        with pytest.raises(WaggleError, match="derivation path"):
            key_in(phrase, path=path)


def test_a_phrase_in_another_language() -> None:
    """The all-zero phrase of BIP-39 in Japanese, with its own kind of space."""
    words = ["あいこくしん"] * 11 + ["あおぞら"]
    assert len(key_in("\u3000".join(words))) == 64


def test_a_new_phrase_is_one_and_never_the_same() -> None:
    made = {account_phrase.new_phrase() for _ in range(20)}
    assert len(made) == 20
    for phrase in made:
        assert len(phrase.split()) == 12
        assert account_import.kind_of(phrase) == account_import.PHRASE
        assert len(account_phrase.key_of(phrase)) == 32


def test_a_keystore_with_its_password(tmp_path: Path) -> None:
    made = encrypt(bytes.fromhex(KEY[2:]), "open sesame", 2)
    assert key_in(made, "open sesame") == KEY[2:]
    assert key_in(b"\xef\xbb\xbf\n" + made, "open sesame") == KEY[2:]
    with pytest.raises(WaggleError, match="password does not open the file") as told:
        key_in(made, "wrong horse")
    assert "wrong horse" not in str(told.value)
    broken = json.loads(made) | {"version": 1}
    with pytest.raises(WaggleError, match="version 3"):
        key_in(json.dumps(broken))  # before anybody is asked for a password


SECRETS = [
    "11" * 31,
    "11" * 33,
    "zz" * 32,
    "00" * 32,
    "ff" * 32,
    "test " * 11 + "test",  # the check in the last word fails
    "abandon " * 10 + "about",
    "waggle " * 12,
    "secretword " * 24,
]


@pytest.mark.parametrize("text", SECRETS)
def test_what_is_none_of_them_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(WaggleError) as told:
        key_in(text)
    error: BaseException | None = told.value
    while error is not None:  # the causes reach a log as well
        assert text.strip() not in str(error)
        assert "secretword" not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@given(st.text(max_size=300) | st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_anything_at_all_is_refused_in_words(blob: str | bytes) -> None:
    data = blob.encode("utf-8", "surrogatepass") if isinstance(blob, str) else blob
    with pytest.raises(WaggleError):
        account_import.key_in(data, "it", lambda: "x")


@given(
    st.lists(
        st.sampled_from(["abandon", "about", "zoo", "é", "0x", "\u3000", "{"]), max_size=26
    ).map(" ".join)
)
@settings(max_examples=150, deadline=None)
def test_words_that_look_like_a_phrase(text: str) -> None:
    try:
        found = key_in(text, "x")
    except WaggleError:
        return
    assert len(found) == 64


def test_large_and_missing_files(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    huge.write_bytes(b"{" * 2**20)
    assert len(account_import.read_file(huge)) == 64 * 1024 + 1
    with pytest.raises(WaggleError, match="far too large"):
        key_in(account_import.read_file(huge))
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(WaggleError, match="Cannot read"):
            account_import.read_file(path)
