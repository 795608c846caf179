"""The GRPO doctor: from the series of the last rounds to a sentence, and to the setting to change.

Thresholds are those of the project's notes on training (the metrics that TRL, prime-rl and verl
report, with the values at which they alarm); where one comes from elsewhere, it says so. What is
`grave` belongs into the verdict; the rest is advice. Pure, and cheap: it looks at the tails of a
dozen series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.grpo_figures import FEWEST, Figures, figures, percent
from core.state import NodeState
from core.texts import _, many

NO_SIGNAL, NO_SIGNAL_AT_ALL = 0.8, 0.95
"""Share of one's own groups without spread from which TRL's `frac_reward_zero_std` asks for other
tasks. The second is of all groups of the step, on which hardly one is taken any more."""
ENTROPY = 0.1
"""Nats per token; below it a policy hardly tries anything. As such it is what learning ends in: it
is a collapse where a quarter of the tasks is not solved by any answer and half teach nothing."""
UNSOLVED, WASTED = 0.25, 0.5
TRUNCATED, CUT_OFF = 0.25, 0.5
"""Truncated completions earn nothing, and are left out of the loss. A quarter of them is worth a
word; with half of them cut off the tokens are too few for these tasks."""
CLIPPED = 0.2
"""Share of tokens. Usual PPO runs stay below it; one step a round clips nothing at all."""
POLICY_KL = 0.1
"""Nats per token within one round; ten times what PPO implementations stop an epoch at."""
MISMATCH = 0.1
"""Mean gap of sampler and trainer in nats per token: int8 rollouts have 0.014, a wrong template
or a tokeniser that cuts otherwise 0.6."""
CAPPED = 0.05
"""Share of tokens whose importance weight the cap cut: what it corrects for is no rounding then."""
UNMOVED = 0.05
"""Share of weights that a step changed; a step below the number format's resolution leaves 98 % as
they were."""
LEAST_GENERATIONS, MOST_GENERATIONS = 8, 32
"""Eight answers a task are the floor that prime-rl names, 16 to 32 are common."""
NOTHING_YET = _("The GRPO doctor speaks after {n} rounds.")
NOTHING_WRONG = _("Nothing to change")


@dataclass(frozen=True)
class Finding:
    """what: the symptom with its figure. change: which setting, and to what. grave: an illness."""

    code: str
    grave: bool
    what: str
    change: str


@dataclass(frozen=True)
class Diagnosis:
    """figures: None before there is something to judge. findings: worst first."""

    figures: Figures | None
    findings: tuple[Finding, ...] = ()

    @property
    def sentence(self) -> str:
        """The figures of the last rounds in a sentence."""
        return NOTHING_YET.format(n=FEWEST) if self.figures is None else self.figures.sentence

    @property
    def advice(self) -> str:
        """What to change, worst first; "" before there is something to judge."""
        if self.figures is None:
            return ""
        if not self.findings:
            return NOTHING_WRONG
        first = self.findings[0]
        return f"{first.what}: {first.change}"


def diagnose(state: NodeState) -> Diagnosis:
    told = figures(state)
    if told is None:
        return Diagnosis(None, tuple(_not_finite(state)))
    found = [finding for rule in _RULES for finding in rule(told)]
    return Diagnosis(told, (*_not_finite(state), *sorted(found, key=lambda each: not each.grave)))


def _not_finite(state: NodeState) -> Iterator[Finding]:
    """The step was left out because of a NaN, or its loss is one all the same."""
    skip, last = state.last_skip, state.last_round
    skipped = skip is not None and skip.reason == "non_finite" and state.skips_in_a_row > 0
    loss = last.loss if last is not None else None
    if not skipped and (loss is None or abs(loss) < float("inf")):
        return
    n = state.skips_in_a_row if skipped else 1
    told = Figures(0, {}, state)
    yield Finding(
        "not_finite",
        True,
        many(
            "No step for {n} round: loss or gradient is not a number",
            "No step for {n} rounds: loss or gradient is not a number",
            n,
        ).format(n=n),
        _("the weights are as before; if it goes on, {advice}").format(advice=told.lower_rate()),
    )


def _mismatch(told: Figures) -> Iterator[Finding]:
    gap, capped = told["logprob_gap_mean"], told["importance_capped"]
    wide, cut = gap is not None and gap > MISMATCH, capped is not None and capped > CAPPED
    if not wide and not cut:
        return
    exact = told.text("sampling.rollout_format") != "exact"
    yield Finding(
        "mismatch",
        True,
        _("Sampler and trainer disagree by {gap:.3f} nats a token").format(gap=gap)
        if wide
        else _("{share} of the importance weights are cut off").format(share=percent(capped)),
        _("{advice}, which is slower and true").format(
            advice=told.put("sampling.rollout_format", "exact")
        )
        if exact
        else _(
            "the checkpoint or its tokeniser does not fit the model: start again from the model"
        ),
    )


def _policy(told: Figures) -> Iterator[Finding]:
    moved, clipped = told["approx_kl"], told.clipped
    steps = told.real("training.iterations")
    fewer = (
        told.put("training.iterations", f"{max(1, int(steps) // 2)}")
        if steps is not None and steps > 1
        else told.lower_rate()
    )
    if moved is not None and moved > POLICY_KL:
        yield Finding(
            "policy",
            True,
            _("The policy moves by {nats:.2f} nats in one round").format(nats=moved),
            fewer,
        )
    elif clipped is not None and clipped > CLIPPED:
        yield Finding(
            "clipped",
            False,
            _("{share} of the tokens are clipped").format(share=percent(clipped)),
            fewer,
        )


def _entropy(told: Figures) -> Iterator[Finding]:
    entropy, silent, unsolved = told["entropy"], told.silent, told.own("solved_none")
    if entropy is None or entropy >= ENTROPY:
        return
    wasted = (silent or 0.0) >= WASTED and (unsolved or 0.0) >= UNSOLVED
    if not wasted:
        return
    heat = told.real("sampling.temperature")
    yield Finding(
        "entropy",
        True,
        _(
            "The entropy has collapsed to {nats:.2f} nats: nothing new is tried, and"
            " {share} of the tasks stay unsolved"
        ).format(nats=entropy, share=percent(unsolved)),
        told.put("sampling.temperature", "1.0")
        if heat is not None and heat < 1
        else told.lower_rate(),
    )


def _signal(told: Figures) -> Iterator[Finding]:
    silent, none, all_ = told.silent, told.own("solved_none") or 0.0, told.own("solved_all") or 0.0
    if silent is None or silent <= NO_SIGNAL:
        return
    answers = told.real("game.generations")
    what = _("{share} of this node's groups teach nothing, in {unsolved} none is right")
    if all_ > none:
        what = _("{share} of this node's groups teach nothing, in {solved} all are right")
        change = _("choose harder tasks: game.tasks")
    elif answers is not None and answers < MOST_GENERATIONS:
        more = min(MOST_GENERATIONS, max(LEAST_GENERATIONS, 2 * int(answers)))
        change = _("{advice}, or choose easier tasks: game.tasks").format(
            advice=told.put("game.generations", str(more))
        )
    else:
        change = _("choose easier tasks: game.tasks")
    what = what.format(share=percent(silent), solved=percent(all_), unsolved=percent(none))
    # With groups of others there is still something to step on, however silent one's own are.
    grave = (told["frac_reward_zero_std"] or 0.0) > NO_SIGNAL_AT_ALL
    yield Finding("no_signal", grave, what, told.together(change))


def _length(told: Figures) -> Iterator[Finding]:
    cut = told.cut_off
    if cut is None or cut <= TRUNCATED:
        return
    most = told.real("sampling.max_new_tokens")
    longer = _("raise sampling.max_new_tokens")
    if most is not None:
        longer = told.put("sampling.max_new_tokens", str(2 * int(most)))
    what = _("{share} of the answers are cut off by the token cap, and left out")
    if told.settings.get("training.mask_truncated") is False:
        what = _("{share} of the answers are cut off by the token cap")
    what = what.format(share=percent(cut))
    yield Finding("truncated", cut > CUT_OFF, what, told.together(longer))


def _weights(told: Figures) -> Iterator[Finding]:
    changed = told["weights_changed"]
    if changed is not None and changed < UNMOVED:
        what = _("Steps change only {share} of the weights").format(share=percent(changed))
        model = told.state.model
        coarse = model is not None and model.dtype != "float32"
        change = (
            told.put("model.dtype", "float32")
            if coarse
            else _("raise {rate_name}").format(rate_name=told.rate_name)
        )
        yield Finding("unmoved", False, what, change)


def _generations(told: Figures) -> Iterator[Finding]:
    answers = told.real("game.generations")
    if answers is not None and answers < LEAST_GENERATIONS:
        what = _("{n} answers a task seldom differ").format(n=int(answers))
        change = told.together(told.put("game.generations", "8"))
        yield Finding("generations", False, what, change)


_RULES: tuple[Callable[[Figures], Iterator[Finding]], ...] = (
    _mismatch,
    _policy,
    _entropy,
    _signal,
    _length,
    _weights,
    _generations,
)
