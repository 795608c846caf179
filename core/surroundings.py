"""What a running node looks at beside its rounds: its disk, its memory, and the copies of its keys.

Cheap enough for once a round (a few small files and system calls, under a millisecond), and no
more often than `EVERY_S` however short the rounds are. It changes nothing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from core import events, free_memory
from core.account.accounts import kept_note
from core.errors import StorageError
from core.home import Home
from core.identity.identities import backup_note
from core.schema import Config

EVERY_S = 30.0


class Surroundings:
    """Tells what it finds through `emit`. Worker thread only."""

    def __init__(
        self,
        home: Home,
        config: Config,
        emit: Callable[[events.Event], None],
        *,
        peer_id: str,
        account: Callable[[], str] = str,
        backed_up: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """account: of this home as it is then, "" where nobody submits with it. backed_up: as it is
        known now."""
        self._home = home
        self._config = config
        self._emit = emit
        self._peer_id = peer_id
        self._account = account
        self._backed_up = backed_up
        self._clock = clock
        self._read_at = -EVERY_S

    def look(self) -> None:
        """Look, unless that was a moment ago. Never raises: what cannot be read is not told."""
        now = self._clock()
        if now - self._read_at < EVERY_S:
            return
        self._read_at = now
        self._look_for_backup()
        try:
            self._emit(self._read())
        except (OSError, StorageError):
            return  # a disk that is gone, a keystore that is damaged: told by whoever needs them

    def _look_for_backup(self) -> None:
        """`waggle identity backup` runs beside the node."""
        note = backup_note(self._home, self._peer_id)
        if note is not None and note.time != self._backed_up:
            self._backed_up = note.time
            self._emit(events.IdentityBackedUp(made=note.time))

    def _read(self) -> events.MachineRead:
        import psutil

        limit, most = free_memory.free_ram(), self._config.model.max_ram_gib
        if most:
            limit = min(limit, int(most * free_memory.GIB))
        account = self._account()
        kept = kept_note(self._home, account) if account else None
        return events.MachineRead(
            disk_free_bytes=shutil.disk_usage(self._home.path).free,
            memory_mib=psutil.Process().memory_info().rss / 2**20,
            memory_limit_mib=limit / 2**20,
            account=account,
            account_kept=kept.time if kept else None,
        )
