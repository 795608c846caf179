from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from core.errors import WaggleError
from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.schema import TrainingSection
from core.training.engine import TorchEngine
from core.training.layout import attention
from core.training.outofmemory import out_of_memory
from core.training.prompts import prompt_ids
from tests.training.conftest import make_config, play, scored


def weights(engine) -> dict[str, torch.Tensor]:
    return {n: w.clone() for n, w in engine.model.state_dict().items()}


def one_round(engine, game, number=0):
    tasks = {t: game.task(t) for t in game.schedule("me", number)}
    groups = engine.sample(list(tasks.values()), threading.Event())
    return [scored(game, g) for g in groups], tasks


def full_above(tokens: int, seen: list[int]):
    """A decoder hook: as torch does when memory runs out, for more than so many tokens."""

    def hook(module, args, kwargs):
        n = kwargs["inputs_embeds"].shape[1]
        seen.append(n)
        if n > tokens:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate "
                "memory: you tried to allocate 99 bytes."
            )

    return hook


def test_out_of_memory_halves_the_micro_batch_and_finishes_the_round(model_folders, game):
    config = make_config(model_folders["qwen3"], micro_batch_tokens=1000)
    plenty, scarce = TorchEngine(config), TorchEngine(config)
    groups, tasks = one_round(plenty, game)
    expected = plenty.update(groups, tasks)
    assert expected.metrics["micro_batches"] == 1
    seen: list[int] = []
    decoder = scarce.model.get_decoder()
    handle = decoder.register_forward_pre_hook(full_above(80, seen), with_kwargs=True)
    report = scarce.update(groups, tasks)
    assert report.skipped == ""
    assert report.loss == pytest.approx(expected.loss, abs=1e-6)
    assert report.grad_norm == pytest.approx(expected.grad_norm, rel=1e-4)
    assert report.metrics["out_of_memory_retries"] >= 1
    assert report.metrics["micro_batches"] > 1
    # The next round begins with what fitted.
    handle.remove()
    groups, tasks = one_round(scarce, game, 1)
    handle = decoder.register_forward_pre_hook(full_above(80, seen), with_kwargs=True)
    assert "out_of_memory_retries" not in scarce.update(groups, tasks).metrics
    handle.remove()


def test_out_of_memory_while_sampling_halves_the_rows(model_folders, game):
    config = make_config(model_folders["qwen3"])
    plenty, scarce = TorchEngine(config), TorchEngine(config)
    tasks = [game.task(t) for t in game.schedule("me", 0)]
    rows: list[int] = []

    def hook(module, args, kwargs):
        rows.append(kwargs["input_ids"].shape[0])
        if rows[-1] > 8:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    handle = scarce.model.get_decoder().register_forward_pre_hook(hook, with_kwargs=True)
    groups = scarce.sample(tasks, threading.Event())
    handle.remove()
    expected = plenty.sample(tasks, threading.Event())
    assert [g.task for g in groups] == [g.task for g in expected]
    assert all(len(g.rollouts) == 4 for g in groups)
    assert max(rows) == 12
    assert rows.count(12) == 1


def test_no_memory_for_a_single_completion_is_said(model_folders, game):
    engine = TorchEngine(make_config(model_folders["qwen3"]))
    groups, tasks = one_round(engine, game)
    handle = engine.model.get_decoder().register_forward_pre_hook(
        full_above(1, []), with_kwargs=True
    )
    before = weights(engine)
    with pytest.raises(WaggleError, match="not enough memory to train"):
        engine.update(groups, tasks)
    handle.remove()
    assert all(torch.equal(before[n], w) for n, w in weights(engine).items())
    assert engine.update(groups, tasks).skipped == ""


def test_what_torch_raises_is_known_as_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    assert out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2) @ torch.ones(3)
    assert not out_of_memory(caught.value)
    assert out_of_memory(MemoryError())


@pytest.mark.parametrize("loss_type", ["dr_grpo", "gspo"])
def test_several_steps_move_further_and_show_it(model_folders, game, loss_type):
    more = {"iterations": 3, "learning_rate": 3e-2, "loss_type": loss_type}
    engine = TorchEngine(make_config(model_folders["qwen3"], **more))
    report = play(engine, game, [0])[0]
    assert report.step == engine.step == 3
    assert report.metrics["optimizer_steps"] == 3
    # Before the first step nothing has moved; what is told is of the last one.
    assert report.metrics["approx_kl"] > 1e-6
    assert report.metrics["clip_ratio_low"] + report.metrics["clip_ratio_high"] > 0


