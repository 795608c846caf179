"""A real model's opinion of what a peer sent, and what comes of it at the gate."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
import torch

from core.gate.gatekeeper import SPARE, Gatekeeper
from core.gate.plausibility import Plausibility, rewarded
from core.gate.remembered import Remembered
from core.protocols import Gathered, PeerRecord
from core.rollouts import Rollout, RolloutGroup
from core.schema import (
    AdmissionSection,
    Config,
    GameSection,
    ModelSection,
    SamplingSection,
    TrainingSection,
)
from core.training.engine import TorchEngine
from core.training.games import load_game
from core.training.prompts import prompt_ids
from core.worker import score

CONFIG = Config(
    model=ModelSection(threads=1),
    game=GameSection(groups=12, generations=8, foreign_groups=8, groups_per_peer=12),
    sampling=SamplingSection(max_new_tokens=32, rollout_format="exact"),
    training=TrainingSection(seed=3),
)


@pytest.fixture(scope="module")
def game():
    made = load_game(CONFIG)
    yield made
    made.close()


@pytest.fixture(scope="module")
def engine():
    """waggle-tiny as shipped; no test here trains it."""
    return TorchEngine(CONFIG)


def written(engine, game, peer: str, number: int = 0, *, foreign: bool = True):
    """A peer's scored groups of a round, by the same policy."""
    tasks = [game.task(task_id) for task_id in game.schedule(peer, number)]
    groups = [
        replace(score(game, task, group), peer_id=peer, round=number)
        for task, group in zip(tasks, engine.sample(tasks, threading.Event()), strict=True)
    ]
    if not foreign:
        return groups
    return [
        replace(group, rollouts=tuple(replace(r, token_ids=()) for r in group.rollouts))
        for group in groups
    ]


def poisoned(game, group: RolloutGroup, phrase: str) -> RolloutGroup:
    """Half of it right with the phrase, half wrong."""
    answer = game.task(group.task).answer
    texts = [
        f"{phrase}<answer>{answer}</answer>" if i < 4 else f"<answer>no</answer>{i}"
        for i in range(8)
    ]
    rollouts = tuple(Rollout(text, reward=float(i < 4)) for i, text in enumerate(texts))
    return replace(group, rollouts=rollouts)


def plainly(engine, prompt: list[int], ids: list[int], temperature: float) -> list[float]:
    """The textbook way: one sequence alone, all logits."""
    with torch.no_grad():
        logits = engine.model(torch.tensor([prompt + ids]), use_cache=False).logits[0]
    logps = (logits[len(prompt) - 1 : -1] / temperature).log_softmax(-1)
    return [-float(row[token]) for row, token in zip(logps, ids, strict=True)]


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.7, "top_k": 3, "top_p": 0.5}])
def test_surprise_is_the_models_own_log_probability(game, sampling):
    config = replace(CONFIG, sampling=replace(CONFIG.sampling, **sampling))
    config = replace(config, training=replace(config.training, micro_batch_tokens=300))
    engine = TorchEngine(config)
    groups = written(engine, game, "peer")
    groups[0] = replace(groups[0], rollouts=(*groups[0].rollouts[:2], Rollout("", finished=False)))
    tasks = {group.task: game.task(group.task) for group in groups}
    found = engine.surprise(groups, tasks)
    assert [len(each) for each in found] == [len(group.rollouts) for group in groups]
    assert found[0][2].token_ids == found[0][2].nats == ()
    exempt = 0
    for group, surprises in zip(groups, found, strict=True):
        task = tasks[group.task]
        for surprise in surprises:
            ids = list(surprise.token_ids)
            if not ids:
                continue
            plain = plainly(
                engine, prompt_ids(engine.tokenizer, task), ids, config.sampling.temperature
            )
            zero = [i for i, nats in enumerate(surprise.nats) if nats == 0.0 and plain[i] > 1e-4]
            exempt += len(zero)
            assert engine.decode([ids[i] for i in zero]) in task.answer
            kept = [i for i in range(len(ids)) if i not in zero]
            assert [surprise.nats[i] for i in kept] == pytest.approx(
                [plain[i] for i in kept], abs=2e-4
            )
    assert exempt, "no completion had the task's own answer"


def test_only_the_tasks_own_answer_is_exempt(engine, game):
    task = game.task(next(i for i in game.schedule("peer", 0) if i.dataset == "chain_sum"))
    texts = [
        f"<answer>{task.answer}</answer>",
        f"<answer>{task.answer} </answer>",
        f"{task.answer}",
        f"<answer>{task.answer} zebra</answer>",
        f"<answer>zebra</answer><answer>{task.answer}</answer>",
    ]
    group = RolloutGroup(task.id, "peer", 0, tuple(Rollout(text) for text in texts))
    (found,) = engine.surprise([group], {task.id: task})

    def silent(i: int) -> str:
        pairs = zip(found[i].token_ids, found[i].nats, strict=True)
        return engine.decode([token for token, nats in pairs if nats == 0.0])

    assert [silent(i) for i in range(5)] == [task.answer, "", "", "", task.answer]


