"""The rewards screen: does it count? A real ledger, paged, beside what the coordinator says."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from core import events
from core.chain import ledger_pages, line
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import LedgerRow, OutboxRow, Totals
from core.home import Home
from core.rewards_facts import NOTHING, receipt, sides
from core.rewards_figures import Choice, Figures, collect
from core.rewards_words import COUNTERS, money
from core.state import NodeState
from tests.tui import rewards_support as support
from tests.tui.conftest import running, settle
from tests.tui.rewards_support import FAILED, NOW, SWARM
from tests.tui.support import ACCOUNT, ME, OTHERS, START, begin
from tests.tui.test_draw import HOSTILE, PENS
from tui import capture, derive_rewards, draw_rewards
from tui.ledger_pages import KEPT, PAGE, LedgerReader, LedgerRows, Look
from tui.screens.dashboard import Dashboard
from tui.screens.rewards import RewardsScreen

MINE = (SWARM, ME)


async def opened(pilot: Pilot[str], key: str = "w") -> RewardsScreen:
    """The screen with its first page and its figures."""
    await pilot.press(key)
    screen = pilot.app.screen
    assert isinstance(screen, RewardsScreen)
    await until(pilot, lambda: len(screen.table.ledger) > 0 and screen._figures is not None)
    return screen


async def until(pilot: Pilot[str], there: Callable[[], bool]) -> str:
    deadline = time.monotonic() + 20
    while not there():
        assert time.monotonic() < deadline, capture.text_of(pilot.app)
        await asyncio.sleep(0.005)
        await pilot.pause()
    await settle(pilot, lambda: True)
    return capture.text_of(pilot.app)


async def go(pilot: Pilot[str], *keys: str) -> str:
    """What is on the screen after these keys, once the row of the cursor is read."""
    await pilot.press(*keys)
    screen = next(s for s in pilot.app.screen_stack if isinstance(s, RewardsScreen))
    await pilot.pause()
    await until(pilot, lambda: screen.table.ledger.round(screen.table.cursor) is not None)
    return capture.text_of(pilot.app)


# --- pages ----------------------------------------------------------------------------------------


def test_pages_are_bounded_and_every_row_is_where_it_belongs(home: Home) -> None:
    many = PAGE * (KEPT + 5)
    support.fill(home, many)
    reader = LedgerReader(home)
    first = reader.read(Look(MINE))
    assert (first.total, first.place) == (many, 0)
    rows = LedgerRows(first.total, first.pages)
    random.seed(5)
    for row in [*range(0, many, PAGE), *random.choices(range(many), k=60)]:
        if rows.round(row) is None:
            rows.add(reader.read(Look(MINE, page=rows.missing.pop())).pages)
        found = rows.round(row)
        assert found is not None
        assert found.row.round == many - row
        assert rows.find((many - row, 0)) == row
        assert len(rows._pages) <= KEPT
    around = reader.read(Look(MINE, at=(777, 0), above=10, rows=40))
    assert around.place == many - 777
    assert all(page[0].row.round <= many - n * PAGE for n, page in around.pages.items())
    reader.close()


def test_a_reader_makes_no_ledger(home: Home) -> None:
    reader = LedgerReader(home)
    assert reader.read(Look(MINE)).total == 0
    reader.close()
    assert not home.db.exists()


# --- figures --------------------------------------------------------------------------------------


def test_figures_go_on_with_what_the_node_says_and_differ_for_a_reason(home: Home) -> None:
    support.fill(home, 30)
    figures = collect(home, Choice())
    assert figures is not None
    counted, counters = support.told(home)
    assert isinstance(counted, events.RewardsCounted)
    assert isinstance(counters, events.CountersRead)
    later = replace(counted, time=NOW + 9, trained=31, reward=figures.totals.reward + 5)
    later = replace(later, rewards={**counted.rewards, "pending": 3}, obstacle="No chain")
    state = NodeState(rewards=later, counters=counters)
    live = derive_rewards.live(figures, state, NOW)
    assert (live.totals.rounds, live.totals.count("pending", kind="reward")) == (31, 3)
    assert live.line.what == "No chain"
    assert derive_rewards.live(figures, state, NOW + 60).totals == figures.totals
    other = NodeState(rewards=replace(later, swarm="1:0xother"))
    assert derive_rewards.live(figures, other, NOW) == figures
    for side in sides(derive_rewards.live(figures, NodeState(counters=counters), NOW)):
        if side.here is not None and side.there is not None:
            assert side.here + sum(amount for amount, _ in side.why) == side.there


READ = events.CountersRead(
    time=NOW, swarm=SWARM, peer_id=ME, participation=5, wins=3, total_reward=75,
    counted_reward=75, counted_votes=5,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "votes", "read", "level", "told"),
    [
        ({"credited": 75}, {"credited": 5}, READ, "up", "the same"),
        ({"credited": 75, "sent": 9}, {"credited": 5, "sent": 1}, READ, "starting",
         "1 not confirmed yet"),
        ({"credited": 75, "confirmed": 9}, {"credited": 5, "confirmed": 1}, READ, "starting",
         "1 not confirmed yet"),
        ({"credited": 75, "sent": 9}, {"credited": 5, "sent": 1},
         replace(READ, total_reward=84, participation=6), "up", "the same"),
        ({"credited": 75, "failed": 9}, {"credited": 5, "failed": 1}, READ, "degraded", "differs"),
        ({"credited": 84}, {"credited": 6}, replace(READ, counted_reward=84, counted_votes=6),
         "degraded", "differs"),
        ({"credited": 75, "sent": 9}, {"credited": 5, "sent": 1},
         replace(READ, total_reward=99, participation=9), "degraded", "differs"),
    ],
    ids=["same", "sent", "since", "mined-unnoticed", "refused", "lost", "another-home"],
)  # fmt: skip
def test_what_is_on_its_way_is_no_difference(
    value: dict[str, int],
    votes: dict[str, int],
    read: events.CountersRead,
    level: str,
    told: str,
) -> None:
    """In words, and in the colour: only what will not come by itself is a warning."""
    totals = Totals(
        rounds=6, reward=sum(value.values()), by_kind={"reward": votes, "winner": votes},
        value=value,
    )  # fmt: skip
    figures = Figures(SWARM, ME, ACCOUNT, totals, line.Line(), read, None, None, [])
    reward, participation, wins = sides(figures)
    assert (participation.level, participation.word) == (level, told)
    assert reward.level == level
    assert wins.level == ""
    for side in (reward, participation):
        assert side.here is not None
        assert side.here + sum(amount for amount, _ in side.why) == side.there
    pen = PENS["unicode"]
    for width in (44, 78):
        drawn = draw_rewards.counters(derive_rewards.counters(figures, NOW + 2), width, pen)
        warned = any(str(span.style) == pen.palette.warn for span in drawn.spans)
        assert warned == (level == "degraded"), drawn.plain
        assert "here  coordinator" in drawn.plain
        assert all(cell_len(row) <= width for row in drawn.plain.split("\n"))
        assert (told in drawn.plain) or level == "starting", "a word is whole or not there"
    rows = drawn.plain.split("\n")
    assert all(any(row.endswith(meaning) for row in rows) for meaning in COUNTERS.values())


def test_fees_stand_in_a_column() -> None:
    fees = [2_000_000, 43_200_000_000, 91_851_000_000_000, 5 * 10**14, 12]
    column = next(each for each in draw_rewards.LEDGER if each.key == "fee")
    drawn = [PENS["ascii"].column(draw_rewards.gwei(fee), column.width, True) for fee in fees]
    assert drawn == [
        "      0.002", "     43.200", " 91,851.000", "500,000.000", "     <0.001",
    ]  # fmt: skip
    assert money(fees[1]) == "43.200 gwei"
    assert money(3 * 10**17) == "0.3 ether"


@pytest.mark.parametrize(
    "status", ["waiting", "pending", "sent", "confirmed", "credited", "failed"]
)
def test_the_path_is_a_picture_of_the_word(status: str) -> None:
    path = draw_rewards.path(status, PENS["ascii"])
    assert len(path) == 4
    assert path.count("#") == {"failed": 2}.get(status, draw_rewards.STEPS.get(status, 0))


# --- the screen by keyboard -----------------------------------------------------------------------


async def test_each_round_is_told_from_trained_to_credited(home: Home) -> None:
    support.fill(home, 240)
    news = [*begin(), *support.told(home)]
    async with running(home, news, NOW + 2, (140, 40)) as (app, pilot, _):
        screen = await opened(pilot)
        text = await go(pilot, "x")
        for word in ("trained 240", "pending 2", "sent 2", "confirmed 4", "credited 230"):
            assert word in text
        for name, meaning in COUNTERS.items():
            assert name in text
            assert meaning.split()[0] in text
        assert "the coordinator has lost some" in text
        assert "submissions not confirmed yet" in text
        assert "0.043 ether spent" in (await go(pilot, "3", "end"))
        text = await go(pilot, "1", *["down"] * 8)
        row = screen._chosen()
        assert row is not None
        assert row.reward is not None
        assert f"{row.reward.block:>8}" in text
        assert receipt(row) in text
        await go(pilot, "y")
        assert app.clipboard == row.reward.tx_hash
        text = await go(pilot, "enter")
        assert row.reward.tx_hash in text
        assert f"block {row.reward.block}, gas 61234, fee 91,851.000 gwei" in text
        assert "the coordinator has it for good" in text
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)


async def test_failed_rounds_alone_and_a_round_by_its_number(home: Home) -> None:
    support.fill(home, 240)
    async with running(home, [*begin(), *support.told(home)], NOW + 2) as (app, pilot, _):
        screen = await opened(pilot)
        await pilot.press("f")
        text = await until(pilot, lambda: len(screen.table.ledger) == len(FAILED))
        assert "RewardRefused" in text
        assert {screen.table.ledger.key(n) for n in range(2)} == {(n, 0) for n in FAILED}
        await pilot.press("escape")
        await until(pilot, lambda: len(screen.table.ledger) == 240)
        await pilot.press("slash", "1", "2", "0")
        text = await until(pilot, lambda: screen.table.key == (120, 0))
        assert "Keep" in text, "the keys of the line are those that are shown"
        await pilot.press("enter")
        await pilot.pause()
        assert screen.table.key == (120, 0)
        await pilot.press("slash", "9", "9", "9")
        await until(pilot, lambda: screen.table.key == (240, 0))
        await pilot.press("escape")
        await until(pilot, lambda: screen.table.key == (120, 0))
        await pilot.press("slash", *"777", "enter")
        await until(pilot, lambda: any("777" in n.message for n in app._notifications))


async def test_new_rounds_come_on_top_and_the_cursor_stays_on_its_round(home: Home) -> None:
    support.fill(home, 240)
    async with running(home, [*begin(), *support.told(home)], NOW + 2) as (app, pilot, node):
        screen = await opened(pilot)
        await go(pilot, *["down"] * 30)
        assert screen.table.key == (210, 0)
        y = screen.table.cursor - screen.table.top
        support.train(home, 241)
        for event in support.told(home):
            node.bus.emit(replace(event, time=NOW + 3))
        app.tick()
        await until(pilot, lambda: len(screen.table.ledger) == 241)
        assert screen.table.key == (210, 0)
        assert screen.table.cursor - screen.table.top == y
        await go(pilot, "home")
        support.train(home, 242)
        for event in support.told(home):
            node.bus.emit(replace(event, time=NOW + 4))
        app.tick()
        text = await until(pilot, lambda: screen.table.key == (242, 0))
        assert "trained 242" in text


async def test_what_stands_in_the_way_is_told_with_the_next_step(home: Home) -> None:
    support.fill(home, 40)
    news = [*begin(), *support.told(home, trouble=True)]
    async with running(home, news, NOW + 2, (140, 40)) as (_, pilot, _):
        await opened(pilot)
        text = await go(pilot, "3", "end")
    assert "The chain cannot be reached: connection refused" in text
    assert "Check chain.rpc_url" in text
    assert "next attempt in 18 s" in text


async def test_another_account_s_peer_is_told_above_all(home: Home) -> None:
    support.fill(home, 40)
    owner = ACCOUNT.replace("7E", "00")
    news = [*begin(), *support.told(home, trouble=True, owner=owner)]
    async with running(home, news, NOW + 2, (200, 40)) as (_, pilot, _):
        await opened(pilot)
        text = await go(pilot, "x")
    assert f"WRONG: registered to {owner}" in text


@pytest.mark.parametrize(
    ("sets", "expected"),
    [((), NOTHING), (("chain.enabled=false",), derive_rewards.DISABLED)],
)
async def test_an_empty_ledger_says_why(home: Home, sets: tuple[str, ...], expected: str) -> None:
    async with running(home, begin(), START + 3, sets=sets) as (_, pilot, _):
        await pilot.press("w")
        await settle(pilot, lambda: True)
        assert expected[:60] in capture.text_of(pilot.app)
        await pilot.press("enter", "y", "f", "slash", "7", "enter", "c", "2", "3", "end", "escape")
        await settle(pilot, lambda: True)


async def test_a_coordinator_that_cannot_be_asked_is_told_in_words(home: Home) -> None:
    support.fill(home, 20)
    sets = ("chain.rpc_url=http://127.0.0.1:9", "chain.contract=0x" + "ab" * 20)
    async with running(home, [*begin(), *support.told(home)], NOW + 2, sets=sets) as (
        app,
        pilot,
        _,
    ):
        await opened(pilot)
        await pilot.press("c")
        await until(pilot, lambda: len(app._notifications) > 0)
        (note,) = app._notifications
        assert "127.0.0.1:9" in note.message or "reach" in note.message, note.message


async def test_hostile_receipts_neither_crash_nor_garble(home: Home) -> None:
    support.fill(home, 20)
    store = LedgerStore(home.db)
    with store.transaction() as db:
        db.execute(
            "UPDATE outbox SET error = ?, code = ?, tx_hash = ?, hashes = ?, value = ?",
            (HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        )
        db.execute("UPDATE outbox SET fee_wei = ?, block = ?", (2**62, 2**62))
    store.close()
    trouble = {"obstacle": HOSTILE, "why": HOSTILE, "next_step": HOSTILE, "policy": HOSTILE}
    told = events.RewardsCounted(
        time=NOW, swarm=SWARM, peer_id=ME, owner=HOSTILE, account=HOSTILE, trained=2**70, **trouble
    )
    looks = (("true", (80, 24)), ("false", (24, 8)), ("false", (140, 40)))
    for plain, size in looks:
        sets = (f"console.ascii={plain}",)
        async with running(home, [*begin(), told], NOW, size, sets) as (_, pilot, _):
            await opened(pilot)
            for keys in (("2",), ("3",), ("1",), ("enter",), ("end",), ("escape",)):
                text = await go(pilot, *keys)
                assert "\x1b" not in text
                assert "\u202e" not in text
                assert plain == "false" or text.isascii(), text


def test_a_row_of_the_ledger_keeps_its_columns() -> None:
    row = LedgerRow(SWARM, ME, 10**9, 0, 10**9, 0.5, list(OTHERS))
    out = OutboxRow(1, SWARM, ME, "reward", 10**9, 0, "9" * 40, HOSTILE, HOSTILE, HOSTILE)
    for pen in PENS.values():
        made = draw_rewards.cells(ledger_pages.Round(row, out, None), pen)
        assert len(made) == len(draw_rewards.LEDGER)
        for (text, _), column in zip(made, draw_rewards.LEDGER, strict=True):
            assert cell_len(pen.column(text, column.width, column.right)) == column.width
