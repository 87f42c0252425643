from __future__ import annotations

import logging

import pytest

from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.training.holdout import split_cases


@pytest.fixture
def open_dataset(make_dataset, configuration):
    return lambda people, pairs: PreprocessedDataset.open(make_dataset(people, pairs), configuration)


def names(cases) -> list[str]:
    return [case.name for case in cases]


def test_with_pairs_everybody_trains(open_dataset) -> None:
    split = split_cases(open_dataset(3, 3), seed=0, limit=2)
    assert split.paired
    assert len(split.train_hr) == len(split.train_lr) == 3
    assert names(split.validation_hr) == names(split.validation_lr) == ["pair_0", "pair_1"]
    assert {case.group for case in split.validation_hr} == {"validationHR"}


@pytest.mark.parametrize(("people", "held"), [(3, 1), (12, 1), (16, 2)])
def test_without_pairs_a_tenth_is_held_out_and_does_not_train(open_dataset, people, held) -> None:
    split = split_cases(open_dataset(people, 0), seed=0, limit=4)
    assert not split.paired
    for train, validation in ((split.train_hr, split.validation_hr), (split.train_lr, split.validation_lr)):
        assert len(validation) == held
        assert len(train) == people - held
        assert not set(names(train)) & set(names(validation))


def test_who_is_held_out_depends_on_the_seed_alone(open_dataset) -> None:
    dataset = open_dataset(12, 0)
    chosen = [tuple(names(split_cases(dataset, seed, 4).validation_hr)) for seed in (0, 0, 1, 2, 3)]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


def test_of_too_few_nobody_is_held_out_with_a_warning(open_dataset, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        split = split_cases(open_dataset(2, 0), seed=0, limit=1)
    assert len(split.train_hr) == 2
    assert len(split.validation_hr) == 1
    assert "sourceHR has 2 people: too few to hold one out" in caplog.text
    assert "targetLR has 2 people" in caplog.text
