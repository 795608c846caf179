"""What is free: nested control groups of both versions, as the kernel lays them out; GPUs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core import free_memory
from core.schema import Config, ModelSection, SwarmSection

MIB = 2**20


class Machine:
    """A folder that looks like `/`, with control groups of one version."""

    def __init__(self, root: Path, version: int, cgroup: str, inside: str = "/") -> None:
        self.root, self.version = root, version
        self.proc = root / "proc"
        self.proc.mkdir()
        line = f"0::{cgroup}" if version == 2 else f"9:cpu:/\n4:memory:{cgroup}"
        (self.proc / "cgroup").write_text(line + "\n")
        self.mount = root / "sys/fs/cgroup" / ("" if version == 2 else "memory")
        kind = "cgroup2 cgroup rw" if version == 2 else "cgroup cgroup rw,memory"
        place = "/" + str(self.mount.relative_to(root))
        (self.proc / "mountinfo").write_text(
            "20 1 0:1 / / rw - ext4 /dev/a rw\n"
            f"31 20 0:28 {inside} {place} rw,x shared:1 - {kind}\n"
        )
        self.mount.mkdir(parents=True)

    def group(self, path: str, limit: str, used: int, cached: int = 0) -> None:
        folder = self.mount / path.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        names = ("memory.max", "memory.current", "inactive_file")
        if self.version == 1:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        (folder / names[0]).write_text(f"{limit}\n")
        (folder / names[1]).write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"active_file 1\n{names[2]} {cached}\n")

    def free(self) -> int:
        """In MiB, without what this process holds already."""
        own = psutil.Process().memory_info().rss
        return round((free_memory.free_ram(self.proc, self.root) - own) / MIB)


@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_group_on_the_way_up_decides(tmp_path: Path, version: int) -> None:
    machine = Machine(tmp_path, version, "/pods/one/app")
    machine.group("/pods/one/app", str(300 * MIB), 10 * MIB)
    machine.group("/pods/one", str(200 * MIB), 50 * MIB)
    machine.group("/pods", str(500 * MIB), 400 * MIB)
    machine.group("/pods/other", str(1 * MIB), 0)
    assert machine.free() in (99, 100, 101)


@pytest.mark.parametrize("version", [1, 2])
def test_page_cache_is_not_use(tmp_path: Path, version: int) -> None:
    machine = Machine(tmp_path, version, "/app")
    machine.group("/app", str(200 * MIB), 150 * MIB, cached=100 * MIB)
    assert machine.free() in (149, 150, 151)


@pytest.mark.parametrize("version", [1, 2])
def test_no_limit_leaves_the_machines_figure(tmp_path: Path, version: int) -> None:
    machine = Machine(tmp_path, version, "/app")
    machine.group("/app", "max" if version == 2 else str(2**63 - 4096), 150 * MIB)
    available = psutil.virtual_memory().available / MIB
    assert machine.free() == pytest.approx(available, rel=0.2, abs=500)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("inside", ["/", "/docker/abc"])
def test_inside_a_container_the_mount_is_ones_own_group(
    tmp_path: Path, version: int, inside: str
) -> None:
    machine = Machine(tmp_path, version, "/docker/abc", inside)
    machine.group("/", str(300 * MIB), 100 * MIB)
    assert machine.free() in (199, 200, 201)


def test_version_2_throttles_at_high(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 2, "/app")
    machine.group("/app", str(300 * MIB), 100 * MIB)
    (machine.mount / "app/memory.high").write_text(f"{150 * MIB}\n")
    assert machine.free() in (49, 50, 51)


def test_more_used_than_allowed_is_nothing_free(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 2, "/app")
    machine.group("/app", str(100 * MIB), 200 * MIB)
    assert machine.free() == 0


@pytest.mark.parametrize("text", ["", "garbage", "0::\n4:memory", "\xff:::", "0::/../../etc"])
def test_odd_files_of_the_kernel_hide_nothing(tmp_path: Path, text: str) -> None:
    machine = Machine(tmp_path, 2, "/app")
    (machine.proc / "cgroup").write_text(text)
    assert machine.free() > 0


def test_this_machine() -> None:
    assert 0 < free_memory.free_ram() < 2**50


def test_nodes_share_and_limits_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free_ram", lambda: 12 * 2**30)
    monkeypatch.setattr(
        free_memory, "gpu", lambda: free_memory.Gpu("a GPU", 24 * 2**30, 20 * 2**30)
    )
    one = Config()
    assert free_memory.budget(one, "cpu") == 12 * 2**30
    assert free_memory.budget(one, "cuda") == 20 * 2**30
    three = replace(one, swarm=SwarmSection(nodes=3))
    assert free_memory.budget(three, "cpu") == 4 * 2**30
    capped = replace(three, model=ModelSection(max_ram_gib=2.5, max_vram_gib=1))
    assert free_memory.budget(capped, "cpu") == int(2.5 * 2**30)
    assert free_memory.budget(capped, "cuda") == 2**30


def test_one_of_three_nodes_knows_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free_ram", lambda: 12 * 2**30)
    three = Config(swarm=SwarmSection(nodes=3))
    one = free_memory.one_of(three)
    assert (one.swarm.nodes, one.model.max_ram_gib) == (1, 4.0)
    monkeypatch.setattr(free_memory, "free_ram", lambda: 9 * 2**30)  # the others have begun
    assert free_memory.budget(one, "cpu") == 4 * 2**30
    assert free_memory.one_of(one) is one


def test_what_the_driver_says_is_parsed() -> None:
    told = "NVIDIA H200, 143771, 143156\nOdd, name, 10, 5\nbroken\n[N/A], [N/A], [N/A]\n"
    found = free_memory.parse_nvidia(told)
    assert [gpu.name for gpu in found] == ["NVIDIA H200", "Odd, name"]
    assert found[0].total == 143771 * MIB
    assert found[0].free == 143156 * MIB


def test_a_hidden_gpu_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for hidden in ("", "-1", "none"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert free_memory.gpu() is None


def test_a_named_device_is_taken_as_it_is() -> None:
    assert free_memory.device_of(Config(model=ModelSection(device="mps"))) == "mps"
