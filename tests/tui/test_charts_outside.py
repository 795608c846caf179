"""Charts and the world outside: earlier runs, files, the clipboard, hostile names, random keys."""

from __future__ import annotations

import csv
import random
import time
from pathlib import Path

import pytest

from core import events
from core.errors import StorageError
from core.fold import replay
from core.home import Home
from tests.tui.charts_support import finished, run
from tests.tui.conftest import settle
from tests.tui.support import begin, keep
from tests.tui.test_charts import NOW, charts, press, told
from tests.tui.test_draw import HOSTILE
from tui import capture, keys
from tui.screens.charts.runs import MOST, RunsScreen
from tui.screens.charts.screen import ChartsScreen


async def recorded_runs(home: Home) -> list[events.Event]:
    """Two earlier runs in the journal; the run under way goes on in the node."""
    keep(home, [*run(1, 60, 0.1, seed=2), *run(61, 80, 0.2, seed=3), *run(200, 5)])
    return [finished(n, random.Random(n)) for n in range(205, 240)]


async def test_earlier_runs_are_laid_over(home: Home) -> None:
    async with charts(home, await recorded_runs(home)) as (app, pilot, desk, _):
        assert "rounds 200 to 239" in capture.text_of(app)
        await pilot.press("left", "c")
        await settle(pilot, lambda: isinstance(app.screen, RunsScreen))
        screen = capture.text_of(app)
        assert "80 rounds" in screen
        assert "60 rounds" in screen
        screen = await press(pilot, "space", "j", "space", "k", "enter")
        assert [src.mark for src in desk.sources] == ["", "1", "2"]
        assert desk.sources[1].series["loss"].count == 78
        screen = await press(pilot, "enter")
        assert "rounds +0 to +79" in screen
        assert "with 1 " in screen
        assert desk.round == 238  # the cursor stayed on its round
        assert "at round 238 (+38)" in capture.text_of(app)
        assert "as the swarm counts" in await press(pilot, "x", "enter")
        assert not desk.look.relative
        assert desk.round == 238
        await pilot.press("c")
        await settle(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert capture.text_of(app).count("◉") == 2
        await press(pilot, "down", "up", "escape")
        assert len(desk.sources) == 3
        await pilot.press("c")
        await settle(pilot, lambda: isinstance(app.screen, RunsScreen))
        await press(pilot, "space", "j", "space", "enter")
        assert len(desk.sources) == 1
        assert not desk.look.relative


async def test_without_an_earlier_run_it_says_so(home: Home) -> None:
    async with charts(home) as (app, pilot, _, _):
        await pilot.press("c")
        await settle(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert "no earlier training run" in await press(pilot, "space", "j")
        await press(pilot, "enter")
        assert isinstance(app.screen, ChartsScreen)


async def test_only_so_many_runs_at_once(home: Home) -> None:
    from core.history import runs

    found = runs([event for n in range(6) for event in run(10 * n, 5)])
    async with charts(home) as (app, pilot, _, _):
        app.push_screen(RunsScreen(found, frozenset()))
        await settle(pilot, lambda: True)
        screen = await press(pilot, *["space", "j"] * 6)
        assert screen.count("◉") == MOST
        assert f"At most {MOST} at once." in told(app)


async def test_a_journal_that_cannot_be_read_is_told_in_words(home: Home) -> None:
    async with charts(home) as (app, pilot, _, _):
        home.path.mkdir(parents=True, exist_ok=True)
        home.db.write_bytes(b"this is not a database" * 100)
        await pilot.press("c")
        await settle(pilot, lambda: "Cannot use the journal" in told(app))


async def test_exports_are_whole_private_and_told(home: Home) -> None:
    async with charts(home, size=(140, 40)) as (app, pilot, _, _):
        await press(pilot, "slash", *"reward$", "enter")
        await pilot.press("e")
        folder = home.path / "exports"
        await settle(pilot, lambda: ".csv" in told(app))
        await pilot.press("E")
        await settle(pilot, lambda: ".svg" in told(app))
        await pilot.press("e")
        await settle(pilot, lambda: "-2.csv" in told(app))
        assert f"1 chart in {folder}/waggle-charts-" in told(app)
    names = sorted(path.name for path in folder.iterdir())
    stem = time.strftime("waggle-charts-%Y%m%d-%H%M%S", time.localtime(NOW))
    assert names == [f"{stem}-2.csv", f"{stem}.csv", f"{stem}.svg"]
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    with (folder / names[1]).open() as file:
        rows = list(csv.DictReader(file))
    assert {row["series"] for row in rows} == {"reward/own", "reward/swarm"}
    assert sum(int(row["count"]) for row in rows) == 2 * 345
    assert (folder / names[2]).read_text().startswith("<svg")


async def test_a_full_disk_is_told_and_survived(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes, mode: int = 0o600) -> None:
        raise StorageError(f"Cannot write {path.name}", "No space left", "Free some disk space")

    monkeypatch.setattr("tui.screens.charts.saving.atomic_write", full)
    async with charts(home) as (app, pilot, _, _):
        await pilot.press("e")
        await settle(pilot, lambda: "Free some disk space" in told(app))


async def test_copy_takes_what_is_read(home: Home) -> None:
    async with charts(home) as (app, pilot, _, _):
        await press(pilot, "left", "space", "H", "y")
        assert app.clipboard.startswith("Reward at round 2")
        assert "slope" in app.clipboard


@pytest.mark.parametrize("plain", ["true", "false"])
async def test_hostile_names_and_numbers_garble_nothing(home: Home, plain: str) -> None:
    odd = {HOSTILE[:70]: 1.0, "\x1b[2J\u202e": 2.0, "[bold]": float("nan"), "日本語" * 20: -1e300}
    recorded = [*begin(), *(finished(n, random.Random(n)) for n in range(1, 9))]
    recorded += [
        events.RoundFinished(**{**finished(n, random.Random(n)).__dict__, "metrics": odd})
        for n in range(9, 20)
    ]
    async with charts(home, recorded, (140, 40), (f"console.ascii={plain}",)) as (_, pilot, _, _):
        for pressed in ("pagedown", "pagedown", "enter", "left", "v", "s", "space", "H", "o"):
            screen = await press(pilot, pressed)
            assert "\x1b" not in screen
            assert "\u202e" not in screen
            if plain == "true":
                assert screen.isascii(), screen
        await press(pilot, "escape", "slash", *"nan", "enter")


async def test_ten_thousand_names_are_bounded(home: Home) -> None:
    many = {f"m{n}" + "x" * 10_000: 1.0 for n in range(50)} | {f"n{n}": 1.0 for n in range(500)}
    first = finished(1, random.Random(1)).__dict__
    recorded = [*begin(), events.RoundFinished(**{**first, "metrics": many})]
    async with charts(home, recorded) as (app, _, desk, _):
        assert len(desk.filtered().charts) <= 160
        assert not [src for src in replay(recorded).series if len(src) > 80]
        assert "Reward" in capture.text_of(app)


async def test_no_sequence_of_keys_and_sizes_breaks_it(home: Home) -> None:
    noise = random.Random(7)
    elsewhere = ("leave", "app.logs_at", "app.help", "app.command_palette", "compare", "copy")
    pressed = [
        key
        for command in keys.commands("charts")
        if command.action not in elsewhere and not command.action.startswith("export")
        for key in command.keys
    ]
    async with charts(home) as (app, pilot, _, node):
        newest = 345
        for _ in range(12):
            for key in noise.choices(pressed, k=60):
                app.simulate_key(key)
            await pilot.resize_terminal(
                noise.choice([1, 20, 80, 250]), noise.choice([1, 6, 24, 70])
            )
            newest += noise.choice([1, 500])
            node.bus.emit(finished(newest, noise))
            await settle(pilot, lambda: True)
        assert isinstance(app.screen, ChartsScreen)
