"""The net sidecar: `python -m core.net.sidecar`, one asyncio loop with the DHT in it.

Reads frames `{"id", "op", ...}` from standard input, answers each with `{"id", "ok"}` or
`{"id", "error"}`, and says how it is with `{"event": "status", ...}` whenever that changes and
every few seconds as a sign of life. The first frame is `start`. Standard input's end means that
the node is gone: then this process ends, within seconds even when the loop hangs, and p2pd with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from core import frames
from core.children import claim_stdout
from core.errors import WaggleError
from core.net import daemon, lean, quiet, records
from core.net.serving import Shelf

SIGN_OF_LIFE_S = 5.0
LONGEST_PAUSE_S = 5.0
MAX_REQUESTS = 128
log = logging.getLogger("core.net.sidecar")


class Sidecar:
    """Keeps one `Dht` open, whatever happens to its daemon, and answers the node's requests."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._shelf = Shelf()
        self._dht: Any = None
        self._published: list[tuple[bytes, bytes]] = []
        self._bootnodes: list[str] = []
        self._faults: dict[str, str] = {}
        self._status, self._detail = "starting", ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    # --- frames -------------------------------------------------------------------------------

    def accept(self, frame: dict[str, Any]) -> None:
        if len(self._tasks) >= MAX_REQUESTS:
            self._send({"id": frame.get("id"), "error": "too many requests at once"})
            return
        task = asyncio.get_running_loop().create_task(self._answer(frame))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        self._stop.set()

    async def _answer(self, frame: dict[str, Any]) -> None:
        number, op = frame.get("id"), frame.get("op")
        try:
            if self._dht is None and op != "status":
                raise WaggleError(self._detail or "the network part is starting")
            self._send({"id": number, "ok": await getattr(self, f"_op_{op}")(frame)})
            self._fault(op, None)
        except (*self._net_errors, WaggleError) as error:
            self._send({"id": number, "error": str(error)[:400] or type(error).__name__})
        except Exception as error:
            log.exception("%s failed", op)
            self._fault(op, error)
            self._send({"id": number, "error": f"{type(error).__name__} in the network part"})

    def _fault(self, op: Any, error: Exception | None) -> None:
        """A failure that nobody foresaw shows as `degraded` until the same request works again."""
        before = dict(self._faults)
        if error is None:
            self._faults.pop(op, None)
        else:
            self._faults[op] = f"{op} fails ({type(error).__name__}); see logs/net.log"
        if before != self._faults:
            self._send(self._report())

    async def _op_publish(self, frame: dict[str, Any]) -> None:
        record = records.decode(frame["record"])
        self._shelf.put(record.round, record.stage, record.digest, frame["payload"])
        key = records.directory_key(record.swarm, record.round, record.stage)
        self._published = [*self._published[-1:], (key, frame["record"])]
        await self._dht.directory.publish(key, frame["record"])

    async def _op_directory(self, frame: dict[str, Any]) -> dict[str, Any]:
        found = await self._dht.directory.read(frame["round"], frame["stage"])
        return {"records": list(found.values()), "peers": len(self._dht.peers)}

    async def _op_fetch(self, frame: dict[str, Any]) -> dict[str, Any]:
        record = records.decode(frame["record"])
        payload, latency_ms = await self._dht.rollouts.fetch(
            record, frame["max_bytes"], frame["timeout_s"]
        )
        return {"payload": payload, "latency_ms": latency_ms}

    async def _op_connect(self, frame: dict[str, Any]) -> None:
        self._bootnodes = list(dict.fromkeys([*self._bootnodes, *frame["maddrs"]]))
        self._dht.connections.add_bootnodes(frame["maddrs"])

    async def _op_status(self, frame: dict[str, Any]) -> dict[str, Any]:
        return self._report()

    # --- life ---------------------------------------------------------------------------------

    async def run(self, start: dict[str, Any]) -> None:
        """Until `stop`: open the DHT, watch it, open it again."""
        from core.net.chores import NET_ERRORS
        from core.net.dht import Dht, Options

        self._net_errors = NET_ERRORS
        self._bootnodes = list(start["bootnodes"])
        folder = daemon.SocketFolder()
        life = asyncio.create_task(self._sign_of_life())
        stopped = asyncio.create_task(self._stop.wait())
        pause = 0.1
        try:
            while not stopped.done():
                dht = Dht(
                    Options(
                        identity=Path(start["identity"]),
                        swarm=start["swarm"],
                        listen=daemon.same_port(start["listen"], start["maddrs"]),
                        announce=tuple(start["announce"]),
                        bootnodes=tuple(self._bootnodes),
                        contacts=tuple(start["contacts"]),
                    ),
                    folder,
                    self._shelf,
                )
                try:
                    await dht.open()
                except (*NET_ERRORS, WaggleError) as error:
                    self._say("down", str(error)[:400] or type(error).__name__)
                else:
                    pause = 0.1
                    reason = await self._serve(dht, stopped)
                    start["contacts"] = [*start["contacts"], *dht.contacts.known_maddrs()][-256:]
                    start["maddrs"] = dht.maddrs
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
            for key, record in self._published:
                await dht.directory.publish(key, record)
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

    def _report(self) -> dict[str, Any]:
        dht = self._dht
        faulty = self._status == "up" and self._faults
        detail = _connection(dht) if dht and not self._detail else self._detail
        return {
            "event": "status",
            "status": "degraded" if faulty else self._status,
            "detail": "; ".join(self._faults.values()) if faulty else detail,
            "maddrs": dht.maddrs if dht else [],
            "peers": len(dht.peers) if dht else 0,
            "bootnodes": dht.contacts.bootnodes if dht else {},
        }

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


