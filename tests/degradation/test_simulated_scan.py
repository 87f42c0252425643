import logging
from pathlib import Path

import numpy as np
import pytest

from udeansr.degradation.kspace import SHIFTED, TRUNCATION, truncate_kspace
from udeansr.degradation.misalignment import Misalignment, misalign
from udeansr.degradation.simulated_scan import CropBox, Recipe, simulate_scan
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale, reorient, same_grid, sr_geometry
from udeansr.image.volume import Geometry, Volume


def test_a_box_is_read_in_plane_first_and_kept_slab_axis_first():
    assert CropBox.parse("96x80x64", "0.4x0.5x0.7") == CropBox((64, 80, 96), (0.7, 0.5, 0.4))
    assert CropBox.parse("96x80x64").at == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("shape", "at"), [("96x80", "0.5x0.5x0.5"), ("axbxc", "0.5x0.5x0.5"), ("8x8x8", "0.5")])
def test_what_is_no_box_is_refused(shape, at):
    with pytest.raises(UdeansrError, match=f"'{shape}' at '{at}' is no box"):
        CropBox.parse(shape, at)


@pytest.mark.parametrize(("shape", "at"), [("96x80x0", "0.5x0.5x0.5"), ("8x8x8", "0.5x1.5x0.5")])
def test_impossible_numbers_are_refused(shape, at):
    with pytest.raises(UdeansrError, match=f"'{shape}' at '{at}': expected"):
        CropBox.parse(shape, at)


TILT = np.radians(20)
OBLIQUE = ((0.0, -np.sin(TILT), np.cos(TILT)), (0.0, np.cos(TILT), np.sin(TILT)), (1.0, 0.0, 0.0))
LEFT_HANDED = ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0))
SAGITTAL = ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
STORED = {
    "plain": Geometry((21, 26, 24), (2.0, 1.0, 1.25)),
    "oblique": Geometry((20, 25, 27), (2.0, 1.1, 1.1), (3.0, -4.0, 5.0), OBLIQUE),
    "left-handed": Geometry((21, 25, 24), (1.0, 1.0, 1.0), (0.0, 9.0, 0.0), LEFT_HANDED),
    "slab axis stored last": Geometry((26, 24, 21), (1.0, 1.25, 3.0)),
    "sagittal": Geometry((24, 27, 26), (1.2, 1.0, 1.0), (0.0, 0.0, 0.0), SAGITTAL),
}


@pytest.fixture
def stored(tmp_path, random_head):
    def store(geometry: Geometry, dtype=np.uint16, suffix=".nii.gz") -> Path:
        path = tmp_path / f"sub-1_T1w{suffix}"
        voxels = random_head(geometry.shape, 1)
        write_volume(Volume(np.rint(voxels).astype(dtype), geometry), path)
        return path

    return store


@pytest.mark.parametrize("name", STORED)
def test_lr_tiles_its_hr_as_it_was_stored(name, stored, tmp_path):
    path = stored(STORED[name])
    scale = Scale(2, 2, 2)
    simulate_scan(("test", path), Recipe(scale, SHIFTED), tmp_path / "d")
    hr, lr = (read_volume(tmp_path / "d" / group / path.name) for group in ("testHR", "testLR"))
    original = read_volume(path)
    assert same_grid(sr_geometry(lr.geometry, scale), hr.geometry, tolerance_mm=1e-4)
    assert lr.geometry.orientation == hr.geometry.orientation == original.geometry.orientation
    assert lr.voxels.dtype == hr.voxels.dtype == original.voxels.dtype
    # The HR is a part of the original, voxel by voxel, where it was.
    start = np.linalg.solve(
        original.geometry.steps_mm.T, np.asarray(hr.geometry.origin_mm) - original.geometry.origin_mm
    )
    begin = np.rint(start).astype(int)
    assert np.abs(start - begin).max() < 1e-3
    part = tuple(slice(a, a + n) for a, n in zip(begin, hr.geometry.shape, strict=True))
    np.testing.assert_array_equal(hr.voxels, original.voxels[part])


def test_scale_counts_from_the_slab_axis_however_it_is_stored(stored, tmp_path):
    path = stored(STORED["slab axis stored last"])
    simulate_scan(("target", path), Recipe(Scale(1, 2, 2)), tmp_path / "d")
    lr = read_volume(tmp_path / "d" / "targetLR" / path.name).geometry
    assert lr.shape == (13, 12, 21) and lr.spacing_mm == pytest.approx((2.0, 2.5, 3.0))


def test_integers_are_rounded_and_floats_left(stored, tmp_path):
    whole, real = STORED["plain"], np.float32
    for dtype, allowed in ((np.uint16, 0.5), (real, 1e-3)):
        path = stored(whole, dtype)
        simulate_scan(("test", path), Recipe(Scale(2, 2, 2), TRUNCATION), tmp_path / "d")
        hr, lr = (read_volume(tmp_path / "d" / group / path.name) for group in ("testHR", "testLR"))
        assert lr.voxels.dtype == dtype
        hr, lr = (reorient(volume, "SPL").voxels.astype(np.float32) for volume in (hr, lr))
        assert np.abs(np.abs(truncate_kspace(hr, Scale(2, 2, 2))) - lr).max() <= allowed + 1e-2


