"""JSON-RPC over HTTP, on loopback and, where a person has opened it, on one more address.

Answers GET with one line, POST with JSON-RPC 2.0, single or batch. Bodies, batches and
connections are bounded, for each address on its own: strangers cannot use up the connections of
this machine's node. Pages in a browser cannot use it: a foreign Host or any Origin is refused.
"""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.addresses import LOOPBACK, listening
from core.chain.rpcmethods import RpcFault, RpcMethods
from core.errors import StorageError, WaggleError

MAX_BODY_BYTES = 2**20
MAX_BATCH = 100
MAX_BRACKETS = 4000
"""Ten times what a full batch needs. py-evm raises Python's recursion limit to 10,000, at which
`json` overflows the stack of a thread, and the process dies, on a body of `[[[[...`."""
MAX_CONNECTIONS = 128
IDLE_TIMEOUT_S = 120.0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT_S
    server: _Server

    def do_POST(self) -> None:
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            size = -1
        if not self._is_meant():
            self._reply(403, b"this address is not for you: it is asked for by another name\n")
        elif not 0 <= size <= MAX_BODY_BYTES:
            self.close_connection = True
            self._reply(413, b"Content-Length missing or too large\n")
        else:
            self._reply(200, answer(self.server.methods, self.rfile.read(size)))

    def do_GET(self) -> None:
        self._reply(200, b"Waggle devnet: Ethereum JSON-RPC by POST\n")

    def _is_meant(self) -> bool:
        """Not so when a browser's page reaches it by a name that was pointed here."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0].lower()
        return host in self.server.names and "Origin" not in self.headers

    def _reply(self, status: int, body: bytes) -> None:
        """Head and body in one write: two cost a delayed acknowledgement (400 ms measured)."""
        kind = "application/json" if status == 200 and body[:1] in b"{[" else "text/plain"
        head = [
            f"HTTP/1.1 {status} {self.responses[status][0]}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
        ]
        self.wfile.write("\r\n".join([*head, "\r\n"]).encode() + body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line per call would fill the log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, methods: RpcMethods, names: frozenset[str]) -> None:
        self.methods = methods
        self.names = names
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away mid-answer is its own business."""

    def close_connections(self) -> None:
        with self._open_lock:
            for each in self._open:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # already gone


def answer(methods: RpcMethods, body: bytes) -> bytes:
    """The JSON of one request or a batch of them."""
    try:
        if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
            raise ValueError("nested too deeply")
        request = json.loads(body)
    except ValueError:
        return _encoded(_fault(None, RpcFault(-32700, "the body is not JSON")))
    if not isinstance(request, list):
        return _encoded(_one(methods, request))
    if not 0 < len(request) <= MAX_BATCH:
        return _encoded(_fault(None, RpcFault(-32600, f"a batch has 1 to {MAX_BATCH} requests")))
    return _encoded([_one(methods, each) for each in request])


def _one(methods: RpcMethods, request: Any) -> dict[str, Any]:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return _fault(None, RpcFault(-32600, "not a JSON-RPC request"))
    number, params = request.get("id"), request.get("params", [])
    if not isinstance(params, list):
        return _fault(number, RpcFault(-32602, "params must be a list"))
    try:
        result = methods.answer(request["method"], params)
    except RpcFault as fault:
        return _fault(number, fault)
    except StorageError as error:
        return _fault(number, RpcFault(-32603, str(error)))
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _fault(number: Any, fault: RpcFault) -> dict[str, Any]:
    error: dict[str, Any] = {"code": fault.code, "message": str(fault)}
    if fault.data is not None:
        error["data"] = fault.data
    return {"jsonrpc": "2.0", "id": number, "error": error}


def _encoded(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


class Devnet:
    """The HTTP servers, each in a thread `devnet`. WaggleError when the port is taken.

    public: the address or name at which others reach it; this machine uses `url` in any case.
    """

    def __init__(self, methods: RpcMethods, port: int = 0, public: str = LOOPBACK) -> None:
        names = frozenset({LOOPBACK, "localhost", public})
        self._servers: list[_Server] = []
        for host in listening(public):
            try:
                server = _Server(host, port, methods, names)
            except OSError as error:
                self._end_servers()
                raise WaggleError(
                    f"The devnet cannot listen on {host}:{port}",
                    error.strerror or str(error),
                    "End the program that uses the port, or set chain.devnet_port to another "
                    "(0 chooses a free one)",
                ) from error
            self._servers.append(server)
            port = server.server_address[1]
        self.port: int = port
        self.url = f"http://{LOOPBACK}:{port}"
        self.public_url = f"http://{public}:{port}"
        self._threads = [
            threading.Thread(target=each.serve_forever, args=(0.05,), name="devnet", daemon=True)
            for each in self._servers
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.close_connections()
        self._end_servers()
        for thread in self._threads:
            thread.join(5.0)

    def _end_servers(self) -> None:
        for server in self._servers:
            server.server_close()
