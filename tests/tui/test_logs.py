"""The log screen by keyboard and mouse, on real files: follow, search, filter, jump, copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
from textual.events import MouseScrollDown
from textual.pilot import Pilot

from core import events
from core.home import Home
from core.journal import Journal
from tests.logfile_support import line, write_logs
from tests.tui.conftest import running
from tests.tui.support import begin, round_events
from tui import capture
from tui.app import WaggleApp
from tui.screens.dashboard import Dashboard
from tui.screens.logs.rows import Row
from tui.screens.logs.screen import LogsScreen

NOW = datetime(2026, 11, 25, 12, 0, 0).timestamp()
TRACE = (
    "Traceback (most recent call last):\n"
    '  File "core/worker.py", line 10, in run\n'
    "    self.step()\n"
    "RuntimeError: CUDA out of memory. Tried to allocate 2.32 GiB\n"
)
HOSTILE = "\x1b[2J\x1b]0;own\x07[bold]no[/] \u202e\u6f22\u5b57 \x00 \u0645\u0631\u062d\u0628\u0627"


@asynccontextmanager
async def logs(
    home: Home, size: tuple[int, int] = (100, 24), sets: tuple[str, ...] = ()
) -> AsyncIterator[tuple[WaggleApp, Pilot[str]]]:
    async with running(home, begin(), NOW, size, sets) as (app, pilot, _):
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogsScreen) and indexed(app))
        yield app, pilot


def indexed(app: WaggleApp) -> bool:
    frame = app.screen.desk.frame  # type: ignore[attr-defined]
    return frame.indexed == 1.0 and len(frame.rows) > 0


async def until(pilot: Pilot[str], wanted: Callable[[], object], timeout_s: float = 10.0) -> None:
    for _ in range(int(timeout_s / 0.02)):
        await pilot.pause()
        if wanted():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the screen did not get there:\n{capture.text_of(pilot.app)}")


async def press(pilot: Pilot[str], *keys: str, shows: str = "", hides: str = "") -> str:
    """Press keys and wait for what must then be on the screen; the screen."""
    await pilot.press(*keys)

    def there() -> bool:
        text = capture.text_of(pilot.app)
        return shows in text and not (hides and hides in text)

    await until(pilot, there)
    return capture.text_of(pilot.app)


def cursor(app: WaggleApp) -> str:
    return next((row.text for row in rows(app) if row.chosen), "")


def rows(app: WaggleApp) -> tuple[Row, ...]:
    return app.screen.desk.frame.rows  # type: ignore[attr-defined]


def rounds(first: int, last: int) -> str:
    return "".join(
        line(n, "INFO", f"round {n:>5}  reward 0.{n % 100:02d}") for n in range(first, last)
    )


async def test_it_follows_stands_still_and_counts(home: Home) -> None:
    write_logs(home, {"node": rounds(0, 200)})
    async with logs(home) as (app, pilot):
        assert "round   199" in capture.text_of(app)
        assert "following" in capture.text_of(app)
        await press(pilot, "home", shows="round     0")
        with home.log.open("a") as log:
            log.write(rounds(200, 207))
        await until(pilot, lambda: "+7 lines" in capture.text_of(app))
        assert "round     0" in capture.text_of(app)
        await press(pilot, "end", shows="round   206")
        with home.log.open("a") as log:
            log.write(rounds(207, 208))
        await until(pilot, lambda: "round   207" in capture.text_of(app))


async def test_the_cursor_walks_and_past_the_end_it_follows(home: Home) -> None:
    write_logs(home, {"node": rounds(0, 100)})
    async with logs(home) as (app, pilot):
        for keys, there in (
            (("k", "up"), "round    97"),
            (("down",), "round    98"),
            (("pageup",), "round    59"),
            (("pageup",), "round    39"),
            (("g",), "round     0"),
            (("up",), "round     0"),
            (("pagedown",), "round    40"),
        ):
            await pilot.press(*keys)
            await until(pilot, lambda there=there: cursor(app).startswith(there))
        await press(pilot, "G", shows="following")
        await press(pilot, "up", hides="following")
        await press(pilot, "down", "down", shows="following")


async def test_all_processes_stand_in_one_time_order_with_their_names(home: Home) -> None:
    write_logs(home, {"node": line(0, "INFO", "one") + line(2, "INFO", "three")})
    write_logs(home, {"net": line(1, "WARNING", "two")})
    home.node(2).logs.mkdir(parents=True)
    (home.node(2).logs / "node.log").write_text(line(3, "INFO", "four"))
    async with logs(home) as (app, pilot):
        text = capture.text_of(app)
        assert [text.index(word) for word in ("one", "two", "three", "four")] == sorted(
            text.index(word) for word in ("one", "two", "three", "four")
        )
        assert "2/node" in text
        await press(pilot, "s", shows="four", hides="three")  # one log alone
        await press(pilot, "s", shows="two", hides="four")
        await press(pilot, "S", "S", shows="three")


async def test_levels_and_search_work_together(home: Home) -> None:
    text = "".join(
        line(n, ("INFO", "WARNING", "ERROR")[n % 3], f"peer {n} refused" if n % 2 else f"ok {n}")
        for n in range(60)
    )
    write_logs(home, {"node": text})
    async with logs(home) as (app, pilot):
        await press(pilot, "w", shows="warnings and errors", hides="ok 0")
        await press(pilot, "slash", *"refus", shows="20 matches")
        assert cursor(app) == "peer 59 refused"
        await press(pilot, "enter", "N")
        await until(pilot, lambda: cursor(app) == "peer 55 refused")
        await press(pilot, "n")
        await until(pilot, lambda: cursor(app) == "peer 59 refused")
        await press(pilot, "n", shows="No match further down")
        await press(pilot, "f", "e", shows="10 matches", hides="ok")
        assert "only /refus" in capture.text_of(app)
        await press(pilot, "escape", shows="ok 56", hides="refus:")
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))


async def test_the_place_is_kept_while_nothing_is_in_sight(home: Home) -> None:
    write_logs(home, {"node": rounds(0, 300), "net": line(1, "INFO", "only this")})
    async with logs(home) as (app, pilot):
        await press(pilot, "t", *"10:01:40", "enter", shows="round   100")
        await press(pilot, "e", shows="Nothing here")
        await press(pilot, "a")
        await until(pilot, lambda: cursor(app).startswith("round   100"))
        await press(pilot, "s", "s", "s")
        await until(pilot, lambda: cursor(app))
        await press(pilot, "up", "enter")


async def test_a_search_is_previewed_explained_and_given_up(home: Home) -> None:
    write_logs(home, {"node": rounds(0, 300)})
    async with logs(home) as (app, pilot):
        await press(pilot, "slash", *"round +12", shows="round   129", hides="following")
        await press(pilot, *"(", shows="not a regular expression yet: missing )")
        await press(pilot, "backspace", hides="not a regular")
        await press(pilot, "escape", shows="following")
        assert "round   299" in capture.text_of(app)
        assert "matches" not in capture.text_of(app)


async def test_keys_that_come_in_one_piece_go_where_they_belong(home: Home) -> None:
    write_logs(home, {"node": rounds(0, 300)})
    async with logs(home) as (app, pilot):
        typed = ("slash", *"reward", "enter", "N", "N", "t", *"119m", "enter", "down")
        for key in typed:  # all at once, as a slow link delivers them
            app.simulate_key(key)
        await until(pilot, lambda: cursor(app).startswith("round    61"))
        await until(pilot, lambda: "/reward: 300 matches" in capture.text_of(app))
        for key in ("slash", *["backspace"] * 6, *"round", "left", "left", "backspace", "enter"):
            app.simulate_key(key)
        await until(pilot, lambda: "/rond: 0 matches" in capture.text_of(app))


async def test_repeats_and_tracebacks_are_folded_and_open(home: Home) -> None:
    same = "".join(line(5 + n / 100, "WARNING", "no answer") for n in range(50))
    write_logs(home, {"node": line(1, "ERROR", "it failed") + TRACE + same})
    async with logs(home) as (app, pilot):
        text = capture.text_of(app)
        assert "(× 50 until 10:00:05)" in text
        assert "RuntimeError: CUDA out of memory" in text
        assert "5 lines" in text
        assert "the graphics memory is full" in text  # the cause, and what to do
        assert "worker.py" not in text
        await press(pilot, "up", shows="--max-vram")  # the whole of it where the cursor is
        await press(pilot, "enter", shows="worker.py")
        await press(pilot, "enter", hides="worker.py")
        await press(pilot, "z", hides="× 50")
        await press(pilot, "end", "z", shows="× 50")


async def test_a_match_in_a_folded_traceback_opens_it(home: Home) -> None:
    write_logs(home, {"node": line(1, "ERROR", "it failed") + TRACE + rounds(2, 90)})
    async with logs(home) as (_, pilot):
        await press(pilot, "slash", *"self.step", "enter", shows="self.step()")


async def test_it_goes_to_a_time_and_to_a_round(home: Home) -> None:
    write_logs(home, {"node": rounds(0, 3000)})
    moment = datetime(2026, 11, 25, 10, 20, 0).timestamp()
    bus = events.EventBus()
    journal = Journal(home.db, bus)
    journal.start()
    for event in round_events(1200, moment - 4):
        bus.emit(event)
    journal.close()
    async with logs(home) as (app, pilot):
        await press(pilot, "t", *"10:30", "enter", shows="round  1800")
        assert cursor(app).startswith("round  1800")
        await press(pilot, "t", *"round 1200", "enter", shows="round  1200")
        assert cursor(app).startswith("round  1200")
        assert app.linked_round == 1200
        await press(pilot, "down")
        await until(pilot, lambda: app.linked_round == 1201)  # other screens follow
        app.link_round(1200)  # and are followed
        await until(pilot, lambda: cursor(app).startswith("round  1200"))
        await press(pilot, "t", *"round 7", "enter", shows="The journal has no round 7")
        await press(pilot, "t", *"soon", "enter", shows="is no moment")


async def test_an_entry_is_copied_whole(home: Home) -> None:
    write_logs(home, {"node": line(1, "ERROR", "it failed") + TRACE})
    async with logs(home) as (app, pilot):
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard)
        assert app.clipboard == (line(1, "ERROR", "it failed") + TRACE).rstrip()


async def test_clicks_choose_and_open_and_the_wheel_scrolls(home: Home) -> None:
    write_logs(home, {"node": line(1, "ERROR", "it failed") + TRACE + rounds(2, 60)})
    async with logs(home) as (app, pilot):
        await press(pilot, "g", shows="it failed")
        await pilot.click("#logs-rows", offset=(10, 4))
        await until(pilot, lambda: cursor(app).startswith("round"))
        await pilot.click("#logs-rows", offset=(10, 0))
        await until(pilot, lambda: cursor(app).startswith("it failed"))
        await pilot.click("#logs-rows", offset=(10, 0))
        await until(pilot, lambda: "worker.py" in capture.text_of(app))
        for _ in range(40):
            await pilot._post_mouse_events([MouseScrollDown], "#logs-rows")
        await until(pilot, lambda: "following" in capture.text_of(app))


@pytest.mark.parametrize("sets", [(), ("console.ascii=true",)])
@pytest.mark.parametrize("size", [(80, 24), (30, 6), (200, 60)])
async def test_hostile_text_is_spelled_out(
    home: Home, size: tuple[int, int], sets: tuple[str, ...]
) -> None:
    home.logs.mkdir(parents=True)
    noise = bytes(range(256)) * 40
    home.log.write_bytes(
        (
            line(1, "ERROR", HOSTILE * 3) + f"  {HOSTILE}\n" + line(2, "INFO", "w" * 1_000_000)
        ).encode()
        + noise
    )
    async with logs(home, size, sets) as (app, pilot):
        await press(pilot, "g", "enter")
        await until(pilot, lambda: "x1b" in capture.text_of(app))
        await press(pilot, "end")
        await until(pilot, lambda: any("bytes more" in row.text + row.note for row in rows(app)))
        await press(pilot, "enter", "right", "right", "left", "slash", *"w+", "enter", shows="www")
        text = capture.text_of(app)
        assert not set(text) & {chr(n) for n in (*range(10), *range(11, 32), 0x7F, 0x202E)}
        if sets:
            assert text.isascii()


async def test_rotation_while_it_is_read_moves_nothing(home: Home) -> None:
    write_logs(home, {"node": rounds(0, 100)})
    async with logs(home) as (app, pilot):
        await press(pilot, "pageup", "pageup", hides="following")
        before = cursor(app)
        home.log.rename(home.logs / "node.log.1")
        home.log.write_text(rounds(100, 105))
        await until(pilot, lambda: "+5 lines" in capture.text_of(app))
        assert cursor(app) == before
        assert "node.log.1" in capture.text_of(app)
        (home.logs / "node.log.1").unlink()
        await until(pilot, lambda: cursor(app).startswith("round   10"))


async def test_no_log_is_said_and_a_first_one_appears(home: Home) -> None:
    async with running(home, begin(), NOW) as (app, pilot, _):
        await press(pilot, "l", shows="No log has been written yet")
        write_logs(home, {"node": rounds(0, 3)})
        await until(pilot, lambda: "round     2" in capture.text_of(app))
        await press(pilot, "e", shows="Nothing here")


async def test_from_a_chart_to_the_log_of_its_round_and_back(home: Home) -> None:
    write_logs(home, {"node": rounds(0, 300)})
    bus = events.EventBus()
    journal = Journal(home.db, bus)
    journal.start()
    start = datetime(2026, 11, 25, 10, 0, 0).timestamp()
    played = [event for n in range(1, 60) for event in round_events(n, start + n - 4)]
    for event in played:
        bus.emit(event)
    journal.close()
    async with running(home, [*begin(), *played], NOW, (100, 30)) as (app, pilot, _):
        await press(pilot, "c", shows="Reward")
        await press(pilot, "end", "left", *["H"] * 2)
        await until(pilot, lambda: app.linked_round == 38)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, LogsScreen))
        await until(pilot, lambda: cursor(app).startswith("round    38"))
        await press(pilot, "down", "down")
        await until(pilot, lambda: app.linked_round == 40)
        await press(pilot, "escape", shows="Reward at round 40")  # the cursor went along
