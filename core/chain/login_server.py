"""The login proxy: the REST of RL-Swarm's modal-login over HTTP, so that its nodes need no browser.

On loopback, like the original's; beyond it only where a person has opened it. The only password is
the ORG_ID in each request, and it travels in clear text.
"""

from __future__ import annotations

import json

from core.addresses import LOOPBACK
from core.chain.login_routes import Answer, Routes
from core.chain.ratelimit import RateLimit
from core.chain.webserver import Handler, WebServer
from core.errors import WaggleError

MAX_BODY_BYTES = 64 * 1024
REQUESTS_PER_S = 10.0
BURST = 60
"""Of one address beyond loopback: a machine of a dozen nodes at the end of a round."""
HELLO = (
    "This is a Waggle login proxy: it signs for RL-Swarm nodes that know an ORG_ID.\n"
    "There is nothing to sign in to, and you can close this page.\n"
)


class _Handler(Handler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if not self._may():
            return
        if path == "/":
            self._answer(Answer(200, HELLO))
        else:
            self._answer(self._routes.get(path, query))

    def do_POST(self) -> None:
        if not self._may():
            return
        body = self.body(MAX_BODY_BYTES)
        if body is None:
            self._answer(Answer(413, {"error": f"a body has at most {MAX_BODY_BYTES} bytes"}))
        else:
            self._answer(self._routes.post(self.path.partition("?")[0], body))

    @property
    def _routes(self) -> Routes:
        routes: Routes = self.server.payload[0]
        return routes

    def _may(self) -> bool:
        """Whether to go on; else it is answered, and the connection ends: there may be a body."""
        limit: RateLimit = self.server.payload[1]
        if not self.is_meant():
            refusal = Answer(403, {"error": "this address is asked for by another name"})
        elif not self.caller.is_local and not limit.allows(self.caller.address):
            refusal = Answer(429, {"error": "too many requests"})
        else:
            return True
        self.close_connection = True
        self._answer(refusal)
        return False

    def _answer(self, answer: Answer) -> None:
        if isinstance(answer.body, str):
            self.reply(answer.status, "text/plain; charset=utf-8", answer.body.encode())
        else:
            self.reply(answer.status, "application/json", json.dumps(answer.body).encode())


class LoginServer(WebServer):
    """Threads `login`. WaggleError when the port is taken.

    public: the address at which others reach it; 127.0.0.1 is this machine only.
    """

    def __init__(self, routes: Routes, port: int, public: str = LOOPBACK) -> None:
        try:
            limit = RateLimit(REQUESTS_PER_S, BURST)
            super().__init__("login", _Handler, (routes, limit), port, public)
        except OSError as error:
            raise WaggleError(
                f"The login proxy cannot listen on {error.filename}",
                error.strerror or str(error),
                "End what uses the port (perhaps RL-Swarm's own modal-login), or choose another "
                "with --port",
            ) from error
