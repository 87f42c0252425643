from pathlib import Path

import numpy as np
import pytest

from udeansr.image.normalization import intensity_scale
from udeansr.image.volume import Geometry
from udeansr.preprocessing.contrast_randomization import CONTRASTS, draw_contrast, variants
from udeansr.preprocessing.preparation import Prepared
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase

RAMP = np.linspace(0, 1.1, 20 * 24 * 24, dtype=np.float32).reshape(20, 24, 24)


def test_a_contrast_is_on_the_level_of_all_and_air_stays_dark():
    for seed in range(8):
        shown = draw_contrast(RAMP, np.random.default_rng(seed))
        assert intensity_scale(shown) == pytest.approx(1, abs=0.01) and shown.dtype == np.float32
        assert shown.min() >= 0 and shown[0, 0, 0] == 0


def test_tissues_change_their_order():
    """Of two in a row, sometimes the one is the brighter, sometimes the other, as in T1w and T2w."""
    signs = {np.sign(np.corrcoef(RAMP.ravel(), draw_contrast(RAMP, np.random.default_rng(i)).ravel())[0, 1])
             for i in range(30)}  # fmt: skip
    assert signs == {-1.0, 1.0}


def test_the_first_variant_is_the_image_and_the_name_draws_the_others():
    grid = Geometry(RAMP.shape, (1.0, 1.0, 1.0))
    prepared = Prepared(RAMP, grid, grid, (0, 0, 0), 5.0, 5.0)
    made, again, other = (variants(prepared, name) for name in ("anna", "anna", "bert"))
    assert len(made) == CONTRASTS and made[0] is prepared
    for one, same, another in zip(made[1:], again[1:], other[1:], strict=True):
        assert np.array_equal(one.voxels, same.voxels) and not np.array_equal(one.voxels, another.voxels)


def test_contrasts_of_one_subject_are_one_subject():
    grid = Geometry((1, 1, 1), (1.0, 1.0, 1.0))
    case = PreprocessedCase("anna_T1w__contrast2", "sourceHR", Path("a"), grid, 1.0, 1.0)
    assert case.subject == "anna_T1w"
