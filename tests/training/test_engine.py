from __future__ import annotations

import math
import threading
from dataclasses import replace

import pytest
import torch

from core.errors import StorageError, WaggleError
from core.protocols import Interrupted
from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.training.engine import TorchEngine
from core.training.metrics import definition
from tests.training.conftest import make_config, make_model, make_tokenizer, play, scored


def weights(engine) -> dict[str, torch.Tensor]:
    return {n: w.clone() for n, w in engine.model.state_dict().items()}


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def one_round(engine, game, number=0):
    tasks = {t: game.task(t) for t in game.schedule("me", number)}
    groups = engine.sample(list(tasks.values()), threading.Event())
    return [scored(game, g) for g in groups], tasks


@pytest.fixture
def engine(config):
    return TorchEngine(config)


def test_sampled_groups_have_the_promised_shape(engine, game, never):
    tasks = [game.task(t) for t in game.schedule("me", 1)]
    heard = []
    groups = engine.sample(tasks, never, lambda done, total: heard.append((done, total)))
    assert [g.task for g in groups] == [t.id for t in tasks]
    assert all(g.peer_id == "" and g.round == 0 and len(g.rollouts) == 4 for g in groups)
    for rollout in (r for g in groups for r in g.rollouts):
        assert rollout.reward is None
        assert 1 <= len(rollout.token_ids) <= 12
        assert len(rollout.logprobs) == len(rollout.token_ids)
        assert "<|im_end|>" not in rollout.text
        assert rollout.finished is (rollout.token_ids[-1] == engine.loaded.eos_id)
    assert heard[-1] == (12, 12)
    assert not engine.model.training


def test_stop_interrupts_and_leaves_the_random_numbers(engine, game, never):
    stop = threading.Event()
    stop.set()
    tasks = [game.task(t) for t in game.schedule("me", 1)]
    with pytest.raises(Interrupted):
        engine.sample(tasks, stop)
    undisturbed = TorchEngine(engine.config)
    assert engine.sample(tasks, never) == undisturbed.sample(tasks, never)


def test_a_step_learns_and_reports(engine, game):
    before = weights(engine)
    report = play(engine, game, [0])[0]
    assert report.skipped == ""
    assert report.step == engine.step == 1
    assert math.isfinite(report.loss)
    assert report.grad_norm > 0
    assert not same(before, weights(engine))
    assert all(definition(name) for name in report.metrics)
    for name in ("entropy", "grad_norm", "reward_mean", "tokens_per_s", "rss_mib", "eos_rate"):
        assert name in report.metrics
    assert report.metrics["logprob_gap_max"] < 1e-4
    assert not engine.model.training


def test_reward_rises(model_folders, game):
    engine = TorchEngine(make_config(model_folders["qwen3"], learning_rate=5e-3))
    reports = play(engine, game, range(25))
    means = [r.metrics["reward_mean"] for r in reports]
    assert sum(means[-5:]) / 5 > sum(means[:5]) / 5 + 0.1


def test_warm_up_then_constant(model_folders, game):
    engine = TorchEngine(make_config(model_folders["qwen3"], warmup_steps=2, learning_rate=3e-3))
    rates = [r.metrics["learning_rate"] for r in play(engine, game, range(4))]
    assert rates == pytest.approx([1e-3, 2e-3, 3e-3, 3e-3])


def test_no_signal_changes_nothing(engine, game):
    play(engine, game, [0])  # so that the optimiser has momentum that could move the weights
    groups, tasks = one_round(engine, game, 1)
    flat = [replace(g, rollouts=tuple(replace(r, reward=0.3) for r in g.rollouts)) for g in groups]
    before, moments = (
        weights(engine),
        {k: v.clone() for k, v in engine._optimizer.tensors().items()},
    )
    report = engine.update(flat, tasks)
    assert (report.loss, report.skipped, report.step) == (None, "no_signal", 1)
    assert report.metrics["frac_reward_zero_std"] == 1.0
    assert same(before, weights(engine))
    assert same(moments, engine._optimizer.tensors())
    assert engine.update([], {}).skipped == "no_signal"


