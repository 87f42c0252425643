from __future__ import annotations

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
from udeansr.training import loop
from udeansr.training.checkpoint import load_checkpoint
from udeansr.training.interruption import StoppedError


def stop_at(monkeypatch: pytest.MonkeyPatch, method: type, iteration: int, number: int = signal.SIGINT) -> None:
    """A signal arrives while an iteration is being computed."""
    played, turns = iter(range(1, 100)), method.turns

    def turns_and_signal(self, batch):
        if next(played) == iteration:
            os.kill(os.getpid(), number)
        yield from turns(self, batch)

    monkeypatch.setattr(method, "turns", turns_and_signal)


@pytest.mark.parametrize("iteration", [2, 3, 5])
def test_stopped_and_continued_is_uninterrupted_bit_for_bit(
    dataset_folder, plan, tiny, tmp_path, monkeypatch, iteration, run_tiny, assert_same, metrics
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
        assert_same(whole / name, parted / name)
    assert metrics(whole) == metrics(parted)


def test_sigterm_saves_as_well(dataset_folder, plan, tiny, tmp_path, monkeypatch, run_tiny) -> None:
    stop_at(monkeypatch, tiny, 1, signal.SIGTERM)
    with pytest.raises(StoppedError) as stop:
        run_tiny(dataset_folder, plan, tmp_path / "results")
    assert stop.value.exit_status == 143
    assert load_checkpoint(tmp_path / "results" / "latest.pt")["progress"]["iteration"] == 1


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    dataset_folder, plan, tiny, tmp_path, monkeypatch, run_tiny
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
    assert "--overwrite --learning-rate 1e-05" in text
    assert "a loss is not finite" in (output / "training.log").read_text()
    state = load_checkpoint(output / "latest.pt")
    assert state["progress"]["iteration"] == 3
    assert all(torch.isfinite(weight).all() for weight in state["weights"].values())


def test_spoilt_weights_are_never_saved(dataset_folder, plan, tiny, tmp_path, monkeypatch, run_tiny) -> None:
    """A gradient may be no number where the loss was one."""
    turns, played = tiny.turns, iter(range(1, 100))

    def spoilt(self, batch):
        yield from turns(self, batch)
        if next(played) == 4:
            self.discriminators[0].weight.data[:] = float("inf")

    monkeypatch.setattr(tiny, "turns", spoilt)
    output = tmp_path / "results"
    with pytest.raises(UdeansrError, match=r"iteration 4: a weight is not finite|iteration 5: a loss is not finite"):
        run_tiny(dataset_folder, plan, output, checkpoint_minutes=1e-9)
    assert load_checkpoint(output / "latest.pt")["progress"]["iteration"] == 3


def test_memory_that_runs_out_is_told_with_what_to_do(
    dataset_folder, plan, tiny, tmp_path, monkeypatch, run_tiny
) -> None:
    def too_big(self, batch):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(tiny, "turns", too_big)
    with pytest.raises(UdeansrError, match=r"cpu: out of memory with 2 slabs .*smaller --batch-size.*--memory-gb"):
        run_tiny(dataset_folder, plan, tmp_path / "results")


def test_its_time_over_training_ends_properly_and_can_go_on(
    dataset_folder, plan, tiny, tmp_path, run_tiny, assert_same, metrics
) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    run_tiny(dataset_folder, plan, whole)
    run_tiny(dataset_folder, plan, parted, max_minutes=1e-6)
    assert load_checkpoint(parted / "final.pt")["progress"]["iteration"] == 1
    assert [entry["iterations"] for entry in metrics(parted)] == [0, 1]
    run_tiny(dataset_folder, plan, parted, "continue")
    assert_same(whole / "final.pt", parted / "final.pt", "weights", "averaged", "optimizers", "random")
    assert metrics(whole) == metrics(parted)


def test_killed_while_the_last_epoch_is_explained_it_is_explained_when_it_goes_on(
    dataset_folder, plan, tiny, tmp_path, monkeypatch, run_tiny, assert_same
) -> None:
    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_explanations", die)
        with pytest.raises(Killed):
            run_tiny(dataset_folder, plan, tmp_path / "killed")
    explained = []
    monkeypatch.setattr(loop, "write_explanations", lambda *parts: explained.append(parts[-1]) or [])
    run_tiny(dataset_folder, plan, tmp_path / "killed", "continue")
    assert explained == [tmp_path / "killed"]
    assert_same(run_tiny(dataset_folder, plan, tmp_path / "whole"), tmp_path / "killed" / "final.pt")


@pytest.mark.slow
def test_killed_it_goes_on_from_the_last_checkpoint(dataset_folder, longer, tmp_path, run_tiny, assert_same) -> None:
    """kill -9 at any time, then --continue, gives what an uninterrupted run gives."""
    plan = longer(epochs=3, iterations_per_epoch=10)
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
    process = subprocess.Popen([sys.executable, "-c", code, str(dataset_folder), str(killed), "new"])
    wait_until(lambda: killed_iteration(killed) > 4, process)
    process.kill()
    process.wait()
    assert 0 < killed_iteration(killed) < 30
    run_tiny(dataset_folder, plan, killed, "continue", method="udean")
    assert_same(whole / "final.pt", killed / "final.pt", "weights", "averaged", "optimizers", "random")


def killed_iteration(folder: Path) -> int:
    path = folder / "latest.pt"
    return load_checkpoint(path)["progress"]["iteration"] if path.is_file() else 0


def wait_until(holds: Callable[[], bool], process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert process.poll() is None, "the training ended by itself"
        assert time.monotonic() < end, "nothing happened for a minute"
        time.sleep(0.1)


@pytest.mark.parametrize("augment", [True, False])
def test_the_run_says_whether_slabs_are_augmented(
    dataset_folder, plan, tiny, tmp_path, monkeypatch, run_tiny, augment
) -> None:
    asked, make = [], loop.slab_batches
    monkeypatch.setattr(loop, "slab_batches", lambda *cases, **words: asked.append(words) or make(*cases, **words))
    run_tiny(dataset_folder, plan, tmp_path / "results", augment=augment)
    assert [words["augment"] for words in asked] == [augment]
