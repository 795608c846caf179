"""The login proxy against a real chain: what RL-Swarm's own login answers, byte for byte in shape,
and what clients that mean no good can do to it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chain import webserver
from core.chain.account import address_of
from core.chain.login_routes import Answer, Routes, Served
from core.chain.login_server import MAX_BODY_BYTES, LoginServer
from core.chain.members import HOME, Members
from core.chain.ratelimit import RateLimit
from core.chain.services import SwarmServices
from core.errors import ConfigError, StorageError, WaggleError
from tests.conftest import wait_until

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
OTHER = "QmOther"


@pytest.fixture
def post(proxy: LoginServer) -> Callable[..., tuple[int, Any]]:
    session = requests.Session()
    session.trust_env = False

    def send(route: str, **fields: Any) -> tuple[int, Any]:
        answer = session.post(f"{proxy.url}/api/{route}", json=fields, timeout=60)
        return answer.status_code, answer.json()

    return send


def status(proxy: LoginServer, query: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    connection.request("GET", f"/api/get-api-key-status{query}")
    response = connection.getresponse()
    try:
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_rest_of_the_original(
    proxy: LoginServer,
    post: Callable[..., tuple[int, Any]],
    members: Members,
    swarm: SwarmServices,
    served: list[Served],
) -> None:
    member = members.add("alice")
    org = member.org_id
    assert status(proxy, f"?orgId={org}") == (200, "activated")
    assert status(proxy, "?orgId=another") == (200, "pending")
    assert status(proxy, "") == (400, '{"json": {"error": "bad request"}}')
    code, body = post("register-peer", orgId=org, peerId=PEER)
    assert code == 200
    assert set(body) == {"hash"}
    assert swarm.client.read("getEoa", [PEER])[0][0] == str(address_of(member.account)).lower()
    code, body = post("register-peer", orgId=org, peerId=PEER)
    assert (code, body["error"]) == (400, "PeerIdAlreadyRegistered")
    assert all(isinstance(each, str) for each in body["metaMessages"])
    reward = {"orgId": org, "roundNumber": 0, "stageNumber": 0, "peerId": PEER}
    assert post("submit-reward", **reward, reward=-3)[0] == 200
    assert post("submit-reward", **reward, reward=4)[1]["error"] == "RewardAlreadySubmitted"
    vote = {"orgId": org, "roundNumber": 0, "peerId": PEER}
    assert post("submit-winner", **vote, winners=[OTHER, OTHER])[1]["error"] == "InvalidVote"
    assert post("submit-winner", **vote, winners=[OTHER])[0] == 200
    assert post("submit-winner", **vote, winners=[PEER])[1]["error"] == "WinnerAlreadyVoted"
    late = {**reward, "roundNumber": 99, "reward": 1}
    assert post("submit-reward", **late)[1]["error"] == "InvalidRoundNumber"
    assert swarm.client.read("getTotalRewards", [PEER])[0] == (-3,)
    assert swarm.client.read("getTotalWins", OTHER)[0] == 1
    assert [each.status for each in served] == [200, 400, 200, 400, 400, 200, 400, 400]
    assert {each.member for each in served} == {"alice"}
    assert org not in repr(served)


def test_what_is_not_a_submission_is_answered_as_the_original_does(
    post: Callable[..., tuple[int, Any]], members: Members, served: list[Served]
) -> None:
    org = members.add("alice").org_id
    assert post("register-peer", peerId=PEER) == (400, {"error": "bad request"})
    assert post("submit-reward", orgId="") == (400, {"error": "bad request orgID"})
    assert post("submit-winner", orgId=[org]) == (400, {"error": "bad request orgID"})
    assert post("submit-reward", orgId="nobody", reward=1) == (404, {"error": "user not found"})
    good = {"orgId": org, "roundNumber": 0, "stageNumber": 0, "reward": 1, "peerId": PEER}
    for field, value in [
        ("peerId", 5),
        ("peerId", "\ud800"),
        ("peerId", "x" * 2000),
        ("roundNumber", -1),
        ("roundNumber", "0"),
        ("stageNumber", 1.5),
        ("stageNumber", True),
        ("reward", 2**255),
        ("reward", None),
    ]:
        code, body = post("submit-reward", **{**good, field: value})
        assert (code, body["error"]) == (500, "An unexpected error occurred")
        assert field in body["original"]
    assert post("submit-winner", **good, winners="QmOne")[0] == 500
    assert post("bet-token-balance", **good)[0] == 404
    assert served == []


def test_members_do_not_share_an_account(
    post: Callable[..., tuple[int, Any]], members: Members
) -> None:
    alice, bob = members.add("alice"), members.add("bob")
    assert post("register-peer", orgId=alice.org_id, peerId=PEER)[0] == 200
    stolen = {"roundNumber": 0, "stageNumber": 0, "reward": 9, "peerId": PEER}
    code, body = post("submit-reward", orgId=bob.org_id, **stolen)
    assert (code, body["error"]) == (400, "InvalidVoterPeerId")
    members.remove("alice")
    assert post("submit-reward", orgId=alice.org_id, **stolen)[0] == 404


def test_many_peers_of_one_member_submit_at_once(
    post: Callable[..., tuple[int, Any]], members: Members, swarm: SwarmServices
) -> None:
    org = members.add("alice").org_id
    codes: list[int] = []
    threads = [
        threading.Thread(
            target=lambda n=n: codes.append(post("register-peer", orgId=org, peerId=f"Qm{n}")[0])
        )
        for n in range(6)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert codes == [200] * 6
    owners = swarm.client.read("getEoa", [f"Qm{n}" for n in range(6)])[0]
    assert len(set(owners)) == 1


def test_a_chain_that_is_gone_is_an_unexpected_error(
    post: Callable[..., tuple[int, Any]], members: Members, swarm: SwarmServices
) -> None:
    org = members.add("alice").org_id
    assert post("register-peer", orgId=org, peerId=PEER)[0] == 200
    swarm.devnet.close()
    code, body = post("register-peer", orgId=org, peerId=OTHER)
    assert (code, body["error"]) == (500, "An unexpected error occurred")
    assert "cannot be reached" in body["original"]


def raw(proxy: LoginServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_browsers_and_large_bodies_are_refused(proxy: LoginServer, members: Members) -> None:
    org = members.add("alice").org_id
    body = json.dumps({"orgId": org, "peerId": PEER}).encode()
    head = b"POST /api/register-peer HTTP/1.1\r\nContent-Length: %d\r\nConnection: close\r\n"
    good = head % len(body) + b"Host: localhost:3000\r\n"
    assert raw(proxy, good + b"\r\n" + body).startswith(b"HTTP/1.1 200 ")
    assert b" 403 " in raw(proxy, good + b"Origin: https://evil.example\r\n\r\n" + body)[:20]
    rebound = head % len(body) + b"Host: evil.example\r\n\r\n" + body
    assert b" 403 " in raw(proxy, rebound)[:20]
    large = head % (MAX_BODY_BYTES + 1) + b"Host: localhost\r\n\r\n"
    assert b" 413 " in raw(proxy, large)[:20]
    assert b" 413 " in raw(proxy, b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")[:20]
    deep = b"[" * 50_000
    assert b" 400 " in raw(proxy, head % len(deep) + b"Host: localhost\r\n\r\n" + deep)[:20]
    assert b"nothing to sign in" in raw(proxy, b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")


FEW = 60


@pytest.fixture
def room_for_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends of a connection are in this process, which may have a thousand files open."""
    monkeypatch.setattr(webserver, "LOCAL_CONNECTIONS", FEW)