def _writer(handle: int) -> Any:
    """A `send` that never blocks the loop: a thread writes. A node that reads nothing is gone."""
    waiting: queue.Queue[bytes] = queue.Queue(maxsize=1_024)

    def write() -> None:
        with os.fdopen(handle, "wb") as out:
            while True:
                out.write(waiting.get())
                out.flush()

    def send(message: dict[str, Any]) -> None:
        try:
            waiting.put_nowait(frames.encode(message))
        except queue.Full:
            os._exit(1)

    threading.Thread(target=write, name="frames-out", daemon=True).start()
    return send


def _read_frames(loop: asyncio.AbstractEventLoop, sidecar: Sidecar) -> None:
    """The thread `frames-in`: hand frames to the loop until the node is gone, then end with it."""
    try:
        while True:
            loop.call_soon_threadsafe(sidecar.accept, frames.read(sys.stdin.buffer))
    except (EOFError, ValueError, OSError, RuntimeError) as error:
        log.info("the node is gone: %r", error)
    try:
        loop.call_soon_threadsafe(sidecar.stop)
    except RuntimeError:
        return  # the loop is closed: the process is already ending
    threading.Event().wait(3.0)
    os._exit(0)


async def _main(send: Any, start: dict[str, Any]) -> None:
    sidecar = Sidecar(send)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, sidecar.stop)
    threading.Thread(
        target=_read_frames, args=(loop, sidecar), name="frames-in", daemon=True
    ).start()
    await sidecar.run(start)


def main() -> None:
    out = claim_stdout()
    os.environ.update(HIVEMIND_LOGLEVEL="ERROR", HIVEMIND_COLORS="false")
    quiet.setup()
    start = frames.read(sys.stdin.buffer)
    lean.install()
    from hivemind.utils.serializer import MSGPackSerializer

    from core.net.guard import bound_nesting

    bound_nesting(MSGPackSerializer)
    asyncio.run(_main(_writer(out), start))
    os._exit(0)  # a thread may sit in a read of stdin, which a tidy interpreter exit trips over


if __name__ == "__main__":
    main()
