"""The client's side of a login service: RL-Swarm's modal-login, or a Waggle login proxy.

Knows its routes and what its answers mean; knows nothing of the chain. Every call has a deadline
and a size limit, follows no redirect, and on this machine bypasses HTTP proxies. ORG_ID reaches no
message: it is in the address of one route, so what `requests` raises is never passed on.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from core import boundedjson
from core.chain.contract.refusals import REFUSALS, named
from core.chain.login_data import LoginData
from core.chain.timely_http import Answer, ask, is_local, reason, session
from core.errors import ConfigError, RefusedError, TransientError
from core.urls import shown_url

MAX_ANSWER_BYTES = 2**20
POLL_S = 1.0
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ERROR_NAME = re.compile(r"[A-Z][A-Za-z0-9]{2,63}")


class LoginService:
    """Safe to use from several threads."""

    def __init__(self, url: str, login: LoginData, timeout_s: float) -> None:
        """url: as in chain.login_url; with or without the `/api` that RL-Swarm writes behind it.
        timeout_s: deadline of one call. ConfigError when it is no address."""
        host = _host(url)
        self.shown = shown_url(url)
        self._api = url.rstrip("/").removesuffix("/api") + "/api/"
        self._login = login
        self._timeout_s = timeout_s
        self._is_local = is_local(host)
        self._session = session(self._is_local)

    def close(self) -> None:
        self._session.close()

    def is_activated(self) -> bool:
        """Whether it may submit for this login. TransientError when it does not say."""
        query = {"orgId": self._login.org_id}
        answer = self._ask("GET", "get-api-key-status", self._timeout_s, params=query)
        told = answer.body.strip()
        if answer.status == 200 and told in (b"activated", b"pending"):
            return told == b"activated"
        raise self._odd(answer)

    def await_activation(self, timeout_s: float, stop: threading.Event) -> None:
        """TransientError, saying what is missing, when it is not activated by then."""
        deadline = time.monotonic() + timeout_s
        while not self.is_activated():
            if time.monotonic() + POLL_S > deadline or stop.wait(POLL_S):
                raise self._pending()

    def submit(self, route: str, fields: Mapping[str, Any], timeout_s: float) -> str:
        """The hash it answers with, once the submission is on the chain: of a transaction, or of a
        user operation within one. RefusedError for what the contract refuses."""
        body = {"orgId": self._login.org_id, **fields}
        answer = self._ask("POST", route, timeout_s, json=body)
        if answer.status == 200:
            found = _field(answer, "hash")
            if _HASH.fullmatch(found):
                return found
            raise self._odd(answer)
        error = _field(answer, "error")
        if answer.status == 400 and error in REFUSALS:
            raise named(error)
        if answer.status == 400 and _ERROR_NAME.fullmatch(error):
            raise RefusedError(
                f"The coordinator refused: {error}",
                f"the login service at {self.shown} passed that on",
                "Check that chain.contract and chain.rpc_url are those of the login's swarm",
                code=error,
            )
        if answer.status == 404 and error == "user not found":
            raise TransientError(
                f"The login service at {self.shown} does not know this ORG_ID",
                f"it came from {self._login.source}",
                "Sign in there again, or correct ORG_ID; what is due stays in the outbox",
            )
        if error == "api key not found":
            raise self._pending()
        raise self._odd(answer)

    def _ask(self, method: str, route: str, timeout_s: float, **content: Any) -> Answer:
        try:
            return ask(
                self._session, method, self._api + route, timeout_s, MAX_ANSWER_BYTES, **content
            )
        except requests.Timeout:
            why = f"it did not answer within {timeout_s:.0f} s"
        except requests.RequestException as error:
            why = reason(error)
        raise TransientError(
            f"The login service at {self.shown} cannot be reached",
            why,
            "Start it there (waggle swarm serve --login-proxy, or RL-Swarm's modal-login); "
            "the node keeps trying"
            if self._is_local
            else "Check chain.login_url and the connection; the node keeps trying",
        )

    def _pending(self) -> TransientError:
        if self._login.activated is False:
            why = "the sign-in in the browser was left before it was finished"
        else:
            why = "the sign-in was not finished, or the service does not know this ORG_ID"
        return TransientError(
            f"The login at {self.shown} is not activated",
            f"{why}; it came from {self._login.source}",
            f"Open {self.shown} in a browser, sign out, sign in again, and wait for its page to say"
            " so; or use an ORG_ID of `waggle swarm members`",
        )

    def _odd(self, answer: Answer) -> TransientError:
        """What the answer says is not shown: it may hold addresses with API keys."""
        if answer.body.lstrip()[:1] == b"<" or answer.status in (301, 302, 307, 308, 404, 405):
            return TransientError(
                f"What answers at {self.shown} is not a login service",
                f"its answer is a page for people (HTTP status {answer.status})",
                "Correct chain.login_url, or end the program that has the port",
            )
        if answer.status == 429:
            return TransientError(
                f"The login service at {self.shown} is asked too often", "", "The node waits"
            )
        if answer.status >= 500:
            return TransientError(
                f"The login service at {self.shown} failed",
                f"it answered with HTTP status {answer.status}",
                "Look at its log (RL-Swarm: logs/yarn.log); if it lasts, sign in again: a session "
                "ends by itself. The node asks the coordinator before it submits again",
            )
        return TransientError(
            f"The login service at {self.shown} gave an answer that makes no sense",
            f"HTTP status {answer.status}",
            "Check chain.login_url; the node keeps trying",
        )


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            return parts.hostname
    except ValueError:
        pass  # told below
    raise ConfigError(
        f"{shown_url(url)} is not the address of a login service",
        "it must start with http:// or https://",
        "Correct chain.login_url",
    )


def _field(answer: Answer, name: str) -> str:
    """A text of the answer's JSON object; empty when there is none."""
    try:
        found = boundedjson.decode(answer.body)
    except (ValueError, RecursionError):
        return ""
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""
