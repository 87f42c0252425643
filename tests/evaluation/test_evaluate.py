from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.evaluation.evaluate import Pair, evaluate, score_pair
from udeansr.evaluation.scores import METRICS
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.grid import reorient
from udeansr.image.volume import Geometry, Volume

GRID = Geometry((12, 14, 16), (2.0, 1.0, 1.0), (3.0, -4.0, 5.0))


def image(seed: int = 0, geometry: Geometry = GRID) -> Volume:
    voxels = np.random.default_rng(seed).random(geometry.shape, dtype=np.float32) * 900 + 100
    return Volume(voxels, geometry)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """SR that is HR and a little noise, and HR."""
    for number in range(3):
        hr = image(number)
        noise = np.random.default_rng(9).normal(size=GRID.shape).astype(np.float32)
        write_volume(hr, tmp_path / "hr" / f"case{number}.nii.gz")
        write_volume(Volume(hr.voxels + 50 * noise, GRID), tmp_path / "sr" / f"case{number}.mha")
    return tmp_path / "sr", tmp_path / "hr"


def test_partners_have_one_name_whatever_their_suffix_and_the_order_is_theirs(folders):
    sr, hr = folders
    scores = evaluate([sr, hr], hr)
    assert [folder.folder for folder in scores.folders] == ["sr", "hr"]
    assert list(scores.folders[0].cases) == ["case0", "case1", "case2"]
    assert set(scores.folders[0].cases["case0"]) == set(METRICS)
    for case, of_sr in scores.folders[0].cases.items():
        of_hr = scores.folders[1].cases[case]
        assert of_hr["psnr_db"] == np.inf and of_hr["nrmse"] == 0 and of_hr["ssim_2d"] == pytest.approx(1)
        assert of_hr["spectrum_high_db"] == 0 and of_hr["gain"] == 1
        assert of_sr["psnr_db"] == pytest.approx(-20 * np.log10(50 / 1000), abs=0.5)
        assert of_hr["shift_voxels"] < 1e-4 < of_sr["shift_voxels"] < 0.05
        assert of_sr["spectrum_high_db"] != 0 and of_sr["gain"] == pytest.approx(1, abs=0.01)


def test_scores_do_not_depend_on_the_unit(folders, tmp_path):
    sr, hr = folders
    times = 7.0
    for folder, name in ((sr, "sr7"), (hr, "hr7")):
        for path in list_images(folder):
            volume = read_volume(path)
            write_volume(Volume(volume.voxels * np.float32(times), volume.geometry), tmp_path / name / path.name)
    plain, scaled = evaluate([sr], hr).folders[0], evaluate([tmp_path / "sr7"], tmp_path / "hr7").folders[0]
    for metric in METRICS:
        assert scaled.mean(metric) == pytest.approx(plain.mean(metric), rel=1e-4, abs=1e-5)


def test_the_order_in_which_axes_are_stored_does_not_matter(folders, tmp_path):
    sr, hr = folders
    turned = reorient(image(0), "RAI")
    write_volume(turned, tmp_path / "turned.nii")
    assert score_pair(Pair(tmp_path / "turned.nii", hr / "case0.nii.gz", None))["nrmse"] == pytest.approx(0, abs=1e-6)
    assert score_pair(Pair(sr / "case0.mha", tmp_path / "turned.nii", None)) == pytest.approx(
        score_pair(Pair(sr / "case0.mha", hr / "case0.nii.gz", None)), rel=1e-4
    )


def test_slices_lie_across_the_coarsest_axis_unless_the_user_says(tmp_path):
    # SR whose slices along Z have a gain each.
    hr = image()
    gains = np.linspace(0.5, 1.5, GRID.shape[0], dtype=np.float32)[:, None, None]
    write_volume(hr, tmp_path / "hr.nii")
    write_volume(Volume(hr.voxels * gains, GRID), tmp_path / "sr.nii")
    scores = {
        name: score_pair(Pair(tmp_path / "sr.nii", tmp_path / "hr.nii", name)) for name in (None, "axial", "sagittal")
    }
    assert scores[None] == scores["axial"]
    assert abs(scores["sagittal"]["ssim_2d"] - scores["axial"]["ssim_2d"]) > 0.01
    assert scores["sagittal"]["psnr_db"] == pytest.approx(scores["axial"]["psnr_db"])


def test_the_foreground_is_that_of_the_reference(tmp_path):
    hr = image(geometry=Geometry((24, 24, 32), (1.0, 1.0, 1.0)))
    hr.voxels[:, :, 16:] = 0
    sr = hr.voxels.copy()
    sr[:, :, 21:] = 500
    write_volume(hr, tmp_path / "hr.nii")
    write_volume(Volume(sr, hr.geometry), tmp_path / "sr.nii")
    scores = score_pair(Pair(tmp_path / "sr.nii", tmp_path / "hr.nii", None))
    assert scores["foreground_psnr_db"] == np.inf and scores["foreground_ssim_3d"] == pytest.approx(1)
    assert scores["psnr_db"] < 30 and scores["ssim_3d"] < 0.99


