"""What is computed how, where nothing needs to be measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.training.choices import choose
from core.training.engine import UNPLANNED
from core.training.models import load_model
from tests.training.conftest import make_config


@pytest.mark.parametrize("load", [0.0, 50.0])
def test_a_tiny_model_gets_one_thread_however_busy_the_machine_is(model_folders, monkeypatch, load):
    config = make_config(model_folders["qwen3"])
    config = replace(config, model=replace(config.model, threads=0))
    monkeypatch.setattr("os.getloadavg", lambda: (load, load, load))
    monkeypatch.setattr("core.training.choices.measure", None)  # would raise when called
    chosen = choose(load_model(config.model), config, UNPLANNED)
    assert chosen.probe.threads == 1
    assert chosen.alike


def test_who_configures_threads_gets_them(model_folders):
    config = make_config(model_folders["qwen3"])
    config = replace(config, model=replace(config.model, threads=2))
    assert choose(load_model(config.model), config, UNPLANNED).probe.threads == 2
