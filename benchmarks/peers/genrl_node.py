"""A node of GenRL 0.3.0 in a swarm with Waggle nodes: `genrl_node.py SPEC.json OUT.json`.

Runs in an environment of its own (`environment.py`). Backend, game manager, game state, trees, data
manager, rewards, trainer and the reader of the coordinator are GenRL's own classes. Three things
are made up for, none of which touches what goes over the wire or how it is judged:

* GenRL 0.3.0 was made for another build of hivemind, which exports `get_dht_time` at its top.
* The rgym data manager of this release subscripts what it receives (`payload["actions"]`), which a
  payload of this release does not allow: it fails on every foreign rollout, a GenRL node's too.
  The transplant of the same release's code game works, and RL-Swarm 0.7 has the same; it is taken.
* RL-Swarm's own manager waits for the coordinator's next round; so does `Node` here, and it reads
  and writes under that round, where the original counts by itself and drifts away for good after
  the first round that it misses.

After each round, OUT.json says whose trees were in the game, with their rewards and the update.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

POLL_S = 0.1


def let_genrl_import() -> None:
    import hivemind
    from hivemind.utils.timed_storage import get_dht_time

    hivemind.get_dht_time = get_dht_time


def make_trainer(spec: dict[str, Any]) -> Any:
    from genrl.trainer.grpo_trainer import GRPOLanguageTrainerModule, GRPOTrainerConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    config = GRPOTrainerConfig(
        num_generations=spec["generations"],
        max_new_tokens=spec["new_tokens"],
        learning_rate=spec["learning_rate"],
    )
    return GRPOLanguageTrainerModule(
        [AutoModelForCausalLM.from_pretrained(spec["model"])],
        config,
        processing_class=AutoTokenizer.from_pretrained(spec["model"], padding_side="left"),
    )


def make_data(spec: dict[str, Any]) -> Any:
    from genrl.examples.code_generation.solver_data import CodeGenerationDataManager
    from genrl.examples.rgym.data import ReasoningGymDataManager

    class Data(ReasoningGymDataManager):  # type: ignore[misc]
        num_generations = spec["generations"]
        transplant_trees = CodeGenerationDataManager.transplant_trees

    data = Data(
        spec["datasets"],
        num_train_samples=spec["groups"],
        num_evaluation_samples=0,
        seed=42,
        num_transplant_trees=spec["transplants"],
    )
    data.system_prompt = spec["system"]
    return data


def make_node(spec: dict[str, Any], out: Path) -> Any:
    from genrl.blockchain.coordinator import SwarmCoordinator
    from genrl.communication.hivemind.hivemind_backend import HivemindBackend
    from genrl.examples.rgym.rewards import RGRewards
    from genrl.game import BaseGameManager
    from genrl.rewards import DefaultRewardManager, RewardFnStore, RoundRewardFnStore
    from genrl.state import GameState

    class Node(BaseGameManager):  # type: ignore[misc]
        def follow(self, coordinator: Any) -> None:
            self.coordinator = coordinator
            self.told: list[dict[str, Any]] = []
            self.last = -1
            self.wait_for_round()

        def wait_for_round(self) -> None:
            while (number := self.coordinator.get_round_and_stage()[0]) <= self.last:
                time.sleep(POLL_S)
            self.last = self.state.round = self.communication.step_ = number

        def _hook_after_rewards_updated(self) -> None:
            self.entered = {
                agent: {batch: self.rewards[0][agent][batch] for batch in trees}
                for agent, trees in self.state.trees.items()
            }
            self.losses = len(self.trainer._metrics["train"]["loss"])

        def _hook_after_round_advanced(self) -> None:
            losses = self.trainer._metrics["train"]["loss"][self.losses :]
            self.told.append({"round": self.last, "trees": self.entered, "losses": losses})
            out.write_text(json.dumps({"peer_id": self.rank, "rounds": self.told}))
            self.wait_for_round()

    backend = HivemindBackend(
        initial_peers=spec["initial_peers"],
        identity_path=spec["identity"],
        beam_size=50,
        startup_timeout=120,
        nat_port_map=False,
        auto_nat=False,
    )
    node = Node(
        max_stage=1,
        max_round=1_000_000,
        game_state=GameState(round=0, stage=0),
        reward_manager=DefaultRewardManager(
            RewardFnStore(1_000_000, [RoundRewardFnStore(1, [RGRewards()])] * 1_000_000)
        ),
        trainer=make_trainer(spec),
        data_manager=make_data(spec),
        communication=backend,
        run_mode="train",
    )
    coordinator = SwarmCoordinator(spec["rpc_url"], spec["contract"], spec["abi"])
    node.follow(coordinator)
    return node


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    let_genrl_import()
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(spec["seed"])
    make_node(spec, Path(sys.argv[2])).run_game()


if __name__ == "__main__":
    main()
