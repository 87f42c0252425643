from dataclasses import replace

import numpy as np
import pytest

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.files import read_volume
from udeansr.image.grid import Scale, sr_geometry
from udeansr.image.resampling import sinc
from udeansr.image.volume import Geometry, Volume
from udeansr.report.pair import Pair, make_pair
from udeansr.report.spectra import AGREED, agreements, axis_spectra, resolved_mm


@pytest.fixture(scope="module")
def spectra(case):
    pair = make_pair(read_volume(case["lr"]), read_volume(case["sr"]))
    return axis_spectra(pair, {"HR": pair.on_sr_grid(read_volume(case["hr"]))})


def test_each_axis_has_the_curves_of_all_images(spectra):
    assert sorted(axis.direction for axis in spectra) == ["front-back", "head-feet", "left-right"]
    for axis in spectra:
        assert list(axis.curves) == ["LR", "tricubic", "SR", "HR"]
        assert axis.curves["SR"].frequency[-1] == pytest.approx(2 * axis.lr_nyquist, rel=0.1)
        assert axis.curves["LR"].frequency[-1] < axis.lr_nyquist


def test_images_agree_in_what_the_lr_measured_and_sr_lies_above_interpolation_beyond(spectra):
    for axis in spectra:

        def at(name, frequency, axis=axis):
            return np.interp(frequency, axis.curves[name].frequency, axis.curves[name].power_db)

        low, beyond = 0.2 * axis.lr_nyquist, 1.3 * axis.lr_nyquist
        assert at("LR", low) == pytest.approx(at("HR", low), abs=2)
        assert at("tricubic", beyond) + 3 < at("SR", beyond) <= at("HR", beyond) + 1


def test_white_noise_has_one_density_whatever_the_spacing():
    rng = np.random.default_rng(0)
    geometry = Geometry((40, 40, 40), (2.0, 2.0, 2.0))
    pair = Pair(*(rng.standard_normal((n, n, n)).astype(np.float32) for n in (40, 80)), Scale(2, 2, 2), geometry, 1.0)
    for axis in axis_spectra(pair, {}):
        lr, sr = (np.mean(axis.curves[name].power_db) for name in ("LR", "SR"))
        assert lr == pytest.approx(10 * np.log10(2.0), abs=0.3)  # density of 1 a voxel, along an axis of 2 mm
        assert sr == pytest.approx(10 * np.log10(1.0) - 10 * np.log10(4), abs=0.5)  # a quarter of it in the LR's band


@pytest.mark.parametrize("factor", [2, 4, 5])
def test_an_interpolated_axis_is_found_to_resolve_no_more_than_before(factor, case):
    lr = read_volume(case["hr"])
    scale = Scale(factor, 1, 1)
    geometry = sr_geometry(lr.geometry, scale)
    fine = Volume(sinc(lr.voxels, scale), geometry)
    found = resolved_mm(fine.voxels, 0, geometry.spacing_mm[0], factor)
    assert found == pytest.approx(lr.geometry.spacing_mm[0], rel=0.15)


def test_two_runs_agree_up_to_where_each_begins_to_invent(case):
    pair = make_pair(read_volume(case["lr"]), read_volume(case["hr"]))
    rng = np.random.default_rng(0)
    kept = sinc(truncate_kspace(pair.sr, pair.scale), pair.scale)

    def invented() -> np.ndarray:
        noise = 0.3 * rng.standard_normal(pair.sr.shape).astype(np.float32)
        return kept + noise - sinc(truncate_kspace(noise, pair.scale), pair.scale)

    runs = replace(pair, sr=invented())
    for axis, lr_mm in zip(agreements(runs, invented()), pair.geometry.spacing_mm, strict=True):
        inside = np.array(axis.frequency) < 0.4 / lr_mm
        assert (np.array(axis.correlation)[inside] > 0.9).all() and axis.correlation[-1] < AGREED
        assert axis.mm == pytest.approx(lr_mm, rel=0.15)
    assert [axis.mm for axis in agreements(runs, runs.sr)] == list(pair.fine.spacing_mm)
