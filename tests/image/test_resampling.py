import numpy as np
import pytest

from udeansr.image.grid import Scale, lr_geometry, sr_geometry
from udeansr.image.resampling import resample_onto, sinc, tricubic
from udeansr.image.volume import Geometry, Volume

INTERPOLATIONS = [tricubic, sinc]


@pytest.mark.parametrize("interpolate", INTERPOLATIONS)
@pytest.mark.parametrize("shape", [(6, 7, 8), (5, 6, 9), (1, 4, 4)])
@pytest.mark.parametrize("scale", [Scale(2, 2, 2), Scale(1, 2, 3), Scale(4, 1, 2)])
def test_interpolations_are_linear_keep_constants_and_commute_with_flips(interpolate, shape, scale):
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, *shape)).astype(np.float32)
    fine = interpolate(one, scale)
    assert fine.dtype == np.float32
    assert fine.shape == tuple(n * s for n, s in zip(shape, scale.zyx, strict=True))
    assert np.allclose(interpolate(2 * one - other, scale), 2 * fine - interpolate(other, scale), atol=1e-5)
    assert np.allclose(interpolate(np.full(shape, 3.5), scale), 3.5, atol=1e-5)
    for axis in range(3):
        assert np.allclose(interpolate(np.flip(one, axis), scale), np.flip(fine, axis), atol=1e-5)


@pytest.mark.parametrize("interpolate", INTERPOLATIONS)
def test_a_blob_stays_where_it_was_in_the_world(interpolate):
    lr = Geometry((20, 22, 24), (2.0, 1.5, 1.2), (3.0, -4.0, 5.0))
    centre = lr.world_mm((9.3, 11.6, 12.2))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in lr.shape), indexing="ij"), axis=-1)
    blob = np.exp(-0.5 * (((lr.world_mm(index) - centre) / 4) ** 2).sum(-1))
    scale = Scale(2, 3, 2)
    fine = interpolate(blob, scale)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in fine.shape), indexing="ij"), axis=-1)
    found = (sr_geometry(lr, scale).world_mm(index) * fine[..., None]).sum((0, 1, 2)) / fine.sum()
    assert np.abs((found - centre) / np.array(lr.spacing_mm[::-1])).max() < 0.05


def test_tricubic_gives_back_a_parabola():
    lr = Geometry((2, 2, 12), (1.0, 1.0, 1.0))
    x = lr.world_mm(np.stack(np.meshgrid(*(np.arange(n) for n in lr.shape), indexing="ij"), axis=-1))[..., 0]
    scale = Scale(1, 1, 2)
    fine_x = sr_geometry(lr, scale).world_mm(np.array([(0, 0, i) for i in range(24)]))[:, 0]
    assert np.allclose(tricubic(x**2, scale)[0, 0, 4:-4], fine_x[4:-4] ** 2, atol=1e-4)


def test_sinc_gives_back_a_band_limited_wave():
    n, cycles, factor = 16, 5, 3
    lr_positions = np.arange(n)
    wave = np.cos(2 * np.pi * cycles * lr_positions / n + 0.4)
    fine = sinc(np.broadcast_to(wave, (2, 2, n)), Scale(1, 1, factor))[0, 0]
    positions = (np.arange(n * factor) + 0.5) / factor - 0.5
    assert np.allclose(fine, np.cos(2 * np.pi * cycles * positions / n + 0.4), atol=1e-5)


def test_resampling_onto_the_own_grid_changes_nothing_and_onto_another_keeps_places():
    rng = np.random.default_rng(0)
    geometry = Geometry((10, 12, 14), (2.0, 1.0, 1.0), (1.0, 2.0, 3.0), ((0, 0, 1), (0, -1, 0), (-1, 0, 0)))
    volume = Volume(rng.normal(size=geometry.shape).astype(np.float32), geometry)
    assert np.allclose(resample_onto(volume, geometry).voxels, volume.voxels, atol=1e-4)

    places = geometry.world_mm(np.stack(np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij"), axis=-1))
    ramp = Volume((places @ [1.0, 2.0, 3.0]).astype(np.float32), geometry)
    coarse = lr_geometry(geometry, Scale(2, 2, 2))
    found = resample_onto(ramp, coarse).voxels[1:-1, 1:-1, 1:-1]
    index = np.stack(np.meshgrid(*(np.arange(n) for n in coarse.shape), indexing="ij"), axis=-1)
    assert np.allclose(found, (coarse.world_mm(index) @ [1.0, 2.0, 3.0])[1:-1, 1:-1, 1:-1], atol=0.2)
