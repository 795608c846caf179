"""Our losses and gradients against those of TRL's own GRPOTrainer.

First the loss alone, on log-probs that we choose, for every loss type and option that both have.
Then the whole update: TRL gets our rollouts through its `rollout_func` and does everything itself
(padding, masks, advantages, loss), ours goes through `TorchEngine`. Importing TRL takes many
seconds.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.training.engine import TorchEngine
from core.training.grpo import Normaliser, importance_weights, policy_loss
from core.training.logprobs import completion_logprobs
from core.training.prompts import prompt_ids
from tests.training.conftest import make_config

pytestmark = pytest.mark.slow

CAP = 12
GROUPS = [
    ("What is 1 + 1?", [1.0, 0.0, 0.0, 1.0], [3, 12, 7, 1]),
    ("What is 12 + 30, please, and why?", [0.25, 0.5, 0.0, 0.1], [5, 12, 12, 9]),
    ("Say it", [0.3, 0.3, 0.3, 0.3], [4, 6, 2, 12]),
]
"""Question, rewards, completion lengths; of length 12 are the truncated ones."""


def make_trainer(folder, config, rollouts, prompts, tmp_path) -> Any:
    """TRL's trainer with a batch of `rollouts`, whose prompts' token ids are `prompts`."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    training = config.training

    def rollout_func(_prompts, trainer):
        return {
            "prompt_ids": prompts,
            "completion_ids": [list(r.token_ids) for r in rollouts],
            "logprobs": [list(r.logprobs) for r in rollouts] if rollouts[0].logprobs else None,
            "reward": [r.reward for r in rollouts],
        }

    def reward_func(prompts, completions, reward, **_):
        return reward

    level = "sequence" if training.loss_type == "gspo" else "token"
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        reward_funcs=reward_func,
        args=GRPOConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            per_device_train_batch_size=len(rollouts),
            num_generations=4,
            max_completion_length=CAP,
            loss_type="grpo" if level == "sequence" else training.loss_type,
            importance_sampling_level=level,
            scale_rewards=training.scale_rewards,
            epsilon=training.epsilon_low,
            epsilon_high=training.epsilon_high,
            delta=training.delta or None,
            beta=training.beta,
            temperature=config.sampling.temperature,
            mask_truncated_completions=training.mask_truncated,
            vllm_importance_sampling_mode="token_truncate",
            vllm_importance_sampling_clip_max=2.0,
        ),
        train_dataset=Dataset.from_dict({"prompt": ["x"] * len(rollouts)}),
        processing_class=AutoTokenizer.from_pretrained(folder),
        rollout_func=rollout_func,
    )
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def generated(trainer: Any, rows: int) -> dict[str, Tensor]:
    made: dict[str, Tensor] = trainer._generate_and_score_completions(
        [{"prompt": "x"} for _ in range(rows)]
    )
    return made


# --- the loss alone ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trainer(model_folders, tmp_path_factory) -> Any:
    """One trainer for all cases of the loss; each sets the options it needs."""
    folder = model_folders["qwen3"]
    known = (-1.0, -12.0, math.nan)  # too likely, too unlikely, not said
    rollouts = [Rollout("", (7, 8, 9), known, True, float(i % 2)) for i in range(4)]
    prompts = [[5, 6]] * 4
    return make_trainer(
        folder, make_config(folder), rollouts, prompts, tmp_path_factory.mktemp("t")
    )


