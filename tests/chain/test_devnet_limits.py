"""Strangers have limits, this machine has none, and neither can stop the other."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from core.chain import devnet as server
from core.chain import webserver
from core.chain.devnet import Devnet
from core.chain.evm import Evm
from core.chain.limits import DAY_S, GIFTS_PER_ACCOUNT, GIFTS_PER_CALLER, Caller, Limits, TooMany
from core.chain.rpcbody import MAX_ANSWER_BYTES, answer
from core.chain.rpcmethods import RpcMethods
from core.chain.webserver import CONNECTIONS_PER_ADDRESS

PUBLIC = "127.0.0.2"
"""Whoever comes by this address of the machine counts as another machine."""
STRANGER = Caller("10.0.0.1", False)
OTHER = Caller("10.0.0.2", False)
LOOP = {"data": "0x5b600056"}


class Now:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def limits(now: Now) -> Limits:
    return Limits(10.0, now)


def calls(limits: Limits, caller: Caller) -> int:
    """How many are answered until one is refused; at most 1000."""
    for count in range(1000):
        try:
            with limits.call(caller):
                pass
        except TooMany:
            return count
    return 1000


def test_a_bucket_of_calls_for_each_address(limits: Limits, now: Now) -> None:
    assert 39 <= calls(limits, STRANGER) <= 40
    assert 39 <= calls(limits, OTHER) <= 40
    assert calls(limits, Caller("127.0.0.1", True)) == 1000
    now.s += 0.5
    assert calls(limits, STRANGER) in (4, 5)
    with pytest.raises(TooMany, match="10 a second") as caught, limits.call(STRANGER):
        pass
    assert 0 < caught.value.retry_after_s <= 0.2
    assert calls(Limits(0.0), STRANGER) == 1000


def test_what_takes_long_costs_more(limits: Limits) -> None:
    with limits.call(STRANGER):
        ends = time.thread_time() + 0.3
        while time.thread_time() < ends:
            pass
    # 0.3 s at a quarter of a processor is 1.2 s' worth of calls.
    assert 26 <= calls(limits, STRANGER) <= 28


def test_transactions_have_a_smaller_bucket_that_gas_empties(limits: Limits, now: Now) -> None:
    for _ in range(24):
        limits.transaction(STRANGER, 21_000)
    with pytest.raises(TooMany, match="24 a minute"):
        limits.transaction(STRANGER, 21_000)
    limits.transaction(OTHER, 9_000_000)  # as thirty
    with pytest.raises(TooMany):
        limits.transaction(OTHER, 21_000)
    now.s += 60 * 8 / 24
    limits.transaction(OTHER, 21_000)
    limits.transaction(Caller("127.0.0.1", True), 30_000_000)


def test_the_faucet_gives_so_often_a_day(limits: Limits, now: Now) -> None:
    def gift(caller: Caller, account: bytes) -> None:
        with limits.gift(caller, account) as gave:
            gave()

    for number in range(GIFTS_PER_CALLER):
        gift(STRANGER, bytes([number]))
    with pytest.raises(TooMany, match="20 times a day to one address"):
        gift(STRANGER, b"new")
    for _ in range(GIFTS_PER_ACCOUNT):
        gift(OTHER, b"same")
    with pytest.raises(TooMany, match="3 times a day to one account") as caught:
        gift(OTHER, b"same")
    assert caught.value.retry_after_s == pytest.approx(DAY_S)
    with limits.gift(OTHER, b"rich"):
        pass  # it had enough: that is no gift
    now.s += DAY_S
    gift(OTHER, b"same")
    gift(STRANGER, b"new")


def test_it_remembers_only_so_many_addresses(limits: Limits) -> None:
    for number in range(5000):
        caller = Caller(str(number), False)
        with limits.call(caller), limits.gift(caller, number.to_bytes(20, "big")):
            pass
    assert len(limits._callers) == len(limits._gifts) == 4096


# --- over HTTP ----------------------------------------------------------------------------------


@pytest.fixture
def opened(evm: Evm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Devnet]:
    """A devnet for others too, who may ask five times a second."""
    monkeypatch.setattr(server, "REFUSAL_S", 0.0)
    devnet = Devnet(RpcMethods(evm, limits=Limits(5.0)), public=PUBLIC)
    devnet.start()
    yield devnet
    devnet.close()


def post(devnet: Devnet, host: str, body: Any, source: str = "") -> tuple[int, Any, Any]:
    """(status, JSON, headers)."""
    origin = (source, 0) if source else None
    connection = http.client.HTTPConnection(host, devnet.port, timeout=20, source_address=origin)
    try:
        connection.request("POST", "/", json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers
    finally:
        connection.close()


def request(method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}


HEIGHT = request("eth_blockNumber")


def test_too_many_calls_are_429_for_others_only(opened: Devnet) -> None:
    status, told, _ = post(opened, PUBLIC, [HEIGHT] * 30, "127.0.0.7")
    assert status == 200
    codes = [each["error"]["code"] for each in told if "error" in each]
    assert set(codes) == {-32005}
    assert 5 <= len(codes) <= 12
    status, told, headers = post(opened, PUBLIC, HEIGHT, "127.0.0.7")
    assert (status, told["error"]["code"]) == (429, -32005)
    assert "5 a second are answered; try again in" in told["error"]["message"]
    assert int(headers["Retry-After"]) >= 1
    assert post(opened, PUBLIC, [HEIGHT] * 3, "127.0.0.7")[0] == 429
    assert post(opened, PUBLIC, HEIGHT, "127.0.0.8")[0] == 200
    assert post(opened, "127.0.0.1", [HEIGHT] * 100)[0] == 200


def test_a_strangers_endless_call_ends_and_holds_up_nobody(
    opened: Devnet, evm: Evm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.chain.rpcmethods.OTHERS_CALL_S", 0.4)
    asked = request("eth_call", LOOP, "latest")
    told: list[Any] = []

    def stranger(address: str) -> None:
        told.append(post(opened, PUBLIC, asked, address))

    threads = [threading.Thread(target=stranger, args=(f"127.0.0.{n}",)) for n in (11, 12)]
    for each in threads:
        each.start()
    waits = []
    while any(each.is_alive() for each in threads):
        began = time.monotonic()
        assert post(opened, "127.0.0.1", HEIGHT)[0] == 200
        assert evm.fund(len(waits).to_bytes(20, "big")) is not None
        waits.append(time.monotonic() - began)
    assert max(waits) < 1.0
    assert [each[1]["error"]["message"] for each in told] == ["execution aborted (timeout)"] * 2


def test_connections_of_one_address_leave_room_for_the_next(opened: Devnet) -> None:
    def connect(source: str) -> socket.socket:
        return socket.create_connection((PUBLIC, opened.port), 10, (source, 0))

    held = [connect("127.0.0.21") for _ in range(CONNECTIONS_PER_ADDRESS)]
    with connect("127.0.0.21") as one_more:
        assert b" 503 " in one_more.recv(1024)
    assert post(opened, PUBLIC, HEIGHT, "127.0.0.22")[0] == 200
    for each in held:
        each.close()


def test_half_a_request_is_not_waited_for(opened: Devnet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webserver, "REQUEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr(webserver, "IDLE_TIMEOUT_S", 0.6)
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    for sent in (b"", b"POST / HT", head, head + b"{"):
        with socket.create_connection(("127.0.0.1", opened.port), 10) as slow:
            began = time.monotonic()
            slow.sendall(sent)
            dripping = threading.Event()
            feeder = threading.Thread(target=drip, args=(slow, dripping))
            if sent:
                feeder.start()
            assert slow.recv(1024) == b""
            assert time.monotonic() - began < 2.0
            dripping.set()
            if sent:
                feeder.join()


def drip(connection: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        try:
            connection.sendall(b" ")
        except OSError:
            return


def test_a_batch_cannot_ask_for_an_endless_answer(evm: Evm) -> None:
    # Returns 2 MiB of zeros: as hex, 4 MiB each.
    large = request("eth_call", {"data": "0x62200000" + "6000f3"}, "latest")
    told = json.loads(answer(RpcMethods(evm), json.dumps([large] * 8).encode()).body)
    codes = [each.get("error", {}).get("code") for each in told]
    assert codes.count(None) >= MAX_ANSWER_BYTES // 2**22
    assert codes[-1] == -32003
