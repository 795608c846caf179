"""One round by GenRL 0.3.0's own trainer, untouched: `genrl_round.py WORK.json OUT.json`.

Runs in an environment of its own (`environment.py`). The trainer, the game state, the data manager
and the reward manager are GenRL's; what its game manager does around them is done here in the same
order, without its communication (one node) and without its bare `except`, so that an error is one.

Settings: the trainer's defaults (Adam, float32, gradient checkpointing, minibatches of 2, each with
an optimiser step), and the agreed number and length of completions. It has no LoRA. The round
before the measured one is one minibatch of 4-token completions: enough for Adam's state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from work import WARM_UP_TOKENS, Clock, Work, arguments


def play(trainer: Any, work: Work, number: int, clock: Clock, prefix: str) -> list[int]:
    """One round of this work; how long the completions are."""
    from genrl.data.text_data_managers import SimpleTextDataManager
    from genrl.rewards import DefaultRewardManager, RewardFnStore, RoundRewardFnStore
    from genrl.state import GameState

    def reward(state: Any) -> Any:
        """For every node of the stage, in the shape of its actions."""
        return {
            agent: {batch: [work.rewards() for _ in nodes] for batch, nodes in batches.items()}
            for agent, batches in state.get_stage_actions(0).items()
        }

    data = SimpleTextDataManager(
        train_dataset=None,
        data_generator=lambda **_: [{"question": q, "answer": ""} for q in work.questions()],
        column_name_map={"question": "question", "answer": "answer"},
        batch_item_id_column="question",
    )
    rewards = DefaultRewardManager(
        RewardFnStore(number + 1, [RoundRewardFnStore(1, [reward])] * (number + 1))
    )
    trainer.args.num_generations = work.generations
    trainer.generation_config.max_new_tokens = work.new_tokens
    state = GameState(round=number, stage=0)
    one_stage = {
        "terminal_node_decision_function": lambda nodes: nodes,
        "stage_inheritance_function": None,
    }
    state._init_game(data.get_round_data(), game_tree_brancher=one_stage)

    def sample() -> Any:
        inputs, mapping = data.prepare_input(state.get_latest_state(), state.stage)
        outputs = trainer.generate(inputs)
        state.append_actions(data.prepare_actions(outputs, mapping))
        return outputs

    def update() -> None:
        state.advance_stage(state.get_latest_state())
        rewards.update_rewards(state)
        trainer.train(state, data, rewards)

    outputs = clock.timed(prefix + "sample", sample)
    clock.timed(prefix + "update", update)
    encode = trainer.processing_class
    return [len(encode(text)["input_ids"]) for group in outputs for text in group]


def main() -> None:
    work, clock = arguments()
    import torch

    torch.set_num_threads(work.threads)
    torch.manual_seed(work.seed)
    from genrl.trainer.grpo_trainer import GRPOLanguageTrainerModule, GRPOTrainerConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    def load() -> Any:
        tokenizer = AutoTokenizer.from_pretrained(work.model, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(work.model)
        config = GRPOTrainerConfig(
            num_generations=work.generations,
            max_new_tokens=work.new_tokens,
            learning_rate=work.learning_rate,
            dtype="float32",
        )
        return GRPOLanguageTrainerModule([model], config, processing_class=tokenizer)

    trainer = clock.timed("load", load)
    short = replace(work, groups=1, generations=2, new_tokens=WARM_UP_TOKENS)
    play(trainer, short, 0, clock, "warm_up_")
    lengths = play(trainer, work, 1, clock, "")
    settings = {k: v for k, v in vars(trainer.args).items() if isinstance(v, (int, float, str))}
    clock.report(lengths, settings | {"optimizer": "Adam", "recipe": "full"})


if __name__ == "__main__":
    main()