OPTIONS = {
    "plain": {},
    "on-policy": {"noise": 0.0},
    "kl": {"beta": 0.1},
    "delta": {"delta": 1.4},
    "delta below the clip": {"delta": 1.1},
    "importance": {"weighed": True},
    "everything": {"beta": 0.1, "delta": 1.4, "weighed": True},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("loss_type", ["grpo", "dapo", "dr_grpo", "gspo", "cispo"])
def test_the_loss_and_its_gradient_equal_trl(trainer, monkeypatch, loss_type, option):
    chosen = {"noise": 0.5, "beta": 0.0, "delta": 0.0, "weighed": False, **OPTIONS[option]}
    epsilon_low, epsilon_high = (0.2, 1.3) if loss_type == "cispo" else (0.2, 0.28)
    generator = torch.Generator().manual_seed(len(option))
    rows, width = 32, 24

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    lengths = torch.randint(1, width + 1, (rows,), generator=generator)
    mask = (torch.arange(width) < lengths[:, None]).float()
    logps = -normal(rows, width).abs() * 2
    old = logps + chosen["noise"] * normal(rows, width)
    ref = logps + 0.3 * normal(rows, width)
    sampler = old + 0.6 * normal(rows, width)
    advantage = normal(rows)
    advantage[0] = 0.0
    importance = importance_weights(old, sampler, mask, 2.0) if chosen["weighed"] else None

    theirs = logps.clone().requires_grad_()
    sequence = loss_type == "gspo"
    options = {
        "loss_type": "grpo" if sequence else loss_type,
        "importance_sampling_level": "sequence" if sequence else "token",
        "epsilon_low": epsilon_low,
        "epsilon_high": epsilon_high,
        "beta": chosen["beta"],
        "max_completion_length": CAP,
        "use_vllm": chosen["weighed"],
        "vllm_importance_sampling_correction": chosen["weighed"],
        "_get_per_token_logps_and_entropies": lambda *_, **__: (theirs, mask, None),
    }
    for name, value in options.items():
        monkeypatch.setattr(trainer, name, value)
    monkeypatch.setattr(trainer.args, "delta", chosen["delta"] or None)
    ids = torch.zeros(rows, width, dtype=torch.long)
    expected = trainer._compute_loss(
        trainer.model,
        {
            "prompt_ids": ids[:, :1],
            "prompt_mask": torch.ones(rows, 1),
            "completion_ids": ids,
            "completion_mask": mask,
            "advantages": advantage,
            "num_items_in_batch": mask.sum(),
            "old_per_token_logps": old,
            "ref_per_token_logps": ref,
            "importance_sampling_ratio": importance,
        },
    )
    expected.backward()

    ours = logps.clone().requires_grad_()
    result = policy_loss(
        ours,
        old,
        advantage,
        mask,
        Normaliser(rows, int(mask.sum()), CAP),
        loss_type=loss_type,
        epsilon_low=epsilon_low,
        epsilon_high=epsilon_high,
        beta=chosen["beta"],
        ref_logps=ref if chosen["beta"] else None,
        delta=chosen["delta"],
        importance=importance,
    )
    result.loss.backward()
    assert float(result.loss.detach()) == pytest.approx(float(expected.detach()), abs=1e-5)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-7, rtol=1e-5)
    assert float(ours.grad.abs().max()) > 1e-3
    clipped = bool((result.clipped_high + result.clipped_low).any())
    assert clipped == (chosen["noise"] > 0), "the bounds must be at work"


def test_importance_weights_equal_those_that_trl_makes_of_a_samplers_logprobs(trainer, monkeypatch):
    monkeypatch.setattr(trainer, "use_vllm", True)
    monkeypatch.setattr(trainer, "_last_loaded_step", trainer.state.global_step, raising=False)
    inputs = generated(trainer, 4)
    ours = importance_weights(
        inputs["old_per_token_logps"],
        inputs["sampling_per_token_logps"],
        inputs["completion_mask"],
        2.0,
    )
    torch.testing.assert_close(ours, inputs["importance_sampling_ratio"])
    assert float(ours[0, 0]) < 1.0
    assert ours[0, 1:].tolist() == [2.0, 1.0]


# --- the whole update -------------------------------------------------------------------------


def make_groups(engine: TorchEngine) -> tuple[list[RolloutGroup], dict[TaskId, Task]]:
    """Random completions with log-probs off the policy's own, so that ratios clip on both sides."""
    generator = torch.Generator().manual_seed(11)
    groups, tasks = [], {}
    for number, (question, rewards, lengths) in enumerate(GROUPS):
        task = Task(TaskId("parity", 0, number), question, "")
        tasks[task.id] = task
        rollouts = []
        for reward, length in zip(rewards, lengths, strict=True):
            ids = torch.randint(5, 250, (length,), generator=generator).tolist()
            if length < CAP:
                ids[-1] = engine.loaded.eos_id
            rollouts.append(Rollout("", tuple(ids), (), length < CAP, reward))
        groups.append(RolloutGroup(task.id, "", 0, tuple(rollouts)))
    return with_old_logps(engine, groups, tasks, generator), tasks


