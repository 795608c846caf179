"""A JSON-RPC endpoint on loopback that passes calls on to a chain and lets some of them go wrong.

What goes wrong is drawn by a seeded `Lot`, or told beforehand; everything is counted. It also lies
on demand, goes away and comes back, and moves to another chain.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakSet

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from eth_utils.crypto import keccak

from tests.chain.rpc_faults import BATCH, KINDS, RECEIPT, SEND, Lot, error

DOWN_S = 0.15
UPSTREAM_S = 30.0

Lie = Callable[[list[Any], Any], Any]
"""(params, the honest result) -> what is told instead."""


class FaultyRpc:
    """Thread `faulty-rpc`. Its settings may be changed at any time, from any thread.

    hang_s: how long a call hangs that is not answered in time; longer than anybody's deadline.
    lies: method -> what is made of its honest result. upstream: may move to another chain.
    """

    def __init__(
        self,
        upstream: str,
        *,
        seed: int = 0,
        one_in: int = 5,
        kinds: Sequence[str] = tuple(KINDS),
        hang_s: float = 30.0,
    ) -> None:
        self.upstream = upstream
        self.lies: dict[str, Lie] = {}
        self.calls: Counter[str] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()
        self.accepted: list[str] = []
        """Hashes of the transactions that the chain took, in order."""
        self._lot = Lot(seed, one_in, kinds)
        self._hang_s = hang_s
        self._site: web.TCPSite | None = None
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="faulty-rpc", daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise TimeoutError("the faulty RPC did not start")
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> FaultyRpc:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(10)

    @property
    def one_in(self) -> int:
        """About one call in so many goes wrong, of every method; 0 is none."""
        return self._lot.one_in

    @one_in.setter
    def one_in(self, number: int) -> None:
        self._lot.one_in = number

    def next(self, method: str, *kinds: str) -> None:
        """These go wrong next, whatever the lot says. method: `batch` for any batch."""
        self._lot.queue[method].extend(kinds)

    def down(self) -> None:
        """Nobody listens, and every connection is broken, until `up`."""
        self._in_loop(self._stop_listening())

    def up(self) -> None:
        self._in_loop(self._listen())

    def by_kind(self) -> dict[str, int]:
        """How often each kind went wrong, all methods together."""
        told: Counter[str] = Counter()
        for (_, kind), times in self.faults.items():
            told[kind] += times
        return dict(sorted(told.items()))

    # --- life, in the loop --------------------------------------------------------------------

    def _in_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        self._end = asyncio.create_task(self._ending.wait())
        self._open: WeakSet[asyncio.Transport] = WeakSet()
        self._client = ClientSession(
            connector=TCPConnector(limit=0), timeout=ClientTimeout(total=UPSTREAM_S)
        )
        app = web.Application(client_max_size=2**22)
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self._refusing: asyncio.Task[None] | None = None
        self.port = 0
        await self._listen()
        self._ready.set()
        await self._end
        await self._stop_listening()
        if self._refusing is not None:
            await self._refusing
        await self._runner.cleanup()
        await self._client.close()

    async def _listen(self) -> None:
        if self._site is None:
            self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
            await self._site.start()
            self.port = self._runner.addresses[0][1]

    async def _stop_listening(self) -> None:
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
        for transport in list(self._open):
            transport.abort()

    async def _refuse(self) -> None:
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
            ended, _ = await asyncio.wait([self._end], timeout=DOWN_S)
            if not ended:
                await self._listen()

    # --- a call -------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._open.add(request.transport)  # an idle one is kept open, and broken by `down` too
        return await self._answer(request, await request.read())

    async def _answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        asked = json.loads(body)
        each = asked if isinstance(asked, list) else [asked]
        method = BATCH if isinstance(asked, list) else str(asked["method"])
        self.calls[method] += 1
        kind = self._lot.draw(method, each)
        if kind:
            self.faults[method, kind] += 1
        if kind in ("refused", "timeout", "http_500", "busy", "garbage"):
            return await self._unanswered(request, kind, method)
        if kind in ("nonce_too_low", "underpriced", "behind") or (
            kind == "revert" and method != RECEIPT
        ):
            return _told([error(one, kind) for one in each], asked)
        if kind == "swallowed":
            return _told([{"jsonrpc": "2.0", "id": asked["id"], "result": _hash(asked)}], asked)
        try:
            answers = await self._passed_on(body, each)
        except (ClientError, TimeoutError, ValueError):
            return _aborted(request)  # the chain itself is away
        if kind == "revert" and isinstance(answers[0].get("result"), dict):
            answers[0]["result"]["status"] = "0x0"
        elif kind == "already_known":
            answers = [error(one, kind) for one in each]
        elif kind == "late":
            await self._hang()
        elif kind == "dropped":
            return _aborted(request)
        elif kind == "truncated":
            return await _broken_off(request, answers, asked)
        return _told(answers, asked)

    async def _unanswered(self, request: web.Request, kind: str, method: str) -> web.StreamResponse:
        if kind == "refused":
            self._refusing = asyncio.create_task(self._refuse())
            return _aborted(request)
        if kind == "timeout":
            await self._hang()
            return _aborted(request)
        if kind == "garbage":
            return web.Response(body=self._lot.garbage(method))
        return web.Response(status=500 if kind == "http_500" else 429, text="<html>Sorry</html>")

    async def _hang(self) -> None:
        await asyncio.wait([self._end], timeout=self._hang_s)

    async def _passed_on(self, body: bytes, each: list[Any]) -> list[dict[str, Any]]:
        """The answers of the chain, in the order of the questions, with lies put in."""
        headers = {"Content-Type": "application/json"}
        async with self._client.post(self.upstream, data=body, headers=headers) as response:
            told = json.loads(await response.read())
        found = {one.get("id"): one for one in (told if isinstance(told, list) else [told])}
        answers = [dict(found[one["id"]]) for one in each]
        for one, answer in zip(each, answers, strict=True):
            if one["method"] == SEND and "result" in answer:
                self.accepted.append(answer["result"])
            if one["method"] in self.lies and "result" in answer:
                answer["result"] = self.lies[one["method"]](one["params"], answer["result"])
        return answers


def _hash(asked: dict[str, Any]) -> str:
    """Of the transaction that is to be sent."""
    return "0x" + keccak(hexstr=asked["params"][0]).hex()


def _body(answers: list[dict[str, Any]], asked: Any) -> bytes:
    return json.dumps(answers if isinstance(asked, list) else answers[0]).encode()


def _told(answers: list[dict[str, Any]], asked: Any) -> web.Response:
    return web.Response(body=_body(answers, asked), content_type="application/json")


def _aborted(request: web.Request) -> web.Response:
    if request.transport is not None:  # it is None when the client went first
        request.transport.abort()
    return web.Response()


async def _broken_off(
    request: web.Request, answers: list[dict[str, Any]], asked: Any
) -> web.StreamResponse:
    body = _body(answers, asked)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
