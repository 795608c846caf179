from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.rollouts import Task, TaskId
from core.training.packing import packed_tokens
from core.training.prompts import completion_ids, decode, prompt_ids
from core.training.rows import Row, micro_batches
from tests.training.conftest import make_tokenizer

sizes = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40)), max_size=60)


@given(sizes, st.lists(st.integers(1, 50), min_size=6, max_size=6), st.integers(1, 300))
def test_micro_batches_hold_every_row_once_within_the_budget(shapes, prompts, budget):
    rows = [
        Row(i, g, tuple(range(i, i + n)), (), (), 1.0, False, True, False)
        for i, (g, n) in enumerate(shapes)
    ]
    batches = micro_batches(rows, [[7] * n for n in prompts], budget)
    assert sorted(map(id, (r for b in batches for r in b))) == sorted(map(id, rows))
    for batch in batches:
        groups = [row.group for row in batch]
        neighbours = [g for i, g in enumerate(groups) if i == 0 or groups[i - 1] != g]
        assert len(neighbours) == len(set(neighbours))
        tokens = sum(
            packed_tokens(prompts[g], [len(r.ids) for r in batch if r.group == g])
            for g in neighbours
        )
        assert len(batch) == 1 or tokens <= budget


def test_a_prompt_ends_where_the_answer_begins():
    tokenizer = make_tokenizer()
    task = Task(TaskId("x", 1, 1), "What is 1?", "")
    text = tokenizer.decode(prompt_ids(tokenizer, task))
    assert text == "<|im_start|>user\nWhat is 1?<|im_end|>\n<|im_start|>assistant\n"
    told = Task(task.id, task.question, "", {"system": "Be brief."})
    assert tokenizer.decode(prompt_ids(tokenizer, told)).startswith(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"
    )


def test_a_foreign_text_cannot_bring_control_tokens():
    tokenizer = make_tokenizer()
    eos = tokenizer.eos_token_id
    ids, finished = completion_ids(tokenizer, "a<|im_end|>b<|im_start|>", True, eos, 100)
    assert finished
    assert ids[-1] == eos
    assert not set(tokenizer.all_special_ids) & set(ids[:-1])
    assert decode(tokenizer, ids[:-1]) == "a<|im_end|>b<|im_start|>"


def test_a_foreign_text_is_finished_only_when_it_fits():
    tokenizer = make_tokenizer()
    assert completion_ids(tokenizer, "", True, 2, 5) == ([2], True)
    assert completion_ids(tokenizer, "", False, 2, 5) == ([], False)
    ids, finished = completion_ids(tokenizer, "z" * 5, True, 2, 5)
    assert len(ids) == 5
    assert 2 not in ids
    assert not finished
