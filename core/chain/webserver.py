"""An HTTP/1.1 server for programs, on loopback and, where a person opened it, on one more address.

Everything a client could use up is bounded: connections, for this machine and for all others apart
and for each other address; the size of a request, the time to send one and to take the answer.
Pages in a browser cannot use it: a foreign Host or any Origin is refused. What is answered to what
is the handler's business: devnet.py, login_server.py.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.addresses import EVERY, LOOPBACK, is_loopback, listening
from core.chain.limits import Caller

LOCAL_CONNECTIONS = 640
"""For this machine, where a swarm of hundreds may be tried. A node keeps three and uses them now
and then: when there is no room, the one that has been idle longest makes some."""
MAX_CONNECTIONS = 128
"""For all others together."""
CONNECTIONS_PER_ADDRESS = 16
IDLE_TIMEOUT_S = 120.0
REQUEST_TIMEOUT_S = 20.0
"""To send a whole request once it has begun, and again to take the answer."""
_CROWDED = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: 21\r\n\r\ntoo many connections\n"
)


class _Timed(io.RawIOBase):
    """What a socket sends, until a deadline: however slowly it drips."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not end in time")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class Handler(BaseHTTPRequestHandler):
    """`self.server.payload` is what the server was made with."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._timed = _Timed(self.connection)
        self.rfile = self._buffered = io.BufferedReader(self._timed)

    def handle_one_request(self) -> None:
        self._timed.deadline = time.monotonic() + IDLE_TIMEOUT_S
        self.server.rests(self.connection, True)
        try:
            self._buffered.peek(1)
        except TimeoutError:
            self.close_connection = True
            return
        finally:
            self.server.rests(self.connection, False)
        self._timed.deadline = time.monotonic() + REQUEST_TIMEOUT_S
        super().handle_one_request()

    @property
    def caller(self) -> Caller:
        return self.server.caller(self.client_address[0])

    def is_meant(self) -> bool:
        """Not so when a browser's page reaches it by a name that was pointed here."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0].lower()
        return host in self.server.names and "Origin" not in self.headers

    def body(self, most: int) -> bytes | None:
        """None, and the connection ends after the answer, when it is larger than `most` bytes or
        of an unsaid size. TimeoutError, which ends the connection, when it does not arrive."""
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            size = -1
        if 0 <= size <= most:
            return self.rfile.read(size)
        self.close_connection = True
        return None

    def reply(self, status: int, kind: str, body: bytes, *more: str) -> None:
        """Head and body in one write: two cost a delayed acknowledgement (400 ms measured).

        more: further lines of the head.
        """
        head = [
            f"HTTP/1.1 {status} {self.responses[status][0]}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
            *more,
        ]
        self.connection.settimeout(REQUEST_TIMEOUT_S)
        self.wfile.write("\r\n".join([*head, "\r\n"]).encode() + body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line per call would fill the log."""


class _Server(ThreadingHTTPServer):
    """One listening socket and its connections, a thread each."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = LOCAL_CONNECTIONS

    def __init__(
        self, handler: type[Handler], host: str, port: int, names: frozenset[str], payload: Any
    ) -> None:
        self.names = names
        self.payload = payload
        self._host = host
        self._open: dict[socket.socket, Caller] = {}
        self._resting: dict[socket.socket, None] = {}
        """Open connections between two requests, the longest idle first."""
        self._lock = threading.Lock()
        super().__init__((host, port), handler)

    def caller(self, address: str) -> Caller:
        """Who asks. Nobody but this machine can reach its loopback address."""
        local = self._host == LOOPBACK or (self._host == EVERY and is_loopback(address))
        return Caller(address, local)

    def process_request(self, request: Any, client_address: Any) -> None:
        caller = self.caller(client_address[0])
        with self._lock:
            of_kind = Counter(
                each for each in self._open.values() if each.is_local == caller.is_local
            )
            if caller.is_local:
                fits = of_kind.total() < LOCAL_CONNECTIONS or self._make_room()
            else:
                fits = of_kind.total() < MAX_CONNECTIONS
                fits = fits and of_kind[caller] < CONNECTIONS_PER_ADDRESS
            if fits:
                self._open[request] = caller
        if fits:
            super().process_request(request, client_address)
            return
        try:
            request.setblocking(False)
            request.send(_CROWDED)
        except OSError:
            pass  # it is sent away in any case
        self.shutdown_request(request)

    def rests(self, connection: socket.socket, now: bool) -> None:
        """A connection waits for its next request, or has one."""
        with self._lock:
            self._resting.pop(connection, None)
            if now and connection in self._open:
                self._resting[connection] = None

    def _make_room(self) -> bool:
        """End the local connection that has been idle longest; whether there was one."""
        for each in self._resting:
            if self._open[each].is_local:
                break
        else:
            return False
        del self._resting[each], self._open[each]
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has gone by itself
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)
                self._resting.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away mid-answer is its own business."""

    def close_connections(self) -> None:
        with self._lock:
            for each in self._open:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # already gone


class WebServer:
    """Listens at `public` and on loopback, each in a thread of this name. OSError, whose filename
    is the address, when the port is taken.

    public: the address or name at which others reach it; this machine uses `url` in any case.
    """

    def __init__(
        self, name: str, handler: type[Handler], payload: Any, port: int, public: str
    ) -> None:
        names = frozenset({LOOPBACK, "localhost", public})
        self._servers: list[_Server] = []
        for host in listening(public):
            try:
                server = _Server(handler, host, port, names, payload)
            except OSError as error:
                self._each(_Server.server_close)
                why = error.strerror or str(error)
                raise OSError(error.errno, why, f"{host}:{port}") from error
            self._servers.append(server)
            port = server.server_address[1]
        self.port: int = port
        self.url = f"http://{LOOPBACK}:{port}"
        self.public_url = f"http://{public}:{port}"
        self._threads = [
            threading.Thread(target=each.serve_forever, args=(0.05,), name=name, daemon=True)
            for each in self._servers
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            if thread.ident is not None:  # else nothing serves, and `shutdown` would wait for ever
                server.shutdown()
                server.close_connections()
        self._each(_Server.server_close)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(5.0)

    def _each(self, do: Callable[[_Server], None]) -> None:
        for server in self._servers:
            do(server)
