from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from core.errors import WaggleError
from core.protocols import Interrupted
from core.schema import ModelSection, SamplingSection
from core.training import drawing, sampler
from core.training.logprobs import completion_logprobs
from core.training.models import load_model
from core.training.stopping import Stopping

PROMPTS = [[5, 9, 40, 41, 7, 8, 30], [60, 61], [70, 71, 72, 73]]


@pytest.fixture(scope="module")
def loaded(model_folder):
    return load_model(ModelSection(id=str(model_folder), threads=1))


def run(loaded, sampling=None, seed=1, generations=5, stop=None, prompts=PROMPTS, **kw):
    return sampler.sample(
        loaded.model,
        prompts,
        generations,
        sampling or SamplingSection(max_new_tokens=24),
        stopping=Stopping(kw.pop("eos_ids", loaded.eos_ids), loaded.model.device),
        generator=torch.Generator().manual_seed(seed),
        stop=stop or threading.Event(),
        **kw,
    )


def trainer_logps(loaded, groups, sampling):
    rows = [(i, c) for i, group in enumerate(groups) for c in group]
    scored = completion_logprobs(
        loaded.model, PROMPTS, [i for i, _ in rows], [c.token_ids for _, c in rows], sampling
    )
    return [(c, scored[n].tolist()) for n, (_, c) in enumerate(rows)]


MANY_ENDS = tuple(range(0, 280, 8))
"""Many tokens that end a completion, so that rows finish at different times."""


@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 0.6}, {"top_k": 30}, {"top_p": 0.9}, {"min_p": 0.02, "temperature": 1.4}],
)
def test_log_probs_equal_the_trainers(loaded, settings):
    sampling = SamplingSection(max_new_tokens=24, **settings)
    groups = run(loaded, sampling, eos_ids=MANY_ENDS)
    assert len({len(c.token_ids) for g in groups for c in g}) > 3
    for completion, expected in trainer_logps(loaded, groups, sampling):
        assert list(completion.logprobs) == pytest.approx(expected, abs=1e-4)


def test_equals_generate_of_transformers_when_greedy(loaded):
    """Padding shifts nothing: each row is what transformers gives for its prompt alone."""
    groups = run(loaded, SamplingSection(max_new_tokens=16, temperature=1.0), generations=1)
    greedy = SamplingSection(max_new_tokens=16)
    groups = run(loaded, replace(greedy, temperature=0.0), generations=2)
    for prompt, group in zip(PROMPTS, groups, strict=True):
        alone = loaded.model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=16,
            do_sample=False,
            eos_token_id=list(loaded.eos_ids),
            pad_token_id=loaded.pad_id,
        )
        assert list(group[0].token_ids) == alone[0, len(prompt) :].tolist()
        assert group[0] == group[1]


def test_a_seed_gives_the_same_completions_whatever_leaves_the_batch(loaded, monkeypatch):
    once = run(loaded, eos_ids=MANY_ENDS)
    assert run(loaded, eos_ids=MANY_ENDS) == once
    monkeypatch.setattr(sampler, "COMPACT_BELOW", 0.0)
    never_compacted = run(loaded, eos_ids=MANY_ENDS)
    assert [[c.token_ids for c in g] for g in never_compacted] == [
        [c.token_ids for c in g] for g in once
    ]
    assert run(loaded, eos_ids=MANY_ENDS, seed=2) != once


def test_eos_ends_a_completion_and_is_kept(loaded):
    groups = run(loaded, eos_ids=MANY_ENDS, generations=8)
    for completion in (c for g in groups for c in g):
        ends = [t in MANY_ENDS for t in completion.token_ids]
        assert not any(ends[:-1])
        assert completion.finished is ends[-1]
        assert completion.finished or len(completion.token_ids) == 24
        assert len(completion.logprobs) == len(completion.token_ids)


def test_the_first_tokens_follow_the_models_distribution(loaded):
    """Frequencies of 4000 draws against the softmax, by total variation."""
    sampling = SamplingSection(max_new_tokens=1)
    group = run(loaded, sampling, generations=4000, prompts=PROMPTS[:1])[0]
    with torch.no_grad():
        expected = loaded.model(torch.tensor([PROMPTS[0]])).logits[0, -1].softmax(-1)
    counts = torch.zeros_like(expected)
    for completion in group:
        counts[completion.token_ids[0]] += 1
    assert float((counts / 4000 - expected).abs().sum() / 2) < 0.12


