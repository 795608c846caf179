"""The net sidecar: `python -m core.net.sidecar`, one asyncio loop with the DHT in it.

Reads the messages of `messages.py` from standard input, the first of them `Start`, answers each
request through `handlers.py`, and says how it is whenever that changes and every few seconds as a
sign of life. Standard input's end means that the node is gone: then this process ends, within
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
from pathlib import Path
from typing import Any

from core import frames
from core.children import claim_stdout
from core.errors import WaggleError
from core.net import daemon, lean, listening, messages, quiet
from core.net.board import Board
from core.net.handlers import HANDLERS, Kept, reopen

SIGN_OF_LIFE_S = 5.0
LONGEST_PAUSE_S = 5.0
MAX_REQUESTS = 128
Send = Callable[..., None]
"""`send(message, number=0)`: onto the pipe to the node; never blocks."""
log = logging.getLogger("core.net.sidecar")


class Sidecar:
    """Keeps one `Dht` open, whatever happens to its daemon, and answers the node's requests."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._kept = Kept()
        self._dht: Any = None
        self._faults: dict[str, str] = {}
        self._status, self._detail = "starting", ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    # --- requests -----------------------------------------------------------------------------

    def accept(self, number: int, ask: messages.Message) -> None:
        if len(self._tasks) >= MAX_REQUESTS:
            self._send(messages.Failed("too many requests at once"), number)
            return
        task = asyncio.get_running_loop().create_task(self._answer(number, ask))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        self._stop.set()

    async def _answer(self, number: int, ask: messages.Message) -> None:
        op = type(ask).__name__
        try:
            if self._dht is None:
                raise WaggleError(self._detail or "the network part is starting")
            self._send(await HANDLERS[type(ask)](self._dht, self._kept, ask), number)
            self._fault(op, None)
        except (*self._net_errors, WaggleError) as error:
            self._send(messages.Failed(_told(error)), number)
        except Exception as error:
            log.exception("%s failed", op)
            self._fault(op, error)
            why = f"{type(error).__name__} in the network part"
            self._send(messages.Failed(why), number)

    def _fault(self, op: str, error: Exception | None) -> None:
        """A failure that nobody foresaw shows as `degraded` until the same request works again."""
        before = dict(self._faults)
        if error is None:
            self._faults.pop(op, None)
        else:
            self._faults[op] = f"{op} fails ({type(error).__name__}); see logs/net.log"
        if before != self._faults:
            self._send(self._report())

    # --- life ---------------------------------------------------------------------------------

    async def run(self, start: messages.Start) -> None:
        """Until `stop`: open the DHT, watch it, open it again."""
        from core.net.chores import NET_ERRORS
        from core.net.dht import Dht, Options

        self._net_errors = NET_ERRORS
        self._kept.bootnodes = list(start.bootnodes)
        contacts, maddrs = list(start.contacts), list(start.maddrs)
        folder = daemon.SocketFolder()
        board = Board(start.swarm)
        life = asyncio.create_task(self._sign_of_life())
        stopped = asyncio.create_task(self._stop.wait())
        pause = 0.1
        try:
            while not stopped.done():
                try:
                    dht = Dht(
                        Options(
                            daemon=daemon.DaemonOptions(
                                identity=Path(start.identity),
                                listen=_listen(start.listen, maddrs),
                                announce=start.announce,
                            ),
                            swarm=start.swarm,
                            bootnodes=tuple(self._kept.bootnodes),
                            contacts=tuple(contacts),
                            genrl=start.genrl,
                        ),
                        folder,
                        self._kept.shelf,
                        board,
                    )
                    await dht.open()
                except (*NET_ERRORS, WaggleError) as error:
                    self._say("down", _told(error))
                else:
                    pause = 0.1
                    reason = await self._serve(dht, stopped)
                    contacts = [*contacts, *dht.contacts.known_maddrs()][-256:]
                    maddrs = dht.maddrs
                    await asyncio.wait_for(dht.close(), 10)
                    if not stopped.done():
                        self._say("degraded", f"{reason}; starting it again")
                await asyncio.wait({stopped}, timeout=pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            life.cancel()
            folder.remove()

    async def _serve(self, dht: Any, stopped: asyncio.Task[Any]) -> str:
        self._dht = dht
        try:
            await reopen(dht, self._kept)
            self._say("up", "")
            died = asyncio.create_task(dht.died())
            await asyncio.wait({died, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not died.done():
                died.cancel()
                return "asked to stop"
            return died.result()
        finally:
            self._dht = None

    def _say(self, status: str, detail: str) -> None:
        self._status, self._detail = status, detail
        self._send(self._report())

    def _report(self) -> messages.Status:
        dht = self._dht
        faulty = self._status == "up" and self._faults
        detail = _connection(dht) if dht and not self._detail else self._detail
        bootnodes = dht.contacts.bootnodes.items() if dht else ()
        return messages.Status(
            status="degraded" if faulty else self._status,
            detail=("; ".join(self._faults.values()) if faulty else detail)[:600],
            maddrs=tuple(dht.maddrs[:64]) if dht else (),
            peers=len(dht.peers) if dht else 0,
            bootnodes=tuple(bootnodes),
        )

    async def _sign_of_life(self) -> None:
        peers = -1
        while True:
            count = len(self._dht.peers) if self._dht else 0
            self._send(self._report())
            for _ in range(int(SIGN_OF_LIFE_S / 0.25)):
                peers = count
                await asyncio.sleep(0.25)
                count = len(self._dht.peers) if self._dht else 0
                if count != peers:
                    break


def _connection(dht: Any) -> str:
    """How connected this node is, in words; with the first bootnode that is not reached."""
    if dht.peers:
        return "connected to other nodes"
    failed = [f"{m}: {outcome}" for m, outcome in dht.contacts.bootnodes.items() if ":" in outcome]
    return "no other node yet" + (f"; bootnode {failed[0]}" if failed else "")


def _listen(text: str, before: list[str]) -> tuple[str, ...]:
    wanted = listening.as_before(listening.parse(text), before)
    _, why = listening.instead(wanted)
    if why:
        raise WaggleError("Cannot listen", why, "Free that port, or set another net.listen")
    return tuple(map(str, wanted))


def _told(error: Exception) -> str:
    return str(error)[:400] or type(error).__name__


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
    sidecar = Sidecar(send)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, sidecar.stop)
    threading.Thread(
        target=_read_frames, args=(loop, sidecar), name="frames-in", daemon=True
    ).start()
    await sidecar.run(start)


def _first_message(send: Send) -> messages.Start:
    """`Start`; a node of another release is told so in the version it can read, then left alone."""
    try:
        _, start = messages.decode(frames.read_body(sys.stdin.buffer))
        if isinstance(start, messages.Start):
            return start
        log.error("the first message is %s", type(start).__name__)
    except (ValueError, EOFError) as error:
        log.error("no good first message: %s", error)
        send(messages.Status("down", str(error)[:600], (), 0, ()))
    time.sleep(0.5)  # for the thread that writes
    sys.exit(1)


def main() -> None:
    out = claim_stdout()
    os.environ.update(HIVEMIND_LOGLEVEL="ERROR", HIVEMIND_COLORS="false")
    quiet.setup()
    send = _writer(out)
    start = _first_message(send)
    lean.install()
    from hivemind.utils.serializer import MSGPackSerializer

    from core.net.guard import LARGE_BYTES, SMALL_BYTES, bound_decoder

    bound_decoder(MSGPackSerializer, LARGE_BYTES if start.genrl else SMALL_BYTES)
    asyncio.run(_main(send, start))
    os._exit(0)  # a thread may sit in a read of stdin, which a tidy interpreter exit trips over


if __name__ == "__main__":
    main()
