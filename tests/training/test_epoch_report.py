from __future__ import annotations

import io
import sys

import pytest

from udeansr.training.epoch_report import by_player, duration, epoch_bar, epoch_line, show_losses


def test_losses_are_summed_by_player() -> None:
    assert by_player({"a.x": 1.0, "a.y": 2.0, "b.x": 4.0}) == {"a": 3.0, "b": 4.0}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (42.4, "42 s"), (170, "3 min"), (3600, "60 min"), (7500, "2 h 05 min")]
)
def test_a_duration_in_words(seconds, text) -> None:
    assert duration(seconds) == text


def test_an_epoch_is_one_line_with_losses_scores_shift_and_times() -> None:
    entry = {
        "epoch": 2,
        "losses": {"g.l1": 0.25, "g.fool": 0.5, "d.tell": 1.0},
        "validation": {"score": 0.9, "psnr": None, "shift_voxels": [0.0, -0.25, 0.125]},
        "lr": 5e-5,
        "seconds": {"computing": 50.0, "waiting": 8.0, "validation": 2.0},
    }
    assert epoch_line(entry, 4) == (
        "epoch 2/4: g 0.7500, d 1.0000, score 0.9000, shift 0.000 -0.250 0.125 HR voxels; "
        "lr 5e-05; 60 s (8 s waiting for data), about 2 min left"
    )
    assert "left" not in epoch_line({**entry, "epoch": 4}, 4)
    assert epoch_line(entry, 4, seconds_left=30.2).endswith("about 30 s left")
    assert "left" not in epoch_line(entry, 4, seconds_left=-1)


def test_the_bar_counts_on_from_where_an_epoch_was_left(monkeypatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with epoch_bar(3, 9, 4, 6) as bar:
        show_losses(bar, {"g.l1": 0.5})
        bar.refresh()
    assert "epoch 3/9" in screen.getvalue()
    assert "5/6" in screen.getvalue()
    assert "g 0.5000" in screen.getvalue()
