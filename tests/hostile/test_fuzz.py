"""A short fuzz of every decoder and of the admission; `benchmarks/fuzz.py` is the long one."""

from __future__ import annotations

import importlib
import json
import random
import subprocess
import sys
from types import ModuleType

import pytest

from core.home import REPO_ROOT

BENCHMARKS = REPO_ROOT / "benchmarks"
INPUTS = 400


@pytest.fixture(scope="module")
def modules() -> tuple[ModuleType, ModuleType]:
    """`benchmarks/fuzz.py` and its targets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("fuzz"), importlib.import_module("fuzz_targets")


@pytest.mark.parametrize(
    "name",
    [
        *("records.decode", "wire.decode", "unsigned.parse_dictionary", "messages.decode"),
        *("frames.read", "asking.decode_records", "board.answer", "genrl.decode"),
        *("invite.decode", "admission.admit"),
    ],
)
def test_nothing_but_refusals(name: str, modules: tuple[ModuleType, ModuleType]) -> None:
    fuzz, fuzz_targets = modules
    target = fuzz_targets.make(name)
    maker = fuzz.Maker(target.seeds, random.Random(4))
    ways = set()
    for data in [*target.seeds, *(maker() for _ in range(INPUTS))]:
        way, finding = fuzz._try(target, data)
        assert not finding, (finding, data.hex())
        ways.add(way)
    assert any(way[0] == "ok" for way in ways)  # some get through, or it would show nothing
    assert set(fuzz_targets.SHARES) >= {name}


def test_a_finding_is_told_with_its_input(modules: tuple[ModuleType, ModuleType]) -> None:
    fuzz, fuzz_targets = modules

    def careless(data: bytes) -> int:
        return len(data) // data.count(b"a")

    target = fuzz_targets.Target(careless, (b"a",))
    assert fuzz._try(target, b"aab") == (("ok", 1), "")
    way, finding = fuzz._try(target, b"b")
    assert way[0] == "finding"
    assert "ZeroDivisionError" in finding


def test_the_benchmark_ends_with_its_figures() -> None:
    run = subprocess.run(
        [
            *(sys.executable, str(BENCHMARKS / "fuzz.py")),
            *("--only", "wire.decode", "--inputs", "3000", "--seed", "9"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    assert figures["inputs"] == 3000
    assert figures["findings"] == 0
    assert figures["targets"]["wire.decode"]["ways"] > 5
