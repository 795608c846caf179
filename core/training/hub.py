"""Brings a model's files from the Hugging Face Hub onto this machine, or says why it cannot.

It asks for exactly the files that Waggle reads (configuration, tokenizer, safetensors), reports
bytes as they arrive, and goes on where a broken download ended. With HF_HUB_OFFLINE, or without a
connection, what the cache holds whole is used. Tokens are huggingface_hub's business: none is read
or shown here.
"""

from __future__ import annotations

import errno
import io
import time
from pathlib import Path
from typing import Any

from core.errors import TransientError, WaggleError
from core.home import as_storage_error
from core.protocols import Progress

FILES = (
    *("config.json", "generation_config.json", "model.safetensors", "model-*-of-*.safetensors"),
    *("model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "*.jinja"),
    *("tokenizer.model", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("vocab.txt", "merges.txt", "spiece.model"),
)
FOLDERS = "*/*"
"""Other forms of the weights lie in folders of a repository (`original/`, `onnx/`)."""
REPORT_S = 2.0


def configuration(model_id: str) -> Path:
    """The folder with the model's config.json, which tells whether there is such a model and how
    large it is. WaggleError as `fetch`; the caller has a deadline."""
    return fetch(model_id, files=FILES[:1])


def fetch(model_id: str, progress: Progress | None = None, files: tuple[str, ...] = FILES) -> Path:
    """The folder with the model's files, in huggingface_hub's cache.

    progress hears (bytes here, bytes of all files), every two seconds and at the end.
    WaggleError when the files cannot be had, a TransientError where trying again may help.
    """
    from httpx2 import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        folder = snapshot_download(
            model_id,
            allow_patterns=list(files),
            ignore_patterns=[FOLDERS],
            tqdm_class=_reporting(progress),
        )
    except HFValidationError as error:
        raise WaggleError(
            f"{model_id[:96]!r} is no model id", "", "It looks like Qwen/Qwen2.5-0.5B-Instruct"
        ) from error
    except LocalEntryNotFoundError as error:
        cause = error.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise _refused(model_id, cause) from error
        raise _unreachable(model_id, error) from error
    except HfHubHTTPError as error:
        raise _refused(model_id, error) from error
    except HTTPError as error:
        raise _broken_off(model_id, error) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            from huggingface_hub.constants import HF_HUB_CACHE

            raise as_storage_error(HF_HUB_CACHE, error) from error
        raise _broken_off(model_id, error) from error
    return Path(folder)


def _refused(model_id: str, error: Any) -> WaggleError:
    """For what the Hub answered; `error` is a HfHubHTTPError."""
    from huggingface_hub import get_token
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import DisabledRepoError, GatedRepoError, RepositoryNotFoundError

    page = f"{ENDPOINT}/{model_id}"
    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return WaggleError(
            f"The model {model_id} is gated",
            "its authors give access only to those who accept their licence",
            f"Accept it at {page} with the account of your HF_TOKEN, then start again"
            if get_token()
            else f"Accept it at {page}, set HF_TOKEN to a token of that account, and start again",
        )
    if isinstance(error, DisabledRepoError):
        return WaggleError(f"The model {model_id} was disabled on the Hugging Face Hub")
    if isinstance(error, RepositoryNotFoundError):
        return WaggleError(
            f"There is no model {model_id} on the Hugging Face Hub",
            "or it is private and HF_TOKEN does not open it",
            f"Check the spelling: {page} is its page if it exists",
        )
    if status in (401, 403):
        return WaggleError(
            f"The model {model_id} cannot be fetched",
            f"the Hugging Face Hub refuses the access token ({status})",
            "Set HF_TOKEN to a valid token, or unset it: public models need none",
        )
    return TransientError(
        f"The model {model_id} cannot be fetched",
        f"the Hugging Face Hub answered with status {status}",
        "Try again later; what has arrived already is kept",
    )


def _unreachable(model_id: str, error: Exception) -> WaggleError:
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import IncompleteSnapshotError

    have = (
        "its download onto this machine never finished"
        if isinstance(error, IncompleteSnapshotError)
        else "it is not on this machine"
    )
    if HF_HUB_OFFLINE:
        return WaggleError(
            f"The model {model_id} cannot be fetched",
            f"{have}, and HF_HUB_OFFLINE forbids to ask the Hugging Face Hub",
            "Unset HF_HUB_OFFLINE once, or use waggle-tiny or a local folder",
        )
    return TransientError(
        f"The model {model_id} cannot be fetched",
        f"{have}, and the Hugging Face Hub cannot be reached",
        "Check the internet connection and try again: what has arrived already is kept. Without"
        " one, use waggle-tiny or a local folder",
    )


def _broken_off(model_id: str, error: Exception) -> WaggleError:
    return TransientError(
        f"The model {model_id} cannot be fetched",
        f"its download broke off ({type(error).__name__})",
        "Start again: what has arrived already is kept",
    )


def _reporting(progress: Progress | None) -> Any:
    """A progress bar for huggingface_hub that draws nothing: a console may own the terminal."""
    from tqdm import tqdm

    class Reporting(tqdm):
        """Of the bars that `snapshot_download` makes, the one that counts bytes on disk speaks."""

        def __init__(self, *args: Any, **options: Any) -> None:
            self._speaks = str(options.get("desc", "")).startswith("Reconstructing")
            self._told = 0.0
            super().__init__(*args, **{**options, "file": io.StringIO()})

        def display(self, *args: Any, **options: Any) -> None:
            pass

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if progress is not None and self._speaks and self.total:
                now = time.monotonic()
                if now - self._told >= REPORT_S or self.n >= self.total:
                    self._told = now
                    progress(int(self.n), int(self.total))
            return shown

    return Reporting
