"""Builds `artifact.json` from `SwarmCoordinator.vy`: `python -m core.chain.contract.build`.

The artifact is committed, so that a node needs no compiler; the test suite rebuilds it and compares
byte by byte. Vyper is a test dependency and is imported here only.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from core.chain.contract import ARTIFACT, SOURCE
from core.chain.contract.refusals import REFUSALS
from core.home import atomic_write

EVM_VERSION = "cancun"


def build() -> dict[str, Any]:
    """Compile; {abi, bytecode, compiler, settings, source_digest}.

    Vyper knows neither custom errors nor overloads, so the ABI entries of both are added here:
    the contract raises the former by selector and answers the latter in `__default__`.
    """
    import vyper
    from vyper.compiler import compile_code
    from vyper.compiler.settings import OptimizationLevel, Settings

    source = SOURCE.read_text()
    compiled = compile_code(
        source,
        output_formats=["abi", "bytecode"],
        settings=Settings(evm_version=EVM_VERSION, optimize=OptimizationLevel.GAS),
        no_bytecode_metadata=True,
    )
    abi = [entry for entry in compiled["abi"] if entry["type"] != "fallback"]
    signed = next(entry for entry in abi if entry.get("name") == "submitReward")
    inputs = [
        {**each, "type": "uint256"} if each["name"] == "reward" else each
        for each in signed["inputs"]
    ]
    errors = [{"type": "error", "name": name, "inputs": []} for name in REFUSALS]
    return {
        "contract": "SwarmCoordinator",
        "compiler": f"vyper {vyper.__version__}",
        "settings": {"evm_version": EVM_VERSION, "optimize": "gas", "bytecode_metadata": False},
        "source_digest": "sha256:" + hashlib.sha256(source.encode()).hexdigest(),
        "abi": [*abi, {**signed, "inputs": inputs}, *errors],
        "bytecode": compiled["bytecode"],
    }


def encode(artifact: dict[str, Any]) -> bytes:
    return (json.dumps(artifact, indent=1, sort_keys=True) + "\n").encode()


def main(arguments: list[str]) -> int:
    """Write the artifact; with `--check` only compare, and end with 1 when it is another."""
    made = encode(build())
    if arguments == ["--check"]:
        return int(made != ARTIFACT.read_bytes())
    atomic_write(ARTIFACT, made, mode=0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
