"""JSON-RPC over HTTP, on loopback and, where a person has opened it, on one more address.

Answers GET with one line, POST with JSON-RPC 2.0. What a client may use up of the server is bounded
in webserver.py, what a call may use up of the chain in limits.py.
"""

from __future__ import annotations

import time

from core.addresses import LOOPBACK
from core.chain.rpcbody import MAX_BODY_BYTES, answer
from core.chain.rpcmethods import RpcMethods
from core.chain.webserver import Handler, WebServer
from core.errors import WaggleError

REFUSAL_S = 0.25
"""A caller who asks too often is told so slowly: refusing costs time as well."""


class _Handler(Handler):
    def do_POST(self) -> None:
        if not self.is_meant():
            self.close_connection = True
            self._say(403, b"this address is not for you: it is asked for by another name\n")
            return
        body = self.body(MAX_BODY_BYTES)
        if body is None:
            self._say(413, b"Content-Length missing or too large\n")
            return
        methods: RpcMethods = self.server.payload
        told = answer(methods, body, self.caller)
        if told.retry_after_s is None:
            self._say(200, told.body)
        else:
            time.sleep(REFUSAL_S)
            self._say(429, told.body, f"Retry-After: {told.retry_after_s:.0f}")

    def do_GET(self) -> None:
        self._say(200, b"Waggle devnet: Ethereum JSON-RPC by POST\n")

    def _say(self, status: int, body: bytes, *more: str) -> None:
        kind = "application/json" if body[:1] in b"{[" else "text/plain"
        self.reply(status, kind, body, *more)


class Devnet(WebServer):
    """The HTTP servers, each in a thread `devnet`. WaggleError when the port is taken.

    public: the address or name at which others reach it; this machine uses `url` in any case.
    """

    def __init__(self, methods: RpcMethods, port: int = 0, public: str = LOOPBACK) -> None:
        try:
            super().__init__("devnet", _Handler, methods, port, public)
        except OSError as error:
            raise WaggleError(
                f"The devnet cannot listen on {error.filename}",
                error.strerror or str(error),
                "End the program that uses the port, or set chain.devnet_port to another "
                "(0 chooses a free one)",
            ) from error
