from __future__ import annotations

import io
import json
import logging
import sys
from dataclasses import replace

import matplotlib
import pytest

from udeansr.errors import UdeansrError
from udeansr.training.interruption import StoppedError
from udeansr.training.log import (
    EpochRecord,
    RunLog,
    by_player,
    check_tensorboard,
    draw_progress,
    duration,
    epoch_bar,
    epoch_line,
    read_epochs,
    show_losses,
)


def entry(epoch: int, losses: dict, **validation) -> EpochRecord:
    scores = {"shift_voxels": [0.0, 0.0, 0.0], **validation}
    return EpochRecord(epoch, 3, losses, scores, 1e-4, {"computing": 1.0, "waiting": 0.5, "validation": 2.0})


@pytest.mark.parametrize(
    "history",
    [
        [entry(0, {}, ssim=0.5, psnr=20.0)],
        [entry(0, {}, ssim=0.5, psnr=None), entry(1, {"g.l1": 0.1, "g.adversarial": 0.0}, ssim=0.6, psnr=25.0)],
        [entry(epoch, {"g.l1": 0.0}, cycle_ssim=0.9, cycle_psnr=30.0, spectrum_distance=0.1) for epoch in range(4)],
    ],
)
def test_any_history_is_drawn_whole_and_without_a_display(history, tmp_path) -> None:
    backend = matplotlib.get_backend()
    path = tmp_path / "progress.png"
    draw_progress(history, path)
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert [file.name for file in tmp_path.iterdir()] == ["progress.png"]
    assert matplotlib.get_backend() == backend


def test_losses_are_summed_by_player() -> None:
    assert by_player({"a.x": 1.0, "a.y": 2.0, "b.x": 4.0}) == {"a": 3.0, "b": 4.0}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (42.4, "42 s"), (170, "3 min"), (3600, "60 min"), (7500, "2 h 05 min")]
)
def test_a_duration_in_words(seconds, text) -> None:
    assert duration(seconds) == text


def test_an_epoch_is_one_line_with_losses_scores_shift_and_times() -> None:
    entry = EpochRecord(
        epoch=2,
        iterations=10,
        losses={"g.l1": 0.25, "g.adversarial": 0.5, "d.loss": 1.0},
        validation={"score": 0.9, "psnr": None, "shift_voxels": [0.0, -0.25, 0.125]},
        learning_rate=5e-5,
        seconds={"computing": 50.0, "waiting": 8.0, "validation": 2.0},
    )
    assert epoch_line(entry, 4) == (
        "epoch 2/4: g 0.7500, d 1.0000, score 0.9000, shift 0.000 -0.250 0.125 HR voxels, "
        "learning rate 5e-05; 60 s (8 s waiting for data), about 2 min left"
    )
    assert "left" not in epoch_line(replace(entry, epoch=4), 4)
    assert epoch_line(entry, 4, seconds_left=30.2).endswith("about 30 s left")
    assert "left" not in epoch_line(entry, 4, seconds_left=-1)


def test_the_bar_counts_on_from_where_an_epoch_was_left(monkeypatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    with epoch_bar(3, 9, 4, 6) as bar:
        bar.update()
        show_losses(bar, {"g.l1": 0.5})
        bar.refresh()
    assert "epoch 3/9" in screen.getvalue()
    assert "5/6" in screen.getvalue()
    assert "g 0.5000" in screen.getvalue()


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch) -> None:
    monkeypatch.setattr("udeansr.training.log.draw_progress", lambda history, path: None)


def test_each_epoch_is_a_line_of_json_without_what_json_cannot_say(tmp_path) -> None:
    with RunLog(tmp_path, -1, False) as log:
        log.record(entry(0, {}, psnr=float("inf")))
        log.record(entry(1, {"l1": 0.5}, psnr=float("inf")))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    assert lines[1]["losses"] == {"l1": 0.5}
    assert lines[1]["validation"]["psnr"] is None


def test_continued_it_drops_what_the_checkpoint_does_not_know_and_half_lines(tmp_path, caplog) -> None:
    with RunLog(tmp_path, -1, False) as log:
        for epoch in range(4):
            log.record(entry(epoch, {}, psnr=float("inf")))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "los')
    with caplog.at_level(logging.WARNING):
        log = RunLog(tmp_path, 2, False)
    assert "a line is broken and is left out" in caplog.text
    with log:
        log.record(entry(3, {}, psnr=float("inf")))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
    assert [epoch.epoch for epoch in log.history] == [0, 1, 2, 3]


def test_training_log_takes_what_the_library_says_with_its_time(tmp_path) -> None:
    package = logging.getLogger("udeansr")
    before = (package.level, list(package.handlers))
    with RunLog(tmp_path, -1, False):
        logging.getLogger("udeansr.any.module").info("hello")
    logging.getLogger("udeansr.any.module").warning("too late")
    text = (tmp_path / "training.log").read_text()
    assert text.endswith("INFO hello\n")
    assert text[:2] == "20"
    assert (package.level, package.handlers) == before


def test_a_sad_end_is_told_too(tmp_path) -> None:
    with pytest.raises(UdeansrError), RunLog(tmp_path, -1, False):
        raise UdeansrError("a loss is not finite")
    with pytest.raises(StoppedError), RunLog(tmp_path, -1, False):
        raise StoppedError(2, "stopped after iteration 7")
    text = (tmp_path / "training.log").read_text()
    assert "ERROR a loss is not finite" in text
    assert "INFO stopped after iteration 7" in text


def test_tensorboard_that_is_not_installed_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UdeansrError, match="--tensorboard: the package tensorboard is not installed; pip install"):
        check_tensorboard()


def test_tensorboard_gets_every_number(tmp_path, monkeypatch) -> None:
    class Board:
        scalars, closed = [], False

        def add_scalar(self, name: str, value: float, epoch: int) -> None:
            self.scalars.append((name, value, epoch))

        def close(self) -> None:
            Board.closed = True

    monkeypatch.setattr("udeansr.training.log._open_tensorboard", lambda folder: Board())
    with RunLog(tmp_path, -1, True) as log:
        log.record(entry(1, {"l1": 0.5}, ssim=0.9))
    assert Board.scalars == [("losses/l1", 0.5, 1), ("validation/ssim", 0.9, 1), ("learning_rate", 1e-4, 1)]
    assert Board.closed


def test_a_line_that_is_too_deep_is_left_out(tmp_path) -> None:
    (tmp_path / "metrics.jsonl").write_text("[" * 100_000 + "\n" + EpochRecord(1, 3, {}, {}, 1e-3, {}).line())
    assert [entry.epoch for entry in read_epochs(tmp_path / "metrics.jsonl")] == [1]


def test_what_is_no_number_is_not_drawn(tmp_path) -> None:
    odd = EpochRecord(1, 3, {}, {"psnr": [1.0, 2.0], "tricubic_psnr": [3.0]}, 1e-3, {})
    draw_progress([replace(odd, epoch=0), odd], tmp_path / "progress.png")
    assert (tmp_path / "progress.png").read_bytes().startswith(b"\x89PNG")
