from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.inference import sliding_window
from udeansr.inference.test_time_augmentation import all_transforms
from udeansr.inference.whole_volume import degrade_volume, super_resolve_volume, super_resolved_slices
from udeansr.methods.method import Method
from udeansr.planning.configuration import VIEWS

ON_CPU = {"device": "cpu", "precision": "fp32"}


class Repeating(Method):
    """Every voxel becomes a block of its own value: the identity, on the HR grid; its mean is the way back."""

    name = "repeating"
    settings_type = object

    def __init__(self, scale: Scale, slab_slices: int | None, margin_slices: int = 0, slab_axes: str = "Z") -> None:
        nn.Module.__init__(self)
        views = tuple(VIEWS[axis] for axis in slab_axes)
        self.configuration = SimpleNamespace(task=SimpleNamespace(factors=scale, views=views))
        self.scale = Scale(*(scale.zyx[axis] for axis in views[0]))
        self.slab_slices, self.margin_slices = slab_slices, margin_slices
        self.seen: list[tuple[int, ...]] = []

    def network_input(self, lr: np.ndarray) -> np.ndarray:
        return lr[None]

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        yield from ()

    def super_resolve(self, lr: Tensor) -> Tensor:
        assert not self.training and torch.is_inference_mode_enabled()
        self.seen.append(tuple(lr.shape))
        for axis, factor in zip((1, 2, 3), self.scale.zyx, strict=True):
            lr = lr.repeat_interleave(factor, axis)
        return lr

    def degrade(self, hr: Tensor) -> Tensor:
        return nn.functional.avg_pool3d(hr[:, None], self.scale.zyx)[:, 0]


class OnlyUp(Repeating):
    """Learns no degradation."""

    degrade = Method.degrade


def repeated(volume: np.ndarray, scale: Scale) -> np.ndarray:
    for axis, factor in enumerate(scale.zyx):
        volume = volume.repeat(factor, axis)
    return volume


