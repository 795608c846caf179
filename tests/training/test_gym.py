"""Datasets are made once where their making does not depend on the seed, and are the same then."""

from __future__ import annotations

import dataclasses

import pytest

from core.training import gym

SIZE = 50
SEEDS = (3, 1_000_003, 2_000_000_011, 77, 4_000_000_000, 12, 99)


def fresh(name, seed, params):
    return gym.reasoning_gym().create_dataset(name, seed=seed, size=SIZE, **params)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("chain_sum", {"min_terms": 2, "max_terms": 2}),
        ("letter_counting", {"min_words": 3, "max_words": 5}),
        ("spell_backward", {"min_word_len": 3, "max_word_len": 5}),
        ("string_manipulation", {}),  # draws its rules when it is made
        ("calendar_arithmetic", {}),
    ],
)
def test_every_seed_gives_what_a_new_dataset_gives(name, params):
    for seed in SEEDS:
        made, expected = gym.build(name, seed, SIZE, params), fresh(name, seed, params)
        assert made.config == expected.config
        assert [made[i] for i in (0, 7, 49)] == [expected[i] for i in (0, 7, 49)]


def test_word_lists_are_read_only_until_they_were_seen_to_be_the_same():
    made = [gym.build("spell_backward", s, SIZE, {"max_word_len": 4}) for s in SEEDS]
    first = made[0].words
    assert all(dataset.words == first for dataset in made)
    assert [dataset.words is first for dataset in made[1:]] == [False] * 3 + [True] * 3
    assert made[-1].score_answer(made[-1][5]["answer"], made[-1][5]) == 1.0


def test_what_follows_the_seed_is_made_anew():
    made = [gym.build("string_manipulation", s, SIZE, {"min_num_rules": 3}) for s in SEEDS]
    assert len({id(dataset.__dict__.get("rules", dataset)) for dataset in made}) == len(made)


def test_changing_a_dataset_while_drawing_from_it_ends_the_sharing():
    params = {"max_word_len": 5}
    gym.build("spell_backward", 1, SIZE, params).words.pop()
    for seed in SEEDS:
        expected = fresh("spell_backward", seed, params)
        assert gym.build("spell_backward", seed, SIZE, params).words == expected.words


def test_a_copy_has_its_own_settings():
    made = [gym.build("chain_sum", s, SIZE, {"max_terms": 3}) for s in SEEDS]
    assert [dataset.seed for dataset in made] == list(SEEDS)
    assert [dataset.config.seed for dataset in made] == list(SEEDS)
    assert dataclasses.replace(made[0].config, seed=5) == dataclasses.replace(
        made[-1].config, seed=5
    )


def test_refused_parameters_are_told_each_time():
    for _ in range(2):
        with pytest.raises((ValueError, AssertionError, TypeError)):
            gym.build("chain_sum", 1, SIZE, {"min_terms": 5, "max_terms": 2})
