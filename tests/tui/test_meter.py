"""What the status line says of the console's own bytes."""

from __future__ import annotations

import io
import itertools

from tui.terminal import Tty
from tui.ticker import METER_S, RENEWED_S, Meter


class Wire:
    """A console that writes so many bytes a second, twice a second, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.tty = Tty(io.StringIO())
        self.meter = Meter(self.tty, lambda: self.now)
        self.meter.measure()

    def write(self, bytes_s: int, seconds: float) -> list[float | None]:
        """What the meter said after each tick."""
        said = []
        for _ in range(round(2 * seconds)):
            self.tty.write("x" * (bytes_s // 2))
            self.now += 0.5
            self.meter.measure()
            said.append(self.meter.kb_s)
        return said


def test_it_says_nothing_before_it_has_measured_long_enough() -> None:
    wire = Wire()
    assert set(wire.write(3000, METER_S - 0.5)) == {None}
    assert wire.write(3000, 0.5) == [3.0]


def test_it_forgets_a_burst_when_that_is_over() -> None:
    """The picture of another page is kilobytes: they must not stand there for long."""
    wire = Wire()
    wire.write(200, 10)
    assert wire.write(40_000, 1)[-1] is not None
    after = wire.write(200, METER_S + RENEWED_S)
    assert max(said for said in after if said is not None) > 5
    assert after[-1] == 0.2


def test_it_is_not_shown_anew_on_every_tick() -> None:
    wire = Wire()
    wire.write(1000, METER_S)
    said = [figure for rate in range(2000, 8000, 500) for figure in wire.write(rate, 0.5)]
    changes = sum(one != other for one, other in itertools.pairwise(said))
    assert changes <= 6 / RENEWED_S


def test_without_a_terminal_it_says_nothing() -> None:
    meter = Meter(None)
    meter.measure()
    assert meter.kb_s is None