def test_filters_keep_what_they_promise():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.15, 0.06, 0.04]]))

    def kept(**settings):
        scores = drawing.scores(logits.clone(), SamplingSection(**settings))
        return (scores > drawing.IMPOSSIBLE / 2)[0].nonzero()[:, 0].tolist()

    assert kept() == [0, 1, 2, 3, 4]
    assert kept(top_k=2) == [0, 1]
    assert kept(top_p=0.7) == [0, 1]
    assert kept(top_p=0.01) == [0]
    assert kept(min_p=0.25) == [0, 1, 2]
    assert kept(top_k=4, top_p=0.95, min_p=0.2) == [0, 1, 2]


@pytest.mark.parametrize("vocabulary", [3, 448, 1187, 151936])
def test_draw_follows_the_distribution_and_tells_its_log_prob(vocabulary):
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(1, vocabulary, generator=generator) * 3
    scores[0, 1] = drawing.IMPOSSIBLE
    expected = scores.double().log_softmax(-1)[0]
    chances = torch.rand(100, dtype=torch.float64, generator=generator).sort().values
    chosen, logps = drawing.draw(scores.repeat(100, 1), chances)
    # The inverse of the cumulative distribution is monotone, and takes each token where it lies.
    assert chosen.tolist() == sorted(chosen.tolist())
    assert 1 not in chosen.tolist()
    torch.testing.assert_close(logps.double(), expected[chosen], atol=1e-5, rtol=0)
    sums = expected.exp().cumsum(-1)
    for token, chance in zip(chosen.tolist(), chances.tolist(), strict=True):
        assert sums[token] + 1e-6 >= chance
        assert token == 0 or sums[token - 1] - 1e-6 <= chance


@pytest.mark.parametrize("vocabulary", [3, 64, 1024])
def test_draw_never_takes_an_impossible_token(vocabulary):
    scores = torch.full((1, vocabulary), drawing.IMPOSSIBLE)
    scores[0, vocabulary // 2] = 0.0
    for chance in (0.0, 0.5, 1 - 2**-53):
        chances = torch.tensor([chance], dtype=torch.float64)
        chosen, logps = drawing.draw(scores.clone(), chances)
        assert chosen.item() == vocabulary // 2
        assert logps.item() == pytest.approx(0.0, abs=1e-6)


def test_a_closing_tag_ends_a_completion(model_folder):
    """The random model writes `>` now and then; a completion ends with the first one."""
    loaded = load_model(ModelSection(id=str(model_folder), threads=1))
    tokenizer = loaded.tokenizer
    stopping = Stopping(loaded.eos_ids, loaded.model.device, "e", tokenizer)
    groups = sampler.sample(
        loaded.model,
        PROMPTS,
        8,
        SamplingSection(max_new_tokens=40),
        stopping=stopping,
        generator=torch.Generator().manual_seed(3),
        stop=threading.Event(),
    )
    closed = 0
    for completion in (c for g in groups for c in g):
        text = tokenizer.decode(completion.token_ids)
        before = tokenizer.decode(completion.token_ids[:-1])
        assert "e" not in before
        assert completion.finished is ("e" in text or completion.token_ids[-1] in loaded.eos_ids)
        closed += "e" in text
    assert closed > 3


def test_stop_is_seen_between_tokens(loaded):
    stop = threading.Event()
    seen = []

    def watch(module, args, kwargs):
        seen.append(kwargs["input_ids"].shape)
        if len(seen) == 4:
            stop.set()

    handle = loaded.model.get_decoder().register_forward_pre_hook(watch, with_kwargs=True)
    try:
        with pytest.raises(Interrupted):
            run(loaded, stop=stop, eos_ids=())
        assert len(seen) == 4
        with pytest.raises(Interrupted):
            run(loaded, stop=stop)
        assert len(seen) == 4
    finally:
        handle.remove()
    # The prompts went in as one unpadded row, then one token a row.
    assert seen == [(1, sum(map(len, PROMPTS))), (15, 1), (15, 1), (15, 1)]


def test_progress_counts_finished_rows(loaded):
    heard: list[int] = []
    run(loaded, eos_ids=MANY_ENDS, on_finished=heard.append)
    assert heard == sorted(set(heard))
    assert heard
    assert heard[-1] <= 15


def test_a_broken_model_is_named(loaded, model_folder):
    broken = load_model(ModelSection(id=str(model_folder), threads=1))
    with torch.no_grad():
        broken.model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(WaggleError, match="no longer gives usable probabilities"):
        run(broken)
