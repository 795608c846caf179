"""The cycle collector: put off while much is loaded, and blind to what was loaded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from core import collecting


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    yield
    gc.unfreeze()


class Node:
    """Can be part of a cycle, and be watched."""

    other: Node


def a_cycle() -> weakref.ref[Node]:
    one, two = Node(), Node()
    one.other, two.other = two, one
    return weakref.ref(one)


def test_what_was_loaded_is_not_looked_at_again_and_what_comes_later_is() -> None:
    with collecting.put_off():
        assert not gc.isenabled()
        loaded = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= len(loaded)
    assert not any(each is loaded[0] for each in gc.get_objects())
    later = a_cycle()
    gc.collect()
    assert later() is None


def test_a_failed_start_leaves_the_collector_on() -> None:
    with pytest.raises(ZeroDivisionError), collecting.put_off():
        _ = 1 / 0
    assert gc.isenabled()


def test_whoever_turned_the_collector_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with collecting.put_off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_frozen_is_still_freed_when_nothing_refers_to_it() -> None:
    frozen = Node()
    watched = weakref.ref(frozen)
    collecting.settle()
    del frozen
    assert watched() is None
