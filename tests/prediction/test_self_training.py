import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from udeansr.degradation.slice_profile import acquire_slices
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import reorient
from udeansr.image.resampling import tricubic
from udeansr.image.volume import Geometry, Volume
from udeansr.methods.self_supervised import SelfSettings
from udeansr.models.export import save_model
from udeansr.models.model import load_model
from udeansr.models.thick_slices import bundled_start
from udeansr.prediction.predictor import Predictor
from udeansr.prediction.self_training import cannot_teach, learn_protocol, model_name, protocols

SMALL = ["self.features=8", "self.blocks=2"]
QUICK = [*SMALL, "self.iterations=600", "self.patch_rows=8", "self.patch_columns=16"]
THICK = Geometry((14, 60, 56), (3.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def scan(textured_head, tmp_path_factory):
    """A thick-slice scan whose truth is known: the truth, and the file of the scan."""
    smooth = ndimage.gaussian_filter(textured_head(1, (42, 60, 56), 1.4, 1.0, 0.4), 1.5)
    hr = ndimage.gaussian_filter(np.rint(2 * smooth) / 2, 0.5)  # tissues with edges between them, as people have
    lr = np.rint(500 * acquire_slices(hr, 3, 3.0)).astype(np.int16)
    path = tmp_path_factory.mktemp("thick") / "anna_T2w.nii.gz"
    write_volume(Volume(lr, THICK), path)
    return 500 * hr, path


@pytest.fixture(scope="module")
def learned(scan):
    _, path = scan
    (protocol,) = protocols([(path, THICK)])
    return learn_protocol(protocol, QUICK, "cpu", "fp32")


def psnr(made, truth):
    return -10 * np.log10(np.mean((made - truth) ** 2) / truth.max() ** 2)


def test_it_beats_cubic_on_the_scan_that_it_learned_from(scan, learned):
    truth, path = scan
    lr = read_volume(path)
    made = Predictor(learned)(lr)
    assert made.geometry.spacing_mm == (1.0, 1.0, 1.0) and made.voxels.dtype == np.int16
    cubic = tricubic(lr.voxels, learned.scale)
    assert psnr(made.voxels, truth) > psnr(cubic, truth) + 0.3


def test_the_same_scan_teaches_the_same(scan, learned):
    _, path = scan
    (protocol,) = protocols([(path, THICK)])
    again = learn_protocol(protocol, QUICK, "cpu", "fp32")
    for name, weight in again.method.state_dict().items():
        assert weight.equal(learned.method.state_dict()[name])


def test_what_was_learned_can_be_kept_and_given_again(scan, learned, tmp_path):
    _, path = scan
    save_model(learned, tmp_path / "m.zip", None)
    again = load_model(tmp_path / "m.zip")
    assert again.name == "self-t2w-x1x1x3" and again.method.slice_thickness == 1.0
    one, other = Predictor(learned).predict(read_volume(path)), Predictor(again).predict(read_volume(path))
    assert np.array_equal(one.sr.voxels, other.sr.voxels)
    assert one.trust.consistency_db > 25 and abs(one.trust.gain - 1) < 0.05


def test_any_orientation_gives_the_same(scan, learned):
    _, path = scan
    lr = read_volume(path)
    turned = reorient(lr, "LSA")
    made = reorient(Predictor(learned)(turned), lr.geometry.orientation)
    straight = Predictor(learned)(lr)
    assert np.abs(made.voxels.astype(int) - straight.voxels).max() <= 1
    assert made.geometry.spacing_mm == straight.geometry.spacing_mm


def test_quality_averages_mirrored_predictions_and_gives_uncertainty(scan, learned):
    _, path = scan
    lr = read_volume(path)
    fast, balanced = Predictor(learned), Predictor(learned, quality="balanced", uncertainty=True)
    made = balanced.predict(lr)
    assert made.uncertainty is not None and made.uncertainty.voxels.max() > 0
    assert not np.array_equal(made.sr.voxels, fast(lr).voxels)


def test_a_wanted_spacing_is_met_and_the_middle_stays(scan):
    _, path = scan
    (protocol,) = protocols([(path, THICK)], 0.9)
    assert protocol.factor == 4
    model = learn_protocol(protocol, [*SMALL, "self.iterations=0"], "cpu", "fp32")
    made = Predictor(model, spacing_mm=(0.9, 1.25, 1.25))(read_volume(path))
    assert made.geometry.spacing_mm == (0.9, 1.25, 1.25) and made.geometry.shape == (47, 48, 45)
    middles = [grid.world_mm((np.array(grid.shape) - 1) / 2) for grid in (made.geometry, THICK)]
    assert np.allclose(*middles)
    isotropic = Predictor(model, spacing_mm="isotropic")(read_volume(path))
    assert isotropic.geometry.spacing_mm == (1.0, 1.0, 1.0)
    with pytest.raises(UdeansrError, match=r"--spacing asks for 3 x 1 x 1 mm and its own spacing is 3 x 1 x 1 mm"):
        Predictor(model, spacing_mm=(3.0, 1.0, 1.0))(read_volume(path))


def test_a_synthetic_lesion_stays(scan):
    """No training has seen it: a bright ball of 6 mm in the truth, thick slices of it, what of it is in their SR."""
    truth, path = scan
    (protocol,) = protocols([(path, THICK)])
    learned = learn_protocol(protocol, [], "cpu", "fp32")
    grids = np.meshgrid(*(np.arange(n) for n in truth.shape), indexing="ij")
    distance = np.sqrt(sum((g - c) ** 2 for g, c in zip(grids, (20, 30, 28), strict=True)))
    lesion = 300 * np.clip(3.5 - distance, 0, 1)
    with_it, without = (
        Predictor(learned)(Volume(acquire_slices(hr.astype(np.float32), 3, 3.0), THICK)).voxels
        for hr in (truth + lesion, truth)
    )
    kept = (with_it - without).sum() / lesion.sum()
    assert kept == pytest.approx(1, abs=0.03)


def test_images_of_one_protocol_go_together(tmp_path):
    grids = {"a_T2w": (4.0, 0.7, 0.7), "b_T2w": (4.04, 0.7, 0.7), "c_FLAIR": (4.0, 0.7, 0.7), "d_T2w": (3.0, 0.7, 0.7)}
    images = [(tmp_path / f"{name}.nii.gz", Geometry((30, 300, 300), mm)) for name, mm in grids.items()]
    found = protocols(images)
    assert [[image.name[0] for image in protocol.images] for protocol in found] == [["a", "b"], ["c"], ["d"]]
    assert [protocol.factor for protocol in found] == [6, 6, 5]
    assert [model_name(protocol) for protocol in found] == ["self-t2w-x1x1x6", "self-flair-x1x1x6", "self-t2w-x1x1x5"]
    assert str(found[0]) == "2 images of T2w, 4 x 0.7 x 0.7 mm"


def test_a_sidecar_tells_the_thickness_and_an_absurd_one_is_not_believed(tmp_path, caplog):
    grid = Geometry((30, 300, 300), (4.0, 0.7, 0.7))
    for name, told in (("a", 2.8), ("b", 4.0), ("c", 400.0)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"SliceThickness": told}))
    found = protocols([(tmp_path / f"{name}.nii.gz", grid) for name in "abcd"])
    assert [protocol.thickness for protocol in found] == [0.7, 1.0]
    assert [image.name[0] for image in found[1].images] == ["b", "c", "d"]
    assert "says a slice thickness of 400 mm; not believed" in caplog.text


