import numpy as np
import pytest

from udeansr.report.lesions import measure_lesions

SPACING_MM = (1.0, 1.0, 1.0)


def ball(at, radius: float) -> np.ndarray:
    return np.linalg.norm(np.moveaxis(np.indices((40, 40, 40)), 0, -1) - at, axis=-1) <= radius


@pytest.mark.parametrize("level", [150.0, 60.0])
def test_contrast_and_volume_are_those_of_the_ball(level):
    small, large = ball((10, 10, 10), 3), ball((25, 26, 24), 5)
    image = np.full((40, 40, 40), 100.0)
    image[small | large] = level
    faint = 100 + 0.5 * (image - 100)
    first, second = measure_lesions(small | large, {"LR": faint, "SR": image}, SPACING_MM)
    assert first.mask_mm3 == large.sum() and second.mask_mm3 == small.sum()
    assert first.at == (25, 26, 24)
    assert first.contrast["SR"] == pytest.approx(level / 100 - 1)
    assert first.contrast["LR"] == pytest.approx((level / 100 - 1) / 2)
    assert first.volume_mm3 == {"LR": large.sum(), "SR": large.sum()}


def test_a_lesion_that_has_grown_is_larger_than_its_mask():
    image = np.where(ball((20, 20, 20), 5.5), 200.0, 100.0)
    (lesion,) = measure_lesions(ball((20, 20, 20), 4), {"SR": image}, SPACING_MM)
    assert lesion.volume_mm3["SR"] == pytest.approx(ball((20, 20, 20), 5.5).sum(), rel=0.02)


def test_volume_counts_mm_and_specks_do_not_count():
    mask = ball((20, 20, 20), 4)
    mask[2, 2, 2] = True
    (lesion,) = measure_lesions(mask, {"SR": mask * 1.0 + 1}, (2.0, 1.0, 0.5))
    assert lesion.mask_mm3 == mask.sum() - 1
    assert measure_lesions(np.zeros((9, 9, 9), bool), {}, SPACING_MM) == []