def _connected(proxy: LoginServer, begun: bytes, many: int) -> list[socket.socket]:
    held = []
    for _ in range(many):
        held.append(socket.create_connection(("127.0.0.1", proxy.port), timeout=10))
        held[-1].sendall(begun)
    return held


@pytest.mark.usefixtures("room_for_few")
def test_connections_beyond_the_limit_are_closed_and_others_go_on(proxy: LoginServer) -> None:
    begun = b"POST / HTTP/1.1\r\n"
    held = _connected(proxy, begun, FEW)

    def crowded() -> bool:
        held.extend(_connected(proxy, begun, 1))  # for one that was not seen to have begun yet
        return _is_refused(proxy)

    try:
        wait_until(crowded)
    finally:
        for each in held:
            each.close()
    wait_until(lambda: not _is_refused(proxy))


@pytest.mark.usefixtures("room_for_few")
def test_idle_connections_make_room_for_new_ones(proxy: LoginServer) -> None:
    """Hundreds of nodes keep theirs open between two calls."""
    held = _connected(proxy, b"", FEW)
    try:
        for _ in range(20):
            assert status(proxy, "?orgId=x") == (200, "pending")
        assert held[0].recv(1) == b""  # the longest idle one made room
        held[-1].sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert held[-1].recv(12) == b"HTTP/1.1 200"
    finally:
        for each in held:
            each.close()


def _is_refused(proxy: LoginServer) -> bool:
    try:
        return status(proxy, "?orgId=x") != (200, "pending")
    except (ConnectionError, http.client.HTTPException):
        return True


def test_a_port_that_is_taken_is_told(proxy: LoginServer, members: Members) -> None:
    routes = Routes(members, lambda member: pytest.fail("asked"), 1.0, lambda served: None)
    with pytest.raises(WaggleError, match=f"cannot listen on 127.0.0.1:{proxy.port}"):
        LoginServer(routes, port=proxy.port)


@given(path=st.text(max_size=50), query=st.text(max_size=80), body=st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_request_is_answered(tmp_path_factory, path: str, query: str, body: bytes) -> None:
    members = Members(tmp_path_factory.getbasetemp() / "none", Path("unused"))
    routes = Routes(members, lambda member: pytest.fail("asked"), 1.0, lambda served: None)
    for each in ("/api/get-api-key-status", path):
        assert isinstance(routes.get(each, query), Answer)
    for each in ("/api/submit-reward", "/api/submit-winner", path):
        assert routes.post(each, body).status in (400, 404)


def test_members_are_kept_and_named_well(members: Members, tmp_path: Path) -> None:
    assert members.all() == ()
    home, bob = members.add(HOME), members.add("bob")
    assert [each.name for each in members.all()] == ["bob", HOME]
    assert members.find(bob.org_id) == bob
    assert home.account == tmp_path / "account"
    assert address_of(home.account) != address_of(bob.account)
    assert bob.org_id not in repr(bob)
    for name in (HOME, "", "..", "a/b", "A", "x" * 33, "lock\n"):
        with pytest.raises(ConfigError):
            members.add(name)
    kept = members.remove("bob")
    assert address_of(kept) is not None
    assert members.find(bob.org_id) is None
    with pytest.raises(ConfigError, match="no member 'bob'"):
        members.remove("bob")
    assert members.add("bob").org_id != bob.org_id
    (tmp_path / "members" / "bob" / "member.json").write_text('{"org_id": "secret-thing"}')
    with pytest.raises(StorageError, match="damaged") as caught:
        members.all()
    assert "secret-thing" not in str(caught.value)


def test_addresses_are_slowed_down_each_on_its_own() -> None:
    limit = RateLimit(per_s=0.001, burst=3)
    assert [limit.allows("10.0.0.1") for _ in range(5)] == [True] * 3 + [False] * 2
    assert limit.allows("10.0.0.2")