def test_a_gradient_that_is_not_finite_changes_nothing(engine, game):
    play(engine, game, [0])
    groups, tasks = one_round(engine, game, 1)
    before, moments = (
        weights(engine),
        {k: v.clone() for k, v in engine._optimizer.tensors().items()},
    )
    name = "model.layers.0.mlp.up_proj.weight"
    parameter = engine.model.get_parameter(name)
    hook = parameter.register_hook(lambda gradient: gradient * float("nan"))
    report = engine.update(groups, tasks)
    hook.remove()
    assert (report.loss, report.skipped, report.step) == (None, "non_finite", 1)
    assert same(before, weights(engine)), name
    assert same(moments, engine._optimizer.tensors())
    assert all(math.isfinite(v) for v in report.metrics.values())
    assert engine.update(groups, tasks).skipped == ""


def test_an_exception_leaves_eval_mode(engine, game, monkeypatch):
    groups, tasks = one_round(engine, game)
    monkeypatch.setattr("core.training.gradient.policy_loss", None)
    with pytest.raises(TypeError):
        engine.update(groups, tasks)
    assert not engine.model.training
    monkeypatch.undo()
    assert engine.update(groups, tasks).skipped == ""


def test_eos_is_a_target(engine):
    """Rewarding the short answer makes EOS itself likelier after it."""
    task = Task(TaskId("x", 1, 1), "Say a", "")
    ids = engine.tokenizer("a", add_special_tokens=False)["input_ids"]
    ends = Rollout("a", (*ids, engine.loaded.eos_id), (), True, 1.0)
    goes_on = Rollout("aa", (*ids, *ids), (), False, 0.0)
    group = RolloutGroup(task.id, "", 0, (ends, goes_on))

    def eos_logp() -> float:
        from core.training.prompts import prompt_ids

        prompt = prompt_ids(engine.tokenizer, task)
        with torch.no_grad():
            logits = engine.model(torch.tensor([[*prompt, *ids]])).logits[0, -1]
        return float(logits.log_softmax(-1)[engine.loaded.eos_id])

    before = eos_logp()
    engine.update([group], {task.id: task})
    assert eos_logp() > before


def test_truncated_completions_are_masked_when_asked(model_folders):
    engine = TorchEngine(make_config(model_folders["qwen3"], mask_truncated=True))
    task = Task(TaskId("x", 1, 1), "Say a", "")
    cut = tuple(Rollout("", (5, 6, 7 + i), (), False, float(i)) for i in range(2))
    assert (
        engine.update([RolloutGroup(task.id, "", 0, cut)], {task.id: task}).skipped == "no_signal"
    )
    whole = Rollout("", (5, engine.loaded.eos_id), (), True, 0.5)
    report = engine.update([RolloutGroup(task.id, "", 0, (*cut, whole, cut[0]))], {task.id: task})
    assert report.metrics["trained_tokens"] == 2
    assert report.metrics["truncated_fraction"] == 0.75


def foreign_group(task, *rollouts):
    return RolloutGroup(task.id, "peer", 1, rollouts)


def test_foreign_groups_are_tokenised_here(engine):
    task = Task(TaskId("x", 1, 1), "Say a", "")
    group = foreign_group(task, Rollout("a b", reward=1.0), Rollout("c", reward=0.0))
    report = engine.update([group], {task.id: task})
    assert report.skipped == ""
    assert report.metrics["foreign_weight_mean"] == 0.5  # the negative has no claim: weight 0
    assert report.metrics["foreign_token_share"] == 1.0
    assert report.metrics["reward_mean_foreign"] == 0.5
    assert "reward_mean_local" not in report.metrics
    assert "logprob_gap_mean" not in report.metrics
    claimed = replace(group.rollouts[1], logprobs=(-60.0, -60.0))
    report = engine.update([foreign_group(task, group.rollouts[0], claimed)], {task.id: task})
    assert report.metrics["foreign_weight_mean"] == 1.0


def test_only_foreign_negatives_without_claims_are_no_signal(model_folders):
    """The positive one is truncated, hence masked; nothing is left to learn from."""
    engine = TorchEngine(make_config(model_folders["qwen3"], mask_truncated=True))
    before = weights(engine)
    task = Task(TaskId("x", 1, 1), "Say a", "")
    group = foreign_group(
        task, Rollout("a", finished=False, reward=1.0), Rollout("c", finished=True, reward=0.0)
    )
    assert engine.update([group], {task.id: task}).skipped == "no_signal"
    assert same(before, weights(engine))


