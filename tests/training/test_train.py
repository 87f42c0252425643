from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil

import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.lock import HeldError, locked
from udeansr.methods import parse_settings
from udeansr.planning.plan import Plan
from udeansr.training.checkpoint import load_checkpoint
from udeansr.training.train import RunSettings, train


def test_a_training_leaves_all_it_promises(dataset_folder, plan, tiny, tmp_path, run_tiny) -> None:
    output = tmp_path / "results"
    assert run_tiny(dataset_folder, plan, output, pictures=True) == output / "final.pt"
    assert {path.name for path in output.iterdir()} == {
        *("latest.pt", "best.pt", "final.pt", "run.json", "training.log", "metrics.jsonl", "progress.png", "samples")
    }
    assert {path.stem for path in (output / "samples").iterdir()} == {
        *("HR", "tricubic", "epoch_0000", "epoch_0001", "epoch_0002")
    }
    epochs = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in epochs] == [0, 1, 2]
    assert set(epochs[2]["losses"]) == {"generators.l1", "generators.adversarial", "discriminators.loss"}
    assert {"score", "psnr", "ssim", "shift_voxels"} <= set(epochs[2]["validation"])
    assert set(epochs[2]["seconds"]) == {"computing", "waiting", "validation"}
    assert 0.01 < epochs[2]["memory_gb"] < 100
    assert epochs[0]["learning_rate"] == epochs[1]["learning_rate"] > epochs[2]["learning_rate"]
    log = (output / "training.log").read_text()
    assert "best is chosen by SSIM" in log
    assert "epoch 2/2" in log
    saved = json.loads((output / "run.json").read_text())
    assert saved["run"]["epochs"] == 2
    assert saved["computed"]["precision"] == "fp32" and saved["computed"]["packages"]["torch"]
    assert re.search(r"INFO seed 0; udeansr .*, torch .*, Python .*, on cpu .*, in fp32\n", log)


def test_the_checkpoint_says_what_it_is_of(dataset_folder, plan, tiny, tmp_path, run_tiny) -> None:
    state = load_checkpoint(run_tiny(dataset_folder, plan, tmp_path / "results", epochs=1))
    assert Plan.from_dict(state["plan"]) == plan
    assert (state["configuration"], state["method"], state["settings"]) == ("x2x2x2", "tiny", {"weight": 1.0})
    assert state["run"]["epochs"] == 1
    assert state["progress"]["epoch"] == 1
    assert state["progress"]["iteration"] == 3
    assert {name for name in state["weights"] if name.startswith("generators.")} == set(state["averaged"])


def test_validation_and_its_cases_leave_training_alone(
    make_dataset, plan, tiny, tmp_path, run_tiny, assert_same
) -> None:
    """With pairs, how many are validated on changes no weight."""
    folder = make_dataset(pairs=2)
    one, two = (run_tiny(folder, plan, tmp_path / f"{number}", validation_cases=number) for number in (1, 2))
    assert_same(one, two, "weights", "averaged", "random")


