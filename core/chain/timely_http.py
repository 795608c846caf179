"""HTTP to a server that may be slow, huge or hostile: every answer ends in time and in size.

A session of `requests` whose sockets know a deadline for the whole answer, head included (the
timeout of `requests` alone is for each packet, so a server that drips a byte a second holds its
client for ever). Addresses on this machine bypass HTTP proxies; redirects are never followed.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import time
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError as Urllib3Error

PART_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    location: str = ""
    """Where a redirect points."""


class TooLarge(requests.ConnectionError):
    """The answer was longer than allowed."""


def session(local: bool) -> requests.Session:
    """A session for one server. local: it is on this machine, so no proxy knows it."""
    made = requests.Session()
    made.trust_env = not local
    adapter = _Timely()
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


def ask(
    through: requests.Session,
    method: str,
    url: str,
    timeout_s: float,
    max_bytes: int,
    **content: Any,
) -> Answer:
    """One request. timeout_s: for connecting, and again for the whole answer. content: what
    `requests` calls params, data, json, headers.

    Raises what `requests` raises; `requests.Timeout` when the deadline passes.
    """
    try:
        response = through.request(
            method, url, timeout=timeout_s, stream=True, allow_redirects=False, **content
        )
    except requests.RequestException:
        raise
    except (ValueError, http.client.HTTPException, Urllib3Error) as error:
        raise requests.ConnectionError("the answer is no HTTP") from error
    try:
        read = bytearray()
        # read1, not iter_content: that would wait for a whole chunk of a dripping answer.
        while part := response.raw.read1(PART_BYTES, decode_content=True):
            read += part
            if len(read) > max_bytes:
                raise TooLarge(f"the answer is larger than {max_bytes >> 20} MiB")
    except TimeoutError as error:
        response.close()
        raise requests.Timeout("the answer did not end in time") from error
    except (Urllib3Error, OSError, http.client.HTTPException) as error:
        response.close()
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise requests.Timeout("the answer did not end in time") from error
        if isinstance(error, requests.RequestException):
            raise
        raise requests.ConnectionError("the answer broke off") from error
    return Answer(response.status_code, bytes(read), response.headers.get("Location", ""))


def reason(error: requests.RequestException) -> str:
    """Why a request failed, in a few words that hold nothing of its address."""
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the HTTP proxy refused the connection"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be verified"
    if isinstance(error, TooLarge):
        return str(error)
    told = str(error)
    if "NameResolution" in told or "getaddrinfo" in told:
        return "its name cannot be resolved"
    if "Connection refused" in told:
        return "nothing listens there: the connection was refused"
    if isinstance(error, requests.ConnectionError):
        return "the connection broke off"
    return type(error).__name__


def is_local(host: str) -> bool:
    """Whether a host name means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Until(io.RawIOBase):
    """The bytes of a socket until a deadline. TimeoutError after it."""

    def __init__(self, sock: Any, raw: Any) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = time.monotonic() + (sock.gettimeout() or 3600.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        plain, self.fp = self.fp, io.BufferedReader(_Until(sock, sock.makefile("rb", buffering=0)))
        plain.close()


class _Http(HTTPConnection):
    response_class = _Response


class _Https(HTTPSConnection):
    response_class = _Response


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Timely(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if isinstance(manager, urllib3.ProxyManager) and proxy.lower().startswith("http"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
