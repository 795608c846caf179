"""The peers screen: ten thousand of them, found, sorted, explained and copied by keyboard."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.events import Key as KeyEvent
from textual.pilot import Pilot

from core import events
from core.fold import replay
from core.gate.admission import REASONS
from core.home import Home
from core.net.names import animal_name, search
from core.state import Leaderboard, NodeState
from core.swarm.leaderboard import Entry, Leader
from tests.tui import peers_support as support
from tests.tui.conftest import running, settle
from tests.tui.peers_support import NOW, SWARM
from tests.tui.support import ME, START, begin
from tests.tui.test_draw import HOSTILE
from tui import capture, derive_peers
from tui.app import WaggleApp
from tui.derive_peers import Order
from tui.screens.dashboard import Dashboard
from tui.screens.peers import PeersScreen
from tui.screens.row_details import DetailsScreen
from tui.widgets.table_layout import LEFT_TO_RIGHT

BAD = support.peer_id(7)


def state_of(many: int = 300) -> NodeState:
    return replay([*begin(), *support.swarm(many)])


async def press(pilot: Pilot[str], *keys: str) -> str:
    """What is on the screen after these keys and a tick."""
    await pilot.press(*keys)
    await settle(pilot, lambda: True)
    return capture.text_of(pilot.app)


async def all_ranks(pilot: Pilot[str], many: int) -> PeersScreen:
    """The screen, once the file's ranks are there."""
    screen = pilot.app.screen
    assert isinstance(screen, PeersScreen)
    deadline = time.monotonic() + 20
    while sum(row.rank is not None for row in screen._rows) < many:
        assert time.monotonic() < deadline, screen._problem
        await asyncio.sleep(0.01)
        pilot.app.tick()  # type: ignore[attr-defined]
        await pilot.pause()
    return screen


# --- who is in the table, and where -------------------------------------------------------------


def leaders(entries: Sequence[Entry]) -> tuple[Leader, ...]:
    return tuple(Leader(n, animal_name(e.peer_id), e) for n, e in enumerate(entries, 1))


