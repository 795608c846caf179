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
import socket
import sys
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from core.errors import TransientError

START_TIMEOUT_S = 30.0
MAX_MESSAGE_BYTES = 4 * 2**20
_LEASH = Path(__file__).with_name("leash.py")
log = logging.getLogger(__name__)


@dataclass
class Daemon:
    """A running p2pd. `process.wait()` resolves when it has died, however it died."""

    process: asyncio.subprocess.Process
    control: Path
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    reader: asyncio.Task[None] | None = None

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


def require_free_port(maddr: str) -> None:
    """TransientError when the fixed TCP port of `maddr` is taken.

    p2pd would not notice: it listens with SO_REUSEPORT, and two nodes would share the port.
    """
    parts = maddr.strip("/").split("/")
    if len(parts) < 4 or parts[0] not in ("ip4", "ip6") or parts[2] != "tcp":
        return
    port = int(parts[3]) if parts[3].isdecimal() else 0
    if not port:
        return
    family = socket.AF_INET if parts[0] == "ip4" else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((parts[1], port))
        except OSError as error:
            raise TransientError(
                f"Cannot listen on {maddr}",
                error.strerror or str(error),
                "Free that port, or set another one in net.listen",
            ) from error


def same_port(listen: str, maddrs: list[str]) -> str:
    """`listen` with its port 0 replaced by the one that `maddrs` show was chosen, when it is free.

    A node that comes back on its old port is found again by those who knew it.
    """
    head, zero, tail = listen.partition("/tcp/0")
    for maddr in maddrs if zero and not tail else ():
        port = maddr.partition("/tcp/")[2].split("/")[0]
        if port.isdecimal():
            try:
                require_free_port(f"{head}/tcp/{port}")
            except TransientError:
                return listen
            return f"{head}/tcp/{port}"
    return listen


async def start(
    folder: SocketFolder, identity: Path, listen: str, announce: tuple[str, ...] = ()
) -> Daemon:
    """Start p2pd and wait until it is ready; TransientError when it does not come up."""
    require_free_port(listen)
    control = folder.path / f"p2pd-{os.urandom(4).hex()}.sock"
    options = {
        "listen": f"/unix{control}",
        "id": identity,
        "hostAddrs": listen,
        "announceAddrs": ",".join(announce),
        "dhtServer": 1,
        "autonat": 0,
        "natPortMap": 0,
        "autoRelay": 0,
        "relay": 1,
        "connManager": 1,
        "tls": 1,
        "b": 0,
        "idleTimeout": "30s",
        "persistentConnMaxMsgSize": MAX_MESSAGE_BYTES,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_LEASH), str(os.getpid())),
        str(files("hivemind.hivemind_cli") / "p2pd"),
        *(f"-{name}={value}" for name, value in options.items() if value != ""),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "GOLOG_LOG_LEVEL": "error", "GOLOG_LOG_FMT": "json"},
    )
    folder.note(process.pid)
    daemon = Daemon(process, control)
    ready = asyncio.get_running_loop().create_future()
    daemon.reader = asyncio.create_task(_read_output(daemon, ready), name="p2pd-output")
    try:
        await asyncio.wait_for(ready, START_TIMEOUT_S)
    except (asyncio.TimeoutError, EOFError) as error:
        await daemon.stop()
        why = daemon.last_lines[-1][:300] if daemon.last_lines else "it said nothing"
        raise TransientError(
            "The libp2p daemon did not start", why, "It is tried again; see logs/net.log"
        ) from error
    return daemon


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
            if text.startswith("Peer ID:") and not ready.done():
                ready.set_result(None)
            elif '"level":"error"' in text:
                log.info("p2pd: %s", text[:500])
    if not ready.done():
        ready.set_exception(EOFError("p2pd ended"))
