from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.methods import parse_settings
from udeansr.planning.plan import Plan
from udeansr.training.checkpoint import load_checkpoint
from udeansr.training.interruption import StoppedError
from udeansr.training.train import RunSettings, train

RUN = {"device": "cpu", "precision": "fp32"}


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of a tiny training's time; one test looks at them."""
    if request.function is not test_a_training_leaves_all_it_promises:
        monkeypatch.setattr("udeansr.training.log.draw_progress", lambda history, path: None)


def run_tiny(folder: Path, plan: Plan, output: Path, mode: str = "new", method: str = "tiny", **flags) -> Path:
    settings = parse_settings(method, [])
    return train(folder, plan, "x2x2x2", method, settings, RunSettings(**{**RUN, **flags}), output, mode)


def everything_but_times(folder: Path, name: str) -> dict:
    state = load_checkpoint(folder / name)
    del state["progress"]["seconds"]
    return state


def metrics_but_times(folder: Path) -> list[dict]:
    entries = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for entry in entries:
        del entry["seconds"]
    return entries


def assert_same(one, other, path: str = "") -> None:
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key, value in one.items():
            assert_same(value, other[key], f"{path}/{key}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == other, path


def stop_at(monkeypatch: pytest.MonkeyPatch, method: type, iteration: int, number: int = signal.SIGINT) -> None:
    """A signal arrives while an iteration is being computed."""
    played, turns = iter(range(1, 100)), method.turns

    def turns_and_signal(self, batch):
        if next(played) == iteration:
            os.kill(os.getpid(), number)
        yield from turns(self, batch)

    monkeypatch.setattr(method, "turns", turns_and_signal)


def test_a_training_leaves_all_it_promises(dataset_folder, plan, tiny, tmp_path) -> None:
    output = tmp_path / "results"
    assert run_tiny(dataset_folder, plan, output) == output / "final.pt"
    assert {path.name for path in output.iterdir()} == {
        *("latest.pt", "best.pt", "final.pt", "run.json", "training.log", "metrics.jsonl", "progress.png")
    }
    epochs = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in epochs] == [0, 1, 2]
    assert set(epochs[2]["losses"]) == {"generators.l1", "generators.fool", "judges.tell"}
    assert {"score", "psnr", "ssim", "shift_voxels"} <= set(epochs[2]["validation"])
    assert set(epochs[2]["seconds"]) == {"computing", "waiting", "validation"}
    assert epochs[0]["lr"] == epochs[1]["lr"] > epochs[2]["lr"]
    log = (output / "training.log").read_text()
    assert "best is chosen by SSIM" in log
    assert "epoch 2/2" in log
    saved = json.loads((output / "run.json").read_text())
    assert saved["run"]["epochs"] == 2
    assert saved["computed"]["precision"] == "fp32"


def test_the_checkpoint_says_what_it_is_of(dataset_folder, plan, tiny, tmp_path) -> None:
    state = load_checkpoint(run_tiny(dataset_folder, plan, tmp_path / "results", epochs=1))
    assert Plan.from_dict(state["plan"]) == plan
    assert (state["configuration"], state["method"], state["settings"]) == ("x2x2x2", "tiny", {"weight": 1.0})
    assert state["run"]["epochs"] == 1
    assert state["progress"]["epoch"] == 1
    assert state["progress"]["iteration"] == 3
    assert {name for name in state["weights"] if name.startswith("generators.")} == set(state["averaged"])


@pytest.mark.parametrize("iteration", [2, 3, 5])
def test_stopped_and_continued_is_uninterrupted_bit_for_bit(
    dataset_folder, plan, tiny, tmp_path, monkeypatch, iteration
) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    run_tiny(dataset_folder, plan, whole)
    with monkeypatch.context() as patch:
        stop_at(patch, tiny, iteration)
        with pytest.raises(StoppedError, match=f"stopped after iteration {iteration}; .*latest.pt is written") as stop:
            run_tiny(dataset_folder, plan, parted)
    assert stop.value.exit_status == 130
    assert load_checkpoint(parted / "latest.pt")["progress"]["iteration"] == iteration
    assert not (parted / "final.pt").exists()
    torch.randn(17)
    run_tiny(dataset_folder, plan, parted, "continue")
    for name in ("latest.pt", "best.pt", "final.pt"):
        assert_same(everything_but_times(whole, name), everything_but_times(parted, name), name)
    assert metrics_but_times(whole) == metrics_but_times(parted)


def test_sigterm_saves_as_well(dataset_folder, plan, tiny, tmp_path, monkeypatch) -> None:
    stop_at(monkeypatch, tiny, 1, signal.SIGTERM)
    with pytest.raises(StoppedError) as stop:
        run_tiny(dataset_folder, plan, tmp_path / "results")
    assert stop.value.exit_status == 143
    assert load_checkpoint(tmp_path / "results" / "latest.pt")["progress"]["iteration"] == 1


