import logging

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.header import check_kind, straight_geometry


def test_one_volume_of_one_value_a_voxel_is_taken():
    check_kind("a", (4, 5, 6), 1)
    check_kind("a", (4, 5, 6, 1, 1), 1)


@pytest.mark.parametrize(
    ("size", "components", "message"),
    [
        ((4, 5, 6), 3, "a: 3 values a voxel; expected one; give magnitude images"),
        ((4, 5), 1, "a: a 2-D image; expected 3-D; give whole volumes, not slices"),
        ((4, 5, 6, 2, 3), 1, "a: a 5-D image of 6 volumes; expected one; give each its own file"),
    ],
)
def test_all_else_is_refused(size, components, message):
    with pytest.raises(UdeansrError) as told:
        check_kind("a", size, components)
    assert str(told.value) == message


def test_axes_come_in_the_order_of_arrays_and_spacings_as_they_were_meant():
    direction = np.zeros((4, 4))
    direction[1, 0], direction[2, 1], direction[0, 2], direction[3, 3] = 1, -1, 1, 1
    found = straight_geometry("a", (4, 5, 6, 1), (np.float32(0.7), 1.0, 2.0, 1.0), (7.0, 8.0, 9.0, 0.0), direction)
    assert (found.shape, found.spacing_mm, found.origin_mm) == ((6, 5, 4), (2.0, 1.0, 0.7), (7.0, 8.0, 9.0))
    np.testing.assert_array_equal(found.axes, [[1, 0, 0], [0, 0, -1], [0, 1, 0]])


@pytest.mark.parametrize("mm", [0.0, -1.0, np.nan, np.inf])
def test_a_spacing_that_is_none_is_refused(mm):
    with pytest.raises(UdeansrError, match=r"^a: spacing \(1.0, .*\) mm; expected three positive numbers; mend the"):
        straight_geometry("a", (4, 5, 6), (1.0, mm, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def test_axes_off_right_angles_are_refused_and_slightly_off_mended(caplog):
    skew = np.eye(3)
    skew[0, 1] = 0.3
    with pytest.raises(UdeansrError, match=r"^a: its axes are 0.\d+ off right angles; expected an orthonormal direct"):
        straight_geometry("a", (4, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), skew)
    skew[0, 1] = 0.0004
    with caplog.at_level(logging.WARNING):
        axes = np.asarray(straight_geometry("a", (4, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), skew).axes)
    assert "a: its axes were 0.0002 off right angles and were made orthonormal" in caplog.text
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
