import json
import sys
from pathlib import Path

import numpy as np
import pytest

from udeansr.cli.simulate import main
from udeansr.degradation.slice_profile import acquire_slices
from udeansr.image.files import read_geometry, read_volume, write_volume
from udeansr.image.volume import Geometry, Volume

GRID = Geometry((16, 20, 24), (2.0, 1.0, 1.0))


def ended(monkeypatch, *words: object) -> int:
    """Run the command in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["udeansr_simulate", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.fixture(autouse=True)
def hr(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(1, 6):
        voxels = np.random.default_rng(number).integers(100, 500, GRID.shape, dtype=np.uint16)
        write_volume(Volume(voxels, GRID), Path("hr") / f"sub-{number}.nii.gz")


def test_the_command_of_the_documentation_works_as_written(monkeypatch, capsys):
    words = ("-i", "hr/", "-o", "udeansr_raw/Dataset001_Name", "--scale", "x2x2x2", "--seed", "1")
    assert ended(monkeypatch, *words) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "udeansr_raw/Dataset001_Name: x2x2x2, unpaired; subjects: 1 source, 1 target, 1 validation, 1 test",
        "next: udeansr_plan_and_preprocess -d 001",
    ]
    (lr,) = Path("udeansr_raw/Dataset001_Name/targetLR").iterdir()
    assert read_geometry(lr).shape == (8, 10, 12)
    assert ended(monkeypatch, *words) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "udeansr_simulate: udeansr_raw/Dataset001_Name: is there already; choose another number or give --overwrite"
    )
    assert ended(monkeypatch, *words, "--overwrite") == 0


def test_single_options_override_the_preset(monkeypatch, capsys):
    words = ["-i", "hr", "-o", "other/Dataset002_Name", "--scale", "x2x2x1", "--degradation", "shifted"]
    words += ["--partial-fourier-axis", "x", "--elliptical", "--noise", "0.03", "--pairing", "misaligned"]
    words += ["--target", "2", "--crop", "12x10x8", "--crop-at", "0.5x0.5x1", "--contrast", "T1w", "--processes", "1"]
    assert ended(monkeypatch, *words) == 0
    assert capsys.readouterr().out.endswith("next: udeansr_plan_and_preprocess -d 002 --raw other\n")
    account = json.loads(Path("other/Dataset002_Name/simulation.json").read_text())
    assert account["degradation"] == {
        "apodization": 0.4,
        "partial_fourier": 0.75,
        "partial_fourier_axis": "X",
        "elliptical": True,
        "noise": 0.03,
        "slice_profile": None,
        "slice_thickness": 1.0,
    }
    assert account["pairing"] == "misaligned" and account["crop"] == {"shape": [8, 10, 12], "at": [1.0, 0.5, 0.5]}
    assert json.loads(Path("other/Dataset002_Name/dataset.json").read_text()) == {"name": "Name", "contrast": "T1w"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scale", "2"], "scale '2' is not a scale"),
        (["--scale", "x2x2x2", "--degradation", "blur"], "degradation 'blur' is not known"),
        (["--scale", "x2x2x2", "--noise", "3"], "noise is 3; expected"),
        (["--scale", "x2x2x2", "--crop", "big"], "crop 'big' at '0.5x0.5x0.5' is no box"),
        (["--scale", "x2x2x2", "--source", "9"], "5 subjects are there, 12 are needed"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(monkeypatch, capsys, words, message):
    assert ended(monkeypatch, "-i", "hr", "-o", "udeansr_raw/Dataset001_Name", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"udeansr_simulate: {message}")
    assert not Path("udeansr_raw").exists()


@pytest.mark.parametrize(
    ("words", "thickness"),
    [((), 1.0), (("--slice-thickness", "5.4"), 0.9), (("--slice-gap", "1.8"), 0.7), (("--slice-gap", "0"), 1.0)],
)
def test_slices_are_excited_where_a_profile_says_so(monkeypatch, words, thickness):
    given = ["-i", "hr", "-o", "udeansr_raw/Dataset003_Thick", "--scale", "x1x1x3", "--slice-profile", "box", *words]
    assert ended(monkeypatch, *given) == 0
    account = json.loads(Path("udeansr_raw/Dataset003_Thick/simulation.json").read_text())
    assert account["degradation"]["slice_profile"] == "box"
    assert account["degradation"]["slice_thickness"] == pytest.approx(thickness)
    (name,) = account["scans"]["target"]
    hr = read_volume(Path("hr") / f"{name}.nii.gz").voxels[0:15]
    lr = read_volume(Path("udeansr_raw/Dataset003_Thick/targetLR") / f"{name}.nii.gz").voxels
    assert np.abs(lr - acquire_slices(hr, 3, 3 * thickness, "box")).max() <= 0.51


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--slice-thickness", "4"), "expected --slice-profile gaussian or box beside them"),
        (("--slice-profile", "box", "--slice-thickness", "4", "--slice-gap", "1"), "were both given"),
        (("--slice-profile", "sinc"), "slice profile 'sinc' is not known; expected gaussian or box"),
        (("--slice-profile", "box", "--slice-gap", "5"), "slice thickness is 0.166667 of the distance of slices"),
    ],
)
def test_slices_that_no_scan_has_are_refused(monkeypatch, capsys, words, complaint):
    given = ["-i", "hr", "-o", "udeansr_raw/Dataset003_Thick", "--scale", "x1x1x3", *words]
    assert ended(monkeypatch, *given) == 2
    assert complaint in capsys.readouterr().err
    assert not Path("udeansr_raw").exists()
