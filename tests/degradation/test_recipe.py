import pytest

from udeansr.degradation.recipe import CropBox
from udeansr.errors import UdeansrError


def test_a_box_is_read_in_plane_first_and_kept_slab_axis_first():
    assert CropBox.parse("96x80x64", "0.4x0.5x0.7") == CropBox((64, 80, 96), (0.7, 0.5, 0.4))
    assert CropBox.parse("96x80x64").at == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("shape", "at"), [("96x80", "0.5x0.5x0.5"), ("axbxc", "0.5x0.5x0.5"), ("8x8x8", "0.5")])
def test_what_is_no_box_is_refused(shape, at):
    with pytest.raises(UdeansrError) as caught:
        CropBox.parse(shape, at)
    assert str(caught.value) == f"crop '{shape}' at '{at}' is no box; expected such as 96x96x64 at 0.5x0.5x0.7"


@pytest.mark.parametrize(("shape", "at"), [("96x80x0", "0.5x0.5x0.5"), ("8x8x8", "0.5x1.5x0.5")])
def test_impossible_numbers_are_refused(shape, at):
    with pytest.raises(UdeansrError) as caught:
        CropBox.parse(shape, at)
    assert str(caught.value) == f"crop '{shape}' at '{at}': expected sides of at least 1, and parts from 0 to 1"