def test_validation_and_its_cases_leave_training_alone(make_dataset, plan, tiny, tmp_path) -> None:
    """With pairs, how many are validated on changes no weight."""
    folder = make_dataset(pairs=2)
    one, two = (
        load_checkpoint(run_tiny(folder, plan, tmp_path / f"{number}", validation_cases=number)) for number in (1, 2)
    )
    assert_same(one["weights"], two["weights"])
    assert_same(one["random"], two["random"])


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    dataset_folder, plan, tiny, tmp_path, monkeypatch
) -> None:
    turns, played = tiny.turns, iter(range(1, 100))

    def spoilt(self, batch):
        factor = float("nan") if next(played) == 5 else 1.0
        for player, losses in turns(self, batch):
            yield player, {name: factor * loss for name, loss in losses.items()}

    monkeypatch.setattr(tiny, "turns", spoilt)
    output = tmp_path / "results"
    with pytest.raises(UdeansrError) as error:
        run_tiny(dataset_folder, plan, output)
    text = str(error.value)
    assert text.startswith("iteration 5: a loss is not finite (generators.l1 nan")
    assert f"The last good checkpoint is {output / 'latest.pt'}" in text
    assert "--continue --clip 1" in text
    assert "--overwrite --lr 1e-05" in text
    assert "a loss is not finite" in (output / "training.log").read_text()
    state = load_checkpoint(output / "latest.pt")
    assert state["progress"]["iteration"] == 3
    assert all(torch.isfinite(weight).all() for weight in state["weights"].values())


def test_spoilt_weights_are_never_saved(dataset_folder, plan, tiny, tmp_path, monkeypatch) -> None:
    """A gradient may be no number where the loss was one."""
    turns, played = tiny.turns, iter(range(1, 100))

    def spoilt(self, batch):
        yield from turns(self, batch)
        if next(played) == 4:
            self.judges[0].weight.data[:] = float("inf")

    monkeypatch.setattr(tiny, "turns", spoilt)
    output = tmp_path / "results"
    with pytest.raises(UdeansrError, match=r"iteration 4: a weight is not finite|iteration 5: a loss is not finite"):
        run_tiny(dataset_folder, plan, output, checkpoint_minutes=1e-9)
    assert load_checkpoint(output / "latest.pt")["progress"]["iteration"] == 3


