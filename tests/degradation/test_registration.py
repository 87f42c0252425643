from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from udeansr.degradation.kspace import SHIFTED, degrade
from udeansr.degradation.misalignment import Misalignment, draw_misalignment, misalign
from udeansr.degradation.registration import RigidMotion, covered, move_onto, register_rigidly
from udeansr.errors import UdeansrError
from udeansr.image.cropping import crop, foreground_mask
from udeansr.image.files import read_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, same_grid, slab_orientation
from udeansr.image.volume import Geometry, Volume

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example" / "Dataset001_BrainT1w" / "sourceHR"
SCALE = Scale(2, 2, 2)


@pytest.fixture(scope="module")
def heads() -> list[Volume]:
    """Real scans, a part of each."""
    scans = [read_volume(path) for path in sorted(EXAMPLE.glob("*.nii.gz"))[:3]]
    return [reorient(scan, slab_orientation(scan.geometry)) for scan in scans]


def acquired(hr: Volume) -> Volume:
    """Its LR: blurred, partial Fourier, noise."""
    lr = degrade(hr.voxels.astype(np.float32), SCALE, SHIFTED, np.random.default_rng(0))
    return Volume(lr, lr_geometry(hr.geometry, SCALE))


def without_shrink(seed: int) -> Misalignment:
    drawn = draw_misalignment(np.random.default_rng(seed))
    return replace(drawn, shrink_ap_voxels=0.0, shrink_lr_voxels=0.0)


def true_places(hr: Geometry, misalignment: Misalignment, index: np.ndarray) -> np.ndarray:
    """Where in the world the content of voxels (N, 3) went, mm."""
    matrix, offset = misalignment.affine(hr)
    return hr.world_mm(index @ matrix.T + offset)


def true_rotation(hr: Geometry, misalignment: Misalignment) -> np.ndarray:
    matrix, _ = misalignment.affine(hr)
    return hr.steps_mm.T @ matrix @ np.linalg.inv(hr.steps_mm.T)


def left_over_voxels(motion: RigidMotion, hr: Geometry, misalignment: Misalignment, index: np.ndarray) -> np.ndarray:
    """By how many HR voxels (N, 3) along (Z, Y, X) the motion that was found misses the true one."""
    missed_mm = motion.world_mm(hr.world_mm(index)) - true_places(hr, misalignment, index)
    return missed_mm @ np.linalg.inv(hr.steps_mm)


@pytest.mark.parametrize("seed", range(3))
def test_a_rigid_motion_is_found(seed: int, heads: list[Volume]) -> None:
    hr, misalignment = heads[seed], without_shrink(seed)
    motion = register_rigidly(misalign(hr, misalignment), acquired(hr))
    inside = np.argwhere(foreground_mask(hr.voxels))[::97]
    before = left_over_voxels(RigidMotion(), hr.geometry, misalignment, inside)
    after = left_over_voxels(motion, hr.geometry, misalignment, inside)
    assert np.linalg.norm(before, axis=1).max() > 1
    assert np.linalg.norm(after, axis=1).max() < 0.3
    turned = motion.rotation * Rotation.from_matrix(true_rotation(hr.geometry, misalignment)).inv()
    assert np.degrees(turned.magnitude()) < 0.3


def test_a_shrink_is_not_found(heads: list[Volume]) -> None:
    """Two voxels off a side are one at either border, which no rigid motion takes back."""
    hr, misalignment = heads[0], replace(without_shrink(5), shrink_ap_voxels=2.0)
    motion = register_rigidly(misalign(hr, misalignment), acquired(hr))
    z, y, x = hr.geometry.shape
    front_and_back = np.array([[z / 2, 0, x / 2], [z / 2, y - 1, x / 2]])
    missed = left_over_voxels(motion, hr.geometry, misalignment, front_and_back)[:, 1]
    # The two borders are missed to opposite sides, by nearly the shrink together, wherever the middle came to lie.
    assert abs(missed[1] - missed[0]) == pytest.approx(2.0, abs=0.3)
    assert np.abs(missed).max() > 0.7


def test_the_result_does_not_depend_on_threads_or_chance(heads: list[Volume]) -> None:
    hr = crop(heads[0], ((0, 0, 0), (48, 64, 64)))
    moved, fixed = misalign(hr, without_shrink(1)), acquired(hr)
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = []
    try:
        for threads in (1, 3, 3):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            found.append(register_rigidly(moved, fixed))
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert found[0] == found[1] == found[2]


def test_what_is_there_already_stays(heads: list[Volume]) -> None:
    motion = register_rigidly(heads[1], acquired(heads[1]))
    assert np.linalg.norm(motion.translation_mm) < 0.1 and np.degrees(motion.rotation.magnitude()) < 0.1


MOTION = RigidMotion((2.0, -3.0, 5.0), (1.5, -2.0, 0.7), (4.0, 5.0, 6.0))


def test_places_and_voxels_move_alike() -> None:
    """A blob is found on the grid where ``world_mm`` says that it lies in the moving volume."""
    grid = Geometry((24, 28, 32), (1.5, 1.0, 1.2), (-12.0, -10.0, -8.0))
    where = np.array([13.0, 12.0, 17.0])
    in_moving = MOTION.world_mm(grid.world_mm(where))
    places = grid.world_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    blob = np.exp(-((places - in_moving) ** 2).sum(-1) / 18).astype(np.float32)
    moved = move_onto(Volume(blob, grid), MOTION, grid)
    weights = np.clip(moved.voxels - 0.05, 0, None)
    centre = [(axis * weights).sum() / weights.sum() for axis in np.indices(grid.shape)]
    np.testing.assert_allclose(centre, where, atol=0.03)
    assert same_grid(moved.geometry, grid) and moved.voxels.dtype == np.float32


def test_no_motion_on_its_own_grid_changes_nothing(heads: list[Volume]) -> None:
    same = move_onto(heads[0], RigidMotion(), heads[0].geometry)
    np.testing.assert_allclose(same.voxels, heads[0].voxels, atol=1e-3 * heads[0].voxels.max())
    assert covered(heads[0].geometry, RigidMotion(), heads[0].geometry).all()


def test_beyond_the_border_the_border_is_repeated_and_said() -> None:
    small, wide = (Geometry((4, 4, n), (1.0, 1.0, 1.0)) for n in (6, 9))
    ramp = np.broadcast_to(np.arange(1, 7, dtype=np.float32), small.shape).copy()
    shifted = RigidMotion(translation_mm=(-1.0, 0.0, 0.0))
    moved = move_onto(Volume(ramp, small), shifted, wide)
    np.testing.assert_allclose(moved.voxels[2, 2], [1, 1, 2, 3, 4, 5, 6, 6, 6], atol=1e-5)
    np.testing.assert_array_equal(covered(small, shifted, wide)[2, 2], [0, 1, 1, 1, 1, 1, 1, 0, 0])


def test_what_cannot_be_registered_is_an_error_of_one_line(heads: list[Volume]) -> None:
    fixed = acquired(heads[0])
    elsewhere = Volume(fixed.voxels, replace(fixed.geometry, origin_mm=(500.0, 0.0, 0.0)))
    with pytest.raises(UdeansrError, match=r"All samples map outside moving image buffer.* one subject") as caught:
        register_rigidly(heads[0], elsewhere)
    assert "\n" not in str(caught.value)
