from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.redact import HIDDEN, redact

PHRASE = "nerve legal winner thank year wave sausage worth useful legal winner yellow"
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


@pytest.mark.parametrize(
    "text",
    [
        f"loaded {KEY}",
        f"key=0x{KEY}",
        f"private_key: {KEY}",
        f'{{"privateKey": "{KEY}"}}',
        f"tx {'0x' + 'ab' * 32} signed with the key in the account file {KEY}",
    ],
)
def test_a_private_key_goes(text: str) -> None:
    assert KEY not in redact(text)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("push with hf_abcdefghijklmnopqrstuv failed", "hf_abcdefghij"),
        ("passphrase=correct horse battery", "horse"),
        ("Password: 'hunter2 x'", "hunter2"),
        ("WAGGLE_PASSPHRASE=abc", "abc"),
        ("mnemonic: legal winner thank year wave", "winner"),
        (f"Language not detected for word(s): {PHRASE}", "nerve"),
        (f"these words were typed once more and {PHRASE} again".replace(" ", "\n"), "nerve"),
        (str(PHRASE.upper().split()), "NERVE"),
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("https://me:pw123@rpc.example/x", "pw123"),
        ("https://rpc.example/x?apikey=zzz123&a=1", "zzz123"),
        (f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{KEY}\nxyz\n-----END RSA PRIVATE KEY-----", "xyz"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEcut", "MIIE"),
    ],
)
def test_other_secrets_go(text: str, secret: str) -> None:
    told = redact(text)
    assert secret not in told
    assert HIDDEN in told


@pytest.mark.parametrize(
    "text",
    [
        f"tx 0x{KEY} confirmed in block 7",
        f"transaction hash: 0x{KEY}",
        f"sha256 {KEY}",
        "the passphrase is wrong",
        "round 3 finished, 128 completions, reward 0.25",
        "that other people should never have been able to read these plain words from here",
        PHRASE.rpartition(" ")[0],
        "contract 0x5FbDB2315678afecb367f032d93F642f64180aa3 answers",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "part", ["a-", "secret", "password=", "0", "-----BEGIN PRIVATE KEY-----", "[?&", "abandon "]
)
def test_long_hostile_text_is_quick(part: str) -> None:
    started = time.perf_counter()
    redact(part * (32_000 // len(part)))
    assert time.perf_counter() - started < 2.0
