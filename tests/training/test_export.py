from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from core import cli
from core.errors import StorageError, WaggleError
from core.home import Home
from core.training import export as export_module
from core.training.engine import TorchEngine
from core.training.export import TAGS, export
from core.training.lora import merged_state_dict
from core.training.store import CheckpointStore, whole
from tests.training.conftest import make_config, play


@pytest.fixture(scope="module")
def trained(model_folders, tmp_path_factory):
    """By recipe: an engine that took a few steps, and the home with its checkpoints."""
    from tests.training.conftest import VowelGame

    out = {}
    for recipe in ("full", "lora"):
        home = Home(tmp_path_factory.mktemp(recipe))
        config = make_config(
            model_folders["qwen3"], recipe=recipe, lora_learning_rate=0.05, lora_rank=4
        )
        engine = TorchEngine(config)
        store = CheckpointStore(home.checkpoints, 3)
        for number in (3, 4, 5):
            play(engine, VowelGame(), [number])
            store.save(engine, number, {"round": number, "stage": 0})
        out[recipe] = engine, home
    return out


@pytest.fixture
def home(trained, tmp_path):
    """A copy of the fully trained one, to break."""
    return Home(shutil.copytree(trained["full"][1].path, tmp_path / "home"))


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits


@pytest.mark.parametrize("recipe", ["full", "lora"])
def test_the_folder_is_the_trained_model(trained, recipe, tmp_path, model_folders):
    engine, home = trained[recipe]
    before = {p: p.stat().st_mtime_ns for p in home.checkpoints.rglob("*")}
    done = export(home.checkpoints, tmp_path / "out")
    folder = Path(done.path)
    assert (done.recipe, done.round, done.steps) == (recipe, 5, engine.step)
    assert done.size_bytes == sum(p.stat().st_size for p in folder.iterdir())
    assert not [p.name for p in folder.iterdir() if p.suffix == ".bin" or "trainer" in p.name]
    assert not (folder / "adapter_config.json").exists()
    model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == engine.tokenizer.chat_template
    ids = tokenizer("What is 1 + 1?").input_ids
    assert torch.allclose(logits(model, ids), logits(engine.model, ids), atol=1e-5)
    if recipe == "full":
        own = engine.model.state_dict()
        assert all(torch.equal(own[n], w) for n, w in model.state_dict().items())
    else:
        merged = merged_state_dict(engine.model)
        for name, weight in model.state_dict().items():
            assert torch.allclose(weight, merged[name], atol=1e-6)
        start = AutoModelForCausalLM.from_pretrained(model_folders["qwen3"])
        assert not torch.allclose(logits(model, ids), logits(start, ids), atol=1e-3)
    assert {p: p.stat().st_mtime_ns for p in home.checkpoints.rglob("*")} == before


def test_the_card_tells_the_facts(trained, tmp_path):
    _, home = trained["lora"]
    done = export(home.checkpoints, tmp_path / "out")
    card = (Path(done.path) / "README.md").read_text()
    _, front, text = card.split("---\n")
    assert [line[2:] for line in front.splitlines() if line.startswith("- ")] == list(TAGS)
    assert "base_model" not in front  # a folder of this machine is no name on the Hub
    assert f"after {done.steps} optimiser steps" in text
    assert "round 5" in text
    assert "adapter" in text
    assert str(Path(done.model).parent) not in card


def test_the_card_of_a_hub_model_names_its_base():
    about = export_module.Exported("", "Qwen/Qwen3-0.6B", "full", "c", 7, 3, 0)
    card = export_module.model_card(about)
    assert "base_model: Qwen/Qwen3-0.6B\n" in card
    assert "# Qwen/Qwen3-0.6B, trained in a swarm" in card


def test_another_checkpoint_by_round_or_path(trained, tmp_path):
    _, home = trained["full"]
    assert export(home.checkpoints, tmp_path / "a", wanted="4").round == 4
    path = whole(home.checkpoints)[0]
    assert export(home.checkpoints, tmp_path / "b", wanted=str(path)).round == 3
    with pytest.raises(WaggleError, match=r"no checkpoint of round 9.*round 3, 4, 5"):
        export(home.checkpoints, tmp_path / "c", wanted="9")
    with pytest.raises(WaggleError, match="a checkpoint is a folder with a manifest"):
        export(home.checkpoints, tmp_path / "c", wanted=str(tmp_path))
    assert not (tmp_path / "c").exists()


def test_nothing_trained_yet(tmp_path):
    with pytest.raises(WaggleError, match="no checkpoint yet"):
        export(tmp_path / "checkpoints", tmp_path / "out")


def test_what_is_there_is_kept(trained, tmp_path):
    _, home = trained["full"]
    target = tmp_path / "out"
    target.mkdir()
    assert export(home.checkpoints, target).round == 5  # an empty folder is no obstacle
    with pytest.raises(WaggleError, match="is not empty"):
        export(home.checkpoints, target, wanted="4")
    (target / "old").write_text("old")
    assert export(home.checkpoints, target, wanted="4", force=True).round == 4
    assert not (target / "old").exists()
    (target / ".git").mkdir()
    with pytest.raises(WaggleError, match=r"holds folders, such as \.git"):
        export(home.checkpoints, target, force=True)
    other = tmp_path / "documents"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(WaggleError, match="no model folder"):
        export(home.checkpoints, other, force=True)
    assert (other / "thesis.txt").exists()
    with pytest.raises(StorageError, match="Not a directory"):
        export(home.checkpoints, other / "thesis.txt")


def test_a_damaged_newest_one_is_passed_over(home, tmp_path):
    weights = whole(home.checkpoints)[-1] / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)
    assert export(home.checkpoints, tmp_path / "out").round == 4
    with pytest.raises(StorageError, match=r"damaged: model\.safetensors"):
        export(home.checkpoints, tmp_path / "other", wanted="5")
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_node_that_drops_the_checkpoint_meanwhile_is_followed(home, tmp_path, monkeypatch):
    copied = export_module._copy
    dropped = []

    def copy(source, target, wanted):
        if not dropped:  # as the store of a running node with keep=1 does after a save
            for old in whole(home.checkpoints):
                dropped.append(old.name)
                newer = home.checkpoints / old.name.replace("ckpt-0", "ckpt-1").replace("-5", "-6")
                old.rename(newer)
        copied(source, target, wanted)

    monkeypatch.setattr(export_module, "_copy", copy)
    done = export(home.checkpoints, tmp_path / "out")
    assert done.checkpoint.endswith("-round-6")


def test_the_command(trained, tmp_path, capsys):
    _, home = trained["full"]
    where = ["--home", str(home.path)]
    target = str(tmp_path / "out")
    assert cli.main(["export", target, *where, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["round"] == 5
    assert said["path"] == target
    assert cli.main(["export", target, *where]) == 1
    assert "--force" in capsys.readouterr().err
    assert cli.main(["export", target, "--force", "--checkpoint", "3", *where]) == 0
    assert "saved in round 3" in capsys.readouterr().out
