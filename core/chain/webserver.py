"""An HTTP/1.1 server for small requests from programs, on loopback and perhaps one more address.

Everything a client could use up is bounded: connections (in all, and for each address beyond
loopback), the size of a request, and the time it takes. Pages in a browser cannot use it: a foreign
Host, or any Origin, is refused. What the answers are is the subclass's business.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.addresses import LOOPBACK, is_loopback, listening

MAX_CONNECTIONS = 64
MAX_FROM_ONE_ADDRESS = 8
"""Loopback apart: there it is one person's machine."""
IDLE_TIMEOUT_S = 60.0
BODY_TIMEOUT_S = 10.0


class Handler(BaseHTTPRequestHandler):
    """`self.server.payload` is what the server was made with."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT_S
    server: Server
    server_version = "Waggle"
    sys_version = ""

    def is_meant(self) -> bool:
        """Not so when a browser's page reaches it by a name that was pointed here."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0].lower()
        return host in self.server.names and "Origin" not in self.headers

    def body(self, most: int) -> bytes | None:
        """None, and the connection ends after the answer, when it is larger than `most` bytes, of
        an unsaid size, or does not arrive in time."""
        try:
            left = int(self.headers.get("Content-Length", ""))
        except ValueError:
            left = -1
        if not 0 <= left <= most or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return None
        deadline = time.monotonic() + BODY_TIMEOUT_S
        parts: list[bytes] = []
        while left:
            self.connection.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                part = self.rfile.read1(left)
            except TimeoutError:
                part = b""
            if not part:
                self.close_connection = True
                return None
            parts.append(part)
            left -= len(part)
        self.connection.settimeout(self.timeout)
        return b"".join(parts)

    def reply(self, status: int, kind: str, body: bytes) -> None:
        """Head and body in one write: two cost a delayed acknowledgement (400 ms measured)."""
        head = [
            f"HTTP/1.1 {status} {self.responses[status][0]}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "X-Content-Type-Options: nosniff",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
        ]
        self.wfile.write("\r\n".join([*head, "\r\n"]).encode() + body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what is worth a line is told by who serves."""


class Server(ThreadingHTTPServer):
    """One listening socket and its connections, a thread each."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self, handler: type[Handler], host: str, port: int, names: frozenset[str], payload: Any
    ) -> None:
        self.names = names
        self.payload = payload
        self._open: dict[socket.socket, str] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        host = str(client_address[0])
        with self._lock:
            mine = Counter(self._open.values())[host]
            room = len(self._open) < MAX_CONNECTIONS
            room = room and (is_loopback(host) or mine < MAX_FROM_ONE_ADDRESS)
            if room:
                self._open[request] = host
        if room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)

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
    """Listens at `public` and on loopback. OSError when the port is taken.

    public: the address or name at which others reach it; loopback only, when it is that.
    """

    def __init__(
        self, handler: type[Handler], payload: Any, port: int, public: str, name: str
    ) -> None:
        names = frozenset({LOOPBACK, "localhost", public})
        self._servers: list[Server] = []
        try:
            for host in listening(public):
                self._servers.append(Server(handler, host, port, names, payload))
                port = self._servers[-1].server_address[1]
        except OSError:
            self._each(Server.server_close)
            raise
        self.port: int = port
        self._threads = [
            threading.Thread(target=each.serve_forever, args=(0.05,), name=name, daemon=True)
            for each in self._servers
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._each(Server.shutdown)
        self._each(Server.close_connections)
        self._each(Server.server_close)
        for thread in self._threads:
            thread.join(5.0)

    def _each(self, do: Callable[[Server], None]) -> None:
        for server in self._servers:
            do(server)
