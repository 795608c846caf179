"""The GRPO doctor: each symptom with the setting that it would change, from what to what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import events, fold, grpo_settings
from core.grpo_doctor import NOTHING_WRONG, Diagnosis, diagnose
from core.grpo_figures import AGREED, FEWEST, SEEN, TOGETHER, WINDOW, tail
from core.schema import Config
from core.series import Series
from core.swarm import invite
from core.training.metrics import METRICS
from tests.event_strategies import any_event
from tests.test_fold import finished, started

WELL = {
    "frac_reward_zero_std": 0.4,
    "solved_none": 0.3,
    "solved_all": 0.1,
    "entropy": 0.9,
    "approx_kl": 1e-4,
    "clip_ratio_low": 0.0,
    "clip_ratio_high": 0.0,
    "truncated_fraction": 0.02,
    "logprob_gap_mean": 0.014,
    "importance_capped": 0.0,
    "weights_changed": 1.0,
}


def told(rounds: int = 10, settings: dict[str, Any] | None = None, **metrics: float) -> Diagnosis:
    known = {**grpo_settings.of(Config()), "game.generations": 8, **(settings or {})}
    history: list[events.Event] = [started(settings=known)]
    history += [finished(n, metrics={**WELL, **metrics}) for n in range(1, rounds + 1)]
    return diagnose(fold.replay(history))


def test_it_looks_at_metrics_that_there_are() -> None:
    assert set(SEEN) <= set(METRICS)
    assert set(grpo_settings.of(Config())) == set(grpo_settings.NAMES)


def test_well_is_well() -> None:
    found = told()
    assert found.findings == ()
    assert found.advice == NOTHING_WRONG
    assert found.sentence == (
        "Last 10 rounds: no signal 40 %, entropy 0.90, clipped 0 %, cut off 2 %, KL 0.000,"
        " mismatch 0.014"
    )


def test_it_says_nothing_before_there_is_something_to_see() -> None:
    assert told(FEWEST - 1).figures is None
    assert told(FEWEST - 1).sentence == f"The GRPO doctor speaks after {FEWEST} rounds."
    assert told(FEWEST).sentence.startswith(f"Last {FEWEST} rounds: ")
    assert diagnose(fold.replay([])).advice == ""


CASES: list[tuple[str, bool, dict[str, float], dict[str, Any], str]] = [
    (
        "no_signal",
        False,
        {"frac_reward_zero_std": 0.85, "solved_none": 0.8, "solved_all": 0.05},
        {},
        "set game.generations to 16 (it is 8), or choose easier tasks: game.tasks",
    ),
    (
        "no_signal",
        True,
        {"frac_reward_zero_std": 0.98, "solved_none": 0.9, "solved_all": 0.05},
        {"game.generations": 32},
        "choose easier tasks: game.tasks",
    ),
    (
        "no_signal",
        True,
        {"frac_reward_zero_std": 1.0, "solved_none": 0.1, "solved_all": 0.9},
        {},
        "choose harder tasks: game.tasks",
    ),
    (
        "entropy",
        True,
        {"entropy": 0.03, "frac_reward_zero_std": 0.6, "solved_none": 0.5},
        {"sampling.temperature": 0.7},
        "set sampling.temperature to 1.0 (it is 0.7)",
    ),
    (
        "entropy",
        True,
        {"entropy": 0.03, "frac_reward_zero_std": 0.6, "solved_none": 0.5},
        {"training.learning_rate": 3e-6},
        "set training.learning_rate to 1e-06 (it is 3e-06)",
    ),
    (
        "truncated",
        False,
        {"truncated_fraction": 0.3},
        {"sampling.max_new_tokens": 256},
        "set sampling.max_new_tokens to 512 (it is 256)",
    ),
    (
        "truncated",
        True,
        {"truncated_fraction": 0.8},
        {"sampling.max_new_tokens": 256},
        "set sampling.max_new_tokens to 512 (it is 256)",
    ),
    (
        "clipped",
        False,
        {"clip_ratio_low": 0.1, "clip_ratio_high": 0.15},
        {"training.iterations": 4},
        "set training.iterations to 2 (it is 4)",
    ),
    (
        "policy",
        True,
        {"approx_kl": 0.3, "clip_ratio_high": 0.5},
        {"training.iterations": 4},
        "set training.iterations to 2 (it is 4)",
    ),
    (
        "mismatch",
        True,
        {"logprob_gap_mean": 0.64},
        {"sampling.rollout_format": "int8"},
        "set sampling.rollout_format to exact (it is int8)",
    ),
    (
        "mismatch",
        True,
        {"logprob_gap_mean": 0.64},
        {"sampling.rollout_format": "exact"},
        "the checkpoint or its tokeniser does not fit the model",
    ),
    ("mismatch", True, {"importance_capped": 0.3}, {}, "set sampling.rollout_format to exact"),
    ("unmoved", False, {"weights_changed": 0.02}, {}, "raise training.learning_rate"),
    (
        "generations",
        False,
        {},
        {"game.generations": 2},
        "set game.generations to 8 (it is 2)",
    ),
]


@pytest.mark.parametrize(
    ("code", "grave", "metrics", "changed", "change"), CASES, ids=[f"{c[0]}-{c[4]}" for c in CASES]
)
def test_each_symptom_names_what_to_change(
    code: str, grave: bool, metrics: dict[str, float], changed: dict[str, Any], change: str
) -> None:
    (finding,) = told(settings=changed, **metrics).findings
    assert (finding.code, finding.grave) == (code, grave)
    assert change in finding.change
    assert told(settings=changed, **metrics).advice == f"{finding.what}: {finding.change}"


def test_groups_of_others_do_not_hide_what_one_s_own_are_like() -> None:
    """Half of the step's groups are foreign, and those were admitted for their signal."""
    shares = {"frac_reward_zero_std": 0.48, "solved_none": 0.5, "solved_all": 0.1}
    own = {"frac_reward_zero_std_local": 0.96, "solved_none_local": 0.1, "solved_all_local": 0.9}
    found = told(**shares, **own)
    assert "no signal 96 %" in found.sentence
    (finding,) = found.findings
    assert (finding.code, finding.grave) == ("no_signal", False), "it still steps on the others'"
    assert finding.what == "96 % of this node's groups teach nothing, in 90 % all are right"
    assert told(**{**shares, "frac_reward_zero_std": 0.96}, **own).findings[0].grave
    assert not told(**{**own, **dict.fromkeys(own, 0.4)}, frac_reward_zero_std=0.9).findings


