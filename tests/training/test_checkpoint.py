from __future__ import annotations

import pickle
import random
import resource
import shutil
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume
from udeansr.methods import parse_settings
from udeansr.models.choice import ModelQuery
from udeansr.paths import Root
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict
from udeansr.training.checkpoint import (
    KEYS,
    Progress,
    check_space,
    check_weights,
    load_checkpoint,
    random_state,
    random_state_kept,
    restore_random_state,
    save_checkpoint,
    seed_everything,
)
from udeansr.training.train import RunSettings, train


def a_state(**values) -> dict:
    return {key: {} for key in KEYS if key not in ("format", "version")} | values


def test_what_is_written_is_read(tmp_path) -> None:
    path = tmp_path / "latest.pt"
    save_checkpoint(
        path, a_state(weights={"w": torch.arange(3.0)}, progress={"epoch": 2, "best": None, "seconds": 1.5})
    )
    state = load_checkpoint(path)
    assert torch.equal(state["weights"]["w"], torch.arange(3.0))
    assert state["progress"] == {"epoch": 2, "best": None, "seconds": 1.5}
    assert state["format"] == 2
    assert [file.name for file in tmp_path.iterdir()] == ["latest.pt"]


@pytest.mark.parametrize("key", ["weights", "averaged"])
@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"w": torch.tensor([1.0, float("nan")])}, "the weight 'w' of '{}' is not finite"),
        ({"w": torch.tensor([float("inf")])}, "the weight 'w' of '{}' is not finite"),
        ({"w": 1.0}, "its '{}' are no weights by name"),
        (3, "its '{}' are no weights by name"),
    ],
)
def test_weights_that_are_none_or_not_finite_are_refused(tmp_path, key, weights, told) -> None:
    save_checkpoint(tmp_path / "best.pt", a_state(**{key: weights}))
    with pytest.raises(UdeansrError, match=f"best.pt: {told.format(key)}; take another checkpoint or train again$"):
        load_checkpoint(tmp_path / "best.pt")


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch) -> None:
    path = tmp_path / "latest.pt"
    save_checkpoint(path, a_state(progress={"epoch": 1}))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))  # a disk that takes no more
    try:
        with pytest.raises(
            UdeansrError, match=r"latest.pt: cannot be written \(File too large\); make room; .*--continue"
        ):
            save_checkpoint(path, a_state(progress={"epoch": 2}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load_checkpoint(path)["progress"] == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["latest.pt"]


@pytest.mark.parametrize(("total", "free", "refused"), [(9000, 299, True), (0, 0, False), (9000, 300, False)])
def test_the_disk_has_to_take_all_checkpoints(tmp_path, monkeypatch, total, free, refused) -> None:
    """Three more than the latest, while the disk says what it has."""
    (tmp_path / "latest.pt").write_bytes(bytes(100))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=total * 2**20, free=free))
    line = "the disk has 0 MiB left, and the checkpoints need"
    with pytest.raises(UdeansrError, match=line) if refused else nullcontext():
        check_space(tmp_path)


def test_keys_are_those_that_were_agreed(tmp_path) -> None:
    with pytest.raises(ValueError, match="weights"):
        save_checkpoint(tmp_path / "latest.pt", {key: {} for key in KEYS if key != "weights"})
    with pytest.raises(ValueError, match="other"):
        save_checkpoint(tmp_path / "latest.pt", a_state(other={}))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code in a checkpoint was run",))


