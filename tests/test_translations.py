"""The language of the console: what the environment says, and no translation can break a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import texts
from tests.tui.pseudo_console import LANGUAGE, accented, written


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, []),
        ({"LANG": "C.UTF-8"}, []),
        ({"LANG": "POSIX"}, []),
        ({"LANG": "en_GB.UTF-8"}, []),
        ({"LANG": "de_AT.UTF-8@euro"}, ["de_AT.UTF-8@euro"]),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "fr_FR"}, ["fr_FR"]),
        ({"LANGUAGE": "pt_BR:pt:en:de", "LANG": "de"}, ["pt_BR", "pt"]),
        ({"LANGUAGE": "en_US:de"}, []),
        ({"LANGUAGE": ":::", "LANG": "de"}, []),
        ({"LANG": "../../etc\udcff"}, []),
    ],
)
def test_the_language_is_what_the_environment_says(
    environment: dict[str, str], wanted: list[str]
) -> None:
    assert texts.languages(environment) == wanted


@pytest.fixture
def speaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose catalogue is read by the first text that is asked for."""
    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    monkeypatch.setenv("LANGUAGE", LANGUAGE)
    texts._catalogue.cache_clear()
    yield tmp_path
    texts._catalogue.cache_clear()


def test_a_translation_is_used(speaking: Path) -> None:
    written(
        speaking,
        {
            "Quit Waggle?": "Waggle beenden?",
            "{n} round\0{n} rounds": "eine Runde\0{n} Runden",
            "a scale\x04Log": "Logarithmus",
        },
    )
    assert texts._("Quit Waggle?") == "Waggle beenden?"
    assert texts._("Not there") == "Not there"
    assert [texts.many("{n} round", "{n} rounds", n) for n in (1, 2)] == [
        "eine Runde",
        "{n} Runden",
    ]
    assert (texts._("Log", "a scale"), texts._("Log")) == ("Logarithmus", "Log")


ENGLISH = "{done} of {total:,} rounds"


@pytest.mark.parametrize(
    "wrong",
    [
        "{done} von {gesamt:,} Runden",
        "{done} Runden",
        "{done} von {total:,} Runden {mehr}",
        "{done} von {total:d} Runden",
        "{done!r} von {total:,} Runden",
        "{done} von {total:,",
        "{done.__class__} von {total:,}",
        "{} von {total:,} Runden",
        "Runden }",
    ],
)
def test_a_translation_that_cannot_be_filled_in_stays_english(speaking: Path, wrong: str) -> None:
    counted = {f"{ENGLISH} left\0{ENGLISH} more": f"{wrong}\0{wrong}"}
    written(speaking, {ENGLISH: wrong, f"x\x04{ENGLISH}": wrong, **counted})
    for told in (texts._(ENGLISH), texts._(ENGLISH, "x")):
        assert told.format(done=1, total=2000) == "1 of 2,000 rounds"
    for n in (1, 5):
        told = texts.many(f"{ENGLISH} left", f"{ENGLISH} more", n)
        assert told.format(done=1, total=2000)


def test_a_form_for_one_may_leave_the_number_out(speaking: Path) -> None:
    written(speaking, {"{n} round of {all}\0{n} rounds of {all}": "eine Runde\0{n} Runden"})
    assert texts.many("{n} round of {all}", "{n} rounds of {all}", 1) == "eine Runde"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xde\x12\x04\x95",
        b"no catalogue",
        b"\xde\x12\x04\x95" + b"\xff" * 40,
        b"\xde\x12\x04\x95\0\0\0\0\x01\0\0\0\x1c\0\0\0\x24\0\0\0" + b"\0" * 8 + b"\xff" * 24,
    ],
)
def test_a_catalogue_that_is_none_is_passed_over(speaking: Path, data: bytes) -> None:
    written(speaking, {})
    (speaking / LANGUAGE / "LC_MESSAGES" / "waggle.mo").write_bytes(data)
    assert texts._("Quit Waggle?") == "Quit Waggle?"
    assert texts.many("{n} round", "{n} rounds", 3).format(n=3) == "3 rounds"


@pytest.mark.parametrize("rule", ["n%0", "7", "nonsense(", "n/0"])
def test_a_plural_rule_that_is_none_leaves_english(speaking: Path, rule: str) -> None:
    head = f"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural={rule};\n"
    written(speaking, {"": head, "{n} round\0{n} rounds": "{n} Runde\0{n} Runden"})
    assert texts.many("{n} round", "{n} rounds", 3) == "{n} rounds"


def test_accents_leave_placeholders_alone() -> None:
    assert accented("{done} of {total:,} {{rounds}} {name!r:>9}") == (
        "{done} óf {total:,} {{róúnds}} {name!r:>9}"
    )