@st.composite
def windows(draw: st.DrawFn) -> tuple[np.ndarray, Scale, int, int, int]:
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)))
    scale = Scale(*draw(st.tuples(*[st.integers(1, 3)] * 3)))
    slab = draw(st.integers(1, 6))
    volume = np.random.default_rng(draw(st.integers(0, 9))).normal(size=shape).astype(np.float32)
    margin = draw(st.integers(0, (slab - 1) // 2))
    return volume, scale, slab, margin, draw(st.integers(1, slab - 2 * margin))


@given(windows())
def test_an_identity_network_returns_its_input_for_any_stride(window):
    volume, scale, slab, margin, stride = window
    method = Repeating(scale, slab, margin)
    sr = super_resolve_volume(method, volume, stride=stride, **ON_CPU)
    assert sr.dtype == np.float32
    np.testing.assert_allclose(sr, repeated(volume, scale), rtol=1e-6, atol=1e-7)
    assert {shape[1:] for shape in method.seen} == {(slab, *volume.shape[1:])}


@given(windows())
def test_degrading_an_identity_is_its_way_back(window):
    volume, scale, slab, *_ = window
    lr = degrade_volume(Repeating(scale, slab), repeated(volume, scale), **ON_CPU)
    np.testing.assert_allclose(lr, volume, rtol=1e-5, atol=1e-6)


def test_overlapping_slabs_are_averaged_and_the_ends_replicated():
    class Place(Repeating):
        """Gives the mean of its slab in the first slice of its answer and 0 in the others."""

        def super_resolve(self, lr: Tensor) -> Tensor:
            answer = torch.zeros_like(lr)
            answer[:, 0] = lr.mean(1)
            return answer

    volume = np.arange(5, dtype=np.float32).reshape(5, 1, 1)
    # Slabs start at -1, 0, 1, 2, 3; slice 0 is the first slice of one of the two slabs that hold it, and so on.
    sr = super_resolve_volume(Place(Scale(1, 1, 1), 3), volume, **ON_CPU)
    np.testing.assert_allclose(sr.ravel(), [1 / 2, 2 / 3, 3 / 3, (3 + 4 + 4) / 3 / 3, 0], rtol=1e-6)


@pytest.mark.parametrize("scale", [Scale(1, 1, 1), Scale(2, 2, 2)])
def test_what_a_method_gives_for_its_margins_is_not_used(scale):
    class WrongOutside(Repeating):
        def super_resolve(self, lr: Tensor) -> Tensor:
            answer = super().super_resolve(lr)
            answer[:, : 2 * self.scale.z] = answer[:, -2 * self.scale.z :] = float("nan")
            return answer

    volume = np.random.default_rng(0).random((6, 3, 3), dtype=np.float32)
    for stride in (1, 2, 3):
        sr = super_resolve_volume(WrongOutside(scale, 7, 2), volume, stride=stride, **ON_CPU)
        np.testing.assert_allclose(sr, repeated(volume, scale), rtol=1e-6)


def test_a_method_without_slabs_gets_the_volume_whole():
    method = Repeating(Scale(2, 2, 2), None)
    sr = super_resolve_volume(method, np.ones((7, 4, 5), np.float32), **ON_CPU)
    assert method.seen == [(1, 7, 4, 5)] and sr.shape == (14, 8, 10)


def test_batches_are_bounded_and_change_nothing(monkeypatch):
    volume = np.random.default_rng(0).random((10, 6, 6), dtype=np.float32)
    method = Repeating(Scale(1, 2, 2), 3)
    at_once = super_resolve_volume(method, volume, **ON_CPU)
    assert [shape[0] for shape in method.seen] == [10]
    monkeypatch.setitem(sliding_window.HR_PIXELS_A_BATCH, "cpu", 4 * 144 + 1)
    told = []
    in_parts = super_resolve_volume(method, volume, progress=lambda done, all_: told.append((done, all_)), **ON_CPU)
    assert [shape[0] for shape in method.seen[1:]] == [4, 4, 2]
    assert told == [(4, 10), (8, 10), (10, 10)]
    np.testing.assert_array_equal(in_parts, at_once)


def test_the_method_comes_back_in_its_mode_and_without_gradients():
    method = Repeating(Scale(2, 2, 2), 3)
    method.train()
    super_resolve_volume(method, np.ones((3, 2, 2), np.float32), **ON_CPU)
    assert method.training


def test_half_precision_reaches_the_networks_and_not_the_average():
    class Halved(Repeating):
        def super_resolve(self, lr: Tensor) -> Tensor:
            weight = torch.ones(3, 3, 1, 1) / 3
            answer = nn.functional.conv2d(lr, weight)
            assert answer.dtype == torch.bfloat16
            return answer

    sr = super_resolve_volume(
        Halved(Scale(1, 1, 1), 3), np.full((5, 4, 4), 0.5, np.float32), device="cpu", precision="bf16"
    )
    assert sr.dtype == np.float32
    np.testing.assert_allclose(sr, 0.5, rtol=1e-2)


def test_memory_that_runs_out_halves_the_batch_and_at_last_tells_the_user():
    class Hungry(Repeating):
        limit = 2

        def super_resolve(self, lr: Tensor) -> Tensor:
            if len(lr) > self.limit:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().super_resolve(lr)

    volume = np.random.default_rng(0).random((9, 4, 4), dtype=np.float32)
    method = Hungry(Scale(1, 1, 1), 3)
    np.testing.assert_allclose(super_resolve_volume(method, volume, **ON_CPU), volume, rtol=1e-6)
    method.limit = 0
    with pytest.raises(UdeansrError, match=r"cpu: out of memory with slices of 4 x 4; .*--device cpu"):
        super_resolve_volume(method, volume, **ON_CPU)


def test_what_the_caller_must_not_ask():
    volume = np.ones((4, 5, 4), np.float32)
    with pytest.raises(ValueError, match="stride of 4 with slabs of 3"):
        super_resolve_volume(Repeating(Scale(1, 2, 2), 3), volume, stride=4, **ON_CPU)
    with pytest.raises(ValueError, match="precision half"):
        super_resolve_volume(Repeating(Scale(1, 2, 2), 3), volume, device="cpu", precision="half")
    with pytest.raises(ValueError, match="does not divide"):
        degrade_volume(Repeating(Scale(2, 2, 2), 3), volume, **ON_CPU)


def test_a_method_that_learns_no_degradation_degrades_nothing():
    assert degrade_volume(OnlyUp(Scale(1, 1, 1), 3), np.ones((4, 4, 4), np.float32), **ON_CPU) is None


@pytest.mark.parametrize(
    ("scale", "slab_axes"),
    [(Scale(3, 1, 1), "YX"), (Scale(3, 2, 2), "YX"), (Scale(2, 1, 2), "Y"), (Scale(2, 2, 1), "X")],
)
def test_slabs_of_any_axis_give_the_volume_in_its_own_order(scale, slab_axes):
    volume = np.random.default_rng(0).random((6, 9, 8)).astype(np.float32)
    method = Repeating(scale, 3, 1, slab_axes).eval()
    assert np.allclose(super_resolve_volume(method, volume, **ON_CPU), repeated(volume, scale), atol=1e-6)
    assert np.allclose(degrade_volume(method, repeated(volume, scale), **ON_CPU), volume, atol=1e-6)
    planes = {shape[1:] for shape in method.seen}
    assert planes == {(3, 6, 8 if axis == "Y" else 9) for axis in slab_axes}


def test_the_deviation_counts_the_predictions_of_all_views():
    class Rows(Repeating):
        """The sum of each row: another number in each view."""

        def super_resolve(self, lr: Tensor) -> Tensor:
            return lr.sum(3, keepdim=True).expand_as(lr).repeat_interleave(self.scale.y, 2)

    volume = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    method, steps = Rows(Scale(2, 1, 1), 1, 0, "YX").eval(), []
    ((first, made, std),) = super_resolved_slices(
        method, volume, std=True, progress=lambda *done: steps.append(done), **ON_CPU
    )
    along = [np.broadcast_to(volume.sum(axis, keepdims=True), volume.shape).repeat(2, 0) for axis in (2, 1)]
    assert first == 0 and np.allclose(made, np.mean(along, axis=0), rtol=1e-5)
    assert np.allclose(std, np.std(along, axis=0), atol=2e-3)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps) and steps[-1][0] == steps[-1][1]


def test_mirrorings_are_of_the_volume_whatever_the_view():
    volume = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    method = Repeating(Scale(2, 1, 1), 3, 1, "YX").eval()
    for transform in all_transforms(rotate90=False):
        (made,) = super_resolved_slices(method, volume, transforms=[transform], **ON_CPU)
        assert np.allclose(made[1], repeated(volume, Scale(2, 1, 1)), atol=1e-6)