def test_the_thickness_that_is_told_is_learned_for(scan):
    _, path = scan
    (protocol,) = protocols([(path, THICK)])
    told = replace(protocol, thickness=0.7)
    assert learn_protocol(told, ["self.iterations=0"], "cpu").method.slice_thickness == 0.7
    own = ["self.iterations=0", "self.thickness=1.1"]
    assert learn_protocol(told, own, "cpu").method.slice_thickness == 1.1


@pytest.mark.parametrize(
    ("spacing_mm", "factor"), [((10.0, 0.5, 0.5), 8), ((1.3, 1.0, 1.0), 2), ((2.999, 1.5, 1.5), 2), ((3.3, 1.1, 1), 4)]
)
def test_a_factor_is_enough_and_no_more_than_a_scale_goes(spacing_mm, factor, tmp_path):
    (protocol,) = protocols([(tmp_path / "a.nii.gz", Geometry((30, 300, 300), spacing_mm))])
    assert protocol.factor == factor


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "reason"),
    [
        ((90, 90, 90), (1.0, 1.0, 1.0), "its slices lie 1 mm apart, hardly more than the 1 mm that are wanted"),
        ((90, 90, 20), (5.0, 1.0, 1.0), "its slices, 90 x 20 voxels, are too small for slices 5 mm apart"),
        ((3, 90, 90), (5.0, 1.0, 1.0), None),
    ],
)
def test_what_cannot_teach_says_why(shape, spacing_mm, reason):
    assert cannot_teach(Geometry(shape, spacing_mm)) == reason


