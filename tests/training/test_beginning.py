from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume
from udeansr.methods import parse_settings
from udeansr.paths import Root
from udeansr.prediction.choice import Wish
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict
from udeansr.training.checkpoint import load_checkpoint
from udeansr.training.train import RunSettings, train

SETTINGS = parse_settings("zssr", ["zssr.iterations=2"])


def begin(folder: Path, plan, output: Path, mode: str = "new", **flags) -> Path:
    run = RunSettings(**{"device": "cpu", "precision": "fp32", **flags})
    return train(folder, plan, "x2x2x2", "zssr", SETTINGS, run, output, mode)


def test_a_model_is_written_at_once_and_the_log_says_why(dataset_folder, plan, tmp_path, assert_same) -> None:
    output = tmp_path / "results"
    assert begin(dataset_folder, plan, output) == output / "final.pt"
    assert {path.name for path in output.iterdir()} == {
        *("latest.pt", "best.pt", "final.pt", "run.json", "training.log", "metrics.jsonl")
    }
    state = load_checkpoint(output / "final.pt")
    assert state["progress"]["iteration"] == 0
    assert (state["method"], state["configuration"], state["settings"]) == ("zssr", "x2x2x2", asdict(SETTINGS))
    assert state["run"]["lr"] == 1e-3
    assert "zssr learns in prediction, on each volume anew" in (output / "training.log").read_text()
    for name in ("best.pt", "latest.pt"):
        assert_same(output / "final.pt", output / name)


def test_the_seed_decides_how_it_begins(dataset_folder, plan, tmp_path) -> None:
    one, same, other = (
        load_checkpoint(begin(dataset_folder, plan, tmp_path / name, seed=seed))["averaged"]
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_there_is_nothing_to_continue(dataset_folder, plan, tmp_path) -> None:
    output = tmp_path / "results"
    begin(dataset_folder, plan, output)
    with pytest.raises(UdeansrError, match="there is a training already"):
        begin(dataset_folder, plan, output)
    with pytest.raises(UdeansrError, match=r"zssr learns in prediction, so there is no training to continue; predict "):
        begin(dataset_folder, plan, output, "continue")
    begin(dataset_folder, plan, output, "overwrite", seed=5)
    assert load_checkpoint(output / "best.pt")["run"]["seed"] == 5


def test_prediction_finds_it_like_any_other_and_gives_the_same_files_twice(dataset_folder, plan, tmp_path) -> None:
    results = tmp_path / "results"
    begin(dataset_folder, plan, results / plan.dataset / "x2x2x2" / "zssr")
    (tmp_path / "lr").mkdir()
    generator = torch.Generator().manual_seed(2)
    for name in ("a", "b"):
        voxels = torch.rand(6, 16, 17, generator=generator).numpy()
        write_volume(Volume(voxels, Geometry(voxels.shape, (2.0, 2.0, 2.0))), tmp_path / "lr" / f"{name}.nii")
    wish = Wish(Root(results, "--results"), dataset="1", configuration="x2x2x2", method="zssr")
    for out, lr in (("both", tmp_path / "lr"), ("again", tmp_path / "lr"), ("alone", tmp_path / "lr" / "b.nii")):
        outcome = predict(lr, tmp_path / out, wish, Options(device="cpu", precision="fp32"))
        assert not outcome.failed
    for out, name in (("again", "a.nii"), ("again", "b.nii"), ("alone", "b.nii")):
        assert (tmp_path / out / name).read_bytes() == (tmp_path / "both" / name).read_bytes()
