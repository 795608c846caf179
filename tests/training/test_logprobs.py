from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.schema import Config, ModelSection, SamplingSection, TrainingSection
from core.training import head
from core.training.gradient import Pass, accumulate
from core.training.grpo import Normaliser
from core.training.logprobs import completion_logprobs, score
from core.training.models import load_model
from core.training.packing import pack
from core.training.recompute import recompute_activations
from core.training.rows import Row, Rows

PROMPTS = [[5, 9, 40, 41, 7, 8, 30], [60, 61], [70, 71, 72, 73]]
ROWS = [0, 0, 1, 2, 2]
COMPLETIONS = [[11, 12, 13], [14], [15, 16, 17, 18, 19, 20], [21, 22], [23, 24, 25, 2]]
ADVANTAGES = [1.0, -0.5, 0.7, -1.2, 0.4]


@pytest.fixture
def loaded(model_folder):
    return load_model(ModelSection(id=str(model_folder), threads=1))


def made_rows(advantages=ADVANTAGES):
    return [
        Row(i, group, tuple(ids), (), (), advantages[i], False, True, False)
        for i, (group, ids) in enumerate(zip(ROWS, COMPLETIONS, strict=True))
    ]


def distribution(logits, sampling):
    """Written down plainly: temperature, top-k, top-p, min-p on one position's logits."""
    scores = logits / sampling.temperature
    out = torch.full_like(scores, float("-inf"))
    ordered = scores.sort(descending=True)
    n = len(scores) if not sampling.top_k else sampling.top_k
    kept = ordered.indices[:n]
    shares = scores[kept].softmax(-1)
    n = int((shares.cumsum(-1) - shares < sampling.top_p).sum())
    kept = kept[:n]
    shares = scores[kept].softmax(-1)
    kept = kept[shares >= shares.max() * sampling.min_p]
    out[kept] = scores[kept]
    return out, kept


def alone(model, prompt, completion, sampling=None):
    """The textbook way: one unpadded sequence, all logits; log-probs and entropies."""
    ids = torch.tensor([prompt + completion])
    logits = model(ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
    logps, entropies = [], []
    for row, token in zip(logits, completion, strict=True):
        scores, kept = distribution(row, sampling or SamplingSection())
        if token not in kept.tolist():
            scores = scores.clone()
            scores[token] = row[token] / (sampling or SamplingSection()).temperature
        scores = scores.log_softmax(-1)
        logps.append(scores[token])
        entropies.append(-torch.special.xlogy(scores.exp(), scores.exp()).sum())
    return torch.stack(logps), torch.stack(entropies)


SAMPLINGS = [
    SamplingSection(),
    SamplingSection(temperature=0.7),
    SamplingSection(top_k=20),
    SamplingSection(top_p=0.8, temperature=1.3),
    SamplingSection(min_p=0.05, top_k=100),
]


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_packing_changes_nothing(loaded, sampling):
    packed = pack(PROMPTS, made_rows(), loaded.device)
    logps, entropy = score(loaded.model, packed, sampling)
    logps, entropy = logps.split(packed.lengths), entropy.split(packed.lengths)
    for i, (row, completion) in enumerate(zip(ROWS, COMPLETIONS, strict=True)):
        expected, expected_entropy = alone(loaded.model, PROMPTS[row], completion, sampling)
        torch.testing.assert_close(logps[i], expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(entropy[i], expected_entropy, atol=1e-4, rtol=0)


@pytest.mark.parametrize("sampling", SAMPLINGS[:4])
@pytest.mark.parametrize("budget", [1, 20, 4096])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_packed_gradients_equal_those_of_sequences_alone(
    loaded, sampling, budget, checkpointing, monkeypatch
):
    """With one micro-batch or many, in one piece of the head or in pieces within a completion."""
    model = loaded.model.train()
    if checkpointing:
        recompute_activations(model)
    if budget == 20:
        monkeypatch.setattr(head, "CHUNK_CELLS", 2 * model.config.vocab_size)
    config = Config(sampling=sampling, training=TrainingSection(loss_type="dapo"))
    rows = made_rows()
    tokens = sum(len(row.ids) for row in rows)
    data = Rows(tuple(rows), tuple(map(tuple, PROMPTS)), Normaliser(len(rows), tokens, 8))
    tally = accumulate(loaded, config, data, rows, Pass(budget, True, {}))
    ours = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    loss = 0.0
    for row in rows:
        logps, _ = alone(model, PROMPTS[row.group], list(row.ids), sampling)
        # On-policy the ratio is 1, so that the gradient is that of advantage times log-prob.
        loss = loss - (logps * row.advantage).sum() / tokens
    loss.backward()
    assert tally.tokens == tokens
    assert tally.micro_batches == {1: 5, 20: 2, 4096: 1}[budget]
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(ours[name], parameter.grad, atol=2e-5, rtol=1e-4, msg=name)


def test_blocks_of_attention_may_be_split(loaded, monkeypatch):
    packed = pack(PROMPTS, made_rows(), loaded.device)
    whole = score(loaded.model, packed, SamplingSection())[0]
    monkeypatch.setattr("core.training.layout.BLOCK_CELLS", 1)
    order = [2, 3, 4, 0, 1]  # groups in another order than their prompts
    rows = made_rows()
    split = score(
        loaded.model, pack(PROMPTS, [rows[i] for i in order], loaded.device), SamplingSection()
    )[0]
    lengths = [len(COMPLETIONS[i]) for i in order]
    parts = dict(zip(order, split.split(lengths), strict=True))
    torch.testing.assert_close(torch.cat([parts[i] for i in range(5)]), whole, atol=1e-5, rtol=0)


def test_a_single_token_alone(loaded):
    [logps] = completion_logprobs(loaded.model, PROMPTS, [1], [[2]], SamplingSection())
    expected, _ = alone(loaded.model, PROMPTS[1], [2])
    assert logps.tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_an_empty_prompt_or_completion_is_refused(loaded):
    with pytest.raises(ValueError, match="no tokens"):
        completion_logprobs(loaded.model, [[]], [0], [[1]], SamplingSection())
    with pytest.raises(ValueError, match="no tokens"):
        completion_logprobs(loaded.model, [[1]], [0], [[]], SamplingSection())


def test_the_pad_token_of_an_embedding_gets_no_gradient(loaded):
    """As in torch, whose embedding leaves out its padding index, wherever it stands."""
    model = loaded.model.train()
    table = model.get_input_embeddings()
    table.padding_idx = 40
    head_weight = model.get_output_embeddings()
    head_weight.weight = torch.nn.Parameter(head_weight.weight.detach().clone())
    rows = [replace(r, group=0) for r in made_rows()[:2]]
    data = Rows(tuple(rows), tuple(map(tuple, PROMPTS)), Normaliser(2, 4, 8))
    accumulate(loaded, Config(), data, rows, Pass(4096, True, {}))
    assert float(table.weight.grad[40].abs().sum()) == 0.0
    assert float(table.weight.grad[41].abs().sum()) > 0.0