def with_old_logps(engine, groups, tasks, generator) -> list[RolloutGroup]:
    out = []
    for group in groups:
        scored = completion_logprobs(
            engine.model,
            [prompt_ids(engine.tokenizer, tasks[group.task])],
            [0] * len(group.rollouts),
            [r.token_ids for r in group.rollouts],
            engine.config.sampling,
        )
        rollouts = [
            replace(
                r, logprobs=tuple((s + 0.3 * torch.randn(s.shape, generator=generator)).tolist())
            )
            for r, s in zip(group.rollouts, scored, strict=True)
        ]
        out.append(replace(group, rollouts=tuple(rollouts)))
    return out


def gradients(model) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def ours(engine: TorchEngine, groups, tasks) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients of the engine's own update, caught before the optimiser takes them."""
    caught = {}
    take = engine._optimizer.step

    def step(number: int) -> Any:
        caught.update(gradients(engine.model))
        return take(number)

    engine._optimizer.step = step
    report = engine.update(groups, tasks)
    assert report.loss is not None
    return report.loss, caught


def theirs(config, folder, engine, groups, tasks, tmp_path) -> tuple[float, dict[str, Tensor]]:
    rollouts = [r for group in groups for r in group.rollouts]
    prompts = [prompt_ids(engine.tokenizer, tasks[g.task]) for g in groups for _ in g.rollouts]
    trainer = make_trainer(folder, config, rollouts, prompts, tmp_path)
    inputs = generated(trainer, len(rollouts))
    width = inputs["completion_ids"].shape[1]
    old = [list(r.logprobs) + [0.0] * (width - len(r.logprobs)) for r in rollouts]
    inputs["old_per_token_logps"] = torch.tensor(old)
    if config.training.beta:
        # The reference is the same model moved a little, so that the KL term is not zero.
        inputs["ref_per_token_logps"] = reference_logps(trainer, inputs)
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    return float(loss.detach()), gradients(trainer.model)


def reference_logps(trainer, inputs) -> Tensor:
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    move(trainer.model, 0.01)
    with torch.no_grad():
        logps, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, mask, inputs["completion_ids"].shape[1]
        )
    move(trainer.model, -0.01)
    return logps


def move(model, by: float) -> None:
    """Shift every weight matrix along a fixed direction; `-by` undoes it up to rounding."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=by)


CASES = [
    ("grpo", "group", {}),
    ("grpo", "none", {"mask_truncated": True}),
    ("dapo", "batch", {"mask_truncated": True}),
    ("dapo", "group", {"delta": 1.5}),
    ("dr_grpo", "none", {}),
    ("dr_grpo", "group", {"mask_truncated": True}),
    ("dapo", "group", {"beta": 0.05}),
    ("grpo", "batch", {"beta": 0.05, "temperature": 0.7}),
    ("gspo", "group", {"epsilon_low": 0.05, "epsilon_high": 0.05}),
    ("gspo", "batch", {"beta": 0.05, "mask_truncated": True}),
    ("cispo", "group", {"epsilon_high": 1.2}),
    ("cispo", "none", {"epsilon_high": 1.2, "beta": 0.05, "mask_truncated": True}),
]


@pytest.mark.parametrize(("loss_type", "scale", "more"), CASES)
def test_the_whole_update_equals_trl(model_folder, tmp_path, loss_type, scale, more):
    temperature = more.get("temperature", 1.0)
    settings = {k: v for k, v in more.items() if k != "temperature"}
    config = make_config(model_folder, loss_type=loss_type, scale_rewards=scale, **settings)
    config = replace(config, sampling=replace(config.sampling, temperature=temperature))
    engine = TorchEngine(config)
    groups, tasks = make_groups(engine)
    if config.training.beta:
        with engine._reference() as starting:
            move(starting, 0.01)
    loss, mine = ours(engine, groups, tasks)
    their_loss, expected = theirs(config, model_folder, engine, groups, tasks, tmp_path)

    assert loss == pytest.approx(their_loss, abs=1e-5)
    assert mine.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(mine[name], gradient, atol=1e-5, rtol=1e-4, msg=name)
    assert max(float(g.abs().max()) for g in expected.values()) > 1e-3
