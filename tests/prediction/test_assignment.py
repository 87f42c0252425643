import re
from pathlib import Path

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.files import read_geometry, write_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Geometry, Volume
from udeansr.models.choice import ModelQuery
from udeansr.paths import Root
from udeansr.prediction.assignment import assign
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict

QUICK = ("self.iterations=2", "self.features=4", "self.blocks=1")
THICK, FITS, ISOTROPIC = (5.0, 1.0, 1.0), (4.0, 2.0, 2.0), (1.5, 1.5, 1.5)


@pytest.fixture
def query(tmp_path):
    return ModelQuery(Root(tmp_path / "results", "$udeansr_results"))


@pytest.fixture
def folder(tmp_path):
    """Writes images of spacings, by name."""

    def write(**spacings_mm):
        for name, mm in spacings_mm.items():
            rng = np.random.default_rng(len(name))
            grid = Geometry((6, 48, 44) if mm != FITS else (6, 9, 8), mm)
            write_volume(
                Volume(rng.integers(1, 900, grid.shape).astype(np.int16), grid), tmp_path / f"lr/{name}.nii.gz"
            )
        return sorted((tmp_path / "lr").iterdir())

    return write


def dealt(shares):
    return [([image.name.removesuffix(".nii.gz") for image in share.images], share.is_learned) for share in shares]


def test_what_no_model_fits_learns_from_itself_each_protocol_apart(tiny_model_file, query, folder):
    tiny_model_file()
    images = folder(a_T1w=FITS, b_T2w=THICK, c_T2w=THICK, d_FLAIR=THICK)
    assert dealt(assign(query, images, Options())) == [
        (["a_T1w"], False),
        (["b_T2w", "c_T2w"], True),
        (["d_FLAIR"], True),
    ]


def test_what_neither_fits_nor_teaches_is_refused_as_ever(tiny_model_file, query, folder):
    tiny_model_file()
    (share,) = assign(query, folder(a=ISOTROPIC), Options())
    assert not share.is_learned
    with pytest.raises(UdeansrError, match=r"no model fits a\.nii\.gz"):
        share.model()


def test_a_model_that_is_named_serves_all(tiny_model_file, query, folder):
    images = folder(a_T1w=FITS, b_T2w=THICK)
    for words in ({"path": tiny_model_file()}, {"method": "tricubic", "scale": Scale(2, 1, 1)}):
        (share,) = assign(ModelQuery(query.results, **words), images, Options())
        assert share.images == tuple(images) and not share.is_learned
    (share,) = assign(query, images, Options(bids=True))
    assert not share.is_learned


def test_the_method_can_be_asked_for(tiny_model_file, query, folder):
    tiny_model_file()
    asked = ModelQuery(query.results, method="self")
    images = folder(a_T1w=THICK, b_T1w=THICK)
    assert dealt(assign(asked, images, Options())) == [(["a_T1w", "b_T1w"], True)]
    with pytest.raises(UdeansrError, match="leave out -m, -d, -c, --name and --scale"):
        assign(ModelQuery(query.results, method="self", dataset="1"), images, Options())
    with pytest.raises(UdeansrError, match=r"z.nii.gz: its slices lie 1.5 mm apart, hardly more than the 1.5 mm"):
        assign(asked, folder(z=ISOTROPIC), Options())


def test_words_without_effect_are_refused(tiny_model_file, query, folder):
    tiny_model_file()
    images = folder(a_T1w=FITS)
    with pytest.raises(UdeansrError, match=re.escape("--set self.iterations=2 has no effect")):
        assign(query, images, Options(settings=QUICK))
    with pytest.raises(UdeansrError, match=r"--save-model m\.zip: 0 models are learned"):
        assign(query, images, Options(save_model=Path("m.zip")))
    with pytest.raises(UdeansrError, match=r"--save-model m\.zip: 2 models are learned"):
        assign(query, folder(b_T2w=THICK, c_FLAIR=THICK), Options(save_model=Path("m.zip")))
    with pytest.raises(UdeansrError, match=r"expected a name that ends in \.zip"):
        Options(save_model=Path("m.pt"))


