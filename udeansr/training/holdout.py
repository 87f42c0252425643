"""Who trains and who validates. Knows groups of cases; opens no array."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass

from udeansr.paths import SOURCE_HR, TARGET_LR, VALIDATION_HR, VALIDATION_LR
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase, PreprocessedDataset

HELD_OUT_SHARE = 0.1
FEWEST_TO_HOLD_OUT = 3
"""People below which a group is too small to give one away."""

logger = logging.getLogger(__name__)

Cases = tuple[PreprocessedCase, ...]


@dataclass(frozen=True)
class Split:
    """The cases of a training.

    Attributes:
        train_hr, train_lr: source HR and target LR that are learnt from.
        validation_hr, validation_lr: volumes that scores are taken on.
        paired: whether those two are pairs of the same people, in one order; else they are unrelated.
    """

    train_hr: Cases
    train_lr: Cases
    validation_hr: Cases
    validation_lr: Cases
    paired: bool


def split_cases(dataset: PreprocessedDataset, seed: int, limit: int) -> Split:
    """Set validation cases aside: the pairs where the dataset has some, else a tenth of the people of each cohort.

    Of a cohort of fewer than three nobody is held out: it is validated on people it was trained on, with a warning.

    Args:
        dataset: the preprocessed dataset.
        seed: decides who is held out.
        limit: volumes of each kind to validate on; of pairs the first by name.
    """
    source, target = dataset.cases(SOURCE_HR), dataset.cases(TARGET_LR)
    lr_cases, hr_cases = dataset.cases(VALIDATION_LR), {case.name: case for case in dataset.cases(VALIDATION_HR)}
    if lr_cases:
        pairs = [(hr_cases[case.name], case) for case in lr_cases][:limit]
        return Split(source, target, tuple(hr for hr, _ in pairs), tuple(lr for _, lr in pairs), paired=True)
    train_hr, held_hr = _hold_out(source, seed, SOURCE_HR)
    train_lr, held_lr = _hold_out(target, seed, TARGET_LR)
    return Split(train_hr, train_lr, held_hr[:limit], held_lr[:limit], paired=False)


def _hold_out(cases: Cases, seed: int, group: str) -> tuple[Cases, Cases]:
    """Part a group into those who train and those who validate."""
    if len(cases) < FEWEST_TO_HOLD_OUT:
        logger.warning(
            "%s has %d people: too few to hold one out, so validation scores are of people that were trained on",
            group,
            len(cases),
        )
        return cases, cases
    count = max(1, round(HELD_OUT_SHARE * len(cases)))
    held = set(random.Random(f"{seed} {group}").sample([case.name for case in cases], count))
    train = tuple(case for case in cases if case.name not in held)
    return train, tuple(case for case in cases if case.name in held)
