"""A node that signs through a login service: ours on a real chain, and services that misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.login import LoginCoordinator
from core.chain.login_data import LoginData
from core.chain.login_server import LoginServer
from core.chain.login_service import LoginService
from core.chain.members import Members
from core.chain.outbox import Outbox
from core.chain.services import SwarmServices
from core.errors import ConfigError, RefusedError, TransientError
from core.schema import ChainSection
from tests.conftest import wait_until

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
OTHER = "QmOther"
ORG = "b2f0c6de-0b3c-4c1e-9a39-1f1f4dd1c2aa"
SECRET = "alchemy-key-in-an-answer"
HASH = "0x" + "5a" * 32
Connect = Callable[..., WalletCoordinator]
Sign = Callable[..., LoginCoordinator]


@pytest.fixture
def sign(swarm: SwarmServices) -> Iterator[Sign]:
    """Makes coordinators that sign through the service at `url`."""
    made: list[LoginCoordinator] = []

    def make(url: str, org_id: str, account: str = "", peer_id: str = PEER) -> LoginCoordinator:
        settings = ChainSection(login_url=url, call_timeout_s=5.0)
        login = LoginData(org_id, account, "a test")
        contract = swarm.client.contract
        made.append(LoginCoordinator(swarm.devnet.url, contract, login, peer_id, settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_whole_round_through_the_proxy(
    proxy: LoginServer, members: Members, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy that is not there: calls to this machine must not ask it.
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    member = members.add("alice")
    account = load_or_create(member.account).address
    node = sign(proxy.url, member.org_id, account)
    assert (node.kind, node.can_submit, node.account) == ("login", True, account)
    assert node.round_and_stage() == (0, 0)
    sent: list[str] = []
    registered = node.register(PEER, sent.append)
    assert sent == [registered.tx_hash]
    assert registered.block > 0, "our proxy's hash is a transaction's, so its receipt is found"
    assert node.owner_of(PEER) == account
    node.register(PEER)  # its answer was lost: nothing happens
    node.submit_reward(0, 0, -4, PEER, sent.append)
    assert node.has_reward(0, 0, PEER)
    node.submit_winners(0, [OTHER], PEER)
    counted = node.counters(PEER)
    assert (counted["participation"], counted["total_reward"]) == (1, -4)
    assert (counted["balance_wei"], counted["round_cost_wei"]) == (0, 0)
    for attempt, code in (
        (lambda: node.submit_reward(0, 0, 1, PEER), "RewardAlreadySubmitted"),
        (lambda: node.submit_winners(0, [PEER], PEER), "WinnerAlreadyVoted"),
        (lambda: node.submit_reward(99, 0, 1, PEER), "InvalidRoundNumber"),
        (lambda: node.submit_reward(0, 0, 1, OTHER), "InvalidVoterPeerId"),
    ):
        with pytest.raises(RefusedError) as caught:
            attempt()
        assert caught.value.code == code
        assert caught.value.next_step


def test_a_peer_of_somebody_elses_account(
    proxy: LoginServer, members: Members, sign: Sign, connect: Connect
) -> None:
    owner = connect("somebody")
    owner.register(PEER)
    member = members.add("alice")
    node = sign(proxy.url, member.org_id, load_or_create(member.account).address)
    with pytest.raises(RefusedError, match="registered to somebody else's account") as caught:
        node.register(PEER)
    assert owner.account in caught.value.why
    assert node.account in caught.value.why


def test_an_account_that_nobody_names_is_the_owner_of_the_peer(
    proxy: LoginServer, members: Members, sign: Sign
) -> None:
    member = members.add("alice")
    node = sign(proxy.url, member.org_id)
    assert node.account == ""
    assert node.owner_of(PEER) is None
    node.register(PEER)
    assert node.owner_of(PEER) == node.account == load_or_create(member.account).address


def test_an_outbox_is_credited_through_the_proxy(
    proxy: LoginServer, members: Members, sign: Sign, tmp_path: Path
) -> None:
    node = sign(proxy.url, members.add("alice").org_id)
    outbox = Outbox(tmp_path / "node.db", lambda: node, lambda event: None, PEER, confirmations=1)
    outbox.record_round(0, 0, 7, 0.5, [OTHER])
    outbox.start()
    try:
        assert outbox.flush(20.0)
    finally:
        outbox.close()
    assert node.counters(PEER)["total_reward"] == 7


class Service:
    """An HTTP server that answers as told: (status, body) for each request, the last one for ever.

    requests: the method and path of each.
    """

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.requests: list[str] = []
        self.before: Callable[[str], None] = lambda path: None
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.requests.append(f"{self.command} {self.path}")
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                service.before(self.path)
                status, body = answers[min(len(service.requests), len(answers)) - 1]
                self.send_response(status)
                self.send_header("Location", "http://203.0.113.1/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def make(*answers: tuple[int, str]) -> Service:
        made.append(Service(*answers))
        return made[-1]

    yield make
    for each in made:
        each.close()


ANSWERS = [
    (200, '{"hash": "0x12"}', TransientError, "makes no sense", ""),
    (200, "[]", TransientError, "makes no sense", ""),
    (200, "<html>sign in</html>", TransientError, "is not a login service", ""),
    (307, "", TransientError, "is not a login service", ""),
    (400, '{"error": "RewardAlreadySubmitted", "metaMessages": ["%s"]}', RefusedError, "already",
     "RewardAlreadySubmitted"),
    (400, '{"error": "StageOutOfBounds"}', RefusedError, "StageOutOfBounds", "StageOutOfBounds"),
    (400, '{"error": "bad request orgID"}', TransientError, "makes no sense", ""),
    (400, "[" * 3000, TransientError, "makes no sense", ""),
    (404, '{"error": "user not found"}', TransientError, "does not know this ORG_ID", ""),
    (404, "<!DOCTYPE html>", TransientError, "is not a login service", ""),
    (429, '{"error": "too many"}', TransientError, "too often", ""),
    (500, '{"error": "api key not found"}', TransientError, "is not activated", ""),
    (500, '{"error": "An unexpected error occurred", "original": "%s"}', TransientError,
     "HTTP status 500", ""),
    (502, "", TransientError, "HTTP status 502", ""),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "words", "code"), ANSWERS)
def test_what_a_service_answers_becomes_a_sentence(
    serve: Callable[..., Service], status: int, body: str, kind: type, words: str, code: str
) -> None:
    body = body.replace("%s", SECRET)
    service = LoginService(serve((status, body)).url, LoginData(ORG, "", "a test"), 5.0)
    with pytest.raises(kind, match=words) as caught:
        service.submit("submit-reward", {"peerId": PEER}, 5.0)
    service.close()
    told = repr(caught.value) + repr(caught.value.__context__)
    assert ORG not in told
    assert SECRET not in told
    assert str(caught.value).count(".") >= 1
    assert getattr(caught.value, "code", "") == code


def test_activation_is_waited_for_and_not_for_ever(serve: Callable[..., Service]) -> None:
    login = LoginData(ORG, "", "a test")
    coming = serve((200, "pending"), (200, "activated"))
    service = LoginService(f"{coming.url}/api/", login, 5.0)
    service.await_activation(5.0, threading.Event())
    assert coming.requests == [f"GET /api/get-api-key-status?orgId={ORG}"] * 2
    never = LoginService(serve((200, "pending")).url, login, 5.0)
    started = time.monotonic()
    with pytest.raises(TransientError, match="is not activated") as caught:
        never.await_activation(0.5, threading.Event())
    assert time.monotonic() - started < 3
    assert ORG not in str(caught.value)
    half = LoginService(serve((200, "pending")).url, LoginData(ORG, "", "x", False), 5.0)
    with pytest.raises(TransientError, match="left before it was finished"):
        half.await_activation(0.0, threading.Event())
    for answer, words in (
        ((200, "<html>"), "is not a login service"),
        ((200, '"activated"'), "makes no sense"),
        ((500, '{"json": {"error": "error"}}'), "HTTP status 500"),
    ):
        with pytest.raises(TransientError, match=words):
            LoginService(serve(answer).url, login, 5.0).is_activated()


def test_a_service_that_is_not_there_or_does_not_end(
    serve: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    login = LoginData(ORG, "", "a test")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://localhost:{free.getsockname()[1]}"
    with pytest.raises(TransientError, match="cannot be reached") as caught:
        LoginService(url, login, 5.0).is_activated()
    assert "waggle swarm serve --login-proxy" in caught.value.next_step
    assert caught.value.__context__ is None, "what requests raises names the ORG_ID"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TransientError, match="did not answer within"):
            LoginService(where, login, 0.3).submit("submit-reward", {}, 0.3)
    large = serve((200, "x" * (2**20 + 1)))
    with pytest.raises(TransientError, match="larger than"):
        LoginService(large.url, login, 5.0).is_activated()
    for bad in ("localhost:3000", "ftp://localhost", "http://[", ""):
        with pytest.raises(ConfigError, match="not the address of a login service"):
            LoginService(bad, login, 5.0)


def test_the_hash_of_a_user_operation_has_no_receipt_and_still_counts(
    serve: Callable[..., Service], sign: Sign, connect: Connect, tmp_path: Path
) -> None:
    """As modal-login answers: by then the reward is on the chain, and the hash leads nowhere."""
    account = connect("smart account")
    account.register(PEER)
    service = serve((200, "activated"), (200, f'{{"hash": "{HASH}"}}'))

    def bundle(path: str) -> None:
        if path.endswith("submit-reward"):
            account.submit_reward(0, 0, 7, PEER)
        elif path.endswith("submit-winner"):
            account.submit_winners(0, [OTHER], PEER)

    service.before = bundle
    node = sign(service.url, ORG, account.account)
    outbox = Outbox(tmp_path / "node.db", lambda: node, lambda event: None, PEER, confirmations=1)
    outbox.record_round(0, 0, 7, 0.5, [OTHER])
    outbox.start()
    try:
        wait_until(lambda: {row.status for row in outbox.rows()} == {"credited"}, 20.0)
        rows = {row.kind: row for row in outbox.rows()}
    finally:
        outbox.close()
    assert rows["reward"].tx_hash == rows["winner"].tx_hash == HASH
    assert {row.code for row in (rows["reward"], rows["winner"])} == {""}
    assert node.receipt(HASH) is None
    assert node.counters(PEER)["total_reward"] == 7


def test_a_session_that_ended_is_looked_at_again(serve: Callable[..., Service], sign: Sign) -> None:
    service = serve(
        (200, "activated"),
        (500, '{"error": "An unexpected error occurred"}'),
        (200, "pending"),
    )
    node = sign(service.url, ORG)
    with pytest.raises(TransientError, match="HTTP status 500"):
        node.submit_reward(0, 0, 1, PEER)
    node._timeout_s = 0.0
    with pytest.raises(TransientError, match="is not activated"):
        node.submit_reward(0, 0, 1, PEER)
    assert [request.split("?")[0] for request in service.requests] == [
        "GET /api/get-api-key-status",
        "POST /api/submit-reward",
        "GET /api/get-api-key-status",
    ]
