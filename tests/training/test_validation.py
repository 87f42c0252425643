from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import Tensor

from udeansr.degradation.kspace import truncate_kspace
from udeansr.evaluation.metrics import psnr
from udeansr.image.resampling import tricubic
from udeansr.methods import build_method, parse_settings
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.training.validation import Validator, split_cases, warn_of_shift


@pytest.fixture
def open_dataset(make_dataset, configuration):
    return lambda subjects, pairs: PreprocessedDataset.open(make_dataset(subjects, pairs), configuration)


def names(cases) -> list[str]:
    return [case.name for case in cases]


def test_with_pairs_everybody_trains(open_dataset) -> None:
    split = split_cases(open_dataset(3, 3), seed=0, limit=2)
    assert split.paired
    assert len(split.train_hr) == len(split.train_lr) == 3
    assert names(split.validation_hr) == names(split.validation_lr) == ["pair_0", "pair_1"]
    assert {case.group for case in split.validation_hr} == {"validationHR"}


@pytest.mark.parametrize(("subjects", "held"), [(3, 1), (12, 1), (16, 2)])
def test_without_pairs_a_tenth_is_held_out_and_does_not_train(open_dataset, subjects, held) -> None:
    split = split_cases(open_dataset(subjects, 0), seed=0, limit=4)
    assert not split.paired
    for train, validation in ((split.train_hr, split.validation_hr), (split.train_lr, split.validation_lr)):
        assert len(validation) == held
        assert len(train) == subjects - held
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
    assert "sourceHR has 2 subjects: too few to hold one out" in caplog.text
    assert "targetLR has 2 subjects" in caplog.text


CPU = torch.device("cpu")


@pytest.fixture
def make_validator(make_dataset, configuration):
    def make(subjects: int = 4, pairs: int = 2) -> Validator:
        dataset = PreprocessedDataset.open(make_dataset(subjects, pairs), configuration)
        return Validator(split_cases(dataset, 0, 4), configuration.task.factors, CPU, "fp32")

    return make


@pytest.fixture
def interpolation(configuration):
    """Tricubic, which does well on smooth volumes, as a method."""
    return build_method("tricubic", configuration, parse_settings("tricubic", []))


def test_with_pairs_the_score_is_ssim_and_tricubic_is_told(make_validator, interpolation) -> None:
    validator = make_validator()
    scores = validator(interpolation)
    assert scores["score"] == scores["ssim"] > 0.8
    assert {name: scores[name] for name in ("psnr", "ssim")} == pytest.approx(validator.tricubic())
    assert max(map(abs, scores["shift_voxels"])) < 0.1
    assert validator.rule == "best is chosen by SSIM (2-D, as in the paper); validation pairs: 2"


@pytest.mark.parametrize(("pairs", "names"), [(2, {"tricubic", "HR"}), (0, {"tricubic"})])
def test_a_sample_is_the_middle_slice_of_the_first_lr_beside_what_to_compare_it_with(
    make_validator, interpolation, pairs, names
) -> None:
    validator = make_validator(pairs=pairs)
    assert validator.sample is None
    validator(interpolation)
    references = validator.references()
    assert set(references) == names and references["tricubic"].ndim == 2
    np.testing.assert_allclose(validator.sample, references["tricubic"], atol=1e-5)
    if "HR" in names:
        hr = references["HR"][None]
        assert psnr(validator.sample[None], hr) > 5 + psnr(validator.sample[None, ::-1], hr)


def test_without_pairs_a_method_that_degrades_as_the_scanner_scores_better(
    make_validator, interpolation, monkeypatch
) -> None:
    validator = make_validator(subjects=4, pairs=0)
    kind = type(interpolation)

    def degrade(self, hr: Tensor) -> Tensor:
        return torch.stack([torch.from_numpy(truncate_kspace(one.numpy(), self.scale)) for one in hr])

    monkeypatch.setattr(kind, "degrade", degrade)
    right = validator(interpolation)
    monkeypatch.setattr(kind, "degrade", lambda self, hr: 0.3 * degrade(self, hr))
    wrong = validator(interpolation)
    assert right["score"] > wrong["score"]
    assert right["spectrum_distance"] < wrong["spectrum_distance"]
    assert right["score"] == pytest.approx(right["cycle_ssim"] - 0.1 * right["spectrum_distance"])
    assert validator.tricubic() == {}
    assert validator.rule.endswith("validated on: 1 HR, 1 LR")


def test_a_method_that_learns_no_degradation_is_scored_on_hr_degraded_as_planned(
    make_validator, interpolation, monkeypatch
) -> None:
    validator = make_validator(subjects=4, pairs=0)
    seen = []

    def super_resolve(self, lr: Tensor) -> Tensor:
        seen.append(lr[0].numpy().copy())
        return torch.stack([torch.from_numpy(tricubic(one.numpy(), self.scale)) for one in lr])

    monkeypatch.setattr(type(interpolation), "super_resolve", super_resolve)
    scores = validator(interpolation)
    (case,) = validator._split.validation_hr
    assert np.allclose(seen[0], np.abs(case.degraded), atol=1e-5) or case.noise > 0
    assert scores["cycle_ssim"] > 0.8 and np.isfinite(scores["spectrum_distance"])


def test_of_a_variety_of_degradations_it_is_scored_on_truncated_hr(make_validator, interpolation, monkeypatch) -> None:
    validator = make_validator(subjects=4, pairs=0)
    (case,) = validator._split.validation_hr
    hr = np.array(case.voxels)
    monkeypatch.setattr(type(case), "degraded", property(lambda self: np.zeros((8, 2, 3, 4, 4))))
    assert np.array_equal(validator._planned_lr(case, hr), truncate_kspace(hr, validator._scale))


def test_a_shift_is_found_and_warned_of(make_validator, interpolation, monkeypatch, caplog) -> None:
    def shifted(self, lr: Tensor) -> Tensor:
        return torch.stack([torch.from_numpy(np.roll(tricubic(one.numpy(), self.scale), 1, axis=1)) for one in lr])

    monkeypatch.setattr(type(interpolation), "super_resolve", shifted)
    scores = make_validator()(interpolation)
    assert scores["shift_voxels"][1] == pytest.approx(0.8, abs=0.3)
    with caplog.at_level(logging.WARNING):
        warn_of_shift(scores)
    assert "HR voxels off its LR, expected below 0.1" in caplog.text


@pytest.mark.parametrize(("shift", "warns"), [(0.05, False), (-0.3, True), (float("nan"), True)])
def test_only_a_shift_above_the_limit_is_warned_of(shift, warns, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_shift({"shift_voxels": [0.0, shift, 0.01]})
    assert bool(caplog.text) == warns


def test_it_can_be_stopped_between_slabs_and_leaves_the_mode(make_validator, tiny, configuration) -> None:
    method = tiny(configuration, tiny.settings_type()).train()

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_validator()(method, stop)
    assert method.training


def test_sr_that_is_no_number_has_no_score(make_validator, interpolation, monkeypatch) -> None:
    monkeypatch.setattr(type(interpolation), "super_resolve", lambda self, lr: lr.repeat(1, 2, 2, 2) * float("nan"))
    scores = make_validator()(interpolation)
    assert np.isnan(scores["score"]) and np.isnan(scores["psnr"])
