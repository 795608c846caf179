"""The committed contract: it is what its sources compile to, it has every call of the original, it
passes every test of the original, and it needs no more gas.

What it does is tested in test_contract_*.py; capitals there are the original's names for its tests.
"""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from eth_abi import decode as abi_decode
from eth_abi import encode as abi_encode
from eth_utils.crypto import keccak

from core.chain.contract import artifact, implementation
from core.chain.contract.refusals import REFUSALS, refused, selectors
from tests.chain.bare_evm import ERROR_NAMES, cast
from tests.chain.conftest import Refused

HERE = Path(__file__).parent
MODULES = ("roles", "peers", "votes", "rewards", "boards", "upgrade", "deploy")
MAX_CODE = 24_576
"""Bytes of code a contract may have (EIP-170)."""
DEFAULTS: dict[str, Any] = {"uint256": 0, "int256": 0, "string": "", "bytes": b""}
NOT_RAISED = {"StageOutOfBounds", "NotInitializing", "AddressEmptyCode", "FailedCall"}
"""By us; the original's compiler put them into its ABI."""


def lines(name: str) -> list[str]:
    text = (HERE / f"original_{name}.txt").read_text()
    return [line for line in text.splitlines() if not line.startswith("#")]


@cache
def interface() -> dict[str, str]:
    """Entry of an ABI, as text -> the versions of the original that have it."""
    return dict(reversed(line.split(" | ")) for line in lines("interface"))  # type: ignore[misc]


def as_text(entry: dict[str, Any]) -> str:
    if entry["type"] == "event":
        inputs = ", ".join(
            f"{each['type']}{' indexed' * each['indexed']} {each['name']}"
            for each in entry["inputs"]
        )
        return f"event {entry['name']}({inputs})"
    text = f"{entry['type']} {signature(entry)}"
    if entry["type"] == "error":
        return text
    outputs = ",".join(each["type"] for each in entry["outputs"])
    return f"{text} {entry['stateMutability']} -> ({outputs})"


def signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(each['type'] for each in entry['inputs'])})"


def default(kind: str) -> Any:
    if kind.endswith("[]"):
        return []
    if kind == "address":
        return "0x" + "11" * 20
    return DEFAULTS.get(kind, bytes(32))


FUNCTIONS = [entry for entry in artifact()["abi"] if entry["type"] == "function"]


# --- the artifact -----------------------------------------------------------------------------


def test_the_committed_artifact_is_what_the_sources_compile_to() -> None:
    # In a process of its own: importing vyper changes this one's decimal arithmetic for good.
    command = [sys.executable, "-m", "core.chain.contract.build", "--check"]
    assert subprocess.run(command, timeout=120).returncode == 0


def test_the_compiler_is_pinned_and_the_code_fits_into_a_contract() -> None:
    assert artifact()["compiler"] == "vyper 0.4.3"
    assert len(implementation()) < MAX_CODE


# --- the interface ----------------------------------------------------------------------------


def test_every_entry_of_the_originals_abis_is_there_and_no_other() -> None:
    ours = {as_text(e) for e in artifact()["abi"] if e["type"] in ("function", "event", "error")}
    assert ours == set(interface())


@pytest.mark.parametrize("version", ["0.4.2", "0.4.3", "0.6"])
def test_the_list_of_the_original_is_not_cut_short(version: str) -> None:
    found = [entry.split()[0] for entry, versions in interface().items() if version in versions]
    functions = {"0.4.2": 35, "0.4.3": 36, "0.6": 32}[version]
    counts = {kind: found.count(kind) for kind in ("function", "event", "error")}
    assert counts == {"function": functions, "event": 13, "error": 20}


@pytest.mark.parametrize("entry", FUNCTIONS, ids=signature)
def test_every_function_answers_in_the_originals_types(entry: dict[str, Any]) -> None:
    """Called with zeros by a stranger: an answer that decodes, or a refusal with a name."""
    anyone = cast(2)[1]
    types = [each["type"] for each in entry["inputs"]]
    call = keccak(text=signature(entry))[:4] + abi_encode(types, [default(t) for t in types])
    try:
        output = anyone.call(call).output
    except Refused as refusal:
        name = str(refusal)
    else:
        abi_decode([each["type"] for each in entry["outputs"]], output)
        return
    assert name in set(ERROR_NAMES.values()) - NOT_RAISED


# --- the errors -------------------------------------------------------------------------------


def test_selectors_are_those_that_tools_print_for_the_originals_errors() -> None:
    assert selectors()[bytes.fromhex("1614b50c")] == "InvalidVoterPeerId"
    assert ERROR_NAMES[bytes.fromhex("f92ee8a9")] == "InvalidInitialization"
    assert len(selectors()) == len(REFUSALS)


def test_every_refusal_is_told_in_sentences_and_an_unknown_one_too() -> None:
    for selector, name in selectors().items():
        error = refused(selector, "do it")
        assert error.code == name
        assert error.what
        assert error.why
        assert error.next_step
    assert refused(b"", "vote").code == "Reverted"
    assert "vote" in str(refused(b"\x01\x02\x03\x04", "vote"))


# --- the original's tests ---------------------------------------------------------------------


@cache
def ours() -> set[str]:
    modules = (importlib.import_module(f"tests.chain.test_contract_{each}") for each in MODULES)
    return {name for module in modules for name, _ in inspect.getmembers(module, callable)}


@pytest.mark.parametrize("name", lines("tests"))
def test_the_originals_test_is_passed_under_its_own_name(name: str) -> None:
    assert f"test_{name}" in ours()


def test_no_test_of_the_original_is_left_out() -> None:
    assert len(set(lines("tests"))) == 40 + 7 + 3 + 21


def test_the_documentation_names_tests_that_there_are() -> None:
    text = (HERE.parents[1] / "docs" / "contract.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", text)) - {"test_contract_"}
    assert len(named) > 15
    assert named - ours() == set()
