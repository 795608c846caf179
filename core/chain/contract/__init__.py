"""The SwarmCoordinator contract: its source, the committed artifact, and what its errors mean."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ARTIFACT = FOLDER / "artifact.json"

SUBMIT_REWARD = "submitReward(uint256,uint256,int256,string)"
"""Always by full signature: web3 otherwise picks the unsigned overload for a positive reward."""
HAS_REWARD = "hasSubmittedRoundStageReward(uint256,uint256,string)"
"""By peer id; version 0.4.2 asked by account."""


@cache
def artifact() -> dict[str, Any]:
    """{abi, bytecode, compiler, implementation_at, settings, source_digest}, as committed."""
    loaded: dict[str, Any] = json.loads(ARTIFACT.read_text())
    return loaded


def deployment(owner: str) -> bytes:
    """Init code that deploys a coordinator of this owner: proxy, implementation, three roles."""
    return bytes.fromhex(
        artifact()["bytecode"].removeprefix("0x") + owner.removeprefix("0x").rjust(64, "0")
    )


def implementation() -> bytes:
    """Init code of the implementation alone, as an owner deploys it to upgrade a coordinator."""
    code = bytes.fromhex(artifact()["bytecode"].removeprefix("0x"))
    return code[artifact()["implementation_at"] :]