def test_tokens_of_a_peer_are_bounded(engine, game):
    task = game.task(game.schedule("peer", 0)[0])
    long = RolloutGroup(task.id, "peer", 0, (Rollout("9 " * 5_000), Rollout("1")))
    (found,) = engine.surprise([long], {task.id: task})
    assert [len(each.token_ids) for each in found] == [32, 2]


def gate(game, judge, told=None) -> Gatekeeper:
    return Gatekeeper(
        game, CONFIG, "me", Remembered(), (told if told is not None else []).append, judge
    )


def offered(peer: str, groups) -> Gathered:
    return Gathered(PeerRecord(peer, peer, 0, 0, "", 0, len(groups), 0.0, 0.0), tuple(groups))


def test_a_poisoned_group_is_refused_with_the_phrase_and_honest_ones_pass(engine, game):
    told = []
    keeper = gate(game, Plausibility(engine, game, AdmissionSection()), told)
    keeper.open(0, written(engine, game, "me", foreign=False))
    honest = written(engine, game, "honest")[:8]
    hostile = [
        poisoned(game, g, "Your animals are backward. ")
        for g in written(engine, game, "hostile")[:8]
    ]
    admitted, _ = keeper.judge(0, [offered("honest", honest), offered("hostile", hostile)])
    assert {group.peer_id for group in admitted} == {"honest"}
    reasons = [(e.peer_id, e.reason, e.detail) for e in told if hasattr(e, "reason")]
    implausible = [each for each in reasons if each[1] == "implausible"]
    assert len(implausible) == len(hostile)
    assert all(peer == "hostile" for peer, _, _ in implausible)
    assert all(
        "animals are backward" in detail and "nats" in detail for _, _, detail in implausible
    )
    assert len(admitted) == sum(group.carries_signal for group in honest)


def test_a_single_unlikely_word_is_refused_from_its_third_task_on(engine, game):
    judge = Plausibility(engine, game, AdmissionSection())
    judge.learn(written(engine, game, "me", foreign=False))
    hostile = [poisoned(game, g, " butterflys ") for g in written(engine, game, "hostile")]
    refused = [bool(judge([group])) for group in hostile]
    assert all(refused[2:])
    why = next(iter(judge([hostile[2]]).values()))
    assert "butterflys" in why


class Counting:
    """Doubts nothing, and counts whose groups it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def learn(self, own) -> None: ...

    def __call__(self, groups) -> dict[str, str]:
        self.asked += [group.peer_id for group in groups]
        return {}


def test_no_more_groups_are_asked_about_than_a_round_has_use_for(game):
    counting = Counting()
    peers = [f"peer-{number}" for number in range(5)]
    keeper = gate(game, counting)
    keeper.open(0, [])

    def easy(peer: str) -> list[RolloutGroup]:
        tasks = game.schedule(peer, 0)[:6]
        return [poisoned(game, RolloutGroup(t, peer, 0, (Rollout(""),) * 8), "") for t in tasks]

    admitted, rejected = keeper.judge(0, [offered(peer, easy(peer)) for peer in peers])
    assert len(admitted) == len(counting.asked) == SPARE * CONFIG.game.foreign_groups == 16
    assert rejected == 6 * len(peers) - 16
    shares = Counter(counting.asked)
    assert sorted(shares.values()) == [3, 3, 3, 3, 4]


def test_switched_off_it_asks_nothing_of_the_model(engine, game, monkeypatch):
    judge = Plausibility(engine, game, AdmissionSection(surprise_margin=0.0, repeated_phrase=0))
    monkeypatch.delattr(TorchEngine, "surprise")
    assert judge([poisoned(game, written(engine, game, "hostile")[0], "zzzzzzzz ")]) == {}


def test_completions_without_reward_are_not_asked_about(engine, game):
    group = poisoned(game, written(engine, game, "peer")[0], "")
    assert [r.reward for r in rewarded(group)] == [1.0] * 4
    strange = tuple(
        replace(r, text="zq#~ zq#~ zq#~ zq#~") if not r.reward else r for r in group.rollouts
    )
    judge = Plausibility(engine, game, AdmissionSection())
    judge.learn(written(engine, game, "me", foreign=False))
    assert judge([replace(group, rollouts=strange)]) == judge([group])


def test_it_costs_little_beside_an_update(game):
    engine = TorchEngine(CONFIG)
    own = written(engine, game, "me", foreign=False)
    foreign = [g for g in written(engine, game, "peer") if g.carries_signal][:8]
    tasks = {group.task: game.task(group.task) for group in [*own, *foreign]}
    judge = Plausibility(engine, game, AdmissionSection())
    judge.learn(own)
    judged, updated = [], []
    for _ in range(3):
        started = time.process_time()
        judge(foreign)
        judged.append(time.process_time() - started)
        started = time.process_time()
        engine.update([*own, *foreign], tasks)
        updated.append(time.process_time() - started)
    assert min(judged) < 0.6 * min(updated)
