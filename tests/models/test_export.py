import hashlib

import pytest

from udeansr.errors import UdeansrError
from udeansr.models.calibration import Calibration
from udeansr.models.export import ExportSettings, export_model
from udeansr.models.model_file import read_card, read_description
from udeansr.planning.domain import Domain
from udeansr.strict_json import as_json

DOMAIN = Domain("T2w", 6, (((-1.5, -2.0), (-2.0, -3.0)),) * 2, 0.1, 0.02, (0.9, 0.8, 0.7))


def test_the_same_training_gives_the_same_bytes(tiny_checkpoint, tmp_path):
    path = tiny_checkpoint(tmp_path / "run" / "best.pt")
    sums = set()
    for number, training in enumerate((path, path.parent)):
        output = tmp_path / f"{number}.zip"
        export_model(training, output, ExportSettings(contrast="T1w"))
        sums.add(hashlib.sha256(output.read_bytes()).hexdigest())
    assert len(sums) == 1


def test_a_training_says_what_it_knows_and_the_wish_goes_before_it(tiny_checkpoint, tmp_path):
    path = tiny_checkpoint(tmp_path / "best.pt", domain=as_json(DOMAIN))
    told = export_model(path, tmp_path / "a.zip")
    assert (told.name, told.contrast, told.domain, told.calibration) == ("tiny-t2w-x2x2x2", "T2w", DOMAIN, None)
    assert "# tiny-t2w-x2x2x2" in read_card(tmp_path / "a.zip")
    calibration = Calibration((0.0, 0.1), (0.01, 0.2))
    export_model(path, tmp_path / "b.zip", ExportSettings("mine", "PDw", "# Mine\n", calibration))
    read = read_description(tmp_path / "b.zip")
    assert (read.name, read.contrast, read.calibration) == ("mine", "PDw", calibration)
    assert read_card(tmp_path / "b.zip") == "# Mine\n"


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("Dataset001_BrainT1w", "brain-t1w-x2x2x2"),
        ("Dataset002_T1w", "t1w-x2x2x2"),
        ("Dataset003_Knee_of-X", "knee-of-x-t1w-x2x2x2"),
    ],
)
def test_a_name_is_made_of_dataset_contrast_and_scale(tiny_checkpoint, tiny_plan, tmp_path, dataset, name):
    plan = tiny_plan((4.0, 2.0, 2.0), "SPL", "x2x2x2").as_dict() | {"dataset": dataset}
    path = tiny_checkpoint(tmp_path / "best.pt", plan=plan)
    assert export_model(path, tmp_path / "a.zip", ExportSettings(contrast="T1w")).name == name


def test_what_cannot_be_exported_is_told(tiny_checkpoint, tmp_path):
    path = tiny_checkpoint(tmp_path / "best.pt")
    with pytest.raises(UdeansrError, match=r"best.pt: does not say the contrast of its images; give it: --contrast"):
        export_model(path, tmp_path / "a.zip")
    with pytest.raises(UdeansrError, match=r"a.onnx: a model is one zip; expected a name that ends in .zip"):
        export_model(path, tmp_path / "a.onnx", ExportSettings(contrast="T1w"))
    assert not (tmp_path / "a.zip").exists()