def test_an_adapter_alone_is_trained_and_the_base_is_the_reference(model_folders, game, tmp_path):
    config = make_config(
        model_folders["qwen2"], recipe="lora", lora_learning_rate=1e-2, beta=0.1, lora_rank=4
    )
    engine = TorchEngine(config)
    base = {n: w for n, w in weights(engine).items() if "lora" not in n}
    reports = play(engine, game, range(3))
    after = weights(engine)
    assert all(torch.equal(after[n], w) for n, w in base.items())
    assert any("lora_B" in n and float(w.abs().max()) > 0 for n, w in after.items())
    assert reports[0].metrics["kl"] == pytest.approx(0.0, abs=1e-6)
    assert reports[2].metrics["kl"] > 1e-5
    assert reports[2].metrics["logprob_gap_max"] < 1e-4
    engine.save(str(tmp_path / "c"), {})
    again = TorchEngine(config)
    again.load(str(tmp_path / "c"))
    assert play(again, game, [3])[0].loss == play(engine, game, [3])[0].loss
    with pytest.raises(WaggleError, match=r"training\.recipe=lora"):
        TorchEngine(make_config(model_folders["qwen2"])).load(str(tmp_path / "c"))


def test_rounded_rollouts_are_corrected_and_trained_exactly(model_folders, game):
    """The ratio is 1 and the gradient of the trainer's own log-probs is weighed."""
    config = make_config(model_folders["qwen3"])
    config = replace(config, sampling=replace(config.sampling, rollout_format="int8"))
    engine = TorchEngine(config)
    if engine.choose().probe.format != "int8":
        pytest.skip("no int8 on this machine")
    report = play(engine, game, [0])[0]
    assert engine.drawn_with["rollout_format"] == "int8"
    assert report.skipped == ""
    assert 0 < report.metrics["logprob_gap_mean"] < 0.2
    assert report.metrics["approx_kl"] == 0.0
    assert 0.5 < report.metrics["importance_weight_mean"] < 1.5
    assert report.metrics["importance_weight_max"] <= 2.0


def test_what_was_measured_is_remembered(model_folders, game, tmp_path, monkeypatch):
    config = make_config(model_folders["qwen3"])
    config = replace(
        config,
        model=replace(config.model, threads=0),
        sampling=replace(config.sampling, rollout_format="auto"),
    )
    engine = TorchEngine(config)
    play(engine, game, [0])
    chosen = engine.choices
    engine.save(str(tmp_path / "c"), {})
    again = TorchEngine(config)
    monkeypatch.setattr("core.training.choices.measure", None)  # would raise when called
    again.load(str(tmp_path / "c"))
    assert again.choices == chosen
    play(again, game, [1])
    # The configuration has the last word.
    wished = replace(config, sampling=replace(config.sampling, rollout_format="bfloat16"))
    if chosen.probe.format != "bfloat16":
        other = TorchEngine(wished)
        other.load(str(tmp_path / "c"))
        assert other.choices is None


def test_a_closing_tag_replaces_the_end_token_in_foreign_texts(model_folders):
    config = make_config(model_folders["qwen3"])
    config = replace(config, sampling=replace(config.sampling, stop_at_answer=True))
    engine = TorchEngine(config)
    task = Task(TaskId("x", 1, 1), "Say a", "")
    texts = ["</answer>", "ab"]
    rollouts = tuple(Rollout(t, reward=float(i)) for i, t in enumerate(texts))
    report = engine.update([RolloutGroup(task.id, "peer", 1, rollouts)], {task.id: task})
    plain = [len(engine.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
    assert report.metrics["completion_length_mean"] == (plain[0] + plain[1] + 1) / 2


def test_cispo_refuses_a_cap_below_one(model_folders):
    with pytest.raises(WaggleError, match="epsilon_high"):
        TorchEngine(make_config(model_folders["qwen3"], loss_type="cispo"))


def test_the_models_own_attention_is_back_afterwards(model_folders, game):
    engine = TorchEngine(make_config(model_folders["qwen2"]))
    task = game.task(game.schedule("me", 0)[0])
    ids = torch.tensor([prompt_ids(engine.tokenizer, task)])
    before = engine.model(ids).logits
    play(engine, game, [])
    with attention(engine.model), pytest.raises(TypeError):
        engine.model(ids)
    assert torch.equal(engine.model(ids).logits, before)


def test_defaults_of_a_training_section_are_usable(model_folders):
    config = replace(make_config(model_folders["qwen3"]), training=TrainingSection())
    assert TorchEngine(config).recipe.optimizer == "adamw"