def test_a_crop_lies_where_asked_and_lr_covers_it(stored, tmp_path):
    path = stored(STORED["plain"])
    recipe = Recipe(Scale(2, 2, 2), SHIFTED, crop=CropBox((8, 12, 16), (0.9, 0.5, 0.5)))
    done = simulate_scan(("test", path), recipe, tmp_path / "d")
    hr, lr = (read_volume(tmp_path / "d" / group / path.name) for group in ("testHR", "testLR"))
    assert hr.geometry.shape == (8, 12, 16)
    assert same_grid(sr_geometry(lr.geometry, recipe.scale), hr.geometry, tolerance_mm=1e-4)
    assert done["crop"]["shape"] == [8, 12, 16]
    z, y, x = (start // 2 for start in done["crop"]["first_voxel"])
    assert z == 6 and y in (3, 4) and x == 2
    # Degraded before it was cut: the LR is that of the whole scan, and has no ringing at the cut.
    simulate_scan(("target", path), Recipe(Scale(2, 2, 2), SHIFTED), tmp_path / "whole")
    whole = read_volume(tmp_path / "whole" / "targetLR" / path.name)
    np.testing.assert_array_equal(whole.voxels[z : z + 4, y : y + 6, x : x + 8], lr.voxels)


def test_misaligned_source_has_moved_as_written_down(stored, tmp_path):
    path = stored(STORED["plain"], np.float32)
    recipe = Recipe(Scale(1, 2, 2), pairing="misaligned", seed=4)
    done = simulate_scan(("source", path), recipe, tmp_path / "d")
    moved = read_volume(tmp_path / "d" / "sourceHR" / path.name)
    simulate_scan(("source", path), Recipe(Scale(1, 2, 2), seed=4), tmp_path / "still")
    still = read_volume(tmp_path / "still" / "sourceHR" / path.name)
    expected = misalign(still, Misalignment(**done["misalignment"]))
    np.testing.assert_allclose(moved.voxels, expected.voxels, atol=1e-2)
    assert np.abs(moved.voxels - still.voxels).max() > 10


def test_the_lr_of_a_scan_depends_on_seed_and_name_alone(stored, tmp_path):
    path = stored(STORED["plain"])
    made = {}
    for seed, pairing, group in ((1, "unpaired", "target"), (1, "misaligned", "test"), (2, "unpaired", "target")):
        folder = tmp_path / f"{seed}{pairing}"
        simulate_scan((group, path), Recipe(Scale(2, 2, 2), SHIFTED, pairing, seed), folder)
        made[seed, pairing] = read_volume(folder / f"{group}LR" / path.name).voxels
    np.testing.assert_array_equal(made[1, "unpaired"], made[1, "misaligned"])
    assert (made[1, "unpaired"] != made[2, "unpaired"]).any()


def test_little_below_zero_is_set_to_zero_with_a_warning(tmp_path, random_head, caplog):
    voxels = random_head((20, 24, 24), 1)
    voxels[0, 0, 0] = -5.0
    path = tmp_path / "interpolated.nrrd"
    write_volume(Volume(voxels, Geometry(voxels.shape, (1.0, 1.0, 1.0))), path)
    with caplog.at_level(logging.WARNING):
        simulate_scan(("source", path), Recipe(Scale(2, 2, 2)), tmp_path / "d")
    (message,) = caplog.messages
    assert str(path) in message and "-5" in message
    assert read_volume(tmp_path / "d" / "sourceHR" / path.name).voxels.min() == 0


def with_values(fill):
    voxels = np.full((8, 8, 8), 100.0, np.float32)
    voxels[0, 0, 0] = fill
    return voxels


@pytest.mark.parametrize(
    ("voxels", "found"),
    [
        (with_values(np.nan), "no finite number"),
        (np.zeros((8, 8, 8), np.float32), "no voxel is above 0"),
        (with_values(-40), "down to -40"),
        (np.ones((1, 8, 8), np.float32), "8x8x1 voxels are too few for x2x2x2"),
        (np.ones((8, 8, 8), np.float32), "8x8x8 voxels, --crop asks for 4x4x16"),
    ],
)
def test_a_scan_that_cannot_be_used_is_named(tmp_path, voxels, found):
    path = tmp_path / "scan.mha"
    write_volume(Volume(voxels, Geometry(voxels.shape, (2.0, 1.0, 1.0))), path)
    with pytest.raises(UdeansrError, match=rf"scan\.mha: .*{found}"):
        simulate_scan(("target", path), Recipe(Scale(2, 2, 2), crop=CropBox((16, 4, 4))), tmp_path / "d")


def test_a_crop_has_to_divide(stored, tmp_path):
    recipe = Recipe(Scale(2, 2, 2), crop=CropBox((7, 8, 8)))
    with pytest.raises(UdeansrError, match=r"--crop 8x8x7 .*x2x2x2"):
        simulate_scan(("target", stored(STORED["plain"])), recipe, tmp_path / "d")
