"""What a node looks at beside its rounds: real folders, no more often than it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core import events
from core.account.accounts import note_kept
from core.home import Home
from core.identity import identities
from core.schema import Config, ModelSection
from core.surroundings import EVERY_S, Surroundings

ADDRESS = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


class Scene:
    def __init__(self, home: Home, config: Config | None = None) -> None:
        from core.net.identity import load_or_create

        home.create()
        self.now = 0.0
        self.told: list[events.Event] = []
        self.peer_id = load_or_create(home.identity).peer_id
        self.account = ADDRESS
        self.around = Surroundings(
            home,
            config or Config(),
            self.told.append,
            peer_id=self.peer_id,
            account=lambda: self.account,
            clock=lambda: self.now,
        )

    def look(self, after_s: float = EVERY_S) -> list[events.Event]:
        self.told.clear()
        self.now += after_s
        self.around.look()
        return self.told


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_disk_and_memory_are_those_of_this_machine(home: Home) -> None:
    (read,) = Scene(home).look()
    assert isinstance(read, events.MachineRead)
    assert read.disk_free_bytes == pytest.approx(shutil.disk_usage(home.path).free, rel=0.2)
    assert 1 < read.memory_mib < read.memory_limit_mib
    assert (read.account, read.account_kept) == (ADDRESS, None)
    capped = Scene(home, Config(model=ModelSection(max_ram_gib=0.5))).look()[0]
    assert isinstance(capped, events.MachineRead)
    assert capped.memory_limit_mib == 512


def test_rounds_of_a_second_cost_two_rows_a_minute(home: Home) -> None:
    scene = Scene(home)
    assert sum(len(scene.look(after_s=1.0)) for _ in range(60)) == 2


def test_a_backup_and_an_export_are_noticed(home: Home) -> None:
    scene = Scene(home)
    scene.look()
    identities.back_up(home, home.path.parent / "mine.backup", "a long passphrase")
    note_kept(home, ADDRESS, "exported")
    made, read = scene.look()
    assert isinstance(made, events.IdentityBackedUp)
    assert isinstance(read, events.MachineRead)
    assert read.account_kept is not None
    assert [event.NAME for event in scene.look()] == ["machine_read"], "told once"


def test_a_home_that_is_gone_raises_nothing(home: Home) -> None:
    scene = Scene(home)
    shutil.rmtree(home.path)
    assert scene.look() == []