@pytest.mark.parametrize("name", sorted(AGREED))
def test_what_all_have_alike_is_not_to_be_changed_alone(name: str) -> None:
    """A node with other tasks, counts or lengths is refused by the rest, and held in the end."""
    ill = {
        "game.tasks": {"frac_reward_zero_std": 0.9, "solved_all": 0.9, "solved_none": 0.0},
        "game.generations": {"frac_reward_zero_std": 0.9, "solved_none": 0.9},
        "sampling.max_new_tokens": {"truncated_fraction": 0.4},
    }[name]
    rounds = [finished(n, metrics={**WELL, **ill}) for n in range(5)]
    settings = {**grpo_settings.of(Config())}
    alone = [started(settings=settings), *rounds]
    met = events.PeerSeen(round=1, peer_id="QmA", name="a", groups=8, used=4)
    assert name in diagnose(fold.replay(alone)).advice
    assert TOGETHER.format(advice="") not in diagnose(fold.replay(alone)).advice
    assert diagnose(fold.replay([*alone, met])).advice.endswith(TOGETHER.format(advice=""))
    assert name in {*invite.AGREED, "game.tasks"}


def test_what_is_not_left_out_is_not_called_so() -> None:
    ill = {"truncated_fraction": 0.4}
    assert "cap, and left out" in told(**ill).advice
    assert "left out" not in told(settings={"training.mask_truncated": False}, **ill).advice


def test_weights_in_a_coarse_format_are_told_from_steps_that_are_too_small() -> None:
    for dtype, expected in (
        ("bfloat16", "model.dtype to float32"),
        ("float32", "raise training.l"),
    ):
        loaded = events.ModelLoaded(
            model="m", parameters=1, dtype=dtype, device="cpu", threads=1, seconds=1
        )
        rounds = [finished(n, metrics={**WELL, "weights_changed": 0.02}) for n in range(5)]
        (finding,) = diagnose(fold.replay([started(), loaded, *rounds])).findings
        assert expected in finding.change


def test_figures_keep_their_number_of_digits() -> None:
    assert "entropy 0.10," in told(entropy=0.0997).sentence
    assert "entropy 0.099," in told(entropy=0.0991).sentence


def test_an_adapter_has_a_learning_rate_of_its_own() -> None:
    loaded = events.ModelLoaded(
        model="m", parameters=1, dtype="f", device="cpu", threads=1, seconds=1, recipe="LoRA, AdamW"
    )
    history = [started(settings=dict(grpo_settings.of(Config()))), loaded]
    history += [finished(n, metrics={**WELL, "approx_kl": 0.5}) for n in range(5)]
    (finding,) = diagnose(fold.replay(history)).findings
    assert finding.change == "set training.lora_learning_rate to 7e-06 (it is 2e-05)"


def test_the_gravest_comes_first_and_what_was_mended_is_forgotten() -> None:
    ill = told(truncated_fraction=0.3, logprob_gap_mean=0.5)
    assert [finding.code for finding in ill.findings] == ["mismatch", "truncated"]
    history = [finished(n, metrics={**WELL, "logprob_gap_mean": 0.5}) for n in range(1, 30)]
    history += [finished(n, metrics=WELL) for n in range(30, 30 + WINDOW)]
    assert diagnose(fold.replay([started(), *history])).findings == ()


def test_a_step_that_was_left_out_is_told_at_once_and_without_settings() -> None:
    skip = events.StepSkipped(round=1, reason="non_finite")
    (finding,) = diagnose(fold.replay([started(), finished(1, loss=None), skip])).findings
    assert (finding.code, finding.grave) == ("not_finite", True)
    assert finding.change.endswith("lower training.learning_rate to a third")


def test_settings_that_make_no_sense_are_not_repeated() -> None:
    odd = {"game.generations": "\x1b[31m" * 99, "sampling.max_new_tokens": float("nan")}
    found = told(settings=odd, truncated_fraction=0.9)
    assert "raise sampling.max_new_tokens" in found.advice


def test_a_tail_has_no_gaps() -> None:
    series = Series()
    for n, value in enumerate((1.0, float("nan"), 3.0)):
        series = series.append(n, value)
    assert tail(series) == [1.0, 3.0]
    assert tail(series, 2) == [3.0]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(SEEN), st.floats() | st.floats(0, 1)),
    st.lists(any_event(), max_size=6),
)
def test_it_never_fails(metrics: dict[str, float], more: list[events.Event]) -> None:
    base = {"frac_reward_zero_std": 0.5, **metrics}
    rounds = [finished(n, metrics=base) for n in range(5)]
    found = diagnose(fold.replay([started(), *rounds, *more]))
    assert found.sentence
    assert all(finding.what and finding.change for finding in found.findings)
