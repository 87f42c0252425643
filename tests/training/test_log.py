from __future__ import annotations

import json
import logging
import sys

import pytest

from udeansr.errors import UdeansrError
from udeansr.training.interruption import StoppedError
from udeansr.training.log import RunLog, check_tensorboard


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch) -> None:
    monkeypatch.setattr("udeansr.training.log.draw_progress", lambda history, path: None)


def entry(epoch: int, **losses: float) -> dict:
    return {"epoch": epoch, "losses": losses, "validation": {"psnr": float("inf"), "shift_voxels": [0.0]}, "lr": 1e-4}


def test_each_epoch_is_a_line_of_json_without_what_json_cannot_say(tmp_path) -> None:
    with RunLog(tmp_path, -1, False) as log:
        log.record(entry(0))
        log.record(entry(1, l1=0.5))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    assert lines[1]["losses"] == {"l1": 0.5}
    assert lines[1]["validation"]["psnr"] is None


def test_continued_it_drops_what_the_checkpoint_does_not_know_and_half_lines(tmp_path, caplog) -> None:
    with RunLog(tmp_path, -1, False) as log:
        for epoch in range(4):
            log.record(entry(epoch))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "los')
    with caplog.at_level(logging.WARNING):
        log = RunLog(tmp_path, 2, False)
    assert "a line is broken and is left out" in caplog.text
    with log:
        log.record(entry(3))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
    assert [line["epoch"] for line in log.history] == [0, 1, 2, 3]


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
        log.record({**entry(1, l1=0.5), "validation": {"ssim": 0.9, "shift_voxels": [0.0]}})
    assert Board.scalars == [("losses/l1", 0.5, 1), ("validation/ssim", 0.9, 1), ("lr", 1e-4, 1)]
    assert Board.closed
