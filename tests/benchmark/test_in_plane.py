"""Thick slices as their own truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from udeansr.benchmark.in_plane import CUBIC, HR, LR, OWN, restore_in_plane, thicken, thickened_in_plane
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.volume import Geometry, Volume

QUICK = ("self.iterations=5", "self.features=8", "self.blocks=2")


@pytest.fixture
def scan(textured_head, tmp_path):
    """A folder with a scan of 3.1 mm slices, 1 x 1 mm in the plane; left-right was interpolated by its scanner."""
    voxels = ndimage.gaussian_filter(textured_head(1, (14, 60, 56), 1.4, 1.0, 0.4), 0.4)
    spectrum = np.fft.fft(voxels, axis=2)
    spectrum[:, :, 18:39] = 0
    image = np.rint(500 * np.maximum(np.fft.ifft(spectrum, axis=2).real, 0)).astype(np.int16)
    path = tmp_path / "in" / "anna_FLAIR.nii.gz"
    write_volume(Volume(image, Geometry(image.shape, (3.1, 1.0, 1.0))), path)
    return path


def test_slices_run_along_the_axis_that_resolves_more_and_are_the_coarsest(scan):
    stored = read_volume(scan)
    truth, lr = thickened_in_plane(scan)
    assert truth.geometry.spacing_mm == (1.0, 3.1, 1.0) and lr.geometry.spacing_mm == (4.0, 3.1, 1.0)
    assert truth.voxels.shape == (60, 14, 56) and lr.voxels.shape == (15, 14, 56)
    assert truth.geometry.orientation[0] == stored.geometry.orientation[1]
    assert np.array_equal(np.sort(truth.voxels, axis=None), np.sort(stored.voxels, axis=None))


def test_the_mean_of_a_flat_scan_stays_and_noise_is_seeded():
    flat = Volume(np.full((10, 6, 5), 7.0, np.float32), Geometry((10, 6, 5), (1.0, 1.0, 1.0)))
    lr = thicken(flat, 3)
    assert lr.voxels.shape == (3, 6, 5) and np.allclose(lr.voxels, 7, atol=1e-4)
    assert lr.geometry.spacing_mm == (3.0, 1.0, 1.0)
    spotted = replace(flat, voxels=flat.voxels + np.arange(10, dtype=np.float32)[:, None, None])
    one, same, other = (thicken(spotted, 3, noise=0.1, seed=seed).voxels for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_all_lies_on_the_grid_of_the_scan_itself(scan, tmp_path):
    restore_in_plane(scan.parent, tmp_path / "out", QUICK, "cpu")
    made = {name: read_volume(tmp_path / "out" / name / "anna_FLAIR.nii.gz") for name in (LR, HR, OWN, CUBIC)}
    assert made[OWN].geometry.spacing_mm == made[CUBIC].geometry.spacing_mm == made[HR].geometry.spacing_mm
    assert made[OWN].voxels.shape == made[CUBIC].voxels.shape == made[HR].voxels.shape == (60, 14, 56)
    error = {name: np.square(made[name].voxels - made[HR].voxels.astype(float)).mean() for name in (OWN, CUBIC)}
    assert max(error.values()) < 0.3 * made[HR].voxels.var()
    with pytest.raises(UdeansrError, match=r"out/lr: is there already; give another -o, or remove it"):
        restore_in_plane(scan.parent, tmp_path / "out", QUICK, "cpu")


def test_a_scan_without_thick_slices_is_refused_and_nothing_made(scan, tmp_path):
    image = np.ones((20, 20, 20), np.int16)
    write_volume(Volume(image, Geometry(image.shape, (1.1, 1.0, 1.0))), scan.parent / "b.nii.gz")
    with pytest.raises(UdeansrError, match=r"b\.nii\.gz: 1.1 x 1 x 1 mm; expected slices at least 1.2 times as thick"):
        restore_in_plane(scan.parent, tmp_path / "out", QUICK, "cpu")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_learned_from_leaves_nothing(tmp_path):
    image = np.random.default_rng(0).integers(1, 9, (9, 40, 44)).astype(np.int16)
    write_volume(Volume(image, Geometry(image.shape, (3.0, 1.0, 1.0))), tmp_path / "in" / "a.nii.gz")
    with pytest.raises(UdeansrError, match="too small for slices 4 mm apart"):
        restore_in_plane(tmp_path / "in", tmp_path / "out", QUICK, "cpu")
    assert not list((tmp_path / "out").iterdir())
