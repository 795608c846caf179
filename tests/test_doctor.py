from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import config, doctor
from core.errors import ConfigError
from core.home import Home


def checks(home: Home, *sets: str, profile: str = "solo") -> dict[str, doctor.Check]:
    effective = config.load(profile, home, env={}, sets=sets)
    return {check.name: check for check in doctor.doctor(home, effective)}


@pytest.fixture
def rpc() -> Iterator[str]:
    """A chain that knows its id, and says so wherever but at /broken."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert asked["method"] == "eth_chainId"
            body = b"<html>" if self.path == "/broken" else b'{"id":1,"result":"0x539"}'
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_fresh_home_has_every_check_and_a_reason(home: Home) -> None:
    told = checks(home)
    assert list(told) == list(doctor._CHECKS)
    for check in told.values():
        assert check.detail
        assert check.ok or check.next_step
    expected = ("python", "memory", "home", "identity", "account", "model", "profile", "chain")
    assert all(told[name].ok for name in expected), told


def test_the_packages_are_compared_with_the_lock() -> None:
    pins = doctor.pinned(
        "# head\na==1.0\nb==2.0 ; python_version < '3'\nb==3.0 ; python_version >= '3'\n"
    )
    assert pins == {"a": {"1.0"}, "b": {"3.0"}}


def test_a_damaged_identity_is_one_failed_check(home: Home) -> None:
    home.identity.write_bytes(b"nonsense")
    told = checks(home)
    assert not told["identity"].ok
    assert "swarm.pem" in told["identity"].detail
    assert told["account"].ok


def test_a_home_that_cannot_be_made_is_one_failed_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = checks(Home(tmp_path / "file" / "home"))
    assert not told["home"].ok
    assert told["chain"].ok


def test_a_taken_port_is_told(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = checks(home, f"chain.devnet_port={port}")
        assert not told["ports"].ok
        assert f"port {port}" in told["ports"].detail
        assert "chain.devnet_port" in told["ports"].next_step
    assert checks(home, f"chain.devnet_port={port}")["ports"].ok
    assert not checks(home, "net.listen=127.0.0.1:80")["ports"].ok


def test_the_chain_is_asked(home: Home, rpc: str) -> None:
    assert checks(home, f"chain.rpc_url={rpc}")["chain"].detail == "chain id 1337 answers"
    assert not checks(home, f"chain.rpc_url={rpc}", "chain.chain_id=1")["chain"].ok
    for url in (f"{rpc}/broken", "http://127.0.0.1:1", "file:///etc/passwd"):
        assert not checks(home, f"chain.rpc_url={url}")["chain"].ok


def test_models(home: Home, tmp_path: Path) -> None:
    assert not checks(home, f"model.id={tmp_path}/none")["model"].ok
    assert "config.json" in checks(home, f"model.id={tmp_path}")["model"].detail
    assert not checks(home, "model.id=a b c")["model"].ok
    assert "downloaded" in checks(home, "model.id=nobody/nothing-here")["model"].detail


def test_joining_nothing_is_told(home: Home) -> None:
    assert not checks(home, profile="join")["profile"].ok


def test_the_report_has_a_code(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    def load() -> config.Effective:
        return config.load("join", home, env={})

    assert doctor.report(load, home, as_json=True) == 1
    assert len(json.loads(capsys.readouterr().out)["checks"]) >= len(doctor._CHECKS)
    assert doctor.report(load, home, as_json=False) == 1
    assert "FAIL  profile" in capsys.readouterr().out

    def refuse() -> config.Effective:
        raise ConfigError("config.yaml, line 1: no")

    with pytest.raises(ConfigError):
        doctor.report(refuse, home, as_json=False)
