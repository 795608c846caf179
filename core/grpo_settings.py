"""The settings that say how a node trains, as plain values for `NodeStarted`.

With them a verdict, a replay and `waggle status` can say which setting to change, and from what to
what, without the configuration of a home that may be another one by now. Pure.
"""

from __future__ import annotations

from core.schema import Config

NAMES = (
    *("game.tasks", "game.groups", "game.generations", "game.foreign_groups"),
    *("sampling.temperature", "sampling.max_new_tokens", "sampling.rollout_format"),
    *("training.loss_type", "training.iterations", "training.beta", "training.importance_cap"),
    *("training.learning_rate", "training.lora_learning_rate", "training.epsilon_high"),
    "training.mask_truncated",
)


def of(config: Config) -> dict[str, float | str]:
    """By their names in the configuration."""
    out: dict[str, float | str] = {}
    for name in NAMES:
        section, _, key = name.partition(".")
        out[name] = getattr(getattr(config, section), key)
    return out
