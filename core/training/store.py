"""The checkpoints of one node: numbered, the newest few kept, damaged ones set aside.

It knows names, numbers and sizes, and nothing of what a checkpoint holds. One process owns the
folder; others may read beside it (`whole`), and take what vanishes under their hands as gone.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from core.errors import StorageError, WaggleError
from core.home import storage_errors
from core.training.checkpoint import folder_size, read_manifest

logger = logging.getLogger(__name__)

VISITS = 4
"""A visitor looks at the folder so often before it gives up: each time a newer one was saved."""

_NAME = re.compile(r"ckpt-(\d{8})-round-(\d+)")
_DAMAGED = re.compile(_NAME.pattern + r"\.damaged")


class Stateful(Protocol):
    """The part of an engine that a store needs."""

    def save(self, path: str, extra: dict[str, object]) -> int: ...

    def load(self, path: str) -> dict[str, object]: ...


def whole(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first. Each was whole when it was renamed into place."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if _NAME.fullmatch(p.name) and p.is_dir()]
    return sorted(found, key=_number)


def round_of(path: Path) -> int:
    """The round in which a checkpoint was saved, by its name."""
    match = _NAME.fullmatch(path.name)
    return int(match.group(2)) if match else 0


def newest_about(folder: Path) -> Mapping[str, str]:
    """What the newest checkpoint says it is of (see `state.save`); empty when there is none.

    Read from its manifest alone, before any model is loaded: where `auto` leaves the recipe open,
    a run goes on as it began.
    """
    for path in reversed(whole(folder)):
        try:
            return read_manifest(path).about
        except StorageError as error:
            logger.info("%s is passed over: %s", path.name, error)
    return {}


def surplus(sizes: Sequence[int], keep: int, max_bytes: int) -> int:
    """How many of the oldest to drop, for sizes given oldest first; 0 `max_bytes` is no limit.

    At most `keep` stay, which together take at most `max_bytes`; the newest stays whatever it
    takes.
    """
    kept = total = 0
    for size in reversed(sizes):
        total += size
        if kept and (kept >= keep or (max_bytes and total > max_bytes)):
            break
        kept += 1
    return len(sizes) - kept


def visit(folder: Path, engine: Stateful) -> dict[str, object] | None:
    """Load the newest whole checkpoint beside the process that owns the folder; its `extra`.

    Changes nothing there: a damaged one is passed over, and when the owner has dropped what was
    just being read, its newer ones are looked at. None when nothing was saved yet; StorageError
    when there is something, but nothing whole.
    """
    for attempt in range(VISITS):
        seen = whole(folder)
        for path in reversed(seen):
            try:
                return engine.load(str(path))
            except StorageError as error:
                logger.info("%s is passed over: %s", path.name, error)
                if path == seen[0] and (attempt == VISITS - 1 or whole(folder) == seen):
                    raise
        if not seen:
            break
    return None


class CheckpointStore:
    """The checkpoints in `folder`: at most `keep`, and at most `max_gib` GiB of them (0: any).

    The newest whole one always stays. Of damaged ones the newest is kept, for whoever wants to
    look into it, as long as it fits into `max_gib` beside the whole ones.
    """

    def __init__(self, folder: Path, keep: int, max_gib: float = 0.0) -> None:
        self._folder = folder
        self._keep = max(1, keep)
        self._max_bytes = int(max_gib * 2**30)

    def save(self, engine: Stateful, round: int, extra: dict[str, object]) -> tuple[str, int]:
        """Write a new checkpoint, then drop the oldest; (path, bytes). May raise StorageError.

        The new one is whole and on disk before an older one is touched, but for those that would
        be dropped anyway and whose room it needs; the newest whole one is never among them.
        """
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sweep()
            self._make_room()
        found = whole(self._folder)
        number = _number(found[-1]) + 1 if found else 1
        path = self._folder / f"ckpt-{number:08d}-round-{round}"
        size = engine.save(str(path), extra)
        with storage_errors(self._folder):
            self._retain()
        return str(path), size

    def resume(
        self, engine: Stateful, report: Callable[[WaggleError], None]
    ) -> dict[str, object] | None:
        """Load the newest checkpoint that is whole; its `extra`, or None when there is none.

        A damaged one is renamed to `*.damaged`, told through `report`, and the next older taken.
        A whole one of another model or recipe raises the engine's WaggleError.
        """
        with storage_errors(self._folder):
            self._sweep()
        for path in reversed(whole(self._folder)):
            try:
                return engine.load(str(path))
            except StorageError as error:
                with storage_errors(path):
                    self._set_aside(path)
                    self._retain()
                report(error)
        return None

    def _make_room(self) -> None:
        """Drop what the coming save would drop anyway, when the disk is too full to wait."""
        found = whole(self._folder)
        if not found:
            return
        sizes = [folder_size(path) for path in found]
        coming = surplus([*sizes, sizes[-1]], self._keep, self._max_bytes)
        for path in found[: min(coming, len(found) - 1)]:
            if shutil.disk_usage(self._folder).free >= sizes[-1] * 1.05:
                return
            _remove(path)

    def _retain(self) -> None:
        found = whole(self._folder)
        sizes = [folder_size(path) for path in found]
        dropped = surplus(sizes, self._keep, self._max_bytes)
        for path in found[:dropped]:
            _remove(path)
        total = sum(sizes[dropped:])
        for path in self._damaged():
            total += folder_size(path)
            if self._max_bytes and total > self._max_bytes:
                _remove(path)

    def _set_aside(self, path: Path) -> None:
        """Rename to `*.damaged`, in place of the one that was set aside before."""
        for older in self._damaged():
            _remove(older)
        path.rename(path.with_name(path.name + ".damaged"))

    def _damaged(self) -> list[Path]:
        return [p for p in self._folder.iterdir() if _DAMAGED.fullmatch(p.name)]

    def _sweep(self) -> None:
        """Remove what a killed process left half-written or half-deleted."""
        for path in self._folder.glob(".ckpt-*"):
            shutil.rmtree(path)


def _remove(path: Path) -> None:
    """Out of sight in one step first: a kill never leaves half a folder under a good name."""
    hidden = path.with_name(f".{path.name}.del")
    path.rename(hidden)
    shutil.rmtree(hidden)


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match.group(1)) if match else 0