def test_a_batch_of_one_has_no_statistics(dataset_folder, plan, tmp_path, run_tiny) -> None:
    """Refused before the training that would be overwritten is."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "latest.pt").touch()
    with pytest.raises(UdeansrError, match=r"batch-size is 1, but udean_paper normalises over .*; expected at least 2"):
        run_tiny(dataset_folder, plan, tmp_path / "results", "overwrite", method="udean_paper", batch_size=1)
    assert (tmp_path / "results" / "latest.pt").exists()


def test_a_second_run_needs_to_be_told(dataset_folder, plan, tiny, tmp_path, run_tiny) -> None:
    output = tmp_path / "results"
    run_tiny(dataset_folder, plan, output, epochs=1)
    with pytest.raises(UdeansrError, match=r"there is a training already \(latest.pt.*--continue.*--overwrite"):
        run_tiny(dataset_folder, plan, output)
    run_tiny(dataset_folder, plan, output, "continue", epochs=2)
    assert load_checkpoint(output / "final.pt")["progress"]["epoch"] == 2
    run_tiny(dataset_folder, plan, output, "overwrite", epochs=1)
    assert load_checkpoint(output / "final.pt")["progress"]["epoch"] == 1


def listing(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_continued_when_nothing_is_left_to_do_it_is_done_and_changes_nothing(
    dataset_folder, plan, tiny, tmp_path, run_tiny, caplog
) -> None:
    output = tmp_path / "results"
    final = run_tiny(dataset_folder, plan, output, epochs=1)
    before = listing(output)
    with caplog.at_level(logging.INFO):
        assert run_tiny(dataset_folder, plan, output, "continue", epochs=1) == final
    assert "results: done, nothing is left to do; --continue --epochs N with a larger N" in caplog.text
    assert listing(output) == before


def test_continued_where_nothing_is_it_begins(dataset_folder, plan, tiny, tmp_path, run_tiny, assert_same) -> None:
    whole, continued = (run_tiny(dataset_folder, plan, tmp_path / mode, mode, epochs=1) for mode in ("new", "continue"))
    assert_same(whole, continued)


@pytest.mark.parametrize("mode", ["new", "continue"])
def test_killed_before_the_first_checkpoint_the_same_call_begins(
    dataset_folder, plan, tiny, tmp_path, run_tiny, monkeypatch, assert_same, mode
) -> None:
    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    output = tmp_path / "results"
    with monkeypatch.context() as patch:
        patch.setattr("udeansr.training.loop.save_checkpoint", die)
        with pytest.raises(Killed):
            run_tiny(dataset_folder, plan, output, mode, epochs=1)
    assert (output / "run.json").is_file() and not (output / "latest.pt").exists()
    (output / ".latest.4711.partial.pt").write_bytes(b"half")
    run_tiny(dataset_folder, plan, output, mode, epochs=1)
    assert_same(run_tiny(dataset_folder, plan, tmp_path / "whole", epochs=1), output / "final.pt")
    assert not list(output.glob(".*"))


def test_what_learns_in_prediction_is_done_when_it_is_there(dataset_folder, plan, tmp_path, run_tiny) -> None:
    output = tmp_path / "results"
    run_tiny(dataset_folder, plan, output, "continue", method="zssr")
    before = listing(output)
    run_tiny(dataset_folder, plan, output, "continue", method="zssr")
    assert listing(output) == before


@pytest.mark.parametrize("mode", ["new", "continue", "overwrite"])
def test_beside_a_running_training_every_mode_is_refused(dataset_folder, plan, tiny, tmp_path, run_tiny, mode) -> None:
    output = tmp_path / "results"
    with locked(output / ".lock"):
        (output / "run.json").write_text("{}")
        with pytest.raises(HeldError, match=r"results: is being written by process \d+ on "):
            run_tiny(dataset_folder, plan, output, mode)
        assert (output / "run.json").read_text() == "{}"


def test_a_folder_that_is_removed_meanwhile_stops_it_and_is_not_made_again(
    dataset_folder, plan, tiny, tmp_path, run_tiny, monkeypatch
) -> None:
    output, turns, played = tmp_path / "results", tiny.turns, iter(range(1, 100))

    def removing(self, batch):
        if next(played) == 3:
            shutil.rmtree(output)
        yield from turns(self, batch)

    monkeypatch.setattr(tiny, "turns", removing)
    with pytest.raises(UdeansrError, match="results: was removed or replaced while it was written"):
        run_tiny(dataset_folder, plan, output, checkpoint_minutes=1e-9)
    assert not list(tmp_path.glob("results/*.pt"))


def test_a_full_disk_is_told_before_the_work(dataset_folder, plan, tiny, tmp_path, run_tiny, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1)
    monkeypatch.setattr("udeansr.training.checkpoint.shutil.disk_usage", lambda _: usage)
    monkeypatch.setattr(tiny, "turns", None)
    with pytest.raises(UdeansrError, match=r"results: the disk has 0 MiB left, and the checkpoints need .*; make room"):
        run_tiny(dataset_folder, plan, tmp_path / "results")


def test_a_disk_that_fills_up_leaves_the_last_checkpoint_and_training_goes_on(
    dataset_folder, plan, tiny, tmp_path, run_tiny, monkeypatch, assert_same
) -> None:
    output, writes = tmp_path / "results", iter(range(1, 100))
    write_bytes = type(output).write_bytes

    def full(path, content):
        if ".pt" in path.suffixes and next(writes) > 2:
            write_bytes(path, bytes(content)[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(type(output), "write_bytes", full)
        with pytest.raises(UdeansrError, match=r"latest.pt: cannot be written \(No space left on device\); make room"):
            run_tiny(dataset_folder, plan, output)
    assert load_checkpoint(output / "latest.pt")["progress"]["iteration"] == 0
    assert not list(output.glob(".*"))
    run_tiny(dataset_folder, plan, output, "continue")
    run_tiny(dataset_folder, plan, tmp_path / "whole")
    assert_same(tmp_path / "whole" / "final.pt", output / "final.pt")


def test_continuing_with_other_settings_is_refused(dataset_folder, plan, longer, tiny, tmp_path, run_tiny) -> None:
    output = tmp_path / "results"
    run_tiny(dataset_folder, plan, output, epochs=1)
    with pytest.raises(UdeansrError, match=r"results .*run.learning_rate 0.0001 -> 0.01, run.seed 0 -> 3"):
        run_tiny(dataset_folder, plan, output, "continue", epochs=2, learning_rate=0.01, seed=3)
    with pytest.raises(UdeansrError, match=r"plan.lr_gain 1.0 -> 2.0"):
        other = Plan(plan.dataset, plan.orientation, 2.0, plan.configurations)
        run_tiny(dataset_folder, other, output, "continue", epochs=2)
    with pytest.raises(UdeansrError, match=r"settings.weight 1.0 -> 2.0"):
        settings = parse_settings("tiny", ["tiny.weight=2"])
        train(
            dataset_folder,
            plan,
            "x2x2x2",
            "tiny",
            settings,
            RunSettings(epochs=2, device="cpu", precision="fp32"),
            output,
            "continue",
        )


@pytest.mark.parametrize("method", ["tricubic", "sinc"])
def test_what_learns_nothing_is_not_trained(dataset_folder, plan, tmp_path, method, run_tiny) -> None:
    with pytest.raises(
        UdeansrError, match=f"{method} learns nothing.*udeansr_predict .* --method {method} --scale x2x2x2"
    ):
        run_tiny(dataset_folder, plan, tmp_path / "results", method=method)
    assert not (tmp_path / "results").exists()


def test_compile_is_left_out_on_the_cpu_with_a_word(dataset_folder, plan, tiny, tmp_path, caplog, run_tiny) -> None:
    with caplog.at_level(logging.WARNING):
        run_tiny(dataset_folder, plan, tmp_path / "results", epochs=1, compile=True)
    assert "torch.compile is left out on the CPU" in caplog.text


def test_without_pairs_the_log_says_how_best_is_chosen(make_dataset, plan, tiny, tmp_path, run_tiny, metrics) -> None:
    output = tmp_path / "results"
    run_tiny(make_dataset(subjects=4, pairs=0), plan, output, epochs=1)
    scores = metrics(output)[1]["validation"]
    assert {"score", "cycle_psnr", "cycle_ssim", "spectrum_distance", "shift_voxels"} == set(scores)
    assert scores["score"] == pytest.approx(scores["cycle_ssim"] - 0.1 * scores["spectrum_distance"])
    assert "no pairs: best is chosen by cycle SSIM - 0.1 x spectrum distance" in (output / "training.log").read_text()


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_udean_learns_from_workers_as_without(dataset_folder, longer, tmp_path, run_tiny, assert_same) -> None:
    plan = longer(epochs=1, iterations_per_epoch=5)
    one, other = (
        run_tiny(dataset_folder, plan, tmp_path / f"{workers}", method="udean", workers=workers) for workers in (0, 4)
    )
    assert_same(one, other, "weights", "averaged", "random")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state["optimizers"]["generators"]["state"][0].update(exp_avg=torch.zeros(3)),
        lambda state: state["optimizers"]["generators"]["state"][0]["exp_avg"].fill_(float("nan")),
        lambda state: state["optimizers"]["generators"]["state"][0].pop("exp_avg_sq"),
        lambda state: state["optimizers"]["generators"].pop("param_groups"),
        lambda state: state["optimizers"].pop("discriminators"),
        lambda state: state["random"].update(numpy=["MT19937", [1], 0, 0, 0.0]),
        lambda state: state["random"].update(python=None),
        lambda state: state["averaged"].popitem(),
    ],
)
def test_a_state_that_is_broken_is_not_gone_on_from(dataset_folder, plan, tiny, tmp_path, run_tiny, spoil) -> None:
    output = tmp_path / "results"
    run_tiny(dataset_folder, plan, output)
    state = load_checkpoint(output / "latest.pt")
    spoil(state)
    torch.save(state, output / "latest.pt")
    (output / "final.pt").unlink()
    with pytest.raises(UdeansrError, match="begin again with --overwrite"):
        run_tiny(dataset_folder, plan, output, mode="continue", epochs=3)
