"""One JSON-RPC endpoint: every call has a deadline and a size limit, and fails in plain words.

Questions may go out in one batch; answers are matched by their ids. No retries here: whoever calls
knows whether a repetition is harmless. What an address holds besides host and port is never told.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests

from core import boundedjson
from core.chain.rpcwords import NO_JSON, WEB_PAGE, Trouble, status_words, trouble
from core.chain.timely_http import Answer, TooLarge, ask, is_local, reason, session
from core.errors import ConfigError, TransientError
from core.urls import shown_url

MAX_ANSWER_BYTES = 2 * 2**20
MAX_LOGS_BYTES = 16 * 2**20
MAX_BATCH = 64
"""Questions of one batch, at most."""
MIN_SECRET_CHARS = 6
_JSON = {"Content-Type": "application/json"}
_HEX = re.compile(r"0x[0-9a-fA-F]*")

Question = tuple[str, Sequence[Any]]
"""A method and its parameters."""


class RpcError(Exception):
    """The endpoint answered with a JSON-RPC error. data: bytes of a revert, or None."""

    def __init__(self, code: int, message: str, data: bytes | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    @property
    def is_revert(self) -> bool:
        """The contract refused, not the node."""
        return self.data is not None or self.code == 3 or "execution reverted" in self.message

    @property
    def trouble(self) -> Trouble:
        return trouble(self.code, self.message)


class Unreachable(TransientError):
    """The endpoint cannot be reached, or its answers make no sense."""


class Caller:
    """What can be asked single questions: an endpoint, or several that stand in for one another."""

    shown: str
    """Where the chain is, for a person to read."""

    def call(self, method: str, *params: Any) -> Any:
        """The result. Unreachable, or RpcError when it answers with an error."""
        raise NotImplementedError

    def quantity(self, method: str, *params: Any) -> int:
        """A call whose result is a hex number."""
        return self.as_quantity(method, self.call(method, *params))

    def data(self, method: str, *params: Any) -> bytes:
        """A call whose result is hex data."""
        return self.as_data(method, self.call(method, *params))

    def as_quantity(self, method: str, value: Any) -> int:
        """A result as a number. Unreachable when it is none; RpcError when it is that."""
        if isinstance(value, RpcError):
            raise value
        if not isinstance(value, str) or not _HEX.fullmatch(value) or not 2 < len(value) <= 66:
            raise self.senseless(f"its answer to {method} is not a number")
        return int(value, 16)

    def as_data(self, method: str, value: Any) -> bytes:
        """A result as bytes. Unreachable when it is none; RpcError when it is that."""
        if isinstance(value, RpcError):
            raise value
        if not isinstance(value, str) or not _HEX.fullmatch(value) or len(value) % 2:
            raise self.senseless(f"its answer to {method} is not hex data")
        return bytes.fromhex(value[2:])

    def senseless(self, why: str) -> Unreachable:
        return Unreachable(f"The chain at {self.shown} cannot be read", why, NO_JSON[1])

    def told(self, error: RpcError) -> TransientError:
        """An error answer as a sentence."""
        kind = error.trouble
        what = kind.what[0].lower() + kind.what[1:]
        why = error.message or f"error code {error.code}"
        return TransientError(f"The chain at {self.shown}: {what}", why, kind.next_step)


class Rpc(Caller):
    """`call(method, *params)`. Safe to use from several threads."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """ConfigError when `url` is no address."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
            requests.Request("POST", url).prepare()
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            raise ConfigError(
                f"{shown_url(url)} is not an RPC address",
                "it must start with http:// or https://",
                "Correct chain.rpc_url",
            )
        self.shown = shown_url(url)
        self.is_local = is_local(host)
        self._url = url
        self._timeout_s = timeout_s
        self._session = session(self.is_local)
        self._secrets = _secrets(url)
        self._ids = itertools.count(1)
        self._takes_batches = True

    def __repr__(self) -> str:
        return f"Rpc({self.shown})"

    def close(self) -> None:
        self._session.close()

    def call(self, method: str, *params: Any) -> Any:
        number = next(self._ids)
        answer = self._post(_question(number, method, params), method)
        if not isinstance(answer, dict):
            raise self.senseless("its answer is not JSON-RPC")
        if answer.get("error") is None and answer.get("id", number) != number:
            raise self.senseless(f"it answers another question than {method}")
        result = self._result(answer)
        if isinstance(result, RpcError):
            raise result
        return result

    def batch(self, questions: Sequence[Question]) -> list[Any]:
        """The result of each, or an RpcError in its place. Unreachable."""
        if len(questions) > MAX_BATCH:
            raise ValueError(f"a batch has at most {MAX_BATCH} questions")
        if len(questions) > 1 and self._takes_batches:
            asked = {next(self._ids): question for question in questions}
            answer = self._post([_question(n, *q) for n, q in asked.items()], "a batch")
            if isinstance(answer, list):
                return self._matched(list(asked), answer)
            error = self._result(answer)
            if not isinstance(error, RpcError):
                raise self.senseless("its answer to a batch is no batch")
            if error.trouble.elsewhere and error.trouble.kind != "no_method":
                return [error for _ in questions]
            self._takes_batches = False  # an RPC that takes none says so in its own words
        return [self._alone(method, params) for method, params in questions]

    def _alone(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return self.call(method, *params)
        except RpcError as error:
            return error

    def _matched(self, numbers: list[int], answers: list[Any]) -> list[Any]:
        found: dict[int, Any] = {}
        for each in answers[:MAX_BATCH]:
            number = each.get("id") if isinstance(each, dict) else None
            if isinstance(number, int) and number not in found:
                found[number] = each
        if missing := [n for n in numbers if n not in found]:
            raise self.senseless(f"it left {len(missing)} of {len(numbers)} questions unanswered")
        return [self._result(found[number]) for number in numbers]

    def _result(self, answer: Any) -> Any:
        """What one answer says: its result, or an RpcError."""
        if not isinstance(answer, dict):
            raise self.senseless("its answer is not JSON-RPC")
        error = answer.get("error")
        if error is None:
            if "result" not in answer:
                raise self.senseless("its answer is not JSON-RPC")
            return answer["result"]
        if not isinstance(error, dict):
            return RpcError(0, self._clean(str(error)), None)
        code = error.get("code")
        return RpcError(
            code if isinstance(code, int) else 0,
            self._clean(str(error.get("message", ""))),
            _revert_data(error.get("data")),
        )

    def _post(self, question: Any, about: str) -> Any:
        most = MAX_LOGS_BYTES if about == "eth_getLogs" else MAX_ANSWER_BYTES
        body = json.dumps(question).encode()
        try:
            answer = ask(
                self._session, "POST", self._url, self._timeout_s, most, data=body, headers=_JSON
            )
        except requests.Timeout as error:
            why = f"it did not answer within {self._timeout_s:g} s"
            raise self._unreachable(why) from error
        except requests.RequestException as error:
            raise self._unreachable(reason(error), _step(error)) from error
        try:
            decoded = boundedjson.decode(answer.body)
        except (ValueError, RecursionError) as error:
            raise self._no_json(answer) from error
        if answer.status != 200 and not _is_error(decoded):
            raise self._unreachable(*status_words(answer.status))
        return decoded

    def _no_json(self, answer: Answer) -> Unreachable:
        if answer.status != 200:
            return self._unreachable(*status_words(answer.status))
        page = answer.body[:200].lstrip().lower().startswith((b"<!doctype", b"<html"))
        return self._unreachable(*(WEB_PAGE if page else NO_JSON))

    def _unreachable(self, why: str, step: str = "") -> Unreachable:
        own = (
            "Check that the swarm's services run on this machine; the node keeps trying"
            if self.is_local
            else "Check the internet connection and chain.rpc_url; the node keeps trying"
        )
        return Unreachable(f"The chain at {self.shown} cannot be reached", why, step or own)

    def _clean(self, message: str) -> str:
        """An RPC's own words, short and without what its address keeps secret."""
        for secret in self._secrets:
            message = message.replace(secret, "[hidden]")
        return message[:300]


def _question(number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def _is_error(decoded: Any) -> bool:
    """Some RPCs put a JSON-RPC error into an answer with a status of 4xx."""
    return isinstance(decoded, dict) and isinstance(decoded.get("error"), dict)


def _revert_data(data: Any) -> bytes | None:
    """Where nodes put a revert's bytes: a hex string (geth, anvil) or nested (hardhat)."""
    if isinstance(data, dict):
        data = data.get("data", data.get("result"))
    if isinstance(data, str) and len(data) % 2 == 0 and len(data) < 10_000:
        found = _HEX.fullmatch(data.removeprefix("Reverted "))
        return bytes.fromhex(found.group()[2:]) if found else None
    return None


def _step(error: requests.RequestException) -> str:
    """What to do about it; empty where the ordinary step fits."""
    if isinstance(error, requests.exceptions.ProxyError):
        return "Check HTTP_PROXY and HTTPS_PROXY, or name the host in NO_PROXY"
    if isinstance(error, requests.exceptions.SSLError):
        return (
            "Check this machine's date, and that nobody between here and there opens TLS; never "
            "turn the check off"
        )
    if isinstance(error, TooLarge):
        return "Take another RPC in chain.rpc_url"
    if "name" in reason(error):
        return "Check the host in chain.rpc_url, and your DNS"
    return ""


def _secrets(url: str) -> list[str]:
    """What of an address may be a key: user, password, parts of the path, values of the query."""
    parts = urlsplit(url)
    texts = [parts.username, parts.password, parts.path, parts.query, *parts.path.split("/")]
    texts += [value for _, value in parse_qsl(parts.query)]
    both = {form for text in texts if text for form in (text, unquote(text))}
    return sorted((each for each in both if len(each) >= MIN_SECRET_CHARS), key=len, reverse=True)
