"""The access token of the Hugging Face Hub: whose it is, what it may do, and keeping it.

It is kept where huggingface_hub keeps it for every program of this user, and nowhere in a home.
The token reaches no message. What the Hub answers is foreign text, cut to a length here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import TransientError, WaggleError
from core.home import atomic_write

MAX_NAME = 100
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{8,512}")
VARIABLE = "HF_TOKEN"


@dataclass(frozen=True)
class HubUser:
    """name: of the account. writes: whether the token may change anything of it."""

    name: str
    writes: bool


def place() -> str:
    """Where a token is known already, in words; empty for nowhere."""
    from huggingface_hub import constants

    if os.environ.get(VARIABLE):
        return f"the environment variable {VARIABLE}"
    path = Path(constants.HF_TOKEN_PATH)
    return str(path) if path.is_file() else ""


def check(token: str, endpoint: str | None = None) -> HubUser:
    """Ask the Hub whose token it is. It may take as long as the network does: the caller has a
    deadline. endpoint: of another Hub than the configured one.

    WaggleError when the Hub does not know it; TransientError when the Hub cannot be asked.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if not _TOKEN.fullmatch(token):
        raise WaggleError(
            "That is no token of the Hugging Face Hub",
            "",
            "It begins with hf_ and has no spaces; make one at huggingface.co/settings/tokens",
        )
    try:
        told = HfApi(endpoint=endpoint).whoami(token)
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise WaggleError(
                "The Hugging Face Hub does not know this token",
                "it is mistyped, or was revoked",
                "Copy it anew, or make another at huggingface.co/settings/tokens",
            ) from None
        raise _unasked(f"it answered with status {status}") from None
    except OfflineModeIsEnabled:
        raise _unasked("HF_HUB_OFFLINE forbids it") from None
    except (HTTPError, OSError, ValueError) as error:
        raise _unasked(type(error).__name__) from None
    if not isinstance(told, dict):
        raise _unasked("it gave an answer that makes no sense")
    return HubUser(str(told.get("name", ""))[:MAX_NAME], _writes(told))


def keep(token: str) -> str:
    """Write it where every program of this user finds it; where that is. StorageError.

    The environment variable, where it is set, still wins.
    """
    from huggingface_hub import constants

    path = Path(constants.HF_TOKEN_PATH)
    atomic_write(path, token.encode())
    if os.environ.get(VARIABLE):
        return f"{path}; but {VARIABLE} is set and wins"
    return str(path)


def _writes(told: dict[str, Any]) -> bool:
    """A classic token has a role; a fine-grained one lists what it may do, entity by entity."""
    auth = told.get("auth")
    access = auth.get("accessToken") if isinstance(auth, dict) else None
    if not isinstance(access, dict):
        return False
    if access.get("role") == "write":
        return True
    fine = access.get("fineGrained")
    scoped = fine.get("scoped") if isinstance(fine, dict) else None
    allowed = [
        each["permissions"]
        for each in (scoped if isinstance(scoped, list) else [])
        if isinstance(each, dict) and isinstance(each.get("permissions"), list)
    ]
    return any("repo.write" in each for each in allowed)


def _unasked(why: str) -> TransientError:
    return TransientError(
        "The Hugging Face Hub cannot be asked about this token",
        why,
        "Go on without it, and try again later with `hf auth login`",
    )
