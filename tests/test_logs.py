from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest

from core import events, logs
from core.errors import StorageError
from core.home import Home
from core.schema import LogSection

logger = logging.getLogger("core.test")


@pytest.fixture
def bus() -> Iterator[events.EventBus]:
    level = logging.getLogger().level
    yield events.EventBus()
    logs.teardown()
    logging.getLogger().setLevel(level)


def test_lines_reach_the_file_and_the_bus(home: Home, bus: events.EventBus) -> None:
    told = bus.subscribe()
    logs.setup(home, LogSection(), bus)
    logger.info("round %d", 7)
    logger.debug("too fine")
    try:
        raise ValueError("odd")
    except ValueError:
        logger.exception("step failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("an old way", stacklevel=1)
    logging.getLogger("urllib3").info("chatter")
    lines = [(e.level, e.text) for e in told.drain() if isinstance(e, events.LogLine)]
    assert ("info", "round 7") in lines
    assert ("error", "step failed: ValueError: odd") in lines
    assert any("an old way" in text for _, text in lines)
    written = home.log.read_text()
    assert "round 7" in written
    assert "Traceback" in written
    assert "chatter" not in written
    assert "too fine" not in written
    assert home.log.stat().st_mode & 0o777 == 0o600


def test_secrets_reach_neither(home: Home, bus: events.EventBus) -> None:
    told = bus.subscribe()
    logs.setup(home, LogSection(), bus)
    try:
        raise ValueError("passphrase=hunter2")
    except ValueError:
        logger.exception("private_key: %s", "ab" * 32)
    assert "hunter2" not in home.log.read_text()
    assert "ab" * 32 not in home.log.read_text()
    assert "hunter2" not in repr(told.drain())


def test_the_file_rotates_and_stays_private(home: Home, bus: events.EventBus) -> None:
    logs.setup(home, LogSection(max_mib=1), bus)
    for _ in range(80):
        logger.info("x" * 31_000)
    names = sorted(path.name for path in home.logs.iterdir())
    assert names == ["node.log", "node.log.1", "node.log.2"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in home.logs.iterdir())
    assert all(path.stat().st_size <= 2**20 for path in home.logs.iterdir())


def test_a_second_setup_replaces_the_first(home: Home, bus: events.EventBus) -> None:
    before = len(logging.getLogger().handlers)
    logs.setup(home, LogSection(), bus)
    logs.setup(home, LogSection(), bus)
    assert len(logging.getLogger().handlers) == before + 2
    logs.teardown()
    assert len(logging.getLogger().handlers) == before


def test_a_malformed_log_call_ends_nothing(home: Home, bus: events.EventBus) -> None:
    told = bus.subscribe()
    logs.setup(home, LogSection(), bus)
    logging.raiseExceptions = False
    try:
        logger.info("%d rounds", "seven")
    finally:
        logging.raiseExceptions = True
    assert any("rounds" in e.text for e in told.drain() if isinstance(e, events.LogLine))


def test_a_disk_that_refuses_costs_one_incident(home: Home, bus: events.EventBus) -> None:
    told = bus.subscribe()
    logs.setup(home, LogSection(), bus)
    file = next(h for h in logging.getLogger().handlers if isinstance(h, logs.LogFile))
    file.stream.close()
    file.stream = open("/dev/full", "a", encoding="utf-8")  # noqa: SIM115, PTH123 - the full disk
    for n in range(5):
        logger.info("line %d", n)
    incidents = [e for e in told.drain() if isinstance(e, events.Incident)]
    assert [e.code for e in incidents] == ["log_unwritable"]
    file.stream = None  # closing it would raise: its buffer can never be written


def test_a_folder_without_permission_is_told(home: Home, bus: events.EventBus) -> None:
    home.log.mkdir()
    with pytest.raises(StorageError, match=r"node\.log"):
        logs.setup(home, LogSection(), bus)
