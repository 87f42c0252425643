import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, respaced_geometry, same_grid, sr_geometry
from udeansr.image.volume import Geometry, Volume, triple
from udeansr.models.model import interpolator
from udeansr.prediction.labels import check_labels, find_labels, labels_to_sr, read_labels
from udeansr.prediction.predictor import Predictor

TILT = ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (1.0, 0.0, 0.0))
GRID = Geometry((4, 6, 5), (3.0, 1.2, 0.9), (5.0, -7.0, 11.0), TILT)


def labels_on(grid: Geometry, dtype: str = "int16") -> Volume:
    return Volume(np.random.default_rng(2).integers(0, 40, grid.shape).astype(dtype), grid)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32"])
@pytest.mark.parametrize("scale", [Scale(2, 2, 2), Scale(1, 3, 2)])
def test_each_sr_voxel_has_the_label_of_the_lr_voxel_it_lies_in(tmp_path, dtype, scale):
    labels = labels_on(GRID, dtype)
    write_volume(labels, tmp_path / "a.nii.gz")
    moved = labels_to_sr(read_labels(tmp_path / "a.nii.gz", GRID), sr_geometry(GRID, scale))
    write_volume(moved, tmp_path / "out/labels/a.nii.gz")
    made = read_volume(tmp_path / "out/labels/a.nii.gz")
    assert made.voxels.dtype == labels.voxels.dtype
    assert same_grid(lr_geometry(made.geometry, scale), GRID)
    every = np.stack(np.meshgrid(*map(np.arange, made.voxels.shape), indexing="ij"), axis=-1)
    offsets_mm = made.geometry.world_mm(every) - np.asarray(GRID.origin_mm)
    nearest = np.rint(offsets_mm @ np.linalg.inv(GRID.steps_mm)).astype(int)
    assert np.array_equal(made.voxels, labels.voxels[tuple(np.moveaxis(nearest, -1, 0))])


def test_any_stored_order_goes_with_the_sr_that_prediction_makes():
    resolve = Predictor(interpolator("tricubic", Scale(2, 2, 1)))
    for orientation in ("SPL", "LIA", "ASR"):
        labels = reorient(labels_on(GRID), orientation)
        sr = resolve(labels)
        made = labels_to_sr(labels, sr.geometry)
        assert made.voxels.shape == sr.voxels.shape
        assert np.array_equal(np.unique(made.voxels), np.unique(labels.voxels))


def test_on_a_grid_that_does_not_tile_a_voxel_takes_the_label_that_its_centre_lies_in():
    labels = labels_on(GRID)
    fine = respaced_geometry(GRID, tuple(mm / 1.5 for mm in GRID.spacing_mm))
    made = labels_to_sr(labels, fine)
    step = np.linalg.inv(GRID.steps_mm)
    for index in np.ndindex(fine.shape):
        place = (fine.world_mm(np.array(index)) - np.asarray(GRID.origin_mm)) @ step
        nearest = np.clip(np.floor(place + 0.5 + 1e-9).astype(int), 0, np.array(GRID.shape) - 1)
        assert made.voxels[index] == labels.voxels[tuple(nearest)]


DIFFERENT = {
    "size": (
        replace(GRID, shape=(4, 6, 6)),
        r"its size \(Z, Y, X\) is \[4.0, 6.0, 6.0\], that of its image \[4.0, 6.0, 5",
    ),
    "spacing": (replace(GRID, spacing_mm=(3.0, 1.0, 0.9)), r"its spacing \(Z, Y, X\) is \[3.0, 1.0, 0.9\], that of"),
    "origin": (replace(GRID, origin_mm=(5.0, -7.0, 11.1)), r"its origin .+ is \[5.0, -7.0, 11.1\], that of"),
    "direction": (replace(GRID, axes=((0, 0, 1), (0, 1, 0), (1, 0, 0))), r"its direction .+ is \[\[0.0, 0.0, 1.0\]"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_a_label_map_on_another_grid_is_refused(what):
    grid, message = DIFFERENT[what]
    with pytest.raises(UdeansrError, match=rf"^a.nii: {message}.*; expected a label map on the grid of the LR$"):
        check_labels(Path("a.nii"), labels_on(grid), GRID)


def test_rounding_of_headers_is_no_other_grid():
    near = replace(GRID, origin_mm=triple(mm + 1e-4 for mm in GRID.origin_mm))
    check_labels(Path("a.nii"), labels_on(near), GRID)


def test_what_is_no_label_map_is_refused():
    labels = labels_on(GRID, "float32")
    labels.voxels[0, 0, 0] = 0.5
    with pytest.raises(UdeansrError, match=r"a.nii: holds values that are not whole; expected a label map"):
        check_labels(Path("a.nii"), labels, GRID)


def test_label_maps_are_found_by_name_and_the_rest_told(tmp_path, caplog):
    for name in ("a.nii.gz", "b.mha", "old.nii"):
        (tmp_path / name).touch()
    images = [Path("lr/a.nrrd"), Path("lr/b.mha"), Path("lr/@3_T1")]
    with caplog.at_level(logging.WARNING):
        found = find_labels(tmp_path, images)
    assert found == {images[0]: tmp_path / "a.nii.gz", images[1]: tmp_path / "b.mha"}
    (line,) = caplog.messages
    assert line.endswith("images without labels: 3_T1; labels without an image: old")
    caplog.clear()
    (tmp_path / "old.nii").rename(tmp_path / "3_T1.nii")
    assert len(find_labels(tmp_path, images)) == 3
    assert not caplog.messages


def test_label_maps_that_go_with_nothing_or_with_two_are_refused(tmp_path):
    (tmp_path / "a.nii").touch()
    with pytest.raises(UdeansrError, match=r"no label map has the name of an image; expected such as sub-1.nii.gz"):
        find_labels(tmp_path, [Path("sub-1.nii.gz")])
    (tmp_path / "a.mha").touch()
    with pytest.raises(UdeansrError, match=r"a.nii: has the name of a.mha; expected one label map a name"):
        find_labels(tmp_path, [Path("a.nii")])
