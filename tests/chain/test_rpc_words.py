"""Every way in which an RPC can fail is a sentence with a next step; and so is every refusal.

The messages are those of geth, reth (anvil), Nethermind, Besu, Erigon, py-evm and the hosted RPCs,
as they come over the wire.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eth_abi import encode as abi_encode
from eth_utils.crypto import keccak

from core.chain.contract import artifact
from core.chain.contract.refusals import OTHERS, refused
from core.chain.rpc import Rpc, RpcError, Unreachable
from core.chain.rpcwords import TROUBLES, trouble
from core.errors import TransientError, WaggleError

MESSAGES = {
    "insufficient_funds": [
        "insufficient funds for gas * price + value: address 0xab have 0 want 1",
        "Insufficient funds for gas * price + value",
        "insufficient funds for transfer",
        "Upfront cost exceeds account balance",
        "sender doesn't have enough funds to send tx",
        "insufficient balance for transfer",
    ],
    "nonce_low": [
        "nonce too low: next nonce 5, tx nonce 4",
        "nonce too low",
        "OldNonce, Current nonce: 3, nonce of rejected tx: 2",
        "NONCE_EXPIRED",
    ],
    "nonce_high": [
        "nonce too high: next nonce 5, tx nonce 9",
        "Transaction nonce is too distant from current sender nonce: nonce gap",
    ],
    "known": ["already known", "AlreadyKnown", "known transaction: 0xabc", "already imported",
              "transaction already exists in the pool"],
    "replacement_underpriced": [
        "replacement transaction underpriced",
        "Gas price too low to replace",
        "ReplacementNotAllowed, replacement fee too low",
    ],
    "fee_below_base": [
        "max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1, baseFee: 7",
        "fee cap less than block base fee",
        "gas price below base fee is less than baseFee".replace("below base fee ", ""),
        "max fee per gas less than block base fee",
    ],
    "underpriced": ["transaction underpriced", "transaction underpriced: gas tip cap 0, minimum"
                    " needed 1", "FeeTooLow, MaxFeePerGas too low"],
    "tip_above_fee": ["max priority fee per gas higher than max fee per gas"],
    "fee_capped": ["tx fee (2.10 ether) exceeds the configured cap (1.00 ether)"],
    "intrinsic_gas": ["intrinsic gas too low: gas 21000, minimum needed 21500", "gas floor data"],
    "block_gas": ["exceeds block gas limit", "Transaction gas limit exceeds block gas limit",
                  "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit"],
    "out_of_gas": ["out of gas", "gas required exceeds allowance (300)"],
    "old_evm": ["EVM error NotActivated", "invalid opcode: PUSH0", "undefined instruction"],
    "wrong_signer": ["invalid chain id for signer: have 1 want 5", "invalid sender",
                     "chainId mismatch"],
    "tx_type": ["transaction type not supported"],
    "pool_full": ["txpool is full", "tx pool full"],
    "unauthorised": ["Unauthorized: invalid API key", "Must be authenticated!",
                     "invalid project id"],
    "limited": ["rate limit exceeded", "Too Many Requests", "daily request count exceeded,"
                " request rate limited", "Your app has exceeded its compute units per second"
                " capacity"],
    "pruned": ["missing trie node 8bd3 (path )", "header not found", "state of block 7 is not kept",
               "historical state 0xab is not available", "distance to target block exceeds maximum"
               " proof window: state has been pruned"],
    "no_method": ["the method waggle_clock does not exist", "Method not found",
                  "the method eth_estimateGas does not exist/is not available"],
    "syncing": ["node is not synced", "the node is still syncing"],
    "slow": ["execution aborted (timeout = 5s)", "request timed out"],
    "internal": ["Internal error", "service temporarily unavailable"],
    "other": ["something new under the sun"],
}  # fmt: skip
CODES = {-32005: "limited", 429: "limited", -32601: "no_method", -32603: "internal"}


@pytest.mark.parametrize("kind", MESSAGES)
def test_each_error_of_a_node_is_known_by_its_words(kind: str) -> None:
    rpc = Rpc("http://127.0.0.1:9", 0.1)
    for message in MESSAGES[kind]:
        assert trouble(-32000, message).kind == kind, message
        told = rpc.told(RpcError(-32000, message, None))
        sentences(told)
        assert message[:40] in told.why


def test_every_kind_is_tried_and_codes_count_where_words_say_nothing() -> None:
    assert {each.kind for each in TROUBLES} == set(MESSAGES) - {"other"}
    for code, kind in CODES.items():
        assert trouble(code, "?").kind == kind


def test_each_error_of_the_contract_is_told_by_name() -> None:
    for entry in (each for each in artifact()["abi"] if each["type"] == "error"):
        types = [each["type"] for each in entry["inputs"]]
        signature = f"{entry['name']}({','.join(types)})"
        zeros = [b"\0" * 32 if each == "bytes32" else "0x" + "00" * 20 for each in types]
        error = refused(keccak(text=signature)[:4] + abi_encode(types, zeros), "do it")
        assert error.code == entry["name"]
        sentences(error)
    for signature in OTHERS:
        sentences(refused(keccak(text=signature)[:4], "do it"))


def test_a_revert_without_a_name_says_what_there_is() -> None:
    text = bytes.fromhex("08c379a0") + abi_encode(["string"], ["Start index\n[b]first[/b]"])
    assert "Start index[b]first" in refused(text, "vote").why
    assert "too large" in refused(bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big"), "x").why
    assert "0x99" in refused(bytes.fromhex("4e487b71") + (0x99).to_bytes(32, "big"), "x").why
    assert "no reason" in refused(b"", "vote").why
    assert "0x01020304" in refused(b"\1\2\3\4", "vote").why
    for hostile in (text[:10], text[:40], b"\x08\xc3\x79\xa0" + b"\xff" * 100):
        sentences(refused(hostile, "vote"))


def sentences(error: WaggleError) -> None:
    """What failed, why, and a step that a person can take."""
    assert error.what
    assert error.why
    assert len(error.next_step) > 5
    assert "\n" not in str(error)
    assert len(str(error)) < 900


# --- over the wire ----------------------------------------------------------------------------


@contextmanager
def server(reply: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answers every connection with these bytes, whatever it is asked."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
                with tls.wrap_socket(connection, server_side=True) if tls else connection as talk:
                    asked = b""
                    while not asked.endswith(b"}"):
                        asked += talk.recv(65_536)
                    talk.sendall(reply)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    scheme = "https" if tls else "http"
    yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v2/SECRETKEY?apikey=HIDDENKEY"
    ended.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "\r\n"]).encode() + body


def json_error(code: int, message: str) -> bytes:
    error = {"code": code, "message": message}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()


WIRE = {
    "401": (http("401 Unauthorized"), "key", "API key"),
    "403": (http("403 Forbidden", b"<html>no"), "refuses", "API key"),
    "404": (http("404 Not Found"), "no RPC at this path", "after the host"),
    "407": (http("407 Proxy Authentication Required"), "proxy", "HTTPS_PROXY"),
    "413": (http("413 Too Large"), "long", "another RPC"),
    "429": (http("429 Too Many Requests", b"slow down"), "fewer calls", "second address"),
    "500": (http("500 Oops", b"<html>"), "failed", "second address"),
    "502": (http("502 Bad Gateway"), "HTTP status 502", "second address"),
    "302": (http("302 Found", b"", "Location: http://127.0.0.1:9/"), "another address", "into"),
    "page": (http("200 OK", b"<!DOCTYPE html><html>Sign in"), "web page", "browser"),
    "text": (http("200 OK", b"hello"), "not JSON-RPC", "chain.rpc_url"),
    "deep": (http("200 OK", b"[" * 10_000), "not JSON-RPC", "chain.rpc_url"),
    "empty": (http("200 OK"), "not JSON-RPC", "chain.rpc_url"),
    "list": (http("200 OK", b"[]"), "not JSON-RPC", "chain.rpc_url"),
    "number": (http("200 OK", b'{"id":1,"result":"zz"}'), "not a number", "chain.rpc_url"),
    "huge": (http("200 OK", b'{"id":1,"result":"0x%b"}' % (b"f" * 70)), "not a number", "rpc_url"),
    "other id": (http("200 OK", b'{"id":7,"result":"0x1"}'), "another question", "chain.rpc_url"),
    "half": (http("200 OK", b'{"id":1,"result":"0x1"}')[:-5], "broke off", "keeps trying"),
    "nothing": (b"", "broke off", "keeps trying"),
    "no http": (b"\x16\x03\x01garbage\r\n\r\n", "", "keeps trying"),
    "long": (http("200 OK", b" " * (3 * 2**20)), "larger than 2 MiB", "another RPC"),
}  # fmt: skip


@pytest.mark.parametrize("name", WIRE)
def test_each_failure_on_the_wire_is_told(name: str) -> None:
    reply, why, step = WIRE[name]
    with server(reply) as url:
        rpc = Rpc(url, 2.0)
        with pytest.raises(Unreachable) as caught:
            rpc.quantity("eth_chainId")
        rpc.close()
    sentences(caught.value)
    assert why in caught.value.why
    assert step in caught.value.next_step
    assert_nothing_secret(caught.value)


def test_a_node_s_error_counts_whatever_the_web_server_s_status() -> None:
    for status in ("200 OK", "400 Bad Request", "429 Too Many", "500 Oops"):
        message = "rate limit exceeded for key SECRETKEY at /v2/SECRETKEY?apikey=HIDDENKEY"
        with server(http(status, json_error(-32005, message))) as url:
            rpc = Rpc(url, 2.0)
            with pytest.raises(RpcError) as caught:
                rpc.call("eth_chainId")
            assert caught.value.trouble.kind == "limited"
            assert "SECRETKEY" not in caught.value.message
            assert_nothing_secret(rpc.told(caught.value))
            rpc.close()


def test_where_nobody_listens_and_where_no_name_leads() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url, why in (
        (f"http://user:PASSWORD@127.0.0.1:{port}/SECRETKEY", "refused"),
        ("http://no-such-host.invalid/SECRETKEY", "name cannot be resolved"),
    ):
        with pytest.raises(Unreachable) as caught:
            Rpc(url, 2.0).call("eth_chainId")
        assert why in caught.value.why
        sentences(caught.value)
        assert_nothing_secret(caught.value)


def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    with pytest.raises(Unreachable) as caught:
        Rpc("http://192.0.2.1/SECRETKEY", 2.0).call("eth_chainId")
    assert "proxy" in caught.value.why
    assert "NO_PROXY" in caught.value.next_step


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    key, cert = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    with server(http("200 OK", b'{"id":1,"result":"0x1"}'), tls) as url:
        with pytest.raises(Unreachable) as caught:
            Rpc(url, 2.0).call("eth_chainId")
        assert "certificate" in caught.value.why
        assert "date" in caught.value.next_step
        assert_nothing_secret(caught.value)


def assert_nothing_secret(error: TransientError) -> None:
    for secret in ("SECRETKEY", "HIDDENKEY", "PASSWORD"):
        assert secret not in f"{error!s} {error!r}"


def self_signed(folder: Path) -> tuple[Path, Path]:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    kept = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *kept))
    (folder / "cert.pem").write_bytes(cert.public_bytes(pem))
    return folder / "key.pem", folder / "cert.pem"
