"""What is done with one image; the ways of writing it are tested with predict."""

from dataclasses import replace

import pytest

from udeansr.errors import UdeansrError
from udeansr.image.files import write_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Volume
from udeansr.inference.memory import VolumeAllocator
from udeansr.models.model import interpolator
from udeansr.prediction.image_prediction import ImagePredictor
from udeansr.prediction.options import Options
from udeansr.prediction.output import plan_outputs
from udeansr.prediction.predictor import Predictor


@pytest.fixture
def image(tmp_path, lr):
    write_volume(lr, tmp_path / "lr" / "a.nii")
    return tmp_path / "lr" / "a.nii"


@pytest.fixture
def work(tmp_path, image):
    outputs = plan_outputs(image, tmp_path / "sr")
    return ImagePredictor(
        Predictor(interpolator("sinc", Scale(2, 2, 2))),
        Options(json=True),
        outputs,
        {},
        VolumeAllocator(tmp_path / "sr"),
    )


def test_where_sr_is_all_images_are(work, image, lr, tmp_path):
    made = work.make(image, lr)
    assert not made.is_large
    wrong = Volume(lr.voxels, replace(lr.geometry, spacing_mm=(1.0, 1.0, 1.0)))
    write_volume(wrong, tmp_path / "seg" / "a.nii")
    with pytest.raises(UdeansrError, match="spacing"):
        replace(work, labels={image: tmp_path / "seg" / "a.nii"}).make(image, lr)
    assert not (tmp_path / "sr").exists()
    (tmp_path / "sr").mkdir()
    (tmp_path / "sr" / "labels").write_text("in the way")
    with pytest.raises(UdeansrError, match="labels"):
        work.write(image, replace(made, labels=lr))
    assert [path.name for path in (tmp_path / "sr").iterdir()] == ["labels"]
    (tmp_path / "sr" / "labels").unlink()
    work.write(image, made)
    assert sorted(path.name for path in (tmp_path / "sr").iterdir()) == ["a.json", "a.nii"]


def test_how_it_was_made_is_said_in_words(work):
    assert work.how.startswith("sinc x2x2x2, quality fast, udeansr ")
