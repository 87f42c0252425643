from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import Tensor

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.resampling import tricubic
from udeansr.methods import build_method, parse_settings
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.training.holdout import split_cases
from udeansr.training.validation import Validator, warn_of_shift

CPU = torch.device("cpu")


@pytest.fixture
def make_validator(make_dataset, configuration):
    def make(people: int = 4, pairs: int = 2) -> Validator:
        dataset = PreprocessedDataset.open(make_dataset(people, pairs), configuration)
        return Validator(split_cases(dataset, 0, 4), configuration.factors, CPU, "fp32")

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


def test_without_pairs_a_method_that_degrades_as_the_scanner_scores_better(
    make_validator, interpolation, monkeypatch
) -> None:
    validator = make_validator(people=4, pairs=0)
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


def test_a_method_that_learns_no_degradation_is_scored_on_truncated_hr(make_validator, interpolation) -> None:
    scores = make_validator(people=4, pairs=0)(interpolation)
    assert scores["cycle_ssim"] > 0.8
    assert np.isfinite(scores["spectrum_distance"])


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
