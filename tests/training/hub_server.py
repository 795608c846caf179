"""A Hugging Face Hub on 127.0.0.1 that has a few repositories, with the Hub's own error codes."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

SHA = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(repositories: dict[str, Path]) -> Iterator[str]:
    """Serve folders by repository name; the address.

    A name that ends in `-gated` answers as a gated one, `-private` as a missing one, `-busy` with
    503, `-token` as if the access token were wrong, and `-cut` hangs up in the middle of a file.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            path = unquote(urlsplit(self.path).path).removeprefix("/api/models").strip("/")
            owner, name, kind, *rest = [*path.split("/"), "revision"]
            repository = f"{owner}/{name}"
            if name.endswith("-gated"):
                return self._send(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
            if name.endswith("-busy"):
                return self._send(503, {"error": "busy"})
            if name.endswith("-token"):
                return self._send(
                    401,
                    {"error": "Invalid credentials in Authorization header"},
                    {"X-Error-Message": "Invalid credentials in Authorization header"},
                )
            if repository not in repositories:
                return self._send(404, {"error": "missing"}, {"X-Error-Code": "RepoNotFound"})
            folder = repositories[repository]
            if kind == "revision":
                return self._send(200, {"id": repository, "sha": SHA, "siblings": []})
            if kind == "tree":
                files = [p for p in folder.rglob("*") if p.is_file()]
                return self._send(
                    200,
                    [
                        {
                            "type": "file",
                            "path": str(p.relative_to(folder)),
                            "size": p.stat().st_size,
                            "oid": digest(p),
                        }
                        for p in files
                    ],
                )
            file = folder / "/".join(rest[1:-1])
            data = file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", f'"{digest(file)}"')
            self.send_header("X-Repo-Commit", SHA)
            self.end_headers()
            if body and name.endswith("-cut"):
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
            elif body:
                self.wfile.write(data)
            return None

        def _send(self, status: int, data: object, headers: dict[str, str] | None = None) -> None:
            text = json.dumps(data).encode()
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
