"""JSON of files that others wrote. Deep nesting is refused before it is decoded.

The decoder is recursive, and a library that raises Python's recursion limit (py-evm does) turns a
file of a hundred thousand brackets from an error into a crash of the process.
"""

from __future__ import annotations

import json
from typing import Any

MAX_DEPTH = 200
_OTHERS = bytes(i for i in range(256) if i not in b"[]{}")


def decode(data: bytes) -> Any:
    """ValueError for what is not JSON or nested too deeply.

    Brackets within texts count too: that can only refuse more, and no honest file comes near.
    """
    depth = 0
    for bracket in data.translate(None, _OTHERS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    return json.loads(data)
