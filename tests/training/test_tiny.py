"""The shipped waggle-tiny, and the making of it."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.training.tiny import corpus, lessons, make

SPEC = corpus.load_tasks()
NAMES = [d["name"] for d in SPEC["datasets"]]
MIX = corpus.Mix()


@pytest.fixture(scope="module")
def shipped():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(make.FOLDER)
    model = AutoModelForCausalLM.from_pretrained(make.FOLDER, dtype=torch.float32)
    return tokenizer, model.eval()


def test_it_is_a_small_real_qwen3(shipped):
    tokenizer, model = shipped
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert 1_000_000 <= model.num_parameters() <= 4_000_000
    assert model.config.tie_word_embeddings
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert len(tokenizer) <= model.config.vocab_size
    assert sum(p.stat().st_size for p in make.FOLDER.rglob("*")) <= 12 * 2**20


def test_the_shipped_tokenizer_and_architecture_are_what_the_recipe_makes(shipped):
    tokenizer, model = shipped
    made = make.make_tokenizer(SPEC, make.Recipe())
    assert made.get_vocab() == tokenizer.get_vocab()
    assert made.chat_template == tokenizer.chat_template
    names = {name: p.shape for name, p in make.make_model(made, make.Recipe()).named_parameters()}
    assert names == {name: p.shape for name, p in model.named_parameters()}


def test_the_chat_template_renders_what_the_warm_start_saw(shipped):
    tokenizer, _ = shipped
    messages = [{"role": "system", "content": "S."}, {"role": "user", "content": "Q?"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>system\nS.<|im_end|>\n<|im_start|>user\nQ?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert text == make.prompt_text(tokenizer, "S.", "Q?")


def test_answer_tags_are_single_tokens_that_decoding_keeps(shipped):
    tokenizer, _ = shipped
    ids = [*tokenizer.encode("1+2 <answer>3</answer>"), tokenizer.eos_token_id]
    assert len(ids) == 8
    assert tokenizer.decode(ids, skip_special_tokens=True) == "1+2 <answer>3</answer>"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_survives_the_tokenizer(shipped, text):
    tokenizer, _ = shipped
    ids = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_numbers_and_unknown_words_are_spelt(shipped):
    tokenizer, _ = shipped
    assert len(tokenizer.encode("2024")) == 4
    assert len(tokenizer.encode("quince")) == 6


def test_prompts_and_completions_are_short(shipped):
    tokenizer, _ = shipped
    for name in NAMES:
        for line in corpus.examples(SPEC, name, itertools.repeat(MIX, 200), seed=1):
            prompt = make.prompt_text(tokenizer, SPEC["system"], line.question)
            assert len(tokenizer.encode(prompt)) <= 96
            assert len(tokenizer.encode(line.completion)) < 32


def test_the_model_knows_something_and_often_fails(shipped):
    """Greedy on held-out tasks: some right, some not."""
    tokenizer, model = shipped
    right = []
    for name in NAMES:
        dataset = corpus.build(SPEC, name, SPEC["held_out_seed_base"])
        for entry in itertools.islice(dataset, 10):
            prompt = make.prompt_text(tokenizer, SPEC["system"], entry["question"])
            ids = torch.tensor([tokenizer.encode(prompt)])
            out = model.generate(ids, max_new_tokens=32, do_sample=False)[0, ids.shape[1] :]
            text = tokenizer.decode(out, skip_special_tokens=True)
            answer = text.rpartition("<answer>")[2].partition("</answer>")[0]
            right.append(dataset.score_answer(answer.strip(), entry) == 1.0)
    assert 0.1 < sum(right) / len(right) < 0.9


def test_no_warm_start_question_is_held_out():
    held_out = corpus.held_out_questions(SPEC)
    assert len(held_out) > SPEC["held_out_tasks"] * 0.8
    for name in NAMES:
        for line in corpus.examples(SPEC, name, itertools.repeat(MIX, 3000), seed=1):
            assert line.question not in held_out


def test_seed_ranges_keep_their_distance():
    """reasoning-gym draws item i from Random(seed + i): nearer seeds would share questions."""
    bases = [SPEC[f"{kind}seed_base"] for kind in ("", "held_out_", "warm_start_")]
    assert bases == sorted(bases)
    assert all(b - a > SPEC["index_range"] * 1000 for a, b in itertools.pairwise(bases))


def test_the_manners_come_at_their_rates():
    lines = list(corpus.examples(SPEC, "chain_sum", itertools.repeat(MIX, 4000), seed=1))
    for manner in ("worked", "wrong", "untagged", "broken"):
        share = sum(line.manner == manner for line in lines) / len(lines)
        assert share == pytest.approx(getattr(MIX, manner), abs=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_right_manners_score_and_the_others_do_not(name):
    dataset = corpus.build(SPEC, name, SPEC["warm_start_seed_base"])
    entries = {entry["question"]: entry for entry in dataset}
    for line in corpus.examples(SPEC, name, itertools.repeat(MIX, 500), seed=1):
        opened = line.completion.rpartition("<answer>")
        answer = opened[2].partition("</answer>") if opened[1] else ("", "", "")
        score = dataset.score_answer(answer[0].strip(), entries[line.question])
        scored = score if answer[1] else 0.0
        assert (scored == 1.0) == (line.manner in ("right", "worked")), line


def test_the_shared_prefix_changes_neither_loss_nor_gradient():
    recipe = make.Recipe(hidden=32, heads=1, layers=2, intermediate=48, per_dataset=5)
    tokenizer = make.make_tokenizer(SPEC, recipe)
    model = make.make_model(tokenizer, recipe)
    part = next(make.lessons(tokenizer, SPEC, "leg_counting", recipe))
    assert lessons.common_prefix(part) > 40

    def gradient(groups):
        model.zero_grad()
        results = [lessons.prefix_loss(model, g, tokenizer.pad_token_id) for g in groups]
        loss = torch.stack([loss for loss, _ in results]).sum()
        loss.backward()
        grads = torch.cat([p.grad.flatten() for p in model.parameters()])
        return loss.detach(), sum(n for _, n in results), grads

    together, tokens, joint = gradient([part])
    # A prompt alone shares nothing but itself with itself: all but its last token.
    apart, tokens_apart, single = gradient([[lesson] for lesson in part])
    assert tokens == tokens_apart == sum(len(lesson.completion) for lesson in part)
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(joint, single, rtol=1e-4, atol=1e-5)


def test_making_it_twice_gives_the_same_bytes(tmp_path: Path):
    recipe = make.Recipe(
        hidden=32, heads=1, layers=1, intermediate=48, skill_steps=2, manner_steps=2, per_dataset=4
    )
    threads = torch.get_num_threads()

    def digests(folder: Path) -> dict[str, str]:
        make.make(folder, recipe)
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}

    try:
        first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
    assert first == second
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(first)
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert config["architectures"] == ["Qwen3ForCausalLM"]
