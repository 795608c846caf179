"""The net sidecar: `python -m core.net.sidecar`, one asyncio loop with the DHT in it.

Reads the messages of `messages.py` from standard input, the first of them `Start`, answers each
request through `handlers.py`, and says how it is whenever that changes and every second as a sign
of life. Standard input's end means that the node is gone: then this process ends, within
seconds even when the loop hangs, and p2pd with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from core import frames
from core.children import claim_stdout
from core.errors import WaggleError
from core.net import lean, messages, quiet
from core.net.daemon import HARD_LIMIT
from core.net.handlers import HANDLERS, Kept, told
from core.net.leash import limit
from core.net.weight import too_heavy

SIGN_OF_LIFE_S = 1.0
MAX_REQUESTS = 128
Send = Callable[..., None]
"""`send(message, number=0)`: onto the pipe to the node; never blocks."""
log = logging.getLogger("core.net.sidecar")


class Sidecar:
    """Answers the node's requests with the DHT that `Keeper` keeps open, and says how it is."""

    def __init__(self, send: Send, start: messages.Start) -> None:
        from core.net.chores import NET_ERRORS
        from core.net.keeper import Keeper

        self._send = send
        self._kept = Kept(bootnodes=list(start.bootnodes))
        self._keeper = Keeper(start, self._kept, self._tell)
        self._max_memory_mib = start.max_memory_mib
        self._net_errors = NET_ERRORS
        self._faults: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """Until `stop`."""
        life = asyncio.create_task(self._sign_of_life())
        try:
            await self._keeper.run(self._stop)
        finally:
            life.cancel()

    # --- requests -----------------------------------------------------------------------------

    def accept(self, number: int, ask: messages.Message) -> None:
        if len(self._tasks) >= MAX_REQUESTS:
            self._send(messages.Failed("too many requests at once"), number)
            return
        task = asyncio.get_running_loop().create_task(self._answer(number, ask))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, number: int, ask: messages.Message) -> None:
        op = type(ask).__name__
        try:
            self._send(await self._do(ask), number)
            self._fault(op, None)
        except (*self._net_errors, WaggleError) as error:
            self._send(messages.Failed(told(error)), number)
        except Exception as error:
            log.exception("%s failed", op)
            self._fault(op, error)
            why = f"{type(error).__name__} in the network part"
            self._send(messages.Failed(why), number)

    async def _do(self, ask: messages.Message) -> messages.Message:
        """The answer; WaggleError at once when the daemon dies under the request."""
        dht, lost = self._keeper.dht, self._keeper.lost
        if dht is None or lost is None:
            raise WaggleError(self._keeper.detail or "the network part is starting")
        work = asyncio.ensure_future(HANDLERS[type(ask)](dht, self._kept, ask))
        either: set[asyncio.Future[Any]] = {work, lost}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        work.add_done_callback(_forget)
        raise WaggleError(lost.result())

    def _fault(self, op: str, error: Exception | None) -> None:
        """A failure that nobody foresaw shows as `degraded` until the same request works again."""
        before = dict(self._faults)
        if error is None:
            self._faults.pop(op, None)
        else:
            self._faults[op] = f"{op} fails ({type(error).__name__}); see logs/net.log"
        if before != self._faults:
            self._tell()

    # --- status -------------------------------------------------------------------------------

    def _tell(self) -> None:
        told = self._keeper.status()
        if told.status == "up" and self._faults:
            told = replace(told, status="degraded", detail="; ".join(self._faults.values())[:600])
        try:
            self._send(told)
        except ValueError as error:  # a bound was broken: better a poor word than no sign of life
            log.exception("the status cannot be told")
            self._send(messages.Status("degraded", f"its status cannot be told: {error}"[:600]))

    async def _sign_of_life(self) -> None:
        """Every second, and at once when peers come or go; ends this process when it is too big."""
        while True:
            count = self._keeper.peers
            self._tell()
            for _ in range(int(SIGN_OF_LIFE_S / 0.25)):
                await asyncio.sleep(0.25)
                if self._keeper.peers != count:
                    break
            if reason := too_heavy("the network part", os.getpid(), self._max_memory_mib):
                log.error("%s", reason)
                self._send(messages.Status("down", reason))
                self._stop.set()


def _forget(work: asyncio.Future[messages.Message]) -> None:
    """Nobody waits for this any more; its error is of no use."""
    if not work.cancelled():
        work.exception()


def _writer(handle: int) -> Send:
    """A `send` that never blocks the loop: a thread writes. A node that reads nothing is gone."""
    waiting: queue.Queue[bytes] = queue.Queue(maxsize=1_024)

    def write() -> None:
        with os.fdopen(handle, "wb") as out:
            while True:
                out.write(waiting.get())
                out.flush()

    def send(message: messages.Message, number: int = 0) -> None:
        try:
            waiting.put_nowait(frames.frame(messages.encode(message, number)))
        except queue.Full:
            os._exit(1)

    threading.Thread(target=write, name="frames-out", daemon=True).start()
    return send


def _read_frames(loop: asyncio.AbstractEventLoop, sidecar: Sidecar) -> None:
    """The thread `frames-in`: hand frames to the loop until the node is gone, then end with it."""
    try:
        while True:
            number, ask = messages.decode(frames.read_body(sys.stdin.buffer))
            if type(ask) not in HANDLERS:
                raise ValueError(f"{type(ask).__name__} is no request")
            loop.call_soon_threadsafe(sidecar.accept, number, ask)
    except (EOFError, ValueError, OSError, RuntimeError) as error:
        log.info("the node is gone: %r", error)
    try:
        loop.call_soon_threadsafe(sidecar.stop)
    except RuntimeError:
        return  # the loop is closed: the process is already ending
    threading.Event().wait(3.0)
    os._exit(0)


async def _main(send: Send, start: messages.Start) -> None:
    sidecar = Sidecar(send, start)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, sidecar.stop)
    threading.Thread(
        target=_read_frames, args=(loop, sidecar), name="frames-in", daemon=True
    ).start()
    await sidecar.run()


def _first_message(send: Send) -> messages.Start:
    """`Start`; a node of another release is told so in the version it can read, then left alone."""
    try:
        _, start = messages.decode(frames.read_body(sys.stdin.buffer))
        if isinstance(start, messages.Start):
            return start
        log.error("the first message is %s", type(start).__name__)
    except (ValueError, EOFError) as error:
        log.error("no good first message: %s", error)
        send(messages.Status("down", str(error)[:600]))
    time.sleep(0.5)  # for the thread that writes
    sys.exit(1)


def main() -> None:
    out = claim_stdout()
    os.environ.update(HIVEMIND_LOGLEVEL="ERROR", HIVEMIND_COLORS="false")
    quiet.setup()
    send = _writer(out)
    start = _first_message(send)
    limit(HARD_LIMIT * start.max_memory_mib)
    lean.install()
    from hivemind.utils.serializer import MSGPackSerializer

    from core.net.guard import LARGE_BYTES, SMALL_BYTES, bound_decoder

    bound_decoder(MSGPackSerializer, LARGE_BYTES if start.genrl else SMALL_BYTES)
    asyncio.run(_main(send, start))
    os._exit(0)  # a thread may sit in a read of stdin, which a tidy interpreter exit trips over


if __name__ == "__main__":
    main()
