"""Our loss and gradients against TRL's own GRPOTrainer on the same rollouts.

TRL gets our rollouts through its `rollout_func`, then does everything itself: padding, masks,
advantages, loss. Ours goes through `TorchEngine`. Importing TRL takes many seconds.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.training.engine import TorchEngine
from core.training.prompts import prompt_ids
from tests.training.conftest import make_config

CAP = 12
GROUPS = [
    ("What is 1 + 1?", [1.0, 0.0, 0.0, 1.0], [3, 12, 7, 1]),
    ("What is 12 + 30, please, and why?", [0.25, 0.5, 0.0, 0.1], [5, 12, 12, 9]),
    ("Say it", [0.3, 0.3, 0.3, 0.3], [4, 6, 2, 12]),
]
"""Question, rewards, completion lengths; of length 12 are the truncated ones."""


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
    from core.training.logprobs import completion_logprobs

    out = []
    for group in groups:
        with torch.no_grad():
            scored = completion_logprobs(
                engine.model,
                [prompt_ids(engine.tokenizer, tasks[group.task])],
                [0] * len(group.rollouts),
                [r.token_ids for r in group.rollouts],
                temperature=engine.config.sampling.temperature,
                pad_id=engine.loaded.pad_id,
            ).logps
        noise = torch.randn(scored.shape, generator=generator) * 0.3
        rollouts = [
            replace(r, logprobs=tuple((scored[i] + noise[i]).tolist()[: len(r.token_ids)]))
            for i, r in enumerate(group.rollouts)
        ]
        out.append(replace(group, rollouts=tuple(rollouts)))
    return out


def gradients(model) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def ours(engine: TorchEngine, groups, tasks) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the engine's own update, caught before the optimiser takes them."""
    caught = {}
    take = engine._optimizer.step

    def step(number: int) -> tuple[float, bool]:
        caught.update(gradients(engine.model))
        return take(number)

    engine._optimizer.step = step
    report = engine.update(groups, tasks)
    assert report.loss is not None
    return report.loss, caught


def theirs(config, folder, groups, tasks, tmp_path) -> tuple[float, dict[str, torch.Tensor]]:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    training = config.training
    rollouts = [(group, r) for group in groups for r in group.rollouts]
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def rollout_func(prompts, trainer):
        return {
            "prompt_ids": [prompt_ids(tokenizer, tasks[g.task]) for g, _ in rollouts],
            "completion_ids": [list(r.token_ids) for _, r in rollouts],
            "logprobs": None,
            "reward": [r.reward for _, r in rollouts],
        }

    def reward_func(prompts, completions, reward, **_):
        return reward

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
            loss_type=training.loss_type,
            scale_rewards=training.scale_rewards,
            epsilon=training.epsilon_low,
            epsilon_high=training.epsilon_high,
            beta=training.beta,
            temperature=config.sampling.temperature,
            mask_truncated_completions=training.mask_truncated,
        ),
        train_dataset=Dataset.from_dict({"prompt": ["x"] * len(rollouts)}),
        processing_class=tokenizer,
        rollout_func=rollout_func,
    )
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    inputs = trainer._generate_and_score_completions([{"prompt": "x"} for _ in rollouts])
    width = inputs["completion_ids"].shape[1]
    old = [list(r.logprobs) + [0.0] * (width - len(r.logprobs)) for _, r in rollouts]
    inputs["old_per_token_logps"] = torch.tensor(old)
    if training.beta:
        # The reference is the same model moved a little, so that the KL term is not zero.
        inputs["ref_per_token_logps"] = reference_logps(trainer, inputs)
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    return float(loss.detach()), gradients(trainer.model)


def reference_logps(trainer, inputs) -> torch.Tensor:
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
    ("dapo", "group", {}),
    ("dr_grpo", "none", {}),
    ("dr_grpo", "group", {"mask_truncated": True}),
    ("dapo", "group", {"beta": 0.05}),
    ("grpo", "batch", {"beta": 0.05, "temperature": 0.7}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("loss_type", "scale", "more"), CASES)
def test_loss_and_gradients_equal_trl(model_folder, tmp_path, loss_type, scale, more):
    temperature = more.get("temperature", 1.0)
    settings = {k: v for k, v in more.items() if k != "temperature"}
    config = make_config(model_folder, loss_type=loss_type, scale_rewards=scale, **settings)
    config = replace(config, sampling=replace(config.sampling, temperature=temperature))
    engine = TorchEngine(config)
    groups, tasks = make_groups(engine)
    if config.training.beta:
        move(engine._reference, 0.01)
    loss, mine = ours(engine, groups, tasks)
    their_loss, expected = theirs(config, model_folder, groups, tasks, tmp_path)

    assert loss == pytest.approx(their_loss, abs=1e-5)
    assert mine.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(mine[name], gradient, atol=1e-5, rtol=1e-4, msg=name)
    assert max(float(g.abs().max()) for g in expected.values()) > 1e-3
