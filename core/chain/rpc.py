"""One JSON-RPC endpoint: every call has a deadline and a size limit, and fails in plain words.

Over web3's HTTP provider. Addresses on this machine bypass HTTP proxies. No retries here: whoever
calls knows whether a repetition is harmless.
"""

from __future__ import annotations

import ipaddress
import re
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as Urllib3Error
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from core.errors import ConfigError, TransientError

MAX_ANSWER_BYTES = 16 * 2**20
_HEX = re.compile(r"0x[0-9a-fA-F]*")


class RpcError(Exception):
    """The endpoint answered with a JSON-RPC error. data: bytes of a revert, or None."""

    def __init__(self, code: int, message: str, data: bytes | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class _Bounded(HTTPAdapter):
    """Reads a whole answer within the deadline and the size limit, however slowly it drips.

    (The timeout of `requests` alone is per packet.)
    """

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        timeout = kwargs.get("timeout") or args[1]
        deadline = time.monotonic() + float(timeout)
        response = super().send(request, *args, **{**kwargs, "stream": True})
        body = bytearray()
        try:
            # read1, not iter_content: that would wait for a whole chunk of a dripping answer.
            while part := response.raw.read1(65_536, decode_content=True):
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise requests.ConnectionError("the answer is larger than 16 MiB")
                if time.monotonic() > deadline:
                    raise requests.Timeout("the answer did not end in time")
        except Urllib3Error as error:
            response.close()
            raise requests.ConnectionError("the answer broke off") from error
        except BaseException:
            response.close()
            raise
        response._content = bytes(body)
        return response


class Rpc:
    """`call(method, *params)`. Safe to use from several threads."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"{_shown(url)} is not an RPC address",
                "it must start with http:// or https://",
                "Correct chain.rpc_url",
            )
        self.shown = _shown(url)
        self.is_local = _is_local(parts.hostname)
        session = requests.Session()
        session.trust_env = not self.is_local
        session.mount("http://", _Bounded())
        session.mount("https://", _Bounded())
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout_s},
            session=session,
            exception_retry_configuration=None,
        )
        self._session = session

    def close(self) -> None:
        self._session.close()

    def call(self, method: str, *params: Any) -> Any:
        """The result. TransientError when the endpoint cannot be reached or makes no sense,
        RpcError when it answers with an error."""
        try:
            answer: Any = self._provider.make_request(RPCEndpoint(method), list(params))
        except requests.Timeout as error:
            raise self._unreachable("it did not answer in time") from error
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "an error"
            raise self._unreachable(f"it answered with HTTP status {status}") from error
        except requests.RequestException as error:
            raise self._unreachable(_reason(error)) from error
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            raise self._unreachable("its answer is not JSON") from error
        if not isinstance(answer, dict):
            raise self._unreachable("its answer is not JSON-RPC")
        if answer.get("error") is not None:
            raise _as_rpc_error(answer["error"])
        if "result" not in answer:
            raise self._unreachable("its answer is not JSON-RPC")
        return answer["result"]

    def quantity(self, method: str, *params: Any) -> int:
        """A call whose result is a hex number."""
        value = self.call(method, *params)
        if not isinstance(value, str) or not _HEX.fullmatch(value) or len(value) > 66:
            raise self._unreachable(f"its answer to {method} is not a number")
        return int(value, 16)

    def data(self, method: str, *params: Any) -> bytes:
        """A call whose result is hex data."""
        value = self.call(method, *params)
        if not isinstance(value, str) or not _HEX.fullmatch(value) or len(value) % 2:
            raise self._unreachable(f"its answer to {method} is not hex data")
        return bytes.fromhex(value[2:])

    def _unreachable(self, why: str) -> TransientError:
        step = (
            "Check that the swarm's services run on this machine; the node keeps trying"
            if self.is_local
            else "Check the internet connection and chain.rpc_url; the node keeps trying"
        )
        return TransientError(f"The chain at {self.shown} cannot be reached", why, step)


def _as_rpc_error(error: Any) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(0, str(error)[:300], None)
    code = error.get("code")
    message = str(error.get("message", ""))[:300]
    return RpcError(code if isinstance(code, int) else 0, message, _revert_data(error.get("data")))


def _revert_data(data: Any) -> bytes | None:
    """Where nodes put a revert's bytes: a hex string (geth, anvil) or nested (hardhat)."""
    if isinstance(data, dict):
        data = data.get("data", data.get("result"))
    if isinstance(data, str) and len(data) % 2 == 0 and len(data) < 10_000:
        found = _HEX.fullmatch(data.removeprefix("Reverted "))
        return bytes.fromhex(found.group()[2:]) if found else None
    return None


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return "the HTTP proxy refused the connection"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be verified"
    if isinstance(error, requests.ConnectionError):
        return "the connection was refused or broken"
    return type(error).__name__


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(url: str) -> str:
    """Host and port only: paths and queries of RPC addresses hold API keys."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{parts.hostname or '?'}{port}"