def test_an_overlong_foreign_text_is_cut(engine):
    task = Task(TaskId("x", 1, 1), "Say a", "")
    group = foreign_group(task, Rollout("x y " * 999, reward=1.0), Rollout("", reward=0.0))
    report = engine.update([group], {task.id: task})
    assert report.metrics["completion_length_max"] == 12
    assert report.metrics["truncated_fraction"] == 0.5


@pytest.mark.parametrize(("beta", "threads"), [(0.0, 1), (0.0, 2), (0.1, 1)])
def test_resume_is_exact(model_folders, game, tmp_path, beta, threads):
    config = make_config(model_folders["qwen3"], beta=beta)
    config = replace(config, model=replace(config.model, threads=threads))
    straight = TorchEngine(config)
    expected = play(straight, game, range(4))
    first = TorchEngine(config)
    play(first, game, range(2))
    first.save(str(tmp_path / "c"), {"round": 2, "note": "ä"})
    torch.rand(7)  # a new process would start with other random numbers
    second = TorchEngine(config)
    assert second.load(str(tmp_path / "c")) == {"round": 2, "note": "ä"}
    assert second.step == 2
    resumed = play(second, game, range(2, 4))
    assert same(weights(straight), weights(second))
    assert [r.loss for r in resumed] == [r.loss for r in expected[2:]]
    assert same(straight._optimizer.tensors(), second._optimizer.tensors())


def test_resume_is_exact_in_bfloat16_with_master_weights(model_folders, game, tmp_path):
    config = make_config(model_folders["qwen3"], learning_rate=1e-4)
    config = replace(config, model=replace(config.model, dtype="bfloat16"))
    straight = TorchEngine(config)
    assert straight.dtype == "bfloat16"
    play(straight, game, range(4))
    first = TorchEngine(config)
    play(first, game, range(2))
    first.save(str(tmp_path / "c"), {})
    second = TorchEngine(config)
    second.load(str(tmp_path / "c"))
    play(second, game, range(2, 4))
    assert same(weights(straight), weights(second))
    assert same(straight._optimizer.tensors(), second._optimizer.tensors())


def test_a_checkpoint_is_a_hugging_face_folder(engine, game, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    play(engine, game, [0])
    size = engine.save(str(tmp_path / "c"), {})
    assert size == sum(f.stat().st_size for f in (tmp_path / "c").iterdir())
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "c")
    assert same(model.state_dict(), weights(engine))
    assert AutoTokenizer.from_pretrained(tmp_path / "c").chat_template
    again = TorchEngine(
        replace(engine.config, model=replace(engine.config.model, id=str(tmp_path / "c")))
    )
    assert same(weights(again), weights(engine))


def test_saving_again_replaces_and_stays_quiet(engine, tmp_path, capfd):
    engine.save(str(tmp_path / "c"), {"n": 1})
    engine.save(str(tmp_path / "c"), {"n": 2})
    assert engine.load(str(tmp_path / "c")) == {"n": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    assert capfd.readouterr() == ("", "")


def test_a_checkpoint_of_another_model_is_refused(engine, tmp_path):
    tokenizer = make_tokenizer()
    other = tmp_path / "other"
    tokenizer.save_pretrained(other)
    make_model("qwen3", len(tokenizer) + 4, tokenizer.eos_token_id, hidden=48).save_pretrained(
        other
    )
    TorchEngine(make_config(other)).save(str(tmp_path / "c"), {})
    before = weights(engine)
    with pytest.raises(WaggleError, match="does not fit this configuration"):
        engine.load(str(tmp_path / "c"))
    assert same(before, weights(engine))


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(engine, tmp_path, monkeypatch):
    import errno

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("core.training.checkpoint.os.fsync", full)
    with pytest.raises(StorageError, match="Free some disk space"):
        engine.save(str(tmp_path / "c"), {})
    assert list(tmp_path.iterdir()) == []
