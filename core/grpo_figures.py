"""What the GRPO doctor looks at: means over the last rounds, and the settings behind them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.health_words import number
from core.series import GAP, Series
from core.state import NodeState
from core.texts import _, many

WINDOW = 10
"""Rounds that are looked at: one round says little, and what was mended must show soon."""
FEWEST = 3
"""With fewer there is nothing to judge."""
SEEN = (
    *("frac_reward_zero_std", "solved_none", "solved_all", "reward_mean", "entropy", "kl"),
    *("frac_reward_zero_std_local", "solved_none_local", "solved_all_local"),
    *("approx_kl", "clip_ratio_low", "clip_ratio_high", "truncated_fraction", "weights_changed"),
    *("logprob_gap_mean", "importance_capped", "importance_weight_max"),
)
"""Metrics by their names in `core/training/metrics.py`."""
AGREED = frozenset({"game.tasks", "game.generations", "sampling.max_new_tokens"})
"""What all nodes of a swarm have alike: others refuse the groups of one that differs, and leave it
alone in the end."""
TOGETHER = _("{advice}; in the whole swarm, since others refuse what differs")


@dataclass(frozen=True)
class Figures:
    """rounds: so many, at most `WINDOW`. means: by name; a metric that nobody told is not there."""

    rounds: int
    means: Mapping[str, float]
    state: NodeState

    def __getitem__(self, name: str) -> float | None:
        return self.means.get(name)

    # --- what they say ------------------------------------------------------------------------

    def own(self, name: str) -> float | None:
        """A share of the groups sampled here. Foreign ones are admitted only with a signal, so that
        a share of all groups hides what one's own are like; earlier versions told only that."""
        local = self[f"{name}_local"]
        return self[name] if local is None else local

    @property
    def silent(self) -> float | None:
        """Share of this node's groups without a signal."""
        return self.own("frac_reward_zero_std")

    @property
    def clipped(self) -> float | None:
        """Share of tokens; None where nothing was told."""
        low, high = self["clip_ratio_low"], self["clip_ratio_high"]
        return None if low is None and high is None else (low or 0.0) + (high or 0.0)

    @property
    def cut_off(self) -> float | None:
        return self["truncated_fraction"]

    @property
    def sentence(self) -> str:
        """All that is known, most telling first."""
        told = [f"{name} {value}" for name, value in self.parts]
        last = many("Last {n} round: {figures}", "Last {n} rounds: {figures}", self.rounds)
        return last.format(n=self.rounds, figures=", ".join(told))

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of what is known."""
        kl = self["kl"]
        found = (
            (_("no signal"), _share(self.silent)),
            (_("entropy"), _nats(self["entropy"])),
            (_("clipped"), _share(self.clipped)),
            (_("cut off"), _share(self.cut_off)),
            (
                "KL",
                _nats(self["approx_kl"])
                if kl is None
                else _("{nats:.2f} to the start").format(nats=kl),
            ),
            (_("mismatch"), _nats(self["logprob_gap_mean"])),
            (_("weights up to"), _times(self["importance_weight_max"])),
        )
        return tuple((name, value) for name, value in found if value)

    # --- the settings -------------------------------------------------------------------------

    @property
    def settings(self) -> Mapping[str, object]:
        return self.state.node.settings if self.state.node is not None else {}

    def real(self, name: str) -> float | None:
        """A setting that is a number between 0 and a million; None where it is not known."""
        value = number(self.settings, name, -1.0)
        return value if 0 <= value <= 1e6 else None

    def text(self, name: str) -> str:
        value = self.settings.get(name)
        return value if isinstance(value, str) else ""

    def put(self, name: str, value: str) -> str:
        """`set game.generations to 16 (it is 8)`."""
        old = self.settings.get(name)
        known = f"{old:g}" if isinstance(old, float) else str(old)[:40]
        told = _("set {name} to {value}")
        if old is not None:
            told = _("set {name} to {value} (it is {now})")
        return told.format(name=name, value=value, now=known)

    def together(self, advice: str) -> str:
        """Advice to change one of AGREED: where there are others, they must make it, too."""
        return TOGETHER.format(advice=advice) if self.state.peers else advice

    @property
    def rate_name(self) -> str:
        """The learning rate that is in use."""
        model = self.state.model
        lora = model is not None and model.recipe.startswith("LoRA")
        return f"training.{'lora_' if lora else ''}learning_rate"

    def lower_rate(self) -> str:
        """A third of the learning rate that is in use."""
        rate = self.real(self.rate_name)
        if not rate:
            return _("lower {rate_name} to a third").format(rate_name=self.rate_name)
        return self.put(self.rate_name, f"{rate / 3:.1g}")


def figures(state: NodeState) -> Figures | None:
    """Of the last rounds; None while there are too few."""
    rounds = min(WINDOW, len(tail(state.series_of("frac_reward_zero_std"))))
    if rounds < FEWEST:
        return None
    means = {}
    for name in SEEN:
        values = tail(state.series_of(name))
        if values:
            means[name] = sum(values) / len(values)
    return Figures(rounds, means, state)


def tail(series: Series, most: int = WINDOW) -> list[float]:
    """The newest numbers among the newest `most` points."""
    return [value for value in series.y[-most:] if value != GAP]


def percent(share: float | None) -> str:
    """`62 %`; a share that is not quite nothing is not told as nothing."""
    value = 100 * (share or 0.0)
    return f"{value:.0f} %" if value >= 1 or value <= 0 else _("under 1 %")


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)


def _nats(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if abs(value) >= 0.0995 or value == 0 else f"{value:.3f}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
