from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from udeansr.methods import build_method, parse_settings
from udeansr.training.explanations import draw_maps, explain, is_sampled, write_explanations, write_sample
from udeansr.training.validation import Split

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    name: str
    voxels: np.ndarray


def built(name, configuration):
    torch.manual_seed(0)
    return build_method(name, configuration, parse_settings(name, []))


def test_maps_of_a_volume_are_those_of_its_slabs(tiny_configuration) -> None:
    method = built("dasr", tiny_configuration("x2x2x2", patch_size=(16, 16)))
    hr, lr = np.random.default_rng(0).random((2, 14, 34, 33), dtype=np.float32)
    shown = explain(method, hr, lr, CPU, "fp32")
    assert {name: volume.shape for name, volume in shown.items()} == {
        "HR": (12, 32, 32),
        "LR": (6, 34, 32),
        "degraded": (6, 16, 16),
        "domain-distance map": (12, 32, 32),
    }
    with torch.inference_mode():
        slab = torch.from_numpy(hr[None, 6:12, :32, :32].copy())
        expected = method.eval().explanations(slab, torch.from_numpy(lr[None, 3:6, :, :32].copy()))
    np.testing.assert_allclose(
        shown["domain-distance map"][6:], expected["domain-distance map"][0].numpy(), atol=2e-3
    )  # half precision
    assert method.training is False


@pytest.mark.parametrize("name", ["dasr", "blindsr", "pseudosr"])
def test_they_are_kept_and_drawn(name, tiny_configuration, tmp_path) -> None:
    method = built(name, tiny_configuration("x2x2x1", patch_size=(16, 16)))
    hr, lr = np.random.default_rng(0).random((2, 4, 32, 32), dtype=np.float32)
    split = Split((), (), (Case("one", hr), Case("two", hr)), (Case("other", lr),), paired=False)  # type: ignore[arg-type]
    (drawn,) = write_explanations(method, split, CPU, "fp32", tmp_path)
    assert drawn == tmp_path / "explanations" / "one.png"
    assert drawn.read_bytes().startswith(b"\x89PNG")
    with np.load(drawn.with_suffix(".npz")) as kept:
        assert "degraded" in kept and np.isfinite(kept["degraded"]).all()


def test_a_method_with_nothing_to_show_leaves_nothing(tiny_configuration, tmp_path) -> None:
    volume = np.zeros((4, 16, 16), np.float32)
    split = Split((), (), (Case("a", volume),), (Case("b", volume),), paired=False)  # type: ignore[arg-type]
    assert write_explanations(built("udean", tiny_configuration()), split, CPU, "fp32", tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_same_maps_make_the_same_picture(tmp_path) -> None:
    maps = {"HR": np.full((3, 8, 8), 0.5, np.float16), "some map": np.eye(8, dtype=np.float16)[None]}
    for name in ("one.png", "two.png"):
        draw_maps(maps, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]


def test_samples_are_of_powers_of_two_and_the_last() -> None:
    assert [epoch for epoch in range(21) if is_sampled(epoch, 20)] == [0, 1, 2, 4, 8, 16, 20]


@pytest.mark.parametrize(
    ("orientation", "corner"), [("SPL", (0, 0)), ("SAR", (-1, -1)), ("LSP", (-1, 0)), ("LIA", (0, -1))]
)
def test_a_sample_is_upright_with_the_right_on_the_left(orientation, corner, tmp_path) -> None:
    plane = np.array([[0.2, 0.5, 0.0], [0.0, 2.0, -1.0]], np.float32)
    write_sample(plane, orientation, tmp_path / "samples" / "epoch_0001.png")
    grey = np.asarray(Image.open(tmp_path / "samples" / "epoch_0001.png"))
    assert grey.shape == (2, 3) and grey[corner] == 51
    assert sorted(grey.ravel()) == [0, 0, 0, 51, 127, 255]
