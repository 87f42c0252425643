from pathlib import Path

import pytest

from udeansr.errors import UdeansrError
from udeansr.image.volume import Geometry
from udeansr.models.registry import named_models
from udeansr.models.suitability import (
    Image,
    choose_suitable,
    none_suits,
    suits,
    warn_of_contrast,
)


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


def test_why_none_suits_is_told_with_the_nearest_of_its_contrast(tiny_model_file):
    tiny_model_file("brain", spacing_mm=(9.0, 2.0, 2.0))
    tiny_model_file("near")
    tiny_model_file("nearest-t2w", contrast="T2w", spacing_mm=(4.9, 2.0, 2.0))
    assert none_suits(image(5.0, contrast="T1w"), named_models()) == (
        "no model fits a.nii.gz (T1w, 5 x 2 x 2 mm as SPL); the nearest here is near (T1w, 4 x 2 x 2 mm as SPL, 25 % "
        "off, 15 % allowed). Train one on such scans, or take it all the same: -m near"
    )
    assert none_suits(image(5.0, contrast=None), named_models()).endswith("-m nearest-t2w")
    assert none_suits(image(5.0, contrast="FLAIR"), named_models()).endswith("-m nearest-t2w")


def test_an_image_tells_its_contrast_by_its_name():
    assert Image.of(Path("a_T2w.nii"), image().geometry).contrast == "T2w"