def test_two_single_images_are_partners_whatever_their_names(folders, tmp_path):
    sr, hr = folders
    scores = evaluate([sr / "case0.mha"], hr / "case1.nii.gz")
    assert list(scores.folders[0].cases) == ["case0"]


def test_processes_change_nothing(folders):
    sr, hr = folders
    assert evaluate([sr], hr, processes=2) == evaluate([sr], hr)


def test_folders_of_one_name_are_told_apart(folders, tmp_path):
    sr, hr = folders
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sr").symlink_to(sr)
    labels = [folder.folder for folder in evaluate([sr, tmp_path / "other" / "sr"], hr).folders]
    assert labels == [str(sr), str(tmp_path / "other" / "sr")]


def test_an_image_thinner_than_the_window_has_no_3d_score_and_a_warning(tmp_path, caplog):
    thin = image(geometry=Geometry((5, 14, 16), (4.0, 1.0, 1.0)))
    write_volume(thin, tmp_path / "a.nii")
    scores = score_pair(Pair(tmp_path / "a.nii", tmp_path / "a.nii", None))
    assert np.isnan(scores["ssim_3d"]) and scores["ssim_2d"] == pytest.approx(1)
    assert "a.nii: no SSIM: a shape of (5, 14, 16) is smaller" in caplog.text


def test_an_image_without_detail_place_or_power_has_no_such_scores_and_warnings(tmp_path, caplog):
    write_volume(image(), tmp_path / "hr.nii")
    write_volume(Volume(np.zeros(GRID.shape, np.float32), GRID), tmp_path / "sr.nii")
    scores = score_pair(Pair(tmp_path / "sr.nii", tmp_path / "hr.nii", None))
    assert scores["gain"] == 0 and scores["nrmse"] == 1
    for score in ("spectrum_low_db", "spectrum_middle_db", "spectrum_high_db", "shift_voxels"):
        assert np.isnan(scores[score])
    for words in ("no spectrum error in the high band: it or its reference has", "no shift: a constant image"):
        assert f"{tmp_path / 'sr.nii'}: {words}" in caplog.text


def test_a_foreground_where_no_window_fits_has_no_ssim(tmp_path):
    corner = image()
    corner.voxels[:, 5:] = corner.voxels[5:] = corner.voxels[:, :, 5:] = 0
    write_volume(corner, tmp_path / "a.nii")
    scores = score_pair(Pair(tmp_path / "a.nii", tmp_path / "a.nii", None))
    assert np.isnan(scores["foreground_ssim_2d"]) and np.isnan(scores["foreground_ssim_3d"])
    assert scores["foreground_nrmse"] == 0 and scores["ssim_3d"] == pytest.approx(1)


def test_all_images_without_a_partner_are_told(folders):
    sr, hr = folders
    (sr / "case1.mha").rename(sr / "cake1.mha")
    with pytest.raises(UdeansrError) as told:
        evaluate([sr], hr)
    assert f"1 of {sr} have no image of their name in {hr}: cake1" in str(told.value)
    assert f"1 of {hr} have none in {sr}: case1" in str(told.value)


def test_two_images_of_one_name_are_an_error(folders):
    sr, hr = folders
    write_volume(image(), sr / "case0.nii")
    with pytest.raises(UdeansrError, match=r"case0.mha and case0.nii have one name; take one"):
        evaluate([sr], hr)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (replace(GRID, origin_mm=(3.0, -4.0, 5.5)), "0.5 mm apart at the farthest corner, 0.5 mm at the first voxel"),
        (replace(GRID, spacing_mm=(2.1, 1.0, 1.0)), "1.1 mm apart at the farthest corner, 0 mm at the first voxel"),
        (Geometry((6, 14, 16), (4.0, 1.0, 1.0)), "12 x 14 x 16 voxels of 4 x 1 x 1 mm and 2 x 1 x 1 mm"),
    ],
)
def test_another_grid_is_an_error_that_names_both_files_and_the_difference(folders, changed, words):
    sr, hr = folders
    write_volume(image(geometry=changed), sr / "case2.mha")
    with pytest.raises(UdeansrError) as told:
        evaluate([sr], hr)
    assert f"{sr / 'case2.mha'} and {hr / 'case2.nii.gz'} lie on different grids: " in str(told.value)
    assert words in str(told.value)


def test_voxels_that_cannot_be_scored_are_an_error(tmp_path):
    good, empty, broken = image(), image(), image()
    empty.voxels[:] = 0
    broken.voxels[0, 0, :2] = np.nan
    for name, volume in (("good", good), ("empty", empty), ("broken", broken)):
        write_volume(volume, tmp_path / f"{name}.mha")
    with pytest.raises(UdeansrError, match=r"empty.mha: no voxel is above 0"):
        evaluate([tmp_path / "good.mha"], tmp_path / "empty.mha")
    with pytest.raises(UdeansrError, match=r"broken.mha: 2 voxels are not finite"):
        evaluate([tmp_path / "broken.mha"], tmp_path / "good.mha")
    with pytest.raises(UdeansrError, match="slices 'oblique' are none; expected sagittal, coronal, axial"):
        evaluate([tmp_path / "good.mha"], tmp_path / "good.mha", "oblique")
