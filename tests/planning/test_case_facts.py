import numpy as np
import pytest

from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import reorient
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.case_facts import Request, examine
from udeansr.planning.cohort_grid import CohortGrid
from udeansr.planning.raw_dataset import Case

GRID = CohortGrid("SPL", (3.0, 2.0, 2.0), (1.5, 1.0, 1.0))


def looked_at(path, group="targetLR", grid=GRID, spectrum=True):
    return examine(Request(group, Case("a", path), grid, spectrum))


def test_facts_are_those_of_the_plans_orientation(dataset):
    voxels = np.zeros((8, 20, 24), dtype=np.uint16)
    voxels[1:6, 2:20, 4:24] = np.random.default_rng(0).integers(500, 900, (5, 18, 20))
    path = dataset.write("targetLR", "a.nii.gz", voxels)
    write_volume(reorient(read_volume(path), "RSA"), path)
    facts = looked_at(path).facts
    assert facts is not None
    assert (facts.orientation, facts.dtype) == ("RSA", "uint16")
    assert (facts.shape, facts.spacing_mm) == ((8, 20, 24), (3.0, 2.0, 2.0))
    assert (facts.foreground_start, facts.foreground_shape) == ((1, 2, 4), (5, 18, 20))
    assert facts.foreground_fraction == pytest.approx(5 * 18 * 20 / voxels.size, abs=1e-6)
    inside = voxels[voxels > 0]
    assert facts.foreground_percentiles == pytest.approx(np.percentile(inside, (0.5, 50, 99.5)), rel=1e-5)
    assert facts.intensity_scale == facts.foreground_percentiles[2]


def test_the_spectrum_does_not_depend_on_orientation_and_unit(dataset):
    path = dataset.write("targetLR", "a.nii.gz")
    volume = reorient(read_volume(path), "LIP")
    again = dataset.folder / "b.nrrd"
    write_volume(Volume(volume.voxels.astype(np.float32) * 3, volume.geometry), again)
    one, other = looked_at(path), looked_at(again)
    np.testing.assert_allclose(one.spectrum, other.spectrum, atol=1e-4)
    assert one.facts.digest != other.facts.digest


@pytest.mark.parametrize("mm", [(1.5, 1.0, 1.0), (1.5, 1.1, 1.0)])
def test_the_spectrum_of_hr_is_that_of_its_truncation_resampled_where_needed(tmp_path, mm):
    """White noise of HR keeps only the part of its power that the LR's k-space holds."""
    rng = np.random.default_rng(0)
    path = tmp_path / "a.nii.gz"
    write_volume(Volume(rng.normal(100, 5, (64, 64, 64)).astype(np.float32), Geometry((64, 64, 64), mm)), path)
    spectrum = looked_at(path, "sourceHR").spectrum
    outer = spectrum[4:12, 4:12, 4:12]
    expected = np.log((5 / np.percentile(rng.normal(100, 5, 10**5), 99.5)) ** 2 / 8)
    assert np.nanmean(outer) == pytest.approx(expected, abs=0.1 if mm == (1.5, 1.0, 1.0) else 0.5)


def test_no_spectrum_where_none_is_wanted_or_possible(dataset):
    path = dataset.write("targetLR", "a.nii.gz")
    assert looked_at(path, spectrum=False).spectrum is None
    assert looked_at(path, grid=None).spectrum is None
    small = looked_at(dataset.write("targetLR", "small.nii.gz", shape=(8, 20, 4)))
    assert (small.spectrum, small.faults) == (None, ())


def test_a_fault_is_returned_not_raised(tmp_path):
    found = looked_at(tmp_path / "missing.nii.gz")
    assert len(found.faults) == 1
    assert (found.facts, found.geometry) == (None, None)