def test_a_mixed_folder_comes_out_whole_and_finer(tiny_model_file, query, folder, tmp_path, caplog):
    tiny_model_file(spacing_mm=FITS)
    images = folder(a_T1w=FITS, b_T2w=THICK, d_FLAIR=(5.0, 1.3, 1.3))
    caplog.set_level("INFO")
    outcome = predict(tmp_path / "lr", tmp_path / "sr", query, Options(device="cpu", settings=QUICK, json=True))
    assert len(outcome.done) == 3 and not outcome.failed
    for image in images:
        before, after = read_geometry(image), read_geometry(tmp_path / "sr" / image.name)
        assert max(after.spacing_mm) < max(before.spacing_mm)
    assert read_geometry(tmp_path / "sr/d_FLAIR.nii.gz").spacing_mm == (1.3, 1.3, 1.3)
    assert "learn from their own planes" in caplog.text
    assert '"self-t2w-x1x1x5"' in (tmp_path / "sr/b_T2w.json").read_text()
    kept = predict(tmp_path / "lr", tmp_path / "sr", query, Options(device="cpu", settings=QUICK, mode="continue"))
    assert len(kept.skipped) == 3


def test_a_protocol_that_cannot_be_learned_from_does_not_stop_the_others(query, folder, tmp_path, caplog):
    folder(b_T2w=THICK)
    grid = Geometry((6, 48, 44), THICK)
    write_volume(Volume(np.zeros(grid.shape, np.int16), grid), tmp_path / "lr/empty_FLAIR.nii.gz")
    outcome = predict(tmp_path / "lr", tmp_path / "sr", query, Options(device="cpu", settings=QUICK))
    assert [path.name for path in outcome.done] == ["b_T2w.nii.gz"]
    assert [path.name for path in outcome.failed] == ["empty_FLAIR.nii.gz"] and "no voxel is above 0" in caplog.text


def test_what_is_kept_is_given_again(query, folder, tmp_path):
    folder(b_T2w=THICK)
    options = {"device": "cpu", "precision": "fp32"}
    kept = tmp_path / "m.zip"
    predict(tmp_path / "lr", tmp_path / "sr", query, Options(**options, settings=QUICK, save_model=kept))
    predict(tmp_path / "lr", tmp_path / "again", ModelQuery(query.results, path=kept), Options(**options))
    assert (tmp_path / "sr/b_T2w.nii.gz").read_bytes() == (tmp_path / "again/b_T2w.nii.gz").read_bytes()


@pytest.fixture
def trained(tiny_checkpoint, query):
    """Writes trained models of LR spacings into the results root, by name; gives their checkpoints."""

    def write(**spacings_mm):
        folder = query.results.folder / "Dataset007_Tiny"
        return {name: tiny_checkpoint(folder / name / "udean" / "best.pt", mm) for name, mm in spacings_mm.items()}

    return write


def test_of_a_mixed_folder_each_image_goes_to_the_model_of_the_nearest_protocol(trained, query, folder):
    trained(thin=(4.0, 2.0, 2.0), thick=(5.0, 2.0, 2.0))
    images = folder(a=FITS, b=(5.1, 2.0, 2.0), c=FITS, d=(4.35, 2.0, 2.0), e=THICK)
    shares = assign(query, images, Options())
    assert dealt(shares) == [(["a", "c", "d"], False), (["b"], False), (["e"], True)]
    assert [share.model().configuration.task.lr_spacing_mm[0] for share in shares[:2]] == [4.0, 5.0]


def test_with_a_name_what_fits_no_protocol_goes_to_the_nearest_to_be_refused_alone(trained, query, folder, caplog):
    trained(thin=(4.0, 2.0, 2.0), thick=(5.0, 2.0, 2.0))
    folder(a=FITS, b=(8.0, 2.0, 2.0))
    named = ModelQuery(query.results, dataset="7")
    made = predict(folder(a=FITS)[0].parent, query.results.folder / "sr", named, Options(device="cpu"))
    assert [path.name for path in made.done] == ["a.nii.gz"] and [path.name for path in made.failed] == ["b.nii.gz"]
    assert "spacing 8 x 2 x 2 mm (as SPL), the model Dataset007_Tiny x2x2x2 was made for 5 x 2 x 2 mm" in caplog.text


def test_two_models_that_are_equally_near_are_asked_about(trained, query, folder):
    trained(one=(4.0, 2.0, 2.0), other=(4.0, 2.0, 2.0))
    (share,) = assign(query, folder(a=FITS), Options())
    with pytest.raises(UdeansrError, match="2 trained models fit the spacing"):
        share.model()
