"""The benchmarks run, on a model that is tiny; what they measure on a real one is not tested."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest

from core.home import REPO_ROOT

BENCHMARKS = REPO_ROOT / "benchmarks"


@pytest.fixture
def peers(monkeypatch):
    """Import a module of `benchmarks/peers` by its name."""
    monkeypatch.syspath_prepend(BENCHMARKS / "peers")
    before = set(sys.modules)
    yield importlib.import_module
    for name in ("work", "model", "limit"):
        if name not in before:
            sys.modules.pop(name, None)


def test_engine_benchmark_plays_a_round_and_ends_with_its_figures(tmp_path, peers):
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "engine.py", "--smoke", "--threads", "1", "--work", tmp_path],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    ours = figures["runs"][0]["waggle"]
    assert ours["tokens_per_s"] > 0
    assert ours["round_s"] == pytest.approx(ours["sample_s"] + ours["update_s"])
    assert ours["peak_memory_gib"] > 0
    assert ours["share_of_limit"]["update_s"]["float32"] > 0

    from transformers import AutoTokenizer

    work = peers("work").Work(**ours["work"])
    tokenizer = AutoTokenizer.from_pretrained(work.model)
    sayable = [tokenizer(word)["input_ids"] for word in peers("model").words(work.vocabulary)]
    assert all(len(ids) == 1 for ids in sayable)
    for question in work.questions():
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
        )
        assert len(ids) == work.prompt_tokens
        assert tokenizer(tokenizer.decode(ids))["input_ids"] == ids


@pytest.mark.slow
def test_injection_benchmark_tells_the_defended_from_the_undefended():
    short = ("--rounds", "4", "--seeds", "1", "--attacks", "phrase", "--tasks", "5")
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "injection.py", *short],
        capture_output=True,
        text=True,
        timeout=170,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    rows = {row["condition"]: row for row in json.loads(run.stdout.splitlines()[-1])["rows"]}
    assert set(rows) == {"no attack", "undefended", "defended"}
    assert rows["undefended"]["hostile_groups_refused"] == 0
    assert rows["defended"]["hostile_groups_refused"] > 0
    trained = {name: row["hostile_groups_trained"] for name, row in rows.items()}
    assert trained["defended"] < trained["undefended"]


def test_bounds_follow_the_slower_of_reading_and_computing(peers):
    limit = peers("limit")
    work = peers("work").Work(model="", vocabulary=151_936)
    layers, head = limit.weights("0.5b")
    assert layers + head == pytest.approx(494e6, rel=0.01)
    busy = {"bytes_per_s": 1e15, "operations_per_s": {"float32": 1e11}}
    starved = {"bytes_per_s": 1e9, "operations_per_s": {"float32": 1e20}}
    steps = work.new_tokens - 1
    computed = limit.bounds(work, "0.5b", busy)["sample_s"]["float32"]
    assert computed > steps * 2 * (layers + head) * work.completions / 1e11
    read = limit.bounds(work, "0.5b", starved)["sample_s"]["float32"]
    assert read == pytest.approx(steps * 4 * (layers + head) / 1e9, rel=1e-6)


def test_a_goal_is_reached_at_the_first_of_two_good_evaluations(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    swarm = importlib.import_module("learning").Swarm(REPO_ROOT, tmp_path, seed=1, tasks=5)
    for rounds, pass_at_1 in enumerate((0.2, 0.85, 0.7, 0.8, 0.9)):
        assert swarm.reached(0.8) is None
        swarm.curve.append({"rounds": rounds, "pass_at_1": pass_at_1})
    assert swarm.reached(0.8) == {"rounds": 3, "pass_at_1": 0.8}
    assert swarm.reached(0.95) is None


@pytest.mark.slow
def test_a_swarm_costs_what_the_model_of_large_swarms_says(tmp_path):
    def last_line(script, *options):
        run = subprocess.run(
            [sys.executable, BENCHMARKS / script, *options],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout.splitlines()[-1]

    measured = last_line("swarm.py", "--sizes", "5", "--rounds", "2", "--only", "waggle")
    (row,) = json.loads(measured)["waggle"]
    assert (row["fetched"], row["seen"]) == (4, 4)
    (tmp_path / "measured").write_text(measured)
    modelled = last_line(
        "swarm_model.py", "--sizes", "5,300", "--measured", str(tmp_path / "measured")
    )
    small, large = json.loads(modelled)["sizes"]
    idle_kb = 40  # seconds of background traffic, and other users where there are no namespaces
    assert 0.9 * small["kb"] < row["kb"] < 1.2 * small["kb"] + idle_kb
    assert large["kb"] < 1.4 * small["kb"]
    assert large["seen_fewest"] >= 4
    assert large["on_nearest"] > 0.95


@pytest.mark.slow
def test_the_log_benchmark_types_on_a_real_terminal_and_ends_with_its_figures(tmp_path):
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "logs.py", "--smoke", "--work", tmp_path],
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])["logs"]["20,000 lines"]
    assert figures["toolong"] is None  # it is said plainly that it was skipped
    assert "toolong: skipped" in run.stdout
    ours = figures["waggle"]
    assert ours["first_screen_s"] > 0
    assert ours["find_first_line_s"] > 0
    for key, spread in ours["keys_ms"].items():
        assert spread["max"] < 10_000, f"{key} drew nothing"
