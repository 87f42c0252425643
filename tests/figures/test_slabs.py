import numpy as np
import pytest
import torch

from udeansr.figures.slabs import Slabs, middle_slice, most_alike, slabs_of
from udeansr.image.files import write_volume
from udeansr.image.grid import Scale, reorient
from udeansr.image.volume import Geometry, Volume
from udeansr.inference.whole_volume import super_resolve_volume
from udeansr.methods import build_method, parse_settings
from udeansr.models.model import Model
from udeansr.planning.plan import Plan
from udeansr.preprocessing.preparation import prepare_hr, prepare_lr


@pytest.fixture
def model(tiny_configuration):
    configuration = tiny_configuration("x2x2x1", lr_spacing_mm=(3.0, 2.0, 2.0), patch_size=(16, 16))
    plan = Plan("Dataset001_A", "SPL", 1.25, {"x2x2x1": configuration})
    method = build_method("udean", configuration, parse_settings("udean", []))
    return Model(method.eval(), configuration.task.factors, plan, configuration)


def head(shape, spacing_mm, widest, seed):
    """A box of noise in air, one slice of which is wider."""
    rng = np.random.default_rng(seed)
    _, y, x = shape
    voxels = np.zeros(shape, np.float32)
    voxels[2:-2, y // 4 : -y // 4, x // 4 : -x // 4] = 0.5
    voxels[widest, y // 8 : -y // 8, x // 8 : -x // 8] = 0.6
    voxels[voxels > 0] += 0.2 * rng.random(int((voxels > 0).sum()))
    return Volume(voxels, Geometry(shape, spacing_mm))


def test_both_slabs_are_prepared_as_for_training_and_sr_is_what_prediction_gives(model, tmp_path):
    hr, lr = head((12, 64, 64), (3.0, 1.0, 1.0), 8, 1), head((10, 34, 32), (3.0, 2.0, 2.0), 4, 2)
    write_volume(reorient(hr, "RAS"), tmp_path / "sub-1.nii.gz")
    write_volume(lr, tmp_path / "sub-2.nii.gz")
    slabs = slabs_of(model, tmp_path / "sub-1.nii.gz", tmp_path / "sub-2.nii.gz")
    assert (slabs.source, slabs.target) == ("sub-1", "sub-2")
    prepared = prepare_lr(lr, model.plan, model.configuration, tmp_path)
    place = 4 - prepared.start[0]
    _, y, x = prepared.voxels.shape
    assert y % 2 and tuple(slabs.lr.shape[2:]) == (y - 1, x - x % 2), "no odd side was tried"
    assert np.array_equal(slabs.lr[0].numpy(), prepared.voxels[place - 1 : place + 2, : y - 1, : x - x % 2])
    source = prepare_hr(hr, model.plan, model.configuration, tmp_path).voxels
    assert any(np.array_equal(slabs.hr[0].numpy(), source[first : first + 3]) for first in range(len(source) - 2))
    whole = super_resolve_volume(model.method, prepared.voxels, device="cpu", precision="fp32")
    assert np.allclose(slabs.sr, whole[place, : 2 * (y - 1), : 2 * (x - x % 2)], atol=1e-5)


def test_the_most_alike_slice_is_found_whatever_its_place_size_and_level():
    rng = np.random.default_rng(3)
    candidates = np.zeros((5, 48, 40))
    candidates[:, 8:40, 4:36] = 0.3 + rng.random((5, 4, 4)).repeat(8, axis=1).repeat(8, axis=2)
    wanted = np.zeros((30, 36))
    wanted[3:19, 18:34] = 7 * candidates[3, 8:40:2, 4:36:2]
    assert most_alike(candidates, wanted) == 3
    assert most_alike(np.zeros((2, 5, 5)), wanted) == 0


@pytest.fixture
def slabs():
    hr, lr = torch.rand(1, 3, 8, 12), torch.rand(1, 3, 6, 5)
    hr_grid, lr_grid = Geometry((9, 8, 12), (3.0, 1.0, 1.5)), Geometry((9, 6, 5), (3.0, 2.0, 3.0))
    return Slabs("a", "b", hr, lr, np.zeros((12, 10)), hr_grid, lr_grid, Scale(1, 2, 2))


def test_planes_of_both_grids_are_drawn_in_mm(slabs):
    fine, coarse = slabs.drawn(middle_slice(slabs.hr), True), slabs.drawn(torch.zeros(4, 6), True)
    assert fine.spacing_mm == (1.0, 1.5) and coarse.spacing_mm == (2.0, 3.0)
    assert np.array_equal(fine.pixels, slabs.hr[0, 1].numpy()) and fine.rows_by_columns == coarse.rows_by_columns
    assert slabs.drawn(slabs.sr, False).spacing_mm == (1.0, 1.5)
    for of_source, shape in ((True, (6, 5)), (True, (16, 24)), (False, (3, 2)), (False, (8, 12))):
        with pytest.raises(ValueError, match="lies on no grid of a slab"):
            slabs.drawn(torch.zeros(shape), of_source)
