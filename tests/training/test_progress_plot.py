from __future__ import annotations

import matplotlib
import pytest

from udeansr.training.progress_plot import draw_progress


def entry(epoch: int, losses: dict, **validation) -> dict:
    return {"epoch": epoch, "losses": losses, "validation": {"shift_voxels": [0, 0, 0], **validation}, "lr": 1e-4}


@pytest.mark.parametrize(
    "history",
    [
        [entry(0, {}, ssim=0.5, psnr=20.0)],
        [entry(0, {}, ssim=0.5, psnr=None), entry(1, {"g.l1": 0.1, "g.fool": 0.0}, ssim=0.6, psnr=25.0)],
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
