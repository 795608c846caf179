"""A log that is cut short, or taken away, beneath somebody who reads in it."""

from __future__ import annotations

import os
import re

import pytest

from core.home import Home
from tests.logfile_support import write_logs
from tests.tui.test_logs import cursor, logs, press, rounds, until


def told(row: str) -> int:
    """The number in a row."""
    found = re.search(r"(round|heard) +(\d+)", row)
    assert found is not None, row
    return int(found[2])


@pytest.mark.parametrize("left", [0, 100, None])
async def test_the_reader_stays_at_that_time(home: Home, left: int | None) -> None:
    """Not at the oldest line: what another log says of that moment is what stands beside it."""
    write_logs(home, {"node": rounds(0, 300), "net": rounds(100, 300).replace("round", "heard")})
    async with logs(home) as (app, pilot):
        await press(pilot, *["pageup"] * 3)
        await press(pilot, "k", shows="standing still")
        if "heard" in cursor(app):
            await press(pilot, "k")
        await until(pilot, lambda: "round" in cursor(app))
        number = told(cursor(app))
        if left is None:
            home.log.unlink()
        else:
            os.truncate(home.log, left)
        await until(pilot, lambda: "heard" in cursor(app))
        assert abs(told(cursor(app)) - number) <= 1
