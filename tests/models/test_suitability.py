import json
from pathlib import Path

import pytest

from udeansr.errors import UdeansrError
from udeansr.image.volume import Geometry
from udeansr.models.registry import named_models
from udeansr.models.suitability import (
    Image,
    choose_suitable,
    image_contrast,
    none_suits,
    suits,
    warn_of_contrast,
)


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("sub-01_ses-2_T1w.nii.gz", "T1w"),
        ("sub-01_t2w.nii", "T2w"),
        ("a_FLAIR.mha", "FLAIR"),
        ("a_PDw.nrrd", "PDw"),
        ("a_T2starw.nii.gz", "T2starw"),
        ("a_T1w_old.nii.gz", None),
        ("anna.nii.gz", None),
        ("T1w.nii.gz", "T1w"),
        ("MS017_T1.nii.gz", "T1w"),
        ("IXI002-Guys-0828-T2.nii.gz", "T2w"),
        ("anna_t10.nii.gz", None),
    ],
)
def test_a_name_tells_by_its_last_word(tmp_path, name, contrast):
    assert image_contrast(tmp_path / name) == contrast


@pytest.mark.parametrize(
    ("sidecar", "contrast"),
    [
        ({"BidsGuess": ["anat", "_acq-tfl3_run-3_T1w"]}, "T1w"),
        ({"BidsGuess": ["anat"], "SeriesDescription": "T2 TSE cor"}, "T2w"),
        ({"SeriesDescription": "t2_flair_tra"}, "FLAIR"),
        ({"ProtocolName": "MPRAGE sag"}, "T1w"),
        ({"SeriesDescription": "pd+t2 dual echo"}, None),
        ({"SeriesDescription": "localizer"}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_sidecar_tells_where_the_name_does_not(tmp_path, sidecar, contrast):
    (tmp_path / "a.json").write_text(json.dumps(sidecar))
    assert image_contrast(tmp_path / "a.nii.gz") == contrast


def test_the_name_goes_before_the_sidecar_and_a_broken_one_tells_nothing(tmp_path):
    (tmp_path / "a_T1w.json").write_text('{"SeriesDescription": "T2"}')
    assert image_contrast(tmp_path / "a_T1w.nii.gz") == "T1w"
    for content in (b"{", b"\xff", b"[" * 100_000):
        (tmp_path / "b.json").write_bytes(content)
        assert image_contrast(tmp_path / "b.nii.gz") is None


def image(z: float = 4.0, y: float = 2.0, x: float = 2.0, contrast: str | None = "T1w") -> Image:
    return Image(Path("lr/a.nii.gz"), Geometry((6, 9, 8), (z, y, x)), contrast)


def chosen(*images: Image) -> str | None:
    model = choose_suitable(images, named_models())
    return model and model.name


def test_spacing_chooses_and_15_percent_is_the_end(tiny_model_file):
    tiny_model_file("thick", spacing_mm=(4.0, 2.0, 2.0))
    tiny_model_file("thin", spacing_mm=(2.0, 2.0, 2.0))
    assert chosen(image()) == "thick" and chosen(image(2.0)) == "thin"
    assert chosen(image(4.0 * 1.14)) == "thick" and chosen(image(4.0, 2.0 * 0.86, 2.0)) == "thick"
    assert chosen(image(4.0 * 1.16)) is None and chosen(image(4.0, 2.0, 2.0 * 0.84)) is None
    thick = named_models()[0]
    assert thick.description.plan.spacing_deviation(
        image(4.4).geometry, thick.description.configuration
    ) == pytest.approx(0.1)


def test_another_contrast_is_not_taken_and_an_unknown_one_is(tiny_model_file):
    tiny_model_file("brain")
    assert chosen(image(contrast="T2w")) is None
    assert chosen(image(contrast=None)) == "brain"
    tiny_model_file("brain-t2w", contrast="T2w", spacing_mm=(4.2, 2.0, 2.0))
    assert chosen(image(contrast="T2w")) == "brain-t2w" and chosen(image(contrast=None)) == "brain"
    assert not suits(image(contrast="FLAIR"), named_models()[0])


def test_the_model_that_suits_most_images_is_taken(tiny_model_file):
    tiny_model_file("thick", spacing_mm=(4.0, 2.0, 2.0))
    tiny_model_file("thin", spacing_mm=(2.0, 2.0, 2.0))
    assert chosen(image(4.0), image(2.0), image(2.0)) == "thin"
    assert chosen(image(4.0), image(4.0), image(9.0)) == "thick"


def test_of_equal_models_the_own_spacing_then_the_imported_then_the_nearest(tiny_model_file):
    tiny_model_file("a", spacing_mm=(4.4, 2.0, 2.0))
    assert chosen(image()) == "a"
    tiny_model_file("b", spacing_mm=(4.2, 2.0, 2.0))
    assert chosen(image()) == "b"
    tiny_model_file("c", spacing_mm=(4.3, 2.0, 2.0), folder="imported")
    assert chosen(image()) == "c"
    tiny_model_file("d", spacing_mm=(4.0, 2.0, 2.0))
    assert chosen(image()) == "d"


def test_of_isotropic_ones_the_slab_axis_decides(tiny_model_file):
    tiny_model_file("axial", spacing_mm=(2.0, 2.0, 2.0), orientation="SPL")
    tiny_model_file("sagittal", spacing_mm=(2.0, 2.0, 2.0), orientation="LSP")
    assert chosen(image(2.0)) == "axial"


def test_models_that_nothing_tells_apart_are_listed(tiny_model_file):
    tiny_model_file("a")
    tiny_model_file("b", scale="x3x3x1")
    with pytest.raises(
        UdeansrError, match=r"2 bundled or imported models fit the images alike; choose one: -m a, -m b$"
    ):
        chosen(image())


def test_contrasts_that_do_not_fit_are_told_of(tiny_model_file, caplog):
    tiny_model_file("brain")
    description = named_models()[0].description
    warn_of_contrast([Path("a_T1w.nii")], description)
    assert caplog.messages == []
    warn_of_contrast([Path(f"{name}.nii") for name in ("a", "b_T2w", "c", "d", "e")], description)
    assert caplog.messages == [
        "contrast unknown, taken for T1w, which brain was made for: a.nii, c.nii, d.nii and 1 more",
        "another contrast than T1w, which brain was made for, do not trust the SR of: b_T2w.nii (T2w)",
    ]


def test_why_none_suits_is_told_with_numbers(tiny_model_file):
    tiny_model_file("brain")
    assert none_suits(image(5.0, contrast=None), named_models()) == (
        "no bundled or imported model fits a.nii.gz (contrast unknown, 5 x 2 x 2 mm as SPL) to 15 %: brain (T1w, LR "
        "4 x 2 x 2 mm as SPL, 25 % off). To use one all the same, name it: -m brain"
    )


def test_an_image_tells_its_contrast_by_its_name():
    assert Image.of(Path("a_T2w.nii"), image().geometry).contrast == "T2w"
