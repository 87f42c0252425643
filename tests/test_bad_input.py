"""Whatever a user gives that cannot work: one clear line on standard error, exit status 2, nothing half-written."""

import importlib
import json
import logging
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from udeansr.image.files import read_volume, write_volume
from udeansr.image.volume import Geometry, Volume

SUBJECTS = 8
NAMES = ("simulate", "plan_and_preprocess", "train", "predict", "evaluate", "demo")
RAW = Path("udeansr_raw/Dataset001_Blobs")


def blobs(seed: int, shape=(24, 80, 80)) -> np.ndarray:
    """Smooth random anatomy on air, as integers."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    voxels = np.zeros(shape)
    for centre in rng.uniform(0.3, 0.7, size=(12, 3)) * shape:
        distance = ((z - centre[0]) / 5) ** 2 + ((y - centre[1]) / 12) ** 2 + ((x - centre[2]) / 12) ** 2
        voxels += rng.uniform(200, 900) * np.exp(-distance)
    return (voxels + rng.uniform(0, 5, size=shape)).astype(np.int16)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory) -> Path:
    """A folder with HR scans, a dataset of them, its plan and arrays, and SR made without a model."""
    folder = tmp_path_factory.mktemp("workshop")
    for subject in range(SUBJECTS):
        volume = Volume(blobs(subject), Geometry((24, 80, 80), (2.0, 1.0, 1.0)))
        write_volume(volume, folder / "hr" / f"sub-{subject:02d}_T1w.nii.gz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(logging, "basicConfig", lambda **_settings: None)
        split = ["--source", "3", "--target", "3", "--validation", "1", "--test", "1"]
        assert run(patch, "simulate", "-i", "hr", "-o", str(RAW), "--scale", "x2x2x1", "--processes", "1", *split) == 0
        assert run(patch, "plan_and_preprocess", "-d", "1", "--memory-gb", "0", "--processes", "1") == 0
        assert (
            run(patch, "predict", "-i", str(RAW / "testLR"), "-o", "sr", "--method", "sinc", "--scale", "x2x2x1") == 0
        )
    return folder


def run(patch: pytest.MonkeyPatch, command: str, *arguments: str) -> int:
    """Run a command as the shell would, in this process, and give its exit status."""
    patch.setattr(sys, "argv", [f"udeansr_{command}", *arguments])
    try:
        importlib.import_module(f"udeansr.cli.{command}").main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    return 0


def first(folder: Path) -> Path:
    return sorted(folder.glob("*.nii.gz"))[0]


def changed(path: Path, change) -> None:
    volume = read_volume(path)
    write_volume(Volume(*change(volume)), path)


def spoil_nan(volume):
    voxels = volume.voxels.astype(np.float32)
    voxels[3, 4, 5] = np.nan
    return voxels, volume.geometry


def spoil_shift(volume):
    geometry = volume.geometry
    return volume.voxels, Geometry(geometry.shape, geometry.spacing_mm, (0.0, 0.0, 25.0), geometry.axes)


def spoil_plan(key, value):
    def spoil(folder: Path) -> None:
        path = folder / "udeansr_preprocessed/Dataset001_Blobs/plans.json"
        plan = json.loads(path.read_text())
        plan["configurations"]["x2x2x1"]["size"][key] = value
        path.write_text(json.dumps(plan))

    return spoil


def pretend_run(folder: Path) -> None:
    run_folder = folder / "udeansr_results/Dataset001_Blobs/x2x2x1/supervised"
    run_folder.mkdir(parents=True)
    for name in ("run.json", "latest.pt"):
        (run_folder / name).write_text("{}")


def replace(place: str, content: bytes):
    def spoil(folder: Path) -> None:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(content)

    return spoil


def nothing(_folder: Path) -> None:
    pass


PLAN = ("plan_and_preprocess", "-d", "1", "--processes", "1")
TRAIN = ("train", "001", "x2x2x1")
SIMULATE = ("simulate", "-i", "hr", "-o", "udeansr_raw/Dataset002_New", "--scale", "x2x2x1", "--processes", "1")
PREDICT = ("predict", "-i", str(RAW / "testLR"), "-o", "new")
TRICUBIC = (*PREDICT, "--method", "tricubic", "--scale", "x2x2x1")

BAD = {
    "no such input": (nothing, ("simulate", "-i", "gone", *SIMULATE[3:]), "gone: no such file or folder"),
    "no scale": (nothing, (*SIMULATE[:5], "--scale", "2by2"), "scale '2by2' is not a scale; expected in-plane"),
    "dataset misnamed": (nothing, (*SIMULATE[:4], "udeansr_raw/New", *SIMULATE[5:]), "'New' is no name for a dataset"),
    "too few subjects": (
        nothing,
        (*SIMULATE, "--source", "9", "--target", "9"),
        "8 subjects are there, 20 are needed .+; give more scans or smaller groups",
    ),
    "no degradation": (
        nothing,
        (*SIMULATE, "--degradation", "blur"),
        "degradation 'blur' is not known; expected truncation or shifted",
    ),
    "impossible physics": (nothing, (*SIMULATE, "--partial-fourier", "0.3"), "partial Fourier is 0.3; expected above"),
    "no such dataset": (nothing, ("plan_and_preprocess", "-d", "7"), "dataset 7: not in udeansr_raw"),
    "no target": (
        lambda f: shutil.rmtree(f / RAW / "targetLR"),
        PLAN,
        "targetLR: missing; .*expected the LR scans in a folder targetLR",
    ),
    "a broken image": (
        lambda f: first(f / RAW / "sourceHR").write_bytes(b"broken"),
        PLAN,
        r"sub-00_T1w.nii.gz: cannot be read \(.+\); replace the file or take it out",
    ),
    "not finite": (lambda f: changed(first(f / RAW / "sourceHR"), spoil_nan), PLAN, "finite"),
    "constant": (
        lambda f: changed(first(f / RAW / "targetLR"), lambda v: (np.full_like(v.voxels, 7), v.geometry)),
        PLAN,
        r"targetLR/sub-\d+_T1w.nii.gz: every voxel is 7; expected an image; replace or remove the file",
    ),
    "twice the same": (
        lambda f: shutil.copy(first(f / RAW / "sourceHR"), f / RAW / "sourceHR" / "copy.nii.gz"),
        PLAN,
        r"the same voxels as .+/copy.nii.gz; expected every image once, in one group; remove one of the two",
    ),
    "half a pair": (
        lambda f: first(f / RAW / "validationHR").unlink(),
        PLAN,
        "validationHR: no image in this folder; expected",
    ),
    "LR as fine as HR": (
        lambda f: (
            [shutil.copy(path, f / RAW / "targetLR") for path in (f / "hr").glob("*.nii.gz")]
            and [
                path.unlink() for path in (f / RAW / "targetLR").glob("*.nii.gz") if not (f / "hr" / path.name).exists()
            ]
        ),
        PLAN,
        "hardly finer along any axis than the .+ that LR is learned for; expected HR that is at least 1.5 times finer",
    ),
    "unknown key": (replace(str(RAW / "dataset.json"), b'{"nmae": "x"}'), PLAN, "unknown key 'nmae'"),
    "no plan": (lambda f: shutil.rmtree(f / "udeansr_preprocessed"), TRAIN, "dataset 001: not in udeansr_preprocessed"),
    "plan is no JSON": (
        replace("udeansr_preprocessed/Dataset001_Blobs/plans.json", b"{"),
        TRAIN,
        r"plans.json: no JSON .+; mend it, or make it again",
    ),
    "plan with a typo": (spoil_plan("batchsize", 4), TRAIN, "unknown key 'size.batchsize'; known are"),
    "plan with nonsense": (
        spoil_plan("features", -3),
        TRAIN,
        "'size.features' is -3; expected at least 1",
    ),
    "no such configuration": (nothing, ("train", "001", "x4x4x4"), "no configuration 'x4x4x4'; its plan has x2x2x1"),
    "no such method": (nothing, (*TRAIN, "--method", "magic"), "there is no method 'magic'; expected udean"),
    "no such setting": (
        nothing,
        (*TRAIN, "--set", "supervised.alpa=1"),
        "the settings of supervised: unknown key 'alpa'; known are alpha",
    ),
    "a setting ill-typed": (
        nothing,
        (*TRAIN, "--set", "supervised.alpha=much"),
        "'alpha' is \"much\"; expected a number",
    ),
    "nothing to learn": (
        nothing,
        (*TRAIN, "--method", "tricubic"),
        "tricubic learns nothing, .+; predict with it directly: udeansr_predict",
    ),
    "no such device": (
        nothing,
        (*TRAIN, "--device", "abacus"),
        "device 'abacus' is no device; expected auto or one of cpu",
    ),
    "a run is there": (
        pretend_run,
        TRAIN,
        "there is a training already .+; --continue goes on with it, --overwrite begins again",
    ),
    "no input": (nothing, ("predict", "-i", "gone", *PREDICT[3:]), "gone: no such file or folder"),
    "no model": (
        nothing,
        PREDICT,
        r"no model fits sub-02_T1w.nii.gz .+; the nearest here is brain-t1w-x2x2x1 .+ or take it all the same: -m ",
    ),
    "tricubic without scale": (
        nothing,
        (*PREDICT, "--method", "tricubic"),
        "--method tricubic needs none if it is given a --scale, such as x2x2x2",
    ),
    "output is there": (
        nothing,
        ("predict", "-i", str(RAW / "testLR"), "-o", "sr", *TRICUBIC[5:]),
        "1 of 1 SR files are there already, .+ --overwrite",
    ),
    "output is input": (
        nothing,
        ("predict", *TRICUBIC[1:3], "-o", str(RAW / "testLR"), *TRICUBIC[5:]),
        "testLR: the output lies among the scans of the dataset .+; choose another with -o",
    ),
    "no checkpoint": (
        replace("model.pt", b"nothing of the kind"),
        (*PREDICT, "-m", "model.pt"),
        "model.pt: it cannot be read as a checkpoint of udeansr_train; it is broken or foreign. Take another",
    ),
    "a bad image among good": (
        replace(str(RAW / "testLR" / "bad.nii.gz"), b"x"),
        TRICUBIC,
        "1 of 2 done, 1 failed: bad.nii.gz",
    ),
    "no partner": (
        replace("more/sub-99.nii.gz", b"x"),
        ("evaluate", "-i", "more", "-r", str(RAW / "testHR")),
        "sub-99",
    ),
    "other places": (
        lambda f: changed(first(f / "sr"), spoil_shift),
        ("evaluate", "-i", "sr", "-r", str(RAW / "testHR")),
        "lie on different grids: 25 mm apart .+; expected one grid; give the HR of these very images",
    ),
    "no example": (nothing, ("demo",), "the example is not there; run in a clone of the project"),
    "unknown option": (nothing, ("predict", "--fast"), "No such option: --fast|Missing option"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_told_in_a_line_and_leaves_nothing(kind, workshop, tmp_path, monkeypatch, capsys):
    spoil, (command, *arguments), expected = BAD[kind]
    folder = tmp_path / "workshop"
    shutil.copytree(workshop, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(logging, "basicConfig", lambda **_settings: None)
    for variable in ("RAW", "PREPROCESSED", "RESULTS"):
        monkeypatch.delenv(f"UDEANSR_{variable}", raising=False)
    spoil(folder)
    before = {path.relative_to(folder) for path in folder.rglob("*")}
    assert run(monkeypatch, command, *arguments) == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    told = [line for line in re.split(r"[\r\n]", shown) if line.startswith((f"udeansr_{command}: ", "Error: "))]
    assert len(told) == 1, shown
    assert re.search(expected, shown), shown
    new = {path.relative_to(folder) for path in folder.rglob("*")} - before
    assert not [path for path in new if "partial" in path.name], new
    if kind != "a bad image among good":
        assert not [path for path in new if path.is_file()], new
