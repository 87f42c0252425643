from dataclasses import asdict

import numpy as np
import pytest

from udeansr.degradation.misalignment import Misalignment, draw_misalignment, misalign
from udeansr.image.grid import reorient
from udeansr.image.volume import Geometry, Volume

GRID = Geometry((40, 48, 44), (1.5, 1.0, 1.25), (0.0, 0.0, 0.0))


def blob(geometry, where):
    z, y, x = np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij")
    distance = (z - where[0]) ** 2 + (y - where[1]) ** 2 + (x - where[2]) ** 2
    return Volume((1000 * np.exp(-distance / 18)).astype(np.float32), geometry)


def centre(voxels):
    weight = np.where(voxels > 5, voxels, 0).astype(float)
    return np.array([np.sum(axis * weight) / weight.sum() for axis in np.indices(voxels.shape)])


def test_the_content_moves_as_the_affine_says():
    misalignment = Misalignment(2.0, -1.5, 1.2, -0.7, 1.9, 0.6)
    where = np.array([26.0, 15.0, 30.0])
    moved = misalign(blob(GRID, where), misalignment)
    matrix, offset = misalignment.affine(GRID)
    assert np.abs(centre(moved.voxels) - (matrix @ where + offset)).max() < 0.02
    assert moved.geometry == GRID and moved.voxels.dtype == np.float32


def test_the_axes_are_the_named_ones():
    centre_of_grid = (np.array(GRID.shape) - 1) / 2
    # GRID is stored S, P, L. Towards the head and the left:
    _, offset = Misalignment(translation_hf_voxels=1.0, translation_lr_voxels=0.5).affine(GRID)
    np.testing.assert_allclose(offset, (1.0, 0.0, 0.5), atol=1e-12)
    for misalignment, still in (
        (Misalignment(rotation_hf_degrees=2.0), (1, 0, 0)),
        (Misalignment(rotation_lr_degrees=2.0), (0, 0, 1)),
    ):
        matrix, offset = misalignment.affine(GRID)
        on_the_axis = centre_of_grid + 7 * np.array(still)
        np.testing.assert_allclose(matrix @ on_the_axis + offset, on_the_axis, atol=1e-9)
        steps_mm = np.array(GRID.spacing_mm)
        in_mm = matrix * steps_mm[:, None] / steps_mm
        np.testing.assert_allclose(in_mm @ in_mm.T, np.eye(3), atol=1e-12)
        assert np.trace(in_mm) == pytest.approx(1 + 2 * np.cos(np.radians(2.0)))


def test_shrinking_takes_whole_voxels_off_the_field_of_view():
    matrix, offset = Misalignment(shrink_ap_voxels=2.0).affine(GRID)
    corner, far = matrix @ (-0.5, -0.5, -0.5) + offset, matrix @ (39.5, 47.5, 43.5) + offset
    np.testing.assert_allclose(far - corner, (40, 46, 44), atol=1e-9)
    np.testing.assert_allclose(corner + far, (39, 47, 43), atol=1e-9)


@pytest.mark.parametrize("orientation", ["SPL", "IAR", "LSP", "PRS"])
def test_the_motion_does_not_depend_on_how_the_volume_is_stored(orientation):
    misalignment = Misalignment(1.5, -1.0, 0.8, 1.1, 1.0, 2.0)
    volume = blob(GRID, (26.0, 15.0, 30.0))
    there = misalign(reorient(volume, orientation), misalignment)
    np.testing.assert_allclose(reorient(there, "SPL").voxels, misalign(volume, misalignment).voxels, atol=0.05)


def test_no_motion_changes_nothing():
    volume = blob(GRID, (20.0, 20.0, 20.0))
    np.testing.assert_allclose(misalign(volume, Misalignment()).voxels, volume.voxels, atol=1e-2)


def test_values_stay_within_those_of_the_volume():
    step = np.zeros(GRID.shape, np.uint16)
    step[:, 20:] = 500
    moved = misalign(Volume(step, GRID), Misalignment(2.0, 2.0, 0.5, 0.5, 1.0, 1.0)).voxels
    assert moved.min() >= 0 and moved.max() <= 500


def test_the_draw_is_the_papers_and_its_seed_decides():
    drawn = [asdict(draw_misalignment(np.random.default_rng(seed))) for seed in range(300)]
    assert drawn[7] == asdict(draw_misalignment(np.random.default_rng(7)))
    for name in drawn[0]:
        values = np.array([one[name] for one in drawn])
        assert np.abs(values).max() <= 2
        assert np.abs(values).mean() == pytest.approx(1.0, abs=0.12)
        either_side = not name.startswith("shrink")
        assert (values < 0).mean() == pytest.approx(0.5 if either_side else 0.0, abs=0.12)
