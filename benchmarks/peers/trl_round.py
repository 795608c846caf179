"""One round by TRL's GRPOTrainer, untouched: `trl_round.py WORK.json OUT.json`.

Two optimiser steps of its own `train()`, the first with short completions. Timed from outside: a
callback at the beginning and the end of a step, and the call that generates. TRL's settings that
are not the work's are in `settings_for`; `SETTINGS` of the environment overrides any of them (a
JSON object), to look for better ones.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from typing import Any

from work import WARM_UP_TOKENS, Work, arguments


def settings_for(work: Work) -> dict[str, Any]:
    """What is not the work itself. Its own default on a CPU scores prompts and padding too
    (`compact_head` False); larger batches and float32 did not finish a round sooner when tried.
    """
    found: dict[str, Any] = {
        "per_device_train_batch_size": 8,
        "gradient_checkpointing": True,
        "compact_head": True,
        "bf16": work.precision == "bfloat16",
        "dtype": "float32",
    }
    return found | json.loads(os.environ.get("SETTINGS", "{}"))


def main() -> None:
    work, clock = arguments()
    import torch

    torch.set_num_threads(work.threads)
    import trl.trainer.utils
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    settings = settings_for(work)
    if settings["compact_head"]:
        # Without it TRL scores prompts and padding too, unless the device runs Triton.
        trl.trainer.utils._use_triton = lambda device: True
    peft_config = None
    if work.recipe == "lora":
        from peft import LoraConfig

        peft_config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
    batch = settings["per_device_train_batch_size"]
    optimizers = {"adamw": "adamw_torch", "adafactor": "adafactor"}

    class Timed(GRPOTrainer):
        def _generate(self, *rest: Any, **more: Any) -> Any:
            self.lengths: list[int] = []
            started = time.perf_counter()
            result = super()._generate(*rest, **more)
            self.sample_s = time.perf_counter() - started
            self.lengths = [len(ids) for ids in result[1]]
            return result

    class Rounds(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.prefix = "" if state.global_step else "warm_up_"
            tokens = work.new_tokens if state.global_step else WARM_UP_TOKENS
            trainer.generation_config.max_new_tokens = tokens
            trainer.generation_kwargs["max_new_tokens"] = tokens
            self.started = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            round_s = time.perf_counter() - self.started
            clock.note(self.prefix + "sample", trainer.sample_s)
            clock.note(self.prefix + "update", round_s - trainer.sample_s)

    def load() -> Timed:
        prompts = [[{"role": "user", "content": q}] for q in work.questions()]
        return Timed(
            model=work.model,
            processing_class=AutoTokenizer.from_pretrained(work.model, padding_side="left"),
            reward_funcs=lambda completions, **_: work.rewards() * work.groups,
            train_dataset=Dataset.from_dict({"prompt": prompts}),
            peft_config=peft_config,
            callbacks=[Rounds()],
            args=GRPOConfig(
                output_dir=scratch,
                use_cpu=True,
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
                max_steps=2,
                seed=work.seed,
                learning_rate=work.learning_rate,
                optim=optimizers[work.peer_optimizer],
                num_generations=work.generations,
                max_completion_length=work.new_tokens,
                per_device_train_batch_size=batch,
                gradient_accumulation_steps=work.completions // batch,
                bf16=settings["bf16"],
                gradient_checkpointing=settings["gradient_checkpointing"],
                model_init_kwargs={"dtype": settings["dtype"]},
            ),
        )

    with tempfile.TemporaryDirectory() as scratch:
        trainer = clock.timed("load", load)
        trainer.train()
    clock.report(
        trainer.lengths, settings | {"recipe": work.recipe, "optimizer": work.peer_optimizer}
    )


if __name__ == "__main__":
    main()
