"""What the probe chooses from figures, and that it finds some on this machine in time."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WaggleError
from core.training.probe import (
    FEWER,
    PAYS,
    Cell,
    Measured,
    Probe,
    allowed_cores,
    candidates,
    choose,
    measure,
)
from core.training.rollout_weights import FORMATS
from tests.training.conftest import make_model

figures = st.floats(0.1, 1000)


def table(exact, bfloat16, int8, **more) -> Measured:
    """Steps in ms by number of threads 1, 2, ..., for batches of 10 rows."""
    cells = tuple(
        Cell(threads, name, ms)
        for name, steps in zip(FORMATS, (exact, bfloat16, int8), strict=True)
        for threads, ms in enumerate(steps, 1)
    )
    return Measured(rows=10, dtype="float32", cells=cells, **more)


def test_a_format_must_pay_for_being_inexact():
    assert choose(table([100], [100 / PAYS + 1], [100 / PAYS + 1]), 1000) == (1, "exact")
    assert choose(table([100], [70], [60]), 1000) == (1, "bfloat16"), "int8 hardly beats it"
    assert choose(table([100], [90], [50]), 1000) == (1, "int8")
    assert choose(table([100], [70], [20]), 1000) == (1, "int8")


def test_packing_counts_by_the_length_of_a_round():
    measured = table([100], [99], [20], pack_ms=(("int8", 5000.0),))
    assert choose(measured, 100) == (1, "exact")
    assert choose(measured, 10_000) == (1, "int8")


def test_threads_serve_the_whole_round_and_fewer_win_ties():
    assert choose(table([100, 95, 94], [], []), 1000) == (1, "exact")
    assert choose(table([100, 55, 52], [], []), 1000) == (2, "exact")
    update = ((1, 30.0), (2, 15.0), (3, 10.0))
    assert choose(table([100, 95, 94], [], [], update_ms=update), 1000) == (3, "exact")


@given(
    st.lists(figures, min_size=1, max_size=3),
    st.lists(figures, max_size=3),
    st.lists(figures, max_size=3),
    st.integers(1, 100_000),
)
def test_the_choice_is_never_much_worse_than_the_best(exact, bfloat16, int8, tokens):
    measured = table(exact, bfloat16, int8)
    threads, name = choose(measured, tokens)
    chosen = next(c for c in measured.cells if (c.threads, c.format) == (threads, name))
    best = min(c.step_ms for c in measured.cells)
    assert chosen.step_ms <= best * PAYS * PAYS * FEWER * 1.001


@given(st.lists(figures, min_size=2, max_size=2), st.lists(figures, min_size=2, max_size=2))
def test_it_survives_json(exact, int8):
    measured = table(exact, [], int8, missing=(("bfloat16", "no such unit"),), flags=("avx2",))
    threads, name = choose(measured, 100)
    probe = Probe(threads, name, 100, measured)
    assert Probe.from_dict(json.loads(json.dumps(probe.to_dict()))) == probe


def test_what_is_no_probe_is_refused():
    with pytest.raises(KeyError):
        Probe.from_dict({})
    stored = Probe(1, "int8", 10, table([2], [], [1])).to_dict()
    with pytest.raises(ValueError, match="no probe"):
        Probe.from_dict(stored | {"format": "int3"})


def test_it_says_in_one_line_what_it_found():
    measured = table([102, 51], [34, 17], [20, 10])
    assert str(Probe(2, "int8", 10, measured)) == (
        "2 threads; int8 rollouts: 5.1x float32; bfloat16 3.0x"
    )
    measured = table([10], [11], [], missing=(("int8", "no kernels"),))
    assert str(Probe(1, "exact", 10, measured)) == (
        "1 thread; exact rollouts; bfloat16 0.9x float32; no int8: no kernels"
    )
    assert str(Probe(3, "exact", 10, Measured(1, "float32"))) == "3 threads; exact rollouts"


@pytest.fixture
def model():
    return make_model("qwen3", 90, 2).train()


def test_it_measures_this_machine_and_leaves_it_as_it_was(model):
    threads, names = torch.get_num_threads(), [n for n, _ in model.named_parameters()]
    probe = measure(model, 8, 512, budget_s=0.2, threads=(1,))
    assert probe.threads == 1
    assert probe.format in FORMATS
    tried = {c.format for c in probe.measured.cells}
    assert tried <= set(FORMATS) - dict(probe.measured.missing).keys()
    assert "exact" in tried
    assert all(c.step_ms > 0 for c in probe.measured.cells)
    assert probe.measured.seconds < 0.2 + 2.0, "far beyond its budget"
    assert torch.get_num_threads() == threads
    assert model.training
    assert [n for n, _ in model.named_parameters()] == names
    assert len(model.model.layers) == 2
    assert not any("forward" in m.__dict__ for m in model.modules())


def test_formats_that_do_not_work_here_are_not_tried(model):
    missing = {"int8": "no kernels", "bfloat16": "no unit"}
    probe = measure(model, 4, 64, budget_s=0.05, threads=(1,), missing=missing)
    assert probe.format == "exact"
    assert {c.format for c in probe.measured.cells} == {"exact"}
    assert "no int8: no kernels" in str(probe)


def test_one_wished_format_is_taken(model):
    probe = measure(model, 4, 64, budget_s=0.05, formats=("bfloat16",), threads=(1,), missing={})
    assert probe.format == "bfloat16"
    assert probe.speedups() == {}
    assert str(probe) == "1 thread; bfloat16 rollouts"


def test_a_wished_format_that_does_not_work_is_refused(model):
    with pytest.raises(WaggleError, match="no kernels"):
        measure(model, 4, 64, formats=("int8",), threads=(1,), missing={"int8": "no kernels"})


def test_candidates_are_few_and_allowed(tmp_path):
    few = candidates()
    assert few[0] == 1
    assert len(few) <= 4
    quota = tmp_path / "cpu.max"
    quota.write_text("150000 100000\n")
    assert allowed_cores(1, quota) == 1
    assert allowed_cores(64, quota) <= 2
    quota.write_text("max 100000\n")
    assert allowed_cores(1, quota) == 1
    assert allowed_cores(1, tmp_path / "none") == 1
