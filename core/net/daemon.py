"""The libp2p daemon as a process: started, watched, and never left behind.

p2pd listens at once and is told of no bootnode: a dead bootnode can therefore neither delay nor
prevent its start. Its control socket lies in a private folder (0700) of the temporary folder,
because a Unix socket path holds some hundred characters and a home may be deep. A lock in the
folder says whether its owner lives; folders of the dead are swept at the next start. Knows nothing
of hivemind but where its p2pd lies.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from core.errors import TransientError

START_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 3.0
LOOK_EVERY_S = 2.0
MISSES = 3
HUNG_S = LOOK_EVERY_S + MISSES * CALL_TIMEOUT_S
"""After so many looks in a row without an answer p2pd counts as hung; at the latest after this."""
MAX_MESSAGE_BYTES = 4 * 2**20
HARD_LIMIT = 2
"""Times max_memory_mib at which the kernel refuses; the watch in `weight.py` comes before."""
LAST_WORDS_S = 0.2
_NO_MEMORY = ("memory", "cannot map pages", "cannot allocate")
_ENVIRONMENT = {"GOLOG_LOG_LEVEL": "error", "GOLOG_LOG_FMT": "json", "GOGC": "50"}
_LEASH = Path(__file__).with_name("leash.py")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DaemonOptions:
    """How p2pd is started. listen, announce: multiaddrs.

    client_mode: listen nowhere, dial out only. relay: relay to others. relays: nodes (multiaddrs)
    to ask for relaying to this one, because nobody can dial it; empty for one that can be dialled.
    """

    identity: Path
    listen: tuple[str, ...]
    announce: tuple[str, ...] = ()
    client_mode: bool = False
    relay: bool = True
    relays: tuple[str, ...] = ()
    nat_port_map: bool = False
    max_memory_mib: int = 512


@dataclass
class Daemon:
    """A running p2pd. `process.wait()` resolves when it has died, however it died."""

    process: asyncio.subprocess.Process
    control: Path
    max_memory_mib: int
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    fatal: str = ""
    """What Go's runtime said when it gave up; its stacks follow and push it out of `last_lines`."""
    reader: asyncio.Task[None] | None = None

    async def died(self) -> str:
        """Return once it has ended, with why in words."""
        status = await self.process.wait()
        if self.reader is not None:
            await asyncio.wait({self.reader}, timeout=LAST_WORDS_S)
        if any(word in self.fatal for word in _NO_MEMORY):
            return (
                "the libp2p daemon needed more memory than the kernel gives it, "
                f"{HARD_LIMIT} times the {self.max_memory_mib} of net.max_memory_mib"
            )
        return f"the libp2p daemon ended with status {status}" + (
            f": {self.fatal}" if self.fatal else ""
        )

    async def stop(self, grace_s: float = 2.0) -> None:
        """End it: politely, then by force."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), grace_s)
            except asyncio.TimeoutError:
                with suppress(ProcessLookupError):
                    self.process.kill()
                await self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.reader is not None:
            self.reader.cancel()
        self.control.unlink(missing_ok=True)


class SocketFolder:
    """A private folder for sockets, locked while this process lives."""

    def __init__(self) -> None:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_prefix()))
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def note(self, pid: int) -> None:
        """Remember the daemon, for whoever has to sweep after us."""
        (self.path / "p2pd.pid").write_text(str(pid))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep() -> None:
    """Remove socket folders whose owner is dead, and a daemon that outlived it."""
    for folder in Path(tempfile.gettempdir()).glob(_prefix() + "*"):
        try:
            if folder.stat().st_uid != os.getuid():
                continue
            handle = os.open(folder / "lock", os.O_RDWR)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.warning("cannot look at %s: %s", folder, error)
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # its owner lives
        else:
            _kill_survivor(folder)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _prefix() -> str:
    return f"waggle-net-{os.getuid()}-"


def _kill_survivor(folder: Path) -> None:
    """Kill the daemon noted in `folder` when that process still is the one that uses it."""
    import psutil

    try:
        process = psutil.Process(int((folder / "p2pd.pid").read_text()))
        if any(str(folder) in part for part in process.cmdline()):
            process.send_signal(signal.SIGKILL)
    except (OSError, ValueError, psutil.Error):
        return  # no note, or that process is gone: nothing survived


async def start(folder: SocketFolder, options: DaemonOptions) -> Daemon:
    """Start p2pd and wait until it is ready; TransientError when it does not come up."""
    control = folder.path / f"p2pd-{os.urandom(4).hex()}.sock"
    limit = options.max_memory_mib
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), str(HARD_LIMIT * limit)),
        str(files("hivemind.hivemind_cli") / "p2pd"),
        *(f"-{name}={value}" for name, value in _flags(control, options).items()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **_ENVIRONMENT, "GOMEMLIMIT": f"{limit * 4 // 5}MiB"},
    )
    folder.note(process.pid)
    daemon = Daemon(process, control, limit)
    ready = asyncio.get_running_loop().create_future()
    daemon.reader = asyncio.create_task(_read_output(daemon, ready), name="p2pd-output")
    try:
        await asyncio.wait_for(ready, START_TIMEOUT_S)
    except (asyncio.TimeoutError, EOFError) as error:
        await daemon.stop()
        last = daemon.last_lines[-1][:300] if daemon.last_lines else "it said nothing"
        why = await daemon.died() if daemon.fatal else last
        raise TransientError(
            "The libp2p daemon did not start", why, "It is tried again; see logs/net.log"
        ) from error
    return daemon


def _flags(control: Path, options: DaemonOptions) -> dict[str, object]:
    """p2pd's command line. Whatever could speak to strangers of IPFS is off."""
    flags: dict[str, object] = {
        "listen": f"/unix{control}",
        "id": options.identity,
        "dhtServer" if not options.client_mode else "dhtClient": 1,
        "autonat": 0,  # peers dial each other back themselves, see hello.py
        "natPortMap": int(options.nat_port_map),
        "relay": 1,
        "relayService": int(options.relay),
        "relayDiscovery": 0,
        "autoRelay": 0,
        "connManager": 1,
        "tls": 1,
        "b": 0,
        "idleTimeout": "30s",
        "persistentConnMaxMsgSize": MAX_MESSAGE_BYTES,
    }
    if options.client_mode:
        flags["noListenAddrs"] = 1
    else:
        flags["hostAddrs"] = ",".join(options.listen)
    if options.announce:
        flags["announceAddrs"] = ",".join(options.announce)
    if options.relays:
        relays = ",".join(options.relays)
        flags |= {"autoRelay": 1, "forceReachabilityPrivate": 1, "trustedRelays": relays}
    return flags


async def _read_output(daemon: Daemon, ready: asyncio.Future[None]) -> None:
    """Drain p2pd's output for as long as it lives, so that it never blocks on a full pipe."""
    assert daemon.process.stdout is not None
    rest = b""
    while chunk := await daemon.process.stdout.read(8_192):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[-8_192:]
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            daemon.last_lines.append(text)
            if text.startswith("fatal error:") and not daemon.fatal:
                daemon.fatal = text[:200]
            if text.startswith("Peer ID:") and not ready.done():
                ready.set_result(None)
            elif '"level":"error"' in text:
                log.info("p2pd: %s", text[:500])
    if not ready.done():
        ready.set_exception(EOFError("p2pd ended"))
