"""The configuration as rows: origins, what may be shown, what a typed text means. Pure."""

from __future__ import annotations

import pytest

from core import config
from core.config import settings, value_of
from tui import derive_settings
from tui.derive_settings import Heading, lines, meant, rows, told_value
from tui.draw import Pen
from tui.draw_settings import ROWS, About, about_text
from tui.glyphs import ASCII, UNICODE
from tui.palette import Palette

FILE = """\
# mine
profile: trio
model:
  id: some/model   # why
chain:
  rpc_url: http://user:pass@rpc.example:8545/v2/APIKEY
  org_id: b2f0c6de-0b3c-4c1e
"""

# --- pure -------------------------------------------------------------------------------------


def effective(*sets: str) -> config.Effective:
    return config.load("solo", env={}, sets=sets)


def test_rows_are_the_schema_in_order_under_their_headings() -> None:
    found = rows(effective(), effective().config)
    assert [row.key for row in found] == list(settings())
    shown = lines(found)
    headings = [each.section for each in shown if isinstance(each, Heading)]
    assert headings == list(dict.fromkeys(row.section for row in found))
    assert all(heading.about for heading in shown if isinstance(heading, Heading))
    assert len(shown) == len(found) + len(headings)


def test_what_a_row_begins_an_edit_with_means_the_same_value() -> None:
    now = effective("net.bootnodes=[a, b]", "training.learning_rate=5e-4")
    for row in rows(now, now.config):
        text = derive_settings.editable(row, now)
        assert meant(row.key, text) == value_of(now.config, row.key), row.key


def test_an_error_never_repeats_a_secret() -> None:
    for text in ("x" * 200, "\x1b[2J"):
        assert meant("chain.org_id", text) == text  # any text is one: nothing is said of it
    assert told_value("chain.org_id", "b2f0") == "[hidden]"
    assert told_value("chain.rpc_url", "http://a/KEY,http://b") == "http://a/..., http://b"


@pytest.mark.parametrize("width", [10, 40, 80, 140])
@pytest.mark.parametrize("signs", [UNICODE, ASCII])
def test_what_is_said_of_any_setting_fits(width: int, signs: object) -> None:
    pen = Pen(signs, Palette())  # type: ignore[arg-type]
    now = effective("log.level=debug", "model.id=\u202eevil\x1b[31m")
    for row in rows(now, effective().config):
        text = about_text(About(row, "What you typed: " + "x " * 300, "degraded"), width, pen)
        shown = text.plain.split("\n")
        assert len(shown) <= ROWS + 1
        assert all(len(line) <= width for line in shown)
        assert "\x1b" not in text.plain
        assert "\u202e" not in text.plain