@settings(max_examples=200)
@given(st.integers(0, 30), st.integers(0, 12), st.integers(0, 40), st.integers(0, 5))
def test_everybody_has_one_row_and_one_rank(many: int, told: int, mine: int, met: int) -> None:
    """The event knows the first ranks and mine; the file knew all of them a while ago."""
    now = [Entry(support.peer_id(n), 1, 1, 1000 - n) for n in range(many)]
    if mine < many:
        now[mine] = replace(now[mine], peer_id=ME)
    old = derive_peers.ranked(replace(e, total_reward=e.total_reward // 2) for e in now[::-1])
    fresh = leaders(now)
    me = next((each for each in fresh if each.entry.peer_id == ME), None)
    board = Leaderboard(fresh[:told], me, many)
    others = [support.peer_id(1000 + n) for n in range(met)] + [f"unsigned:{BAD}"]
    rows = derive_peers.roster(old, board, others, ME)
    assert len({row.account for row in rows}) == len(rows)
    ranked = [row for row in rows if row.rank is not None]
    assert [row.rank for row in ranked] == list(range(1, many + 1))
    assert {row.peer_id for row in ranked} == {e.peer_id for e in now}
    assert [row.entry for row in ranked[:told]] == now[:told]
    if me is not None:
        (own,) = (row for row in rows if row.peer_id == ME)
        assert (own.rank, own.entry) == (me.rank, me.entry)
    assert {row.account for row in rows} >= {*others, ME}
    again = derive_peers.roster(old, board, others, ME, {row.account: row for row in rows})
    assert all(a is b for a, b in zip(rows, again, strict=True))


def test_without_the_file_the_first_ranks_and_mine_are_there() -> None:
    fresh = leaders([Entry(support.peer_id(n), 1, 1, 1000 - n) for n in range(200)])
    me = Leader(150, animal_name(ME), Entry(ME, 1, 1, 4))
    rows = derive_peers.roster((), Leaderboard(fresh[:100], me, 200), (), ME)
    assert [row.rank for row in rows] == [*range(1, 101), 150]
    assert derive_peers.roster(fresh, None, (), "") == (), "a file alone says nothing of now"


@pytest.mark.parametrize("column", derive_peers.SORTS)
@pytest.mark.parametrize("falling", [False, True])
def test_each_column_sorts_and_rows_without_a_value_come_last(column: str, falling: bool) -> None:
    state = state_of()
    rows = derive_peers.roster((), state.leaderboard, state.peers, ME)
    found = derive_peers.arranged(rows, Order(column, falling), state)
    assert sorted(found) == sorted(rows)
    values = [derive_peers.SORTS[column](row, state) for row in found]
    having = [value for value in values if value is not None]
    assert having == sorted(having, reverse=falling)
    assert all(value is None for value in values[len(having) :])


@pytest.mark.parametrize("text", ["fox", "FOX", "zzz1", " calm  golden", "calm_golden", "nobody!"])
def test_the_search_is_that_of_waggle_peers(text: str) -> None:
    state = state_of()
    rows = derive_peers.roster((), state.leaderboard, state.peers, ME)
    found = derive_peers.arranged(rows, Order(find=text), state)
    assert [row.peer_id for row in found] == search((row.peer_id for row in rows), text)


# --- the screen by keyboard ---------------------------------------------------------------------


async def test_all_ranks_come_from_the_file_and_are_found_sorted_and_copied(home: Home) -> None:
    ranked = support.entries(400)
    support.save(home, ranked)
    async with running(home, [*begin(), *support.swarm(400)], NOW) as (app, pilot, _):
        screen = await press(pilot, "n")
        assert "400 known · 400 ranked · 30 met" in screen
        view = await all_ranks(pilot, 400)
        assert "ranks follow" not in capture.text_of(app)
        assert "400 of 400" in (await press(pilot, "end"))
        await press(pilot, "y")
        assert app.clipboard == ranked[399].peer_id
        word = animal_name(ranked[321].peer_id)
        screen = await press(pilot, "slash", *(c if c != " " else "space" for c in word))
        assert "1 match" in screen
        assert animal_name(ranked[321].peer_id) in screen
        await press(pilot, "enter", "y")
        assert app.clipboard == ranked[321].peer_id
        assert "400 of 400" not in (await press(pilot, "escape"))
        screen = await press(pilot, "m")
        assert "41 of 400" in screen
        assert view.table.key == ME
        screen = await press(pilot, "home", "s", "s", "o")
        assert "by reward, smallest first" in screen
        assert view.table.key == ranked[399].peer_id
        await press(pilot, "escape")
        assert isinstance(app.screen, Dashboard)


async def test_keys_that_come_in_one_piece_keep_their_order(home: Home) -> None:
    """As over a slow link: the line opens and ends between two keys that were read together."""
    async with running(home, [*begin(), *support.swarm()], NOW) as (app, pilot, _):
        await press(pilot, "n")
        view = app.screen
        assert isinstance(view, PeersScreen)

        async def at_once(*keys: str) -> None:
            for key in keys:
                app.post_message(KeyEvent(key, key if len(key) == 1 else None))
            await settle(pilot, lambda: True)

        await at_once("slash", *"otter", "ctrl+u", *"fox")
        assert view._order.find == "fox"
        await at_once("backspace", "enter", "s", "s")
        assert (view._order.find, view._order.column) == ("fo", "reward")
        await at_once("slash", "x", "escape", "m")
        assert view._order.find == ""
        assert view.table.key == ME


async def test_details_tell_all_that_is_known(home: Home) -> None:
    async with running(home, [*begin(), *support.swarm()], NOW) as (app, pilot, node):
        await press(pilot, "n", *(["down"] * 7))
        screen = await press(pilot, "enter")
        assert isinstance(app.screen, DetailsScreen)
        for expected in (animal_name(BAD), BAD, "8 of 300", "15 offered, 7 admitted, 6 refused"):
            assert expected in screen
        node.bus.emit(
            events.GroupRejected(time=NOW, round=241, peer_id=BAD, task="t", reason="size")
        )
        assert "7 refused" in (await press(pilot, "x"))
        screen = await press(pilot, "end")
        assert REASONS["schedule"][:40] in screen
        assert "The last time: the task of another peer" in screen
        await press(pilot, "y", "escape")
        assert app.clipboard == BAD
        assert isinstance(app.screen, PeersScreen)


async def test_what_was_not_needed_is_not_refused(home: Home) -> None:
    """Two honest nodes whose groups filled the quota: nothing of them is a fault."""
    reasons = [*["quota"] * 3, *["no_signal"] * 2, "timeout"]
    peer = support.peer_id(3)
    left = [
        events.GroupRejected(time=NOW, round=240, peer_id=peer, task="t", reason=reason)
        for reason in reasons
    ]
    seen = events.PeerSeen(time=NOW, round=240, peer_id=peer, name="ivory otter", groups=8, used=2)
    async with running(home, [*begin(), seen, *left], NOW, (160, 30)) as (app, pilot, _):
        await press(pilot, "n")
        view = app.screen
        assert isinstance(view, PeersScreen)
        row = next(n for n in range(view.table.length) if view.table.source.key(n) == peer)  # type: ignore[union-attr]
        cells = view.table.source.cells(row, app.pen)  # type: ignore[union-attr]
        found = {c.key: cell for c, cell in zip(view.table.columns, cells, strict=True)}
        assert [found[name][0] for name in ("used", "refused", "spare", "missed")] == [
            "2/8", "0", "5", "1",
        ]  # fmt: skip
        assert found["refused"][1] == app.pen.palette.muted
        screen = await press(pilot, "4")
        assert "5 spare" in screen
        assert "refused" not in screen.split("known")[1].split("Esc")[0]
        assert "2 known · 1 met" in screen


async def test_quarantine_says_why_and_until_when(home: Home) -> None:
    async with running(home, [*begin(), *support.swarm()], NOW) as (app, pilot, node):
        screen = await press(pilot, "n", "4")
        assert animal_name(BAD) in screen
        assert "9:00" in screen
        assert "malformed" in screen
        assert "Left alone until" in screen
        assert "3 schedule" in screen
        assert REASONS["schedule"][:30] in screen
        assert "its word" not in (await press(pilot, "enter"))
        await press(pilot, "y", "escape")
        assert app.clipboard == BAD
        node.bus.emit(events.PeerReleased(time=NOW, peer_id=BAD))
        assert "Nobody is left alone" in (await press(pilot, "x"))


@pytest.mark.parametrize(
    ("reach", "expected"), [("reachable", "yes: 2 nodes"), ("unreachable", "no: 2 nodes")]
)
async def test_the_network_says_who_can_dial_whom(home: Home, reach: str, expected: str) -> None:
    news = [*begin(), *support.swarm(), support.net(reach)]
    async with running(home, news, NOW) as (_, pilot, _):
        screen = await press(pilot, "n", "3")
    for each in (expected, "answered in 31 ms", "connection refused", "tried 4 times, next in 32"):
        assert each in screen


async def test_the_network_contradicts_and_promises_nothing(home: Home) -> None:
    """The line of the service is older than the count; a loopback address is no reachability."""
    here = replace(support.net(), maddrs=[f"/ip4/127.0.0.1/tcp/34453/p2p/{ME}"], bootnodes=[])
    said = events.ServiceChanged(
        time=NOW, service="net", status="up", detail="connected to 1 other node"
    )
    async with running(home, [*begin(), *support.swarm(), here, said], NOW) as (_, pilot, _):
        screen = await press(pilot, "n", "3")
    assert "1 other node" not in screen
    assert "2 connected" in screen
    assert "yes, from this machine: 2 nodes" in screen
    assert "this swarm begins at this node" in screen


async def test_gossip_follows_until_it_is_read(home: Home) -> None:
    async with running(home, [*begin(), *support.swarm()], NOW) as (_, pilot, node):
        screen = await press(pilot, "n", "2")
        assert "calm golden badger" in screen
        assert "following" in screen
        await press(pilot, "up")
        node.bus.emit(support.heard(241))
        screen = await press(pilot, "x")
        assert "+3 messages" in screen
        assert "round 241" not in screen
        screen = await press(pilot, "end")
        assert "round 241" in screen
        await press(pilot, "f")
        node.bus.emit(support.heard(242))
        screen = await press(pilot, "x")
        assert "+3 messages" in screen
        assert "round 242" not in screen
        assert "round 242" in (await press(pilot, "f"))


async def test_a_swarm_of_one_and_a_node_without_network_say_so(home: Home) -> None:
    sets = ("net.enabled=false",)
    async with running(home, begin(), START + 3, (140, 40), sets) as (_, pilot, _):
        screen = await press(pilot, "n")
    assert "calm golden badger" not in screen or "you" in screen
    assert "net.enabled is false" in screen
    assert "Nothing was heard yet" in screen
    assert "Nobody is left alone" in screen


@pytest.mark.parametrize("text", ["{", '{"version":1}'])
async def test_a_damaged_or_foreign_file_costs_only_the_later_ranks(home: Home, text: str) -> None:
    home.create()
    home.leaderboard.write_text(text)
    async with running(home, [*begin(), *support.swarm()], NOW) as (app, pilot, _):
        await press(pilot, "n")
        view = app.screen
        assert isinstance(view, PeersScreen)
        await settle(pilot, lambda: app.tick() is None and view._kept.swarm == SWARM)
        screen = await press(pilot, "x")
        assert "300 ranked" in screen
        assert ("cannot be read" in screen) == (text == "{")
        assert "of 100" in screen or "of 1" in screen


async def test_a_file_of_another_swarm_gives_no_ranks(home: Home) -> None:
    support.save(home, support.entries(250), "1:0xother")
    async with running(home, [*begin(), *support.swarm()], NOW) as (app, pilot, _):
        await press(pilot, "n")
        view = app.screen
        assert isinstance(view, PeersScreen)
        await settle(pilot, lambda: app.tick() is None and view._kept.stamp is not None)
        assert sum(row.rank is not None for row in view._rows) == 100
        support.save(home, support.entries(300))
        await all_ranks(pilot, 300)


def hostile_swarm() -> list[events.Event]:
    """Every field that a peer, a chain or the network part can fill, filled with trouble."""
    names = [HOSTILE, "日本語の名前がとても長い", "שלום עולם 12", "مرحبا 5", "", "x" * 500]
    out: list[events.Event] = []
    entries = [
        Entry((name or "empty")[:128], n, n, 10**70 * n, -n, n) for n, name in enumerate(names)
    ]
    out.append(support.board(entries, behind=10**9))
    for n, name in enumerate(names):
        out += [
            events.PeerSeen(time=NOW + n, round=n, peer_id=name or "e", name=name, groups=10**9,
                            used=n, reward_mean=-1e300, claimed=float("nan"), latency_ms=1e300),
            events.GroupRejected(time=NOW, round=1, peer_id=name, task=name, reason=name,
                                 detail=name, signed=bool(n % 2)),
            events.PeerQuarantined(time=NOW, peer_id=name, name=name, reason=name,
                                   until=[1e300, -1e300, NOW][n % 3], strikes=3, times=10**9),
        ]  # fmt: skip
    row = {"id": HOSTILE, "node": HOSTILE, "node_id": HOSTILE, "message": HOSTILE * 20}
    out.append(events.GossipHeard(time=NOW, round=3, messages=[row, {"id": 3}]))
    out.append(
        replace(
            support.net(),
            status=HOSTILE,
            reach=HOSTILE,
            reach_words=HOSTILE,
            note=HOSTILE,
            maddrs=[HOSTILE] * 9,
            skew_s=1e300,
            skew_peers=3,
            bootnodes=[{"maddr": HOSTILE, "outcome": HOSTILE, "why": HOSTILE}, {"x": 1}, {}],
        )
    )
    return out


HOSTILE_WALK = (
    *(("n",), ("2",), ("3",), ("4",), ("enter",), ("escape",), ("1",), ("enter",), ("end",)),
    *(("escape",), ("l", "l", "l", "l", "l"), ("slash", "x", "enter")),
)


@pytest.mark.parametrize("plain", ["true", "false"])
@pytest.mark.parametrize("size", [(80, 24), (140, 40), (24, 8)])
async def test_hostile_text_neither_crashes_nor_garbles(
    home: Home, size: tuple[int, int], plain: str
) -> None:
    sets = (f"console.ascii={plain}",)
    async with running(home, [*begin(), *hostile_swarm()], NOW, size, sets) as (_, pilot, _):
        for keys in HOSTILE_WALK:
            screen = await press(pilot, *keys)
            assert "\x1b" not in screen
            assert "\u202e" not in screen
            assert plain == "false" or screen.isascii(), screen


async def test_names_of_any_script_leave_the_columns_where_they_are(home: Home) -> None:
    names = ["calm otter", "日本語の名前がとても長いです", "שלום עולם", "🙂🙂🙂 smile"]
    seen = [
        events.PeerSeen(time=NOW, round=1, peer_id=support.peer_id(n), name=name, groups=4, used=3)
        for n, name in enumerate(names)
    ]
    news = [*begin(), support.board(support.entries(4)), *seen]
    async with running(home, news, NOW, (100, 20)) as (app, pilot, _):
        await press(pilot, "n")
        view = app.screen
        assert isinstance(view, PeersScreen)
        rows = [view.table.render_line(y).text for y in range(1, 5)]
        assert len({cell_len(row[: row.rindex("3/4")]) for row in rows}) == 1
        assert LEFT_TO_RIGHT in rows[2]


async def test_news_of_one_peer_sends_one_row(home: Home) -> None:
    async with running(home, [*begin(), *support.swarm()], NOW) as (app, pilot, node):
        await press(pilot, "n")
        view = app.screen
        assert isinstance(view, PeersScreen)
        table, before = view.table, list(view.table._shown)
        node.bus.emit(
            events.PeerSeen(
                time=NOW, round=241, peer_id=support.peer_id(3), name="", groups=1, used=1,
                latency_ms=77.0,
            )
        )  # fmt: skip
        await press(pilot, "x")
        changed = [y for y, (a, b) in enumerate(zip(before, table._shown, strict=True)) if a != b]
        assert changed == [4]


async def test_ten_thousand_peers_cost_a_key_no_more_than_ten(home: Home) -> None:
    """By counting, since a busy machine's clock proves nothing; benchmarks measure the time."""
    support.save(home, support.entries(10_000))
    keys = [
        "down",
        "up",
        "pagedown",
        "pageup",
        "s",
        "S",
        "o",
        "m",
        "end",
        "home",
        "j",
        "k",
        "l",
        "h",
    ]
    random.seed(4)
    async with running(home, [*begin(), *support.swarm(10_000)], NOW, (140, 40)) as (app, pilot, _):
        await press(pilot, "n")
        view = await all_ranks(pilot, 10_000)
        asked: list[int] = []
        source = type(view.table.source)
        cells = source.cells  # type: ignore[union-attr]

        def counted(self: object, row: int, pen: object) -> object:
            asked.append(row)
            return cells(self, row, pen)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source, "cells", counted)
            for key in random.choices(keys, k=60):
                asked.clear()
                await pilot.press(key)
                assert len(asked) <= 4 * view.table.rows, key
        assert isinstance(app, WaggleApp)


async def test_panes_of_the_dashboard_open_their_screens(home: Home) -> None:
    async with running(home, [*begin(), *support.swarm()], NOW, (140, 40)) as (app, pilot, _):
        await press(pilot, "2", "enter")
        assert isinstance(app.screen, PeersScreen)
        await press(pilot, "escape")
        await pilot.click("#peers", times=2)
        await settle(pilot, lambda: isinstance(app.screen, PeersScreen))
