from __future__ import annotations

import pytest
import torch

from core.schema import ModelSection
from core.training.logprobs import completion_logprobs
from core.training.models import load_model

PROMPTS = [[5, 9, 40, 41, 7, 8, 30], [60, 61], [70, 71, 72, 73]]
ROWS = [0, 0, 1, 2, 2]
COMPLETIONS = [[11, 12, 13], [14], [15, 16, 17, 18, 19, 20], [21, 22], [23, 24, 25, 2]]


@pytest.fixture
def loaded(model_folder):
    return load_model(ModelSection(id=str(model_folder), threads=1))


def score(loaded, rows=ROWS, completions=COMPLETIONS, prompts=PROMPTS):
    return completion_logprobs(
        loaded.model, prompts, rows, completions, temperature=1.0, pad_id=loaded.pad_id
    )


def alone(model, prompt, completion):
    """The textbook way: one unpadded sequence, no cache."""
    ids = torch.tensor([prompt + completion])
    scores = model(ids, use_cache=False).logits[0].log_softmax(-1)
    n = len(prompt)
    entropy = -(scores.exp() * scores).sum(-1)[n - 1 : -1]
    return scores[n - 1 : -1].gather(1, ids[0, n:, None])[:, 0], entropy


def test_padding_and_shared_prompts_change_nothing(loaded):
    scored = score(loaded)
    assert scored.mask.sum(-1).tolist() == [len(c) for c in COMPLETIONS]
    for i, (row, completion) in enumerate(zip(ROWS, COMPLETIONS, strict=True)):
        logps, entropy = alone(loaded.model, PROMPTS[row], completion)
        n = len(completion)
        torch.testing.assert_close(scored.logps[i, :n], logps, atol=1e-5, rtol=0)
        torch.testing.assert_close(scored.entropy[i, :n], entropy, atol=1e-4, rtol=0)
    assert bool(torch.isfinite(scored.logps).all())


def test_gradients_flow_through_the_shared_prompt(loaded):
    model = loaded.model.train()
    scored = score(loaded)
    (scored.logps * scored.mask).sum().backward()
    ours = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    total = sum(
        alone(model, PROMPTS[row], completion)[0].sum()
        for row, completion in zip(ROWS, COMPLETIONS, strict=True)
    )
    total.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(ours[name], parameter.grad, atol=2e-4, rtol=1e-4, msg=name)


def test_single_tokens_and_single_rows(loaded):
    scored = score(loaded, rows=[1], completions=[[2]])
    logps, _ = alone(loaded.model, PROMPTS[1], [2])
    assert scored.logps.shape == (1, 1)
    assert scored.logps.item() == pytest.approx(logps.item(), abs=1e-5)


def test_an_empty_prompt_is_refused(loaded):
    with pytest.raises(ValueError, match="no tokens"):
        score(loaded, prompts=[[], [1], [2]])
