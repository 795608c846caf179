"""The rules of the house: who may know whom. Read from the source, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.home import REPO_ROOT

ROOMS = ("core.training", "core.net", "core.chain")
SHARED = {
    "core.addresses",
    "core.texts",
    "core.boundedjson",
    "core.urls",
    "core.footprint",
    "core.memory",
    "core.passphrase",
    "core.userfolder",
    *("core.errors", "core.rollouts", "core.events", "core.protocols", "core.schema"),
    *("core.home", "core.children", "core.frames", "core.config", "core.yamlfile"),
}
"""What a room may import of `core` outside itself."""

OWNERS = {
    "hivemind": "core.net",
    "zeroconf": "core.net",
    "web3": "core.chain",
    "eth": "core.chain",
    "eth_abi": "core.chain",
    "eth_account": "core.chain",
    "eth_keyfile": "core.chain",
    "eth_keys": "core.chain",
    "eth_tester": "core.chain",
    "eth_utils": "core.chain",
    "rlp": "core.chain",
    "vyper": "core.chain",
    "torch": "core.training",
    "transformers": "core.training",
    "trl": "core.training",
    "tokenizers": "core.training",
    "safetensors": "core.training",
    "reasoning_gym": "core.training",
    "textual": "tui",
    "textual_plotext": "tui",
    "plotext": "tui",
    "rich": "tui",
}
"""The room that alone may import a library."""

HEAVY = {*OWNERS, "datasets", "numpy", "pandas", "sqlite3", "yaml", "psutil", "asyncio", "requests"}
"""What `waggle --help` must not import."""


def name_of(path: Path) -> str:
    parts = path.relative_to(REPO_ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    name_of(path): path
    for folder in ("core", "tui")
    for path in sorted((REPO_ROOT / folder).rglob("*.py"))
}


def imports(name: str, top_level: bool = False) -> Iterator[str]:
    """Full names that a module imports; with `top_level`, only when it is imported itself."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node in _at_import(tree) if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = (
                    name.split(".") if MODULES[name].stem == "__init__" else name.split(".")[:-1]
                )
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [base])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in MODULES else base


def _at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: not inside functions, not for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _at_import(node)


def room_of(name: str) -> str | None:
    return next((room for room in ROOMS if name == room or name.startswith(f"{room}.")), None)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("name", MODULES)
def test_the_core_knows_nothing_of_the_console(name: str) -> None:
    if inside(name, "core") and name != "core.command_table":
        assert not [used for used in imports(name) if inside(used, "tui")]
    if name == "core.command_table":  # the one place that opens it
        assert not [used for used in imports(name, top_level=True) if inside(used, "tui")]


@pytest.mark.parametrize("name", [n for n in MODULES if room_of(n)])
def test_rooms_never_know_one_another(name: str) -> None:
    room = room_of(name)
    for used in imports(name):
        if inside(used, "core") and used != "core" and room_of(used) != room:
            assert used in SHARED, f"{name} imports {used}"


@pytest.mark.parametrize("name", MODULES)
def test_libraries_belong_to_their_rooms(name: str) -> None:
    for used in imports(name):
        owner = OWNERS.get(used.split(".")[0])
        assert owner is None or inside(name, owner), f"{name} imports {used}, only {owner} may"


def test_the_node_process_never_imports_hivemind() -> None:
    """Not even late: only what the sidecar process imports leads there."""
    assert not {"hivemind", "zeroconf", "core.net.keeper"} & closure("core.cli", top_level=False)
    assert "core.net.exchange" in closure("core.cli", top_level=False)
    assert "hivemind" in closure("core.net.sidecar", top_level=False)


def closure(name: str, top_level: bool = True) -> set[str]:
    """All that a module leads to, libraries by their top name; `top_level`: by importing it."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        if current in MODULES:
            parents = current.split(".")
            todo += [".".join(parents[:n]) for n in range(1, len(parents))]
            todo += imports(current, top_level)
        else:
            seen.add(current.split(".")[0])
    return seen


def test_the_command_line_is_light() -> None:
    assert not closure("core.cli") & HEAVY


@pytest.mark.parametrize("name", ["core.reports", "core.listings", "core.doctor", "core.node"])
def test_what_a_command_needs_pulls_in_no_room(name: str) -> None:
    assert not closure(name) & set(OWNERS)


def test_no_dangerous_calls() -> None:
    """Nothing of the house unpickles, evaluates or executes text."""
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile"), name
        assert not [used for used in imports(name) if used.split(".")[0] in ("pickle", "marshal")]


def test_every_bare_except_is_gone() -> None:
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{name}:{node.lineno} catches everything"
