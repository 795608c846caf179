"""The SwarmCoordinator contract: its source, the committed artifact, and what its errors mean."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("SwarmCoordinator.vy")
ARTIFACT = Path(__file__).with_name("artifact.json")

SUBMIT_REWARD = "submitReward(uint256,uint256,int256,string)"
"""Always by full signature: web3 otherwise picks the unsigned overload for a positive reward."""


@cache
def artifact() -> dict[str, Any]:
    """{abi, bytecode, compiler, settings, source_digest}, as committed."""
    loaded: dict[str, Any] = json.loads(ARTIFACT.read_text())
    return loaded
