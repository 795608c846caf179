"""Builds `artifact.json` from the Vyper sources: `python -m core.chain.contract.build`.

The artifact is committed, so that a node needs no compiler; the test suite rebuilds it and compares
byte by byte. Vyper is a test dependency and is imported here and in `proxy.assemble` only.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from core.chain.contract import ARTIFACT, FOLDER
from core.chain.contract.proxy import deployer
from core.chain.contract.refusals import REFUSALS
from core.home import atomic_write

EVM_VERSION = "cancun"

OVERLOADS = {
    "submitUnsignedReward_dy6osgr": "submitReward",
    "hasAccountSubmittedReward_b4qxx7b": "hasSubmittedRoundStageReward",
}
"""Vyper has no overloads. Each of these functions is called by what is on the right: the letters at
the end were searched for until the selectors of both were the same four bytes."""

ERRORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(REFUSALS, ()),
    "StageOutOfBounds": (),  # the original declares it and never raises it
    "InvalidInitialization": (),
    "NotInitializing": (),
    "UUPSUnauthorizedCallContext": (),
    "UUPSUnsupportedProxiableUUID": ("bytes32 slot",),
    "ERC1967InvalidImplementation": ("address implementation",),
    "ERC1967NonPayable": (),
    "AddressEmptyCode": ("address target",),
    "FailedCall": (),
}
"""What Vyper leaves out of an ABI: the custom errors, which the contract raises by selector."""


def build() -> dict[str, Any]:
    """Compile; {abi, bytecode, compiler, implementation_at, settings, source_digest}.

    `bytecode`, with the owner's address behind it as one word, deploys everything in a single
    transaction; from byte `implementation_at` on it is the implementation's own init code.
    """
    import vyper
    from vyper.compiler import compile_from_file_input
    from vyper.compiler.input_bundle import FilesystemInputBundle, JSONInput
    from vyper.compiler.settings import OptimizationLevel, Settings

    bundle = FilesystemInputBundle([FOLDER])
    layout = FOLDER / "layout.json"
    compiled = compile_from_file_input(
        bundle.load_file("SwarmCoordinator.vy"),
        bundle,
        settings=Settings(evm_version=EVM_VERSION, optimize=OptimizationLevel.GAS),
        output_formats=["abi", "bytecode"],
        storage_layout_override=JSONInput.from_file_input(bundle.load_file(layout)),
        no_bytecode_metadata=True,
    )
    implementation = bytes.fromhex(compiled["bytecode"].removeprefix("0x"))
    whole = deployer(implementation)
    return {
        "contract": "SwarmCoordinator",
        "compiler": f"vyper {vyper.__version__}",
        "settings": {"evm_version": EVM_VERSION, "optimize": "gas", "bytecode_metadata": False},
        "source_digest": "sha256:" + _digest([*FOLDER.glob("*.vy"), layout]),
        "abi": [*(_told(entry) for entry in compiled["abi"]), *_errors()],
        "bytecode": "0x" + whole.hex(),
        "implementation_at": len(whole) - len(implementation),
    }


def _digest(sources: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as callers know it: the proxy's constructor, and overloads by their true names."""
    if entry["type"] == "constructor":
        owner = {"name": "owner_", "type": "address"}
        return {**entry, "inputs": [owner], "stateMutability": "payable"}
    name = OVERLOADS.get(entry.get("name", ""))
    if name is None:
        return entry
    types = ",".join(each["type"] for each in entry["inputs"])
    found, wanted = (keccak(text=f"{each}({types})")[:4] for each in (entry["name"], name))
    if found != wanted:
        raise ValueError(f"{entry['name']}({types}) has not the selector of {name}({types})")
    return {**entry, "name": name}


def _errors() -> list[dict[str, Any]]:
    return [
        {
            "type": "error",
            "name": name,
            "inputs": [dict(zip(("type", "name"), each.split(), strict=True)) for each in inputs],
        }
        for name, inputs in ERRORS.items()
    ]


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
