"""Searching logs: the same matches as line by line, a bad expression stops nothing, a good hint."""

from __future__ import annotations

import random
import re
import time
from datetime import datetime
from pathlib import Path

import pytest

from core.errors import ConfigError
from core.home import Home
from core.log_hints import MAX_TEXT, RULES, hint_for
from core.logfiles import pattern as patterns
from core.logfiles import segment as segments
from core.logfiles.entry import MAX_LINE, entry_of, raw_text
from core.logfiles.pages import Filter
from core.logfiles.pattern import MAX_PATTERN, pattern
from core.logfiles.search import TOO_SLOW
from core.logfiles.when import When, when
from tests.conftest import wait_until
from tests.logfile_support import Opened, line, text_of, write_logs

WORDS = ("round", "Refused", "timed out", "\u6f22\u5b57", "reward 0.25", "x" * 40, "(odd) [text]")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(segments, "BLOCK", 2000)
    return Home(tmp_path)


def a_log(lines: int) -> str:
    dice = random.Random(7)
    out = []
    for n in range(lines):
        level = dice.choice(("INFO", "WARNING", "ERROR"))
        out.append(line(n / 10, level, f"{dice.choice(WORDS)} {n}"))
        if level == "ERROR":
            out.append("Traceback (most recent call last):\n  boom\nValueError: refused\n")
    return "".join(out)


@pytest.mark.parametrize(
    "text",
    [
        "refused",
        "Refused",
        "round 1",
        r"round \d+5$",
        r"^Traceback",
        "\u6f22",
        "(round|refused).*\\d",
        r"[^t]ValueError",
        r"\Anothing",
        r"boom\nValueError",
        r"(?<=reward )0\.25",
        "nowhere",
        "(odd)",
        r"\(odd\) \[",
    ],
)
def test_all_ways_to_search_find_the_same(home: Home, text: str) -> None:
    write_logs(home, {"node": a_log(400), "net": a_log(150)})
    found = Opened(home)
    found.pages.filter = Filter(fold=False)
    exact = any(letter.isupper() for letter in re.sub(r"\\.", "", text))
    plain = re.compile(text, re.MULTILINE | (0 if exact else re.IGNORECASE))
    expected = [each for each in found.texts() if plain.search(each.rstrip("\n"))]
    wanted = pattern(text)
    assert wanted is not None
    found.narrow(Filter(pattern=wanted, only=True, fold=False))
    wait_until(lambda: found.search.found.share == 1.0)
    assert found.search.found.total(0, "") == len(expected)
    assert found.texts() == expected
    # With a level and a log, too.
    errors = [each for each in expected if " ERROR " in each]
    assert found.search.found.total(3, "") == len(errors)
    found.narrow(Filter(pattern=wanted, only=True, fold=False, least=3))
    assert found.texts() == errors
    found.close()


def test_next_and_previous_match_meet_every_match(home: Home) -> None:
    write_logs(home, {"node": a_log(300)})
    found = Opened(home)
    found.narrow(Filter(pattern=pattern("refused"), fold=False))
    wait_until(lambda: found.search.found.share == 1.0)
    total = found.search.found.total(0, "")
    first = found.pages.first()
    assert first is not None
    spot, down = found.pages.match(first, 1, itself=True), []
    while spot is not None:
        down.append(spot)
        spot = found.pages.match(spot, 1)
    assert len(down) == total
    spot, up = down[-1], []
    while spot is not None:
        up.append(spot)
        spot = found.pages.match(spot, -1)
    assert up == down[::-1]
    found.close()


def test_what_is_added_is_searched_as_well(home: Home) -> None:
    write_logs(home, {"node": line(0, "INFO", "needle")})
    found = Opened(home)
    wanted = Filter(pattern=pattern("needle"))
    found.narrow(wanted)
    wait_until(lambda: found.search.found.share == 1.0)
    with home.log.open("a") as log:
        log.write(line(1, "INFO", "needle 2") * 3)
    assert found.look_again()
    found.narrow(wanted)
    wait_until(lambda: found.search.found.total(0, "") == 4)
    found.close()


def test_an_expression_that_would_take_hours_is_given_up(home: Home) -> None:
    trap = "".join(line(n, "INFO", "a" * 60 + "!") for n in range(200))
    write_logs(home, {"node": trap})
    found = Opened(home)
    began = time.monotonic()
    found.narrow(Filter(pattern=pattern(r"(a|aa)+$"), only=True))
    wait_until(lambda: found.search.found.problem)
    assert found.search.found.problem == TOO_SLOW
    assert found.pages.last() is None  # and the view comes back as well
    assert time.monotonic() - began < 10
    found.pages.forgive()
    found.narrow(Filter(pattern=pattern("a!")))
    wait_until(lambda: found.search.found.total(0, "") == 200)
    found.close()


@pytest.mark.parametrize("text", ["(", "[a", "*", "a{2}{3}{", "(?P<n", "\\", "x" * 500 + "("])
def test_what_is_no_expression_yet_is_told_while_typing(text: str) -> None:
    made = pattern(text)
    assert made is not None
    assert len(made.text) <= MAX_PATTERN
    try:
        re.compile(made.text)
    except re.error:
        assert "regular expression" in made.problem