def test_what_is_no_checkpoint_is_refused(tmp_path) -> None:
    path = tmp_path / "latest.pt"
    with pytest.raises(UdeansrError, match=r"there is no such checkpoint; expected latest.pt, best.pt or final.pt"):
        load_checkpoint(path)
    save_checkpoint(path, a_state(weights={"w": torch.zeros(1000)}))
    whole = path.read_bytes()
    for content in (b"", b"no weights", whole[: len(whole) // 2], pickle.dumps(Bomb())):
        path.write_bytes(content)
        with pytest.raises(UdeansrError, match=r"latest.pt: it cannot be read as a checkpoint .*broken or foreign"):
            load_checkpoint(path)
    torch.save({"bomb": Bomb()}, path)
    with pytest.raises(UdeansrError, match=r"latest.pt: it cannot be read as a checkpoint .*broken or foreign"):
        load_checkpoint(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(UdeansrError, match="holds weights of another program"):
        load_checkpoint(path)
    torch.save({"format": 99, "version": "9.0"}, path)
    with pytest.raises(
        UdeansrError, match=r"checkpoint format 99, written by udeansr .9.0.; udeansr .* reads format 2"
    ):
        load_checkpoint(path)
    torch.save({"format": 2, "version": "0.1"}, path)
    with pytest.raises(UdeansrError, match="the checkpoint has no 'plan'; it is broken"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ({}, r"1 of them, first 'b': none; expected \(2,\)"),
        ({"b": torch.zeros(3)}, r"first 'b': \(3,\); expected \(2,\)"),
        ({"c": torch.zeros(2)}, "2"),
    ],
)
def test_weights_of_another_version_are_told_in_one_line(weights, named) -> None:
    state = {"weights": {"a": torch.zeros(1), **weights}, "method": "udean", "version": "0.0.1"}
    with pytest.raises(
        UdeansrError, match=rf"^latest\.pt: holds other weights than udean has .*{named}.*\(0\.0\.1\): in"
    ):
        check_weights(state, {"a": torch.zeros(1), "b": torch.zeros(2)}, "latest.pt")
    check_weights({**state, "weights": {"b": torch.ones(2)}}, {"b": torch.zeros(2)}, "latest.pt")


def draw() -> list[float]:
    return [random.gauss(0, 1), float(np.random.randn()), float(np.random.rand()), float(torch.randn(1))]


def test_restored_generators_draw_the_same_again(tmp_path) -> None:
    draw()  # an odd number of gaussians, whose second is kept by the generators
    torch.save(random_state(), tmp_path / "state.pt")
    expected = draw()
    draw()
    restore_random_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert draw() == expected


def test_what_runs_inside_leaves_no_trace() -> None:
    seed_everything(3)
    expected = draw()
    seed_everything(3)
    with pytest.raises(RuntimeError), random_state_kept():
        draw()
        raise RuntimeError
    assert draw() == expected


def test_seeds_differ() -> None:
    seed_everything(1)
    one = draw()
    seed_everything(2)
    assert all(a != b for a, b in zip(one, draw(), strict=True))


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
    assert state["run"]["learning_rate"] == 1e-3
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


def test_it_is_begun_again_only_if_asked(dataset_folder, plan, tmp_path) -> None:
    output = tmp_path / "results"
    begin(dataset_folder, plan, output)
    with pytest.raises(UdeansrError, match="there is a training already"):
        begin(dataset_folder, plan, output)
    begin(dataset_folder, plan, output, "continue")
    with pytest.raises(UdeansrError, match=r"was begun with other values: run.seed 0 -> 5"):
        begin(dataset_folder, plan, output, "continue", seed=5)
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
    wish = ModelQuery(Root(results, "--results"), dataset="1", configuration="x2x2x2", method="zssr")
    for out, lr in (("both", tmp_path / "lr"), ("again", tmp_path / "lr"), ("alone", tmp_path / "lr" / "b.nii")):
        outcome = predict(lr, tmp_path / out, wish, Options(device="cpu", precision="fp32"))
        assert not outcome.failed
    for out, name in (("again", "a.nii"), ("again", "b.nii"), ("alone", "b.nii")):
        assert (tmp_path / out / name).read_bytes() == (tmp_path / "both" / name).read_bytes()


def test_a_byte_that_is_another_is_one_line(tmp_path) -> None:
    """torch's reader ends in a KeyError, an AttributeError and more."""
    path = tmp_path / "latest.pt"
    torch.save({"format": 2, "weights": {"a": torch.arange(40.0), "b": torch.zeros(3)}}, path)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        with pytest.raises(UdeansrError) as told:
            load_checkpoint(path)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("change", [{"iteration": -1}, {"epoch": -1}, {"seconds": -0.5}, {"epoch": 1.5}])
def test_progress_that_is_none_is_refused(change) -> None:
    with pytest.raises(UdeansrError, match=f"'{next(iter(change))}' is "):
        Progress.from_dict({"progress": {**asdict(Progress()), **change}}, "here")
