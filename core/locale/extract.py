"""Writes `waggle.pot`, the one catalogue of the console's texts, from the source.

`python -m core.locale.extract` after a text was added, changed or dropped; a test fails until then.
It reads the source as a tree and imports nothing of it. Texts are sorted and tell which files they
are from, without line numbers, so that the catalogue changes only where a text does. A comment
`# Translators: ...` right above a text goes with it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).with_name("waggle.pot")
ROOMS = ("core", "tui")
MODULE = "core.texts"
CALLS = {"_": (0,), "many": (0, 1), "setting": (1,)}
"""What marks a text, and which of its arguments are one."""
ONE, OTHER, CONTEXT = 0, 1, 1
COMMENT = "Translators:"
HEAD = """\
# The texts of Waggle's console. Made by `python -m core.locale.extract`; do not edit by hand.
msgid ""
msgstr ""
"Project-Id-Version: waggle\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


@dataclass
class Entry:
    """One text of the catalogue: where it is used, and what its translator should know."""

    other: str = ""
    files: set[str] = field(default_factory=set)
    comments: set[str] = field(default_factory=set)


class NotLiteral(ValueError):
    """A marked text that is put together while the program runs: nobody could translate it."""


def catalogue(root: Path = ROOT) -> str:
    """The template, from all Python files of the console. NotLiteral names file and line."""
    found: dict[tuple[str, str], Entry] = {}
    for name, text, context, other, comment in every_text(root):
        entry = found.setdefault((text, context), Entry())
        entry.other = other or entry.other
        entry.files.add(name)
        entry.comments |= {comment} - {""}
    return HEAD + "".join(_block(*key, entry) for key, entry in sorted(found.items()))


def every_text(root: Path = ROOT) -> Iterator[tuple[str, str, str, str, str]]:
    """(file, ...) and what `texts` says of it, for all files that use `core.texts`."""
    for path in sorted(each for room in ROOMS for each in (root / room).rglob("*.py")):
        name, source = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        if MODULE in source:
            yield from ((name, *told) for told in texts(source, name))


def texts(source: str, name: str) -> Iterator[tuple[str, str, str, str]]:
    """(text, context, the form for many, comment) of every text that a file marks."""
    lines = source.splitlines()
    for call, called in _calls(ast.parse(source)):
        told = [_literal(call, at, name) for at in CALLS[called]]
        counted, distinct = called == "many", called == "_" and len(call.args) > CONTEXT
        yield (
            told[ONE],
            _literal(call, CONTEXT, name) if distinct else "",
            told[OTHER] if counted else "",
            _comment(lines, call.lineno - 1),
        )


def _calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """The calls that mark a text, but for those inside what marks texts itself."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name in CALLS:
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node, node.func.id
        yield from _calls(node)


def _literal(call: ast.Call, at: int, name: str) -> str:
    told = call.args[at] if at < len(call.args) else None
    if isinstance(told, ast.Constant) and isinstance(told.value, str):
        return told.value
    raise NotLiteral(f"{name}:{call.lineno}: not a text as it stands: {ast.unparse(call)}")


def _comment(lines: list[str], at: int) -> str:
    """The comment for translators that ends right above line `at` (from 0), else empty."""
    above: list[str] = []
    while at > 0 and lines[at - 1].strip().startswith("#"):
        at -= 1
        above.insert(0, lines[at].strip().lstrip("# "))
        if above[0].startswith(COMMENT):
            return " ".join(above)
    return ""


def _block(text: str, context: str, entry: Entry) -> str:
    rows = ["", *(f"#. {comment}" for comment in sorted(entry.comments))]
    rows += [f"#: {name}" for name in sorted(entry.files)]
    if "{" in text + entry.other:
        rows.append("#, python-brace-format")
    if context:
        rows.append(f"msgctxt {_quoted(context)}")
    rows.append(f"msgid {_quoted(text)}")
    if entry.other:
        rows += [f"msgid_plural {_quoted(entry.other)}", 'msgstr[0] ""', 'msgstr[1] ""']
    else:
        rows.append('msgstr ""')
    return "\n".join([*rows, ""])


def _quoted(text: str) -> str:
    told = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{told}"'


if __name__ == "__main__":
    TEMPLATE.write_text(catalogue(), encoding="utf-8")