def test_counted_repeats_cannot_hold_the_interpreter() -> None:
    began = time.monotonic()
    made = pattern("(?:(?:(?:a{50}){50}){50}){50}")
    assert made is not None
    assert "repeats" in made.problem
    assert time.monotonic() - began < 0.1
    assert pattern("a{3}b{1,20}").problem == ""  # type: ignore[union-attr]


def test_nothing_typed_is_no_pattern() -> None:
    assert pattern("") is None


def test_a_match_in_a_short_text_has_a_deadline() -> None:
    made = patterns.Pattern(r"(a|aa)+$")
    began = time.monotonic()
    assert made.spans("a" * 60 + "!") == ()
    assert time.monotonic() - began < 1.0


# --- an entry in words ------------------------------------------------------------------------


def test_an_entry_says_what_it_is(home: Home) -> None:
    trace = "Traceback (most recent call last):\n  File x\nRuntimeError: CUDA out of memory\n"
    write_logs(home, {"node": line(1, "ERROR", "round   245 failed") + trace})
    found = Opened(home)
    group = found.pages.group(found.pages.last())  # type: ignore[arg-type]
    assert group is not None
    entry = entry_of(group, found.pages.place(group))
    assert (entry.level, entry.stream, entry.text) == ("error", "node", "round   245 failed")
    assert entry.round == 245
    assert entry.summary == "RuntimeError: CUDA out of memory"
    assert len(entry.tail) == 3
    assert entry.hint is not None
    assert entry.hint.code == "gpu_memory"
    assert raw_text(group) == text_of(group).rstrip()
    found.close()


def test_a_line_of_a_megabyte_is_cut_with_a_note(home: Home) -> None:
    write_logs(home, {"node": line(1, "INFO", "y" * 1_000_000)})
    found = Opened(home)
    group = found.pages.group(found.pages.last())  # type: ignore[arg-type]
    assert group is not None
    entry = entry_of(group, found.pages.place(group))
    assert len(entry.text) <= MAX_LINE
    assert entry.cut > 980_000
    found.close()


# --- hints ------------------------------------------------------------------------------------

MET = {
    "gpu_memory": "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.32 GiB",
    "memory": "numpy: MemoryError",
    "disk_full": "OSError: [Errno 28] No space left on device",
    "too_many_files": "OSError: [Errno 24] Too many open files",
    "database_locked": "sqlite3.OperationalError: database is locked",
    "bootnodes": "DHT bootstrap failed: none of the initial_peers responded to a ping",
    "clock": "peer rejected: clock skew of 61 s",
    "daemon": "P2PDaemonError: Daemon failed to start in 15.0 seconds",
    "port": "OSError: [Errno 98] Address already in use",
    "peer_registered": "execution reverted: PeerIdAlreadyRegistered()",
    "round_number": "execution reverted: InvalidRoundNumber()",
    "submitted_already": "execution reverted: RewardAlreadySubmitted()",
    "no_funds": "insufficient funds for gas * price + value",
    "rpc_limit": "429 Client Error: Too Many Requests for url",
    "login": "GET /api/get-api-key-status: pending",
    "proxy": "requests.exceptions.ProxyError: 502 Bad Gateway",
    "hub_token": "401 Client Error: Unauthorized for url: https://huggingface.co/x",
    "names": "socket.gaierror: [Errno -3] Temporary failure in name resolution",
    "refused": "ConnectionRefusedError: [Errno 111] Connection refused",
    "kernel_kill": "the sidecar ended with status -9",
    "dtype": "Your setup doesn't support bf16/gpu",
    "gpu_kernel": "RuntimeError: CUDA error: no kernel image is available for execution",
}


def test_every_rule_has_an_example_that_only_it_explains() -> None:
    assert {rule.code for rule in RULES} == set(MET)
    for code, text in MET.items():
        hint = hint_for(text)
        assert hint is not None, code
        assert hint.code == code
        assert len(hint.cause) + len(hint.next_step) < 200


def test_what_is_not_known_gets_no_hint() -> None:
    for text in ("", "round 3 finished", "ValueError: no", "a memory of rounds", "port 4242 open"):
        assert hint_for(text) is None


def test_hints_take_no_time_on_hostile_text() -> None:
    began = time.monotonic()
    for text in ("401 client error" * 400, "timestamp " * 900, "429 " * 2000, "a" * MAX_TEXT):
        hint_for(text)
    assert time.monotonic() - began < 0.5


# --- moments ----------------------------------------------------------------------------------

NOW = datetime(2026, 11, 25, 14, 0, 0).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", When(NOW - 600)),
        ("2h ago", When(NOW - 7200)),
        ("13:05", When(datetime(2026, 11, 25, 13, 5).timestamp())),
        ("14:05:30", When(datetime(2026, 11, 24, 14, 5, 30).timestamp())),
        ("2026-11-20", When(datetime(2026, 11, 20).timestamp())),
        ("2026-11-20 09:15", When(datetime(2026, 11, 20, 9, 15).timestamp())),
        ("round 240", When(round=240)),
        ("r7", When(round=7)),
        (" 12 ", When(round=12)),
    ],
)
def test_moments_are_understood(text: str, expected: When) -> None:
    assert when(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "25:99", "-3m", "round", "9" * 400, "\x1b[2J"])
def test_what_is_no_moment_is_answered_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match="Try"):
        when(text, NOW)