def test_what_is_wanted_may_be_too_coarse_to_teach():
    assert "2.8 mm that are wanted" in str(cannot_teach(Geometry((30, 300, 300), (3.0, 0.7, 0.7)), 2.8))


def test_an_image_that_cannot_be_read_or_is_empty_is_passed_over_unless_all_are(tmp_path, scan):
    _, path = scan
    write_volume(Volume(np.zeros(THICK.shape, np.int16), THICK), tmp_path / "empty_T2w.nii.gz")
    (both,) = protocols([(tmp_path / "empty_T2w.nii.gz", THICK), (path, THICK)])
    learn_protocol(both, ["self.iterations=1"], "cpu")
    with pytest.raises(UdeansrError, match=re.escape("no voxel is above 0")):
        learn_protocol(replace(both, images=both.images[:1]), ["self.iterations=1"], "cpu")


def test_it_begins_with_the_bundled_model_unless_told_otherwise(scan, caplog):
    truth, path = scan
    caplog.set_level("INFO")
    (protocol,) = protocols([(path, THICK)])
    begun = learn_protocol(protocol, ["self.iterations=0"], "cpu")
    assert "beginning with the bundled model of x1x1x3" in caplog.text
    start = bundled_start(3, SelfSettings())
    assert all(weight.equal(start[name]) for name, weight in begun.method.state_dict().items())
    nothing = learn_protocol(protocol, ["self.iterations=0", "self.pretrained=false"], "cpu")
    assert "beginning with cubic interpolation" in caplog.text
    lr = read_volume(path)
    cubic = tricubic(lr.voxels, nothing.scale)
    assert psnr(Predictor(nothing)(lr).voxels, truth) == pytest.approx(psnr(cubic, truth), abs=0.2)
    assert psnr(Predictor(begun)(lr).voxels, truth) > psnr(cubic, truth) + 0.3


def test_a_start_of_another_size_is_refused_where_it_was_asked_for(scan):
    (protocol,) = protocols([(scan[1], THICK)])
    with pytest.raises(UdeansrError, match=r"no bundled model has 8 features and 8 blocks; expected their width"):
        learn_protocol(protocol, ["self.pretrained=true", "self.features=8"], "cpu")


def test_a_setting_that_is_none_is_refused(scan):
    _, path = scan
    (protocol,) = protocols([(path, THICK)])
    for words, complaint in ((["self.iteration=1"], "iteration"), (["udean.beta=1"], "is for the method 'udean'")):
        with pytest.raises(UdeansrError, match=complaint):
            learn_protocol(protocol, words, "cpu")
