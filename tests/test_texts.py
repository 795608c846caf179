"""Every text of the console goes through the catalogue: in the source, and on every screen."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core.config import settings
from core.gate.admission import REASONS
from core.gate.fates import FATES
from core.home import REPO_ROOT
from core.locale import extract
from core.log_hints import RULES
from core.rewards_words import COUNTERS, MEANINGS
from core.training.metrics import FAMILIES, METRICS
from tests.tui.pseudo_console import SCREENS, accented, written

# --- the catalogue ----------------------------------------------------------------------------


def test_the_catalogue_is_what_the_source_says() -> None:
    """After a change of a text: `python -m core.locale.extract`."""
    assert extract.TEMPLATE.read_text(encoding="utf-8") == extract.catalogue()


def test_texts_begin_and_end_with_words() -> None:
    """Space around a text is layout: a translator would lose it."""
    for text in marked():
        assert text == text.strip(), text


@cache
def known() -> tuple[tuple[str, str, str], ...]:
    """(text, context, its form for many) of every text."""
    return tuple((text, context, other) for _, text, context, other, _ in extract.every_text())


def marked() -> Iterator[str]:
    for text, _context, other in known():
        yield from (text, other) if other else (text,)


def test_what_is_put_together_while_running_cannot_be_a_text() -> None:
    for source in ('_(f"{n} rounds")', '_("a" + "b")', "_(words)", 'many("a", other, 2)'):
        with pytest.raises(extract.NotLiteral, match=r"x\.py:1"):
            list(extract.texts(source, "x.py"))


def test_context_and_comment_go_with_their_text() -> None:
    source = '# Translators: of a chart,\n# not of a file.\nx = _("Log", "a scale")\ny = _("Log")'
    assert list(extract.texts(source, "x.py")) == [
        ("Log", "a scale", "", "Translators: of a chart, not of a file."),
        ("Log", "", "", ""),
    ]


# --- nothing is left out ----------------------------------------------------------------------

WORDS = re.compile(r"[A-Za-z']{2,}[,.:;]? [A-Za-z]")
STYLE = {"bold", "dim", "not", "underline", "line", "faint", "pane", "box"}
"""Words of styles and of CSS classes, of which one string may name several."""
CODES = {
    *("log line", "setting line", "linked round"),  # of keys, and of a signal
    *("sent as", "too large"),  # names of the core's, shown by other words
}
KEYS = re.compile(r"(Down|Up|Left|Right|Home|End|Space) .")
NO_TEXTS = {
    "svg.py": "drawing commands",
    "terminal.py": "escape sequences",
}
MARKS = ("_", "many")
LOGGERS = ("logger", "log")


CORE = (
    *("health*.py", "grpo_*.py", "rewards_words.py", "rewards_facts.py"),
    *("net/telling.py", "net/skew.py"),
)
"""Modules of the core whose sentences the console shows as its own, wholly."""
CONSOLE = [
    *sorted((REPO_ROOT / "tui").rglob("*.py")),
    *sorted(path for name in CORE for path in (REPO_ROOT / "core").glob(name)),
]


@pytest.mark.parametrize("path", CONSOLE, ids=lambda path: path.relative_to(REPO_ROOT).as_posix())
def test_no_text_of_the_console_is_left_out(path: Path) -> None:
    if path.name not in NO_TEXTS:
        assert list(unmarked(path)) == []


def unmarked(path: Path) -> Iterator[str]:
    """Two words side by side that neither go through the catalogue nor are for programs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if WORDS.search(text) and not for_programs(text) and not excused(node, parents):
                yield f"{path.name}:{node.lineno}: {text!r}"


def for_programs(text: str) -> bool:
    styles = set(re.findall(r"[A-Za-z]+", text)) <= STYLE
    return (
        styles
        or text.strip() in CODES
        or bool(KEYS.fullmatch(text))
        or "{ " in text
        or "{\n" in text
    )


def excused(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Marked, a docstring, for the log, for the reader of an assertion, or a type."""
    while node in parents:
        child, node = node, parents[node]
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            if name in MARKS or (isinstance(owner, ast.Name) and owner.id in LOGGERS):
                return True
        if isinstance(node, (ast.Assert, ast.arg)) or getattr(node, "annotation", None) is child:
            return True
        if isinstance(node, ast.Expr) and isinstance(child, ast.Constant):
            return True
    return False


def test_what_is_left_out_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "screen.py"
    path.write_text(
        '"""Not this one."""\na = "left out"\nb = f"{a} rounds left"\nc = _("not this")'
    )
    assert [row.partition(" ")[0] for row in unmarked(path)] == ["screen.py:2:", "screen.py:3:"]


def test_tables_of_the_core_are_texts() -> None:
    texts = set(marked())
    for rule in RULES:
        assert {rule.cause, rule.next_step} <= texts
    settings_told = {each.metadata["doc"] for each in settings().values()}
    for table in (REASONS, FATES, METRICS, FAMILIES, COUNTERS, MEANINGS):
        assert set(table.values()) <= texts
    assert settings_told <= texts


# --- a console in another language ------------------------------------------------------------

NAMES = {"calm golden", "quick amber", "shy marble", "lunar careful", "devoted dreamy"}
"""Of peers, as far as two of their words were made of small letters."""
TASK = {"State the", "final answer", "the following", "arithmetic problem"}
"""What a model was asked."""


def test_every_screen_speaks_another_language(tmp_path: Path) -> None:
    written(tmp_path, pseudo())
    done = subprocess.run(
        [sys.executable, "-m", "tests.tui.pseudo_console", str(tmp_path)],
        cwd=REPO_ROOT,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    shown = json.loads(done.stdout.splitlines()[-1])
    assert set(shown) == {*SCREENS, "first start"}
    left = {name: [*english(text)] for name, text in shown.items()}
    assert {name: rows for name, rows in left.items() if rows} == {}


def pseudo() -> dict[str, str]:
    """Every text with its accents, as a .mo has it."""
    found = {}
    for text, context, other in known():
        key = f"{context}\x04{text}" if context else text
        both = (text, other) if other else (text,)
        found["\0".join([key, *both[1:]])] = "\0".join(map(accented, both))
    return found


def english(screen: str) -> Iterator[str]:
    """Where two words without an accent stand side by side, and are the console's own."""
    for row in screen.split("\n"):
        found = re.findall(r"\b[A-Za-z]{3,} [a-z]{3,}\b", row)
        yield from (words for words in found if words not in NAMES | TASK)
