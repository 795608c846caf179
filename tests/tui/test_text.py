"""Foreign text and figures."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui import text


@given(st.text(max_size=200))
def test_clean_leaves_nothing_that_moves_the_cursor(raw: str) -> None:
    assert not any(unicodedata.category(char) in text.UNSAFE for char in text.clean(raw))


@given(st.text(max_size=200))
def test_clean_can_be_ascii_only(raw: str) -> None:
    cleaned = text.clean(raw, limit=50, ascii_only=True)
    assert cleaned.isascii()
    assert cleaned.isprintable()


@given(st.text(max_size=80), st.integers(0, 60))
def test_column_has_exactly_its_width(raw: str, width: int) -> None:
    assert cell_len(text.column(text.clean(raw), width)) == width


@given(st.text(alphabet="abc日本🙂é", max_size=80), st.integers(1, 40))
def test_what_is_cut_ends_in_an_ellipsis(raw: str, width: int) -> None:
    fitted = text.fit(raw, width)
    assert cell_len(fitted) <= width
    assert fitted == raw or fitted.endswith("…")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc", "a b c"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("[/foo] [bold]", "[/foo] [bold]"),
        ("\x9b31m", "\\x9b31m"),
        ("日本", "日本"),
    ],
)
def test_clean_spells_out(raw: str, shown: str) -> None:
    assert text.clean(raw) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0 s"), (59.4, "59 s"), (125, "2:05"), (3700, "1 h 01 m"), (180_000, "2 d 2 h")],
)
def test_duration(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0.0, "0.000"), (0.4627, "0.463"), (3e-7, "3.0e-07"), (float("nan"), "nan")],
)
def test_number(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


def test_middle_keeps_both_ends() -> None:
    assert text.middle("QmYyQSo1c1Ym7orWxLYvCrM2", 11) == "QmYyQ…LYvCr"[:6] + "LYvCrM2"[-5:]
    assert text.middle("short", 11) == "short"


def test_count_and_memory() -> None:
    assert (text.count(1240), text.count(56_000), text.count(3.2e6)) == ("1240", "56.0 k", "3.2 M")
    assert (text.mebibytes(812), text.mebibytes(4200)) == ("812 MiB", "4.1 GiB")
