"""The node's end of the net sidecar: starts it, asks it, notices its death, starts it again.

`NetLink.call` and `submit` may be used from any thread; each request has a deadline. The thread
`link` reads answers and watches over the child: a sidecar that dies, or shows no sign of life,
is replaced with a growing pause. What I published last is handed to the new one, so nobody else
has to know. Imports neither hivemind nor asyncio.
"""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

from core import children, frames
from core.errors import StorageError, TransientError
from core.net import messages, pipes
from core.net.options import LinkOptions, NetStatus

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 8.0
STEADY_S = 20.0
A = TypeVar("A", bound=messages.Message)


class NetLink:
    """One sidecar, kept alive. `on_status` is called from the thread `link` when something changes.

    contacts: asked at every start for multiaddrs of peers met before.
    """

    def __init__(
        self,
        options: LinkOptions,
        on_status: Callable[[NetStatus], None] = lambda status: None,
        contacts: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._options = options
        self._on_status, self._contacts = on_status, contacts
        self._child: subprocess.Popen[bytes] | None = None
        self._bootnodes = list(options.bootnodes)
        self._waiting: dict[int, tuple[type[messages.Message], Future[Any]]] = {}
        self._numbers = itertools.count(1)
        self._published: deque[messages.Publish] = deque(maxlen=2)
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._status = NetStatus()
        self._maddrs: tuple[str, ...] = ()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    # --- for the node -------------------------------------------------------------------------

    def start(self) -> None:
        """Return at once; the sidecar comes up in the background."""
        self._thread.start()

    @property
    def status(self) -> NetStatus:
        with self._lock:
            return self._status

    @property
    def pid(self) -> int | None:
        """Process id of the sidecar that runs now."""
        child = self._child
        return child.pid if child is not None else None

    def wait_up(self, timeout_s: float, stop: threading.Event | None = None) -> NetStatus:
        """The status once it is `up`; TransientError when it is not in time or `stop` is set."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._status.status != "up" or not self._status.maddrs:
                left = deadline - time.monotonic()
                if left <= 0 or (stop is not None and stop.is_set()):
                    raise TransientError(
                        "The network part is not up yet",
                        self._status.detail,
                        "It goes on trying by itself; see logs/net.log",
                    )
                self._changed.wait(min(left, 0.2))
            return self._status

    def visible_maddrs(
        self, timeout_s: float = 20.0, stop: threading.Event | None = None
    ) -> list[str]:
        """Multiaddrs, peer id included, through which other nodes can join."""
        return list(self.wait_up(timeout_s, stop).maddrs)

    def connect(self, maddrs: Sequence[str]) -> None:
        """More bootnodes, tried in the background and at every later start.

        Too long ones, and those beyond MAX_MADDRS, are left out: they may come from strangers.
        """
        with self._lock:
            short = [m for m in dict.fromkeys(maddrs) if len(m) <= messages.MAX_MADDR_CHARS]
            fresh = [m for m in short if m not in self._bootnodes]
            fresh = fresh[: messages.MAX_MADDRS - len(self._bootnodes)]
            self._bootnodes.extend(fresh)
        if fresh and self.status.status == "up":
            self.submit(messages.Connect(tuple(fresh)))

    def publish(self, record: bytes, payload: bytes, timeout_s: float) -> None:
        """Serve a payload and tell the DHT. While the sidecar starts it is kept until then.

        TransientError when the sidecar is down or does not answer.
        """
        request = messages.Publish(record, payload)
        with self._lock:
            self._published.append(request)
            starting = self._status.status == "starting" and self._status.restarts == 0
        if not starting:
            self.call(request, timeout_s)

    def call(self, request: messages.Request[A], timeout_s: float) -> A:
        """The answer to one request; TransientError when there is none or it is `Failed`."""
        future = self.submit(request)
        try:
            return future.result(timeout_s)
        except FutureTimeoutError as error:
            raise TransientError(
                f"The network part did not answer within {timeout_s:g} s"
            ) from error

    def submit(self, request: messages.Request[A]) -> Future[A]:
        """A future of the answer; it fails with TransientError, also when the sidecar dies."""
        number = next(self._numbers)
        future: Future[A] = Future()
        body = messages.encode(request, number)
        with self._lock:
            child = self._child
            if child is not None:
                self._waiting[number] = (type(request).ANSWER, future)
        if child is None:
            detail = self.status.detail or "it is starting"
            future.set_exception(TransientError("The network part is not running", detail))
        else:
            pipes.send(child, body, self._send_lock)
        return future

    def close(self, timeout_s: float = 10.0) -> None:
        """End the sidecar and the thread."""
        self._closing.set()
        child = self._child
        if child is not None:
            children.stop(child)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    # --- the thread `link` --------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                why = self._live()
            except StorageError as error:
                why = str(error)
            self._fail_waiting(why)
            if self._closing.is_set():
                return
            if time.monotonic() - began > STEADY_S:
                pause = FIRST_PAUSE_S
            was = self._status
            if was.status == "down" and was.detail:
                why = was.detail  # it had a word to say before it ended
            told = messages.Status("down", f"{why}; starting it again"[:600])
            self._set(NetStatus(told, was.restarts + 1, why))
            self._closing.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _live(self) -> str:
        """One sidecar from start to end; why it ended."""
        pipes.rotate(self._options.log)
        child = children.spawn("core.net.sidecar", log=self._options.log)
        try:
            with self._lock:
                self._child = child
                bootnodes = list(self._bootnodes)
            options = self._options
            start = messages.Start(
                identity=str(options.identity),
                swarm=options.swarm,
                listen=options.listen,
                announce=options.announce,
                bootnodes=tuple(bootnodes),
                contacts=tuple(self._contacts()),
                maddrs=self._maddrs,
                genrl=options.genrl,
                client_mode=options.client_mode,
                relay=options.relay,
                nat_port_map=options.nat_port_map,
                lan_discovery=options.lan_discovery,
                max_memory_mib=options.max_memory_mib,
            )
            pipes.send(child, messages.encode(start), self._send_lock)
            source = pipes.Source(child)
            while True:
                body = frames.read_body(source)  # type: ignore[arg-type]
                self._receive(*messages.decode(body))
        except TimeoutError as error:
            child.kill()  # it would not hear a kinder word
            return f"the network part gave {error}"
        except messages.VersionError as error:
            return f"Waggle was updated while this node ran, {error}; restart the node"
        except (EOFError, ValueError, OSError) as error:
            return f"the network part ended ({error})"
        finally:
            with self._lock:
                self._child = None
            children.stop(child, grace_s=1.0)
            if child.stdout is not None:
                child.stdout.close()

    def _receive(self, number: int, message: messages.Message) -> None:
        """Take in an answer or a notice; ValueError for what the sidecar should not say."""
        if isinstance(message, messages.Status):
            self._told(message)
            return
        with self._lock:
            answer, future = self._waiting.pop(number, (None, None))
        if future is None:
            raise ValueError(f"an answer to no request: {type(message).__name__}")
        if isinstance(message, messages.Failed):
            future.set_exception(TransientError("The network part cannot do this now", message.why))
        elif type(message) is answer:
            future.set_result(message)
        else:
            future.set_exception(TransientError("The network part went away"))
            raise ValueError(f"{type(message).__name__} is not what was asked for")

    def _told(self, told: messages.Status) -> None:
        was = self.status
        self._set(NetStatus(told, was.restarts, was.why))
        if told.status == "up" and was.status != "up":
            with self._lock:
                again = list(self._published)
                # Some may have been learnt since the sidecar was given its list.
                bootnodes = tuple(self._bootnodes)
            if bootnodes:
                self.submit(messages.Connect(bootnodes))
            for request in again:
                self.submit(request)

    def _set(self, status: NetStatus) -> None:
        with self._changed:
            changed, self._status = status != self._status, status
            self._maddrs = status.maddrs or self._maddrs
            self._changed.notify_all()
        if changed:
            self._on_status(status)

    def _fail_waiting(self, why: str) -> None:
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
        for _, future in waiting:
            future.set_exception(TransientError("The network part went away", why))
