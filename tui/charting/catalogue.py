"""Which metrics stand together in one chart, under which heading, and what their lines are called.

The order is that of the screen: is it learning, has it a signal, is the policy sound, is it fast.
A metric that is not listed still gets a chart of its own. Names may come from anywhere: they are
data here, and made safe where they are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.texts import _


@dataclass(frozen=True)
class Line:
    """name: of the series. mark: one ASCII sign that tells the line from its neighbours."""

    name: str
    label: str
    mark: str


@dataclass(frozen=True)
class Chart:
    id: str
    group: str
    title: str
    lines: tuple[Line, ...]


LABELS = {
    "own": _("own"),
    "swarm": _("swarm"),
    "loss": _("loss"),
    "sampled": _("sampled"),
    "greedy": _("greedy"),
    "local": _("local"),
    "foreign": _("foreign"),
    "std": _("std"),
    "share": _("share"),
    "none": _("none"),
    "some": _("some"),
    "all": _("all"),
    "entropy": _("entropy"),
    "kl": _("kl"),
    "low": _("low"),
    "high": _("high"),
    "mean": _("mean"),
    "largest": _("largest"),
    "least": _("least"),
    "greatest": _("greatest"),
    "norm": _("norm"),
    "rate": _("rate"),
    "ratio": _("ratio"),
    "taken": _("taken"),
    "skipped": _("skipped"),
    "longest": _("longest"),
    "ended": _("ended"),
    "trained": _("trained"),
    "round": _("round"),
    "wait": _("wait"),
    "sample": _("sample"),
    "update": _("update"),
    "now": _("now"),
    "peak": _("peak"),
    "expected": _("expected"),
    "threads": _("threads"),
    "passes": _("passes"),
    "retries": _("retries"),
    "peers": _("peers"),
    "used": _("used"),
    "rejected": _("rejected"),
    "tokens": _("tokens"),
    "value": _("value"),
}
"""What the lines of a chart are called; in `_chart` their names are the English ones."""


def _chart(group: str, title: str, **lines: str) -> Chart:
    """lines: label=series; the first letter of a label is its mark, unless it is taken."""
    made: list[Line] = []
    for label, name in lines.items():
        taken = {line.mark for line in made}
        mark = next(c for c in f"{label}*+#" if c not in taken)
        made.append(Line(name, LABELS[label.replace("_", " ")], mark))
    return Chart(title.lower(), group, title, tuple(made))


CHARTS = (
    _chart(_("Learning"), _("Reward"), own="reward/own", swarm="reward/swarm"),
    _chart(_("Learning"), _("Loss"), loss="loss"),
    _chart(
        _("Learning"),
        _("Held-out pass@1"),
        sampled="eval/pass_at_1",
        greedy="eval/greedy_pass_at_1",
    ),
    _chart(
        _("Learning"), _("Reward seen"), local="reward_mean_local", foreign="reward_mean_foreign"
    ),
    _chart(_("Learning"), _("Reward spread"), std="reward_std"),
    _chart(
        _("Signal"),
        _("Groups with equal rewards"),
        share="frac_reward_zero_std",
        own="frac_reward_zero_std_local",
    ),
    _chart(
        _("Signal"), _("Groups solved"), none="solved_none", some="solved_some", all="solved_all"
    ),
    _chart(_("Signal"), _("Own groups solved"), none="solved_none_local", all="solved_all_local"),
    _chart(_("Policy"), _("Entropy"), entropy="entropy"),
    _chart(_("Policy"), _("KL to the start"), kl="kl"),
    _chart(_("Policy"), _("KL of the round"), kl="approx_kl"),
    _chart(_("Policy"), _("Clip fraction"), low="clip_ratio_low", high="clip_ratio_high"),
    _chart(_("Mismatch"), _("Log-prob gap"), mean="logprob_gap_mean", largest="logprob_gap_max"),
    _chart(_("Mismatch"), _("KL sampler to trainer"), kl="mismatch_kl"),
    _chart(
        _("Mismatch"),
        _("Importance weight"),
        mean="importance_weight_mean",
        least="importance_weight_min",
        greatest="importance_weight_max",
    ),
    _chart(_("Mismatch"), _("Weights capped"), share="importance_capped"),
    _chart(_("Optimiser"), _("Gradient norm"), norm="grad_norm"),
    _chart(_("Optimiser"), _("Learning rate"), rate="learning_rate"),
    _chart(_("Optimiser"), _("Update over weights"), ratio="update_ratio"),
    _chart(_("Optimiser"), _("Weights changed"), share="weights_changed"),
    _chart(_("Optimiser"), _("Steps"), taken="optimizer_steps", skipped="skipped_steps"),
    _chart(
        _("Length"),
        _("Completion length"),
        mean="completion_length_mean",
        longest="completion_length_max",
        ended="terminated_length_mean",
    ),
    _chart(_("Length"), _("Truncated"), trained="truncated_fraction", sampled="truncated"),
    _chart(_("Length"), _("Ended by the model"), rate="eos_rate"),
    _chart(
        _("Speed"), _("Tokens a second"), sampled="tokens_per_s", trained="trained_tokens_per_s"
    ),
    _chart(_("Speed"), _("Seconds a round"), round="seconds", wait="wait_s"),
    _chart(_("Speed"), _("Seconds at work"), sample="seconds_sample", update="seconds_update"),
    _chart(
        _("Speed"),
        _("Memory in MiB"),
        now="rss_mib",
        peak="peak_rss_mib",
        expected="estimated_peak_mib",
    ),
    _chart(_("Speed"), _("GPU memory in MiB"), peak="peak_vram_mib"),
    _chart(_("Speed"), _("Threads"), threads="threads"),
    _chart(_("Speed"), _("Micro-batches"), passes="micro_batches", retries="out_of_memory_retries"),
    _chart(_("Swarm"), _("Peers"), peers="peers"),
    _chart(_("Swarm"), _("Groups of others"), used="foreign_groups", rejected="rejected_groups"),
    _chart(_("Swarm"), _("Foreign tokens"), share="foreign_token_share"),
    _chart(_("Swarm"), _("Weight of foreign"), mean="foreign_weight_mean"),
    _chart(_("Swarm"), _("Tokens trained"), tokens="trained_tokens"),
)

FAMILIES = {
    "reward_mean/": (_("Learning"), _("Reward: {name}")),
    "seconds/": (_("Speed"), _("Seconds: {name}")),
}
"""Prefix to group and title, for names that end in something only known while running."""
OTHER = _("Other")
TOLD_TWICE = ("reward_mean",)
"""Told by a chart above under another name: the mean over own and foreign completions."""


def charts(names: Iterable[str]) -> tuple[Chart, ...]:
    """The charts for these series, listed ones first; a line without a series is left out."""
    left = dict.fromkeys(name for name in names if name not in TOLD_TWICE)
    out = []
    for chart in CHARTS:
        lines = tuple(line for line in chart.lines if line.name in left)
        if lines:
            out.append(Chart(chart.id, chart.group, chart.title, lines))
            for line in lines:
                del left[line.name]
    others = sorted(left, key=lambda name: (_family(name)[0] == OTHER, name))
    return (*out, *(_alone(name) for name in others))


def _alone(name: str) -> Chart:
    group, title = _family(name)
    return Chart(name, group, title, (Line(name, LABELS["value"], "v"),))


def _family(name: str) -> tuple[str, str]:
    for prefix, (group, title) in FAMILIES.items():
        if name.startswith(prefix) and name != prefix:
            return group, title.format(name=name.removeprefix(prefix))
    return OTHER, name


def definition(name: str) -> str:
    """What a metric means, in a sentence; "" when nobody said."""
    from core.training.metrics import definition as metric

    told = {
        "reward/own": _("Mean reward of this node's completions of the round."),
        "reward/swarm": _("Mean reward of this node's and the admitted foreign completions."),
        "loss": _("Loss of the round's first optimiser step; a gap where no step was taken."),
        "seconds": _("Seconds of the whole round, waiting excluded."),
        "wait_s": _("Seconds of the round spent waiting for peers and for the clock."),
        "peers": _("Peers whose record of the round was read."),
        "foreign_groups": _("Groups of other peers that were trained on."),
        "rejected_groups": _("Groups of other peers that were refused."),
        "truncated": _("Share of this node's completions that the token cap cut off."),
        "eval/pass_at_1": _("Share of held-out tasks solved by one sampled answer."),
        "eval/greedy_pass_at_1": _("Share of held-out tasks solved by the likeliest answer."),
    }
    try:
        return told.get(name) or metric(name)
    except KeyError:
        return ""