def test_a_batch_of_one_has_no_statistics(dataset_folder, plan, tmp_path) -> None:
    """Refused before the training that would be overwritten is."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "latest.pt").touch()
    with pytest.raises(UdeansrError, match=r"batch-size is 1, but udean normalises over .*; expected at least 2"):
        run_tiny(dataset_folder, plan, tmp_path / "results", "overwrite", method="udean", batch_size=1)
    assert (tmp_path / "results" / "latest.pt").exists()


def test_memory_that_runs_out_is_told_with_what_to_do(dataset_folder, plan, tiny, tmp_path, monkeypatch) -> None:
    def too_big(self, batch):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(tiny, "turns", too_big)
    with pytest.raises(UdeansrError, match=r"cpu: out of memory with 2 slabs .*smaller --batch-size.*--memory-gb"):
        run_tiny(dataset_folder, plan, tmp_path / "results")


def test_its_time_over_training_ends_properly_and_can_go_on(dataset_folder, plan, tiny, tmp_path) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    run_tiny(dataset_folder, plan, whole)
    run_tiny(dataset_folder, plan, parted, max_minutes=1e-6)
    assert load_checkpoint(parted / "final.pt")["progress"]["iteration"] == 1
    assert [entry["iterations"] for entry in metrics_but_times(parted)] == [0, 1]
    run_tiny(dataset_folder, plan, parted, "continue")
    one, other = (everything_but_times(folder, "final.pt") for folder in (whole, parted))
    del one["run"], other["run"]
    assert_same(one["weights"], other["weights"])
    assert metrics_but_times(whole) == metrics_but_times(parted)


def test_a_second_run_needs_to_be_told(dataset_folder, plan, tiny, tmp_path) -> None:
    output = tmp_path / "results"
    run_tiny(dataset_folder, plan, output, epochs=1)
    with pytest.raises(UdeansrError, match=r"there is a training already \(latest.pt.*--continue.*--overwrite"):
        run_tiny(dataset_folder, plan, output)
    with pytest.raises(UdeansrError, match=r"all 1 epochs are done; .*--continue --epochs N"):
        run_tiny(dataset_folder, plan, output, "continue", epochs=1)
    run_tiny(dataset_folder, plan, output, "continue", epochs=2)
    assert load_checkpoint(output / "final.pt")["progress"]["epoch"] == 2
    run_tiny(dataset_folder, plan, output, "overwrite", epochs=1)
    assert load_checkpoint(output / "final.pt")["progress"]["epoch"] == 1


def test_continuing_with_other_settings_is_refused(dataset_folder, plan, longer, tiny, tmp_path) -> None:
    output = tmp_path / "results"
    run_tiny(dataset_folder, plan, output, epochs=1)
    with pytest.raises(UdeansrError, match=r"other settings: lr 0.0001 -> 0.01, seed 0 -> 3"):
        run_tiny(dataset_folder, plan, output, "continue", epochs=2, lr=0.01, seed=3)
    with pytest.raises(UdeansrError, match=r"other values: lr_gain 1.0 -> 2.0"):
        other = Plan(plan.dataset, plan.orientation, 2.0, plan.configurations)
        run_tiny(dataset_folder, other, output, "continue", epochs=2)
    with pytest.raises(UdeansrError, match=r"other values: weight 1.0 -> 2.0"):
        settings = parse_settings("tiny", ["tiny.weight=2"])
        train(dataset_folder, plan, "x2x2x2", "tiny", settings, RunSettings(**RUN, epochs=2), output, "continue")


@pytest.mark.parametrize("method", ["tricubic", "sinc"])
def test_what_learns_nothing_is_not_trained(dataset_folder, plan, tmp_path, method) -> None:
    with pytest.raises(
        UdeansrError, match=f"{method} learns nothing.*udeansr_predict .* --method {method} --scale x2x2x2"
    ):
        run_tiny(dataset_folder, plan, tmp_path / "results", method=method)
    assert not (tmp_path / "results").exists()


def test_compile_is_left_out_on_the_cpu_with_a_word(dataset_folder, plan, tiny, tmp_path, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        run_tiny(dataset_folder, plan, tmp_path / "results", epochs=1, compile=True)
    assert "torch.compile is left out on the CPU" in caplog.text


def test_without_pairs_the_log_says_how_best_is_chosen(make_dataset, plan, tiny, tmp_path) -> None:
    output = tmp_path / "results"
    run_tiny(make_dataset(people=4, pairs=0), plan, output, epochs=1)
    scores = metrics_but_times(output)[1]["validation"]
    assert {"score", "cycle_psnr", "cycle_ssim", "spectrum_distance", "shift_voxels"} == set(scores)
    assert scores["score"] == pytest.approx(scores["cycle_ssim"] - 0.1 * scores["spectrum_distance"])
    assert "no pairs: best is chosen by cycle SSIM - 0.1 x spectrum distance" in (output / "training.log").read_text()


def test_udean_learns_from_workers_as_without(dataset_folder, longer, tmp_path) -> None:
    plan = longer(epochs=1, iterations_per_epoch=2)
    states = [
        load_checkpoint(run_tiny(dataset_folder, plan, tmp_path / f"{workers}", method="udean", workers=workers))
        for workers in (0, 2)
    ]
    assert_same(states[0]["weights"], states[1]["weights"])


@pytest.mark.slow
def test_killed_it_goes_on_from_the_last_checkpoint(dataset_folder, longer, tmp_path) -> None:
    """kill -9 at any time, then --continue, as often as it takes, gives what an uninterrupted run gives."""
    plan = longer(epochs=3, iterations_per_epoch=20)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_tiny(dataset_folder, plan, whole, method="udean")
    plan.save(dataset_folder / "plans.json")
    code = (
        "import sys; from pathlib import Path; from udeansr.planning.plan import Plan;"
        "from udeansr.methods import parse_settings; from udeansr.training.train import RunSettings, train;"
        "folder, output, mode = sys.argv[1:];"
        "run = RunSettings(device='cpu', precision='fp32', checkpoint_minutes=1e-9);"
        "plan = Plan.load(Path(folder) / 'plans.json');"
        "train(Path(folder), plan, 'x2x2x2', 'udean', parse_settings('udean', []), run, Path(output), mode)"
    )
    iterations = [0]
    for mode in ("new", "continue"):
        process = subprocess.Popen([sys.executable, "-c", code, str(dataset_folder), str(killed), mode])
        wait_until(lambda: killed_iteration(killed) > iterations[-1] + 7, process)
        process.kill()
        process.wait()
        iterations.append(killed_iteration(killed))
    assert 0 < iterations[1] < iterations[2] < 60
    run_tiny(dataset_folder, plan, killed, "continue", method="udean")
    one, other = (everything_but_times(folder, "final.pt") for folder in (whole, killed))
    assert_same(one["weights"], other["weights"])
    assert_same(one["averaged"], other["averaged"])


def killed_iteration(folder: Path) -> int:
    path = folder / "latest.pt"
    return load_checkpoint(path)["progress"]["iteration"] if path.is_file() else 0


def wait_until(holds: Callable[[], bool], process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert process.poll() is None, "the training ended by itself"
        assert time.monotonic() < end, "nothing happened for a minute"
        time.sleep(0.1)
