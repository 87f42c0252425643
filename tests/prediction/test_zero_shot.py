import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool3d

from udeansr.degradation.kspace import truncate_kspace
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc
from udeansr.image.volume import Geometry, Volume
from udeansr.methods import build_method, parse_settings
from udeansr.models.model import Model
from udeansr.networks.rcan import ChannelAttention
from udeansr.planning.plan import Plan
from udeansr.prediction.predictor import Predictor
from udeansr.prediction.zero_shot import ZeroShotPairs, back_projected, fitting_patch, learned_on, median_of_transforms
from udeansr.training.settings import RunSettings
from udeansr.training.trainer import Trainer


def waves(sides: tuple[int, int, int]) -> np.ndarray:
    """So smooth that the means over 2 x 2 x 2 voxels are what truncation gives."""
    grids = np.meshgrid(*(np.arange(n) / n for n in sides), indexing="ij")
    return sum(np.sin(2 * np.pi * (2 * grid + 0.1 * axis)) for axis, grid in enumerate(grids)).astype(np.float32) + 4


@pytest.mark.parametrize("augment", [True, False])
def test_a_pair_shows_one_field_of_view_on_two_grids(augment, tiny_configuration):
    configuration = tiny_configuration(patch_size=(8, 8), rotate90=True, batch_size=8)
    batch = ZeroShotPairs(waves((24, 32, 36)), configuration, 0, augment).batch(0)
    assert batch.hr.shape == (8, 6, 16, 16) and batch.degraded is not None
    torch.testing.assert_close(avg_pool3d(batch.hr, 2), batch.degraded, atol=0.15, rtol=0)
    assert batch.hr.std() > 0.5  # else all would be close
    assert torch.equal(batch.lr, batch.degraded)


def test_a_batch_hangs_on_the_seed_and_its_number_alone(tiny_configuration):
    lr, configuration = waves((24, 32, 36)), tiny_configuration(patch_size=(8, 8))
    pairs, same, other = (ZeroShotPairs(lr, configuration, seed, augment=True) for seed in (0, 0, 1))
    first, second = pairs.batch(0).hr, pairs.batch(1).hr
    assert torch.equal(same.batch(1).hr, second) and torch.equal(pairs.batch(0).hr, first)
    assert not torch.equal(first, second) and not torch.equal(other.batch(0).hr, first)


def test_sides_need_not_divide_and_foreground_may_lie_in_what_is_left_out(tiny_configuration):
    lr = np.zeros((7, 17, 19), dtype=np.float32)
    lr[6, 16, 18] = 1
    batch = ZeroShotPairs(lr, tiny_configuration(patch_size=(8, 9)), 0, augment=False).batch(0)
    assert batch.hr.shape == (2, 6, 16, 18) and not batch.hr.any()


@pytest.mark.parametrize(
    ("rotate90", "patch", "shape", "expected"),
    [
        (False, (16, 24), (6, 64, 64), (16, 24)),
        (False, (16, 24), (6, 20, 64), (10, 24)),
        (True, (24, 24), (6, 20, 64), (10, 10)),
        (False, (4, 6), (6, 8, 12), (4, 6)),  # as small as the plan says
    ],
)
def test_patches_shrink_to_what_the_volume_holds(rotate90, patch, shape, expected, tiny_configuration):
    assert fitting_patch("zssr", tiny_configuration(patch_size=patch, rotate90=rotate90), shape) == expected


@pytest.mark.parametrize(
    ("scale", "shape", "message"),
    [
        ("x2x2x2", (7, 19, 15), "7 x 19 x 15 voxels .* degraded once more by x2x2x2; expected at least 6 x 16 x 16. "),
        ("x2x2x2", (5, 19, 17), "5 x 19 x 17 voxels .* expected at least 6 x 16 x 16. Predict it with a trained"),
        ("x3x2x1", (2, 19, 24), r"expected at least 3 x 16 x 24\. .* interpolate: --method sinc --scale x3x2x1$"),
    ],
)
def test_a_volume_that_is_too_small_is_told(scale, shape, message, tiny_configuration):
    with pytest.raises(UdeansrError, match=message):
        fitting_patch("zssr", tiny_configuration(scale), shape)


SCALE = Scale(2, 2, 2)
RNG = np.random.default_rng(3)
LR = RNG.random((4, 6, 6), dtype=np.float32)
BIAS = RNG.random((8, 12, 12), dtype=np.float32)


def lopsided(lr: np.ndarray) -> np.ndarray:
    """Interpolation by something that knows up from down and left from right."""
    return sinc(lr, SCALE) ** 2 + BIAS


@pytest.mark.parametrize("rotate90", [True, False])
def test_the_median_treats_all_sides_alike(rotate90):
    """Flipping the volume and flipping its SR are the same, whatever the network prefers; turning too, if it turns."""
    sr = median_of_transforms(lopsided, LR, rotate90)
    for axis in (1, 2):
        np.testing.assert_allclose(
            median_of_transforms(lopsided, np.flip(LR, axis), rotate90), np.flip(sr, axis), atol=1e-5
        )
    turned = median_of_transforms(lopsided, np.rot90(LR, axes=(1, 2)), rotate90)
    assert np.allclose(turned, np.rot90(sr, axes=(1, 2)), atol=1e-5) == rotate90
    assert not np.allclose(lopsided(np.flip(LR, 1)), np.flip(lopsided(LR), 1), atol=1e-5)


@pytest.mark.parametrize("rotate90", [True, False])
def test_the_median_changes_nothing_where_all_answers_are_one(rotate90):
    np.testing.assert_allclose(
        median_of_transforms(lambda lr: sinc(lr, SCALE), LR, rotate90), sinc(LR, SCALE), atol=1e-5
    )


def test_the_median_of_a_volume_that_is_not_square():
    sr = median_of_transforms(lambda lr: lr.repeat(2, 1).repeat(2, 2), LR[:, :4], True)
    np.testing.assert_array_equal(sr, LR[:, :4].repeat(2, 1).repeat(2, 2))


def missed(sr: np.ndarray, times: int, lr: np.ndarray, scale: Scale) -> float:
    return float(np.abs(lr - truncate_kspace(back_projected(sr, lr, scale, times), scale)).max())


@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 2, 2), (1, 3, 2)])
@pytest.mark.parametrize("sides", [(4, 6, 8), (5, 7, 9)])
def test_each_back_projection_brings_sr_closer_to_its_lr(sides, factors):
    scale = Scale(*factors)
    lr = RNG.random(sides, dtype=np.float32)
    sr = RNG.random([n * s for n, s in zip(sides, factors, strict=True)], dtype=np.float32)
    distances = [missed(sr, times, lr, scale) for times in (0, 1, 2, 10)]
    if all(side % 2 for side in sides):
        assert distances[1] < 1e-5 < distances[0]
    else:
        assert distances[0] > distances[1] > distances[2] > distances[3]
    assert distances[3] < 0.1 * distances[0]


def test_without_back_projection_and_with_nothing_to_mend_sr_stays():
    hr = RNG.random((6, 10, 14), dtype=np.float32)
    lr = truncate_kspace(hr, SCALE)
    np.testing.assert_array_equal(back_projected(hr, lr + 1, SCALE, 0), hr)
    np.testing.assert_allclose(back_projected(hr, lr, SCALE, 10), hr, atol=1e-5)


EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example" / "Dataset001_BrainT1w"
ON_CPU = {"device": "cpu", "precision": "fp32"}
NOISE = np.random.default_rng(4).random((2, 7, 19, 17), dtype=np.float32)


@pytest.fixture
def resolver(tiny_configuration):
    """A maker of ZSSR that is ready to predict, as a model of it is."""

    def make(*assignments: str, scale: str = "x2x2x2", run: RunSettings | None = None, **values) -> Predictor:
        configuration = tiny_configuration(scale, **{"patch_size": (8, 8), **values})
        torch.manual_seed(0)
        settings = parse_settings("zssr", [f"zssr.{words}" for words in ("iterations=3", *assignments)])
        method = build_method("zssr", configuration, settings).requires_grad_(False).eval()
        plan = Plan("Dataset007_Tiny", "SPL", 1.0, {scale: configuration})
        run = (run or RunSettings()).resolved(configuration, type(method))
        return Predictor(Model(method, Scale.parse(scale), plan, configuration, run=run))

    return make


def volume(voxels: np.ndarray) -> Volume:
    return Volume(voxels, Geometry(voxels.shape, (2.0, 2.0, 2.0)))


def learned(resolver: Predictor, lr: np.ndarray = NOISE[0], **where: str):
    return learned_on(resolver.model.method, lr, resolver.model.run, **{**ON_CPU, **where})


def test_it_learns_from_the_volume_alone_and_beats_its_own_beginning(resolver):
    """On a piece of a real scan; it begins as interpolation."""
    lr, hr = (read_volume(EXAMPLE / group / "sub-10_T1w.nii.gz").voxels for group in ("testLR", "testHR"))
    part = volume(lr[4:28, 8:40, 8:40].astype(np.float32))
    truth = hr[8:56, 16:80, 16:80]
    errors = []
    for iterations in (0, 80):
        sr = resolver(f"iterations={iterations}", patch_size=(16, 16), blocks=2)(part).voxels
        errors.append(np.square(sr - truth).mean())
    assert errors[1] < 0.95 * errors[0]


def test_no_volume_leaves_a_trace_in_another(resolver):
    one, other = (volume(voxels) for voxels in NOISE)
    loaded = resolver()
    before = {name: tensor.clone() for name, tensor in loaded.model.method.state_dict().items()}
    loaded(one)
    second = loaded(other)
    np.testing.assert_array_equal(second.voxels, resolver()(other).voxels)
    np.testing.assert_array_equal(loaded(other).voxels, second.voxels)
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.model.method.state_dict().items())
    assert not any(parameter.requires_grad for parameter in loaded.model.method.parameters())
    assert not np.array_equal(second.voxels, resolver("iterations=0")(other).voxels)


def test_seed_rate_and_averaging_of_the_run_hold(resolver):
    weights = [
        torch.cat([tensor.flatten() for tensor in learned(resolver(run=RunSettings(**values))).parameters()])
        for values in (
            {},
            {"seed": 1},
            {"learning_rate": 1e-4},
            {"ema_decay": 0.0},
            {"batch_size": 1},
            {"augment": False},
        )
    ]
    for number, one in enumerate(weights):
        assert not any(torch.equal(one, other) for other in weights[:number])


def test_the_network_pools_what_a_patch_of_this_volume_is(resolver):
    model = learned(resolver("iterations=1", patch_size=(24, 24)), np.random.default_rng(1).random((6, 20, 64)))
    assert {part.window for part in model.modules() if isinstance(part, ChannelAttention)} == {(10, 24)}


def test_a_volume_that_is_too_small_is_told_zero_shot(resolver):
    with pytest.raises(UdeansrError, match=r"7 x 19 x 15 voxels .* expected at least 6 x 16 x 16\."):
        resolver()(volume(NOISE[0][:, :, :15]))


def test_slices_may_stay_as_they_are_and_numbers_be_of_half_precision(resolver):
    sr = replace(resolver(scale="x2x2x1"), precision="bf16")(volume(NOISE[0]))
    assert sr.voxels.shape == (7, 38, 34) and np.isfinite(sr.voxels).all()


def test_median_and_back_projection_follow_if_they_are_asked_for(resolver):
    lr = volume(NOISE[0])
    plain, median, projected = (resolver(*words)(lr).voxels for words in ((), ("median=on",), ("back_projections=2",)))
    assert median.shape == plain.shape and not np.array_equal(median, plain)
    missed, missed_less = (np.abs(lr.voxels - truncate_kspace(sr, Scale(2, 2, 2))).mean() for sr in (plain, projected))
    assert missed_less < 0.5 * missed


def test_the_log_says_on_what_it_learnt(resolver, caplog):
    with caplog.at_level(logging.INFO):
        resolver()(volume(NOISE[0]), name="sub-01")
    assert "zssr: learnt on sub-01 in 3 iterations, 0 s; last losses: generators 0." in caplog.text


def test_what_is_not_finite_stops_it_with_a_word(resolver, monkeypatch):
    told = r"so learning on this volume stopped\. Predict with --precision fp32, or begin again .*--method zssr --over"
    with pytest.raises(UdeansrError, match=rf"iteration \d: a loss is not finite \(.*nan.*{told}"):
        learned(resolver(run=RunSettings(learning_rate=1e30)))
    monkeypatch.setattr(Trainer, "is_finite", lambda trainer: False)
    with pytest.raises(UdeansrError, match=rf"iteration 3: a weight is not finite, {told}"):
        learned(resolver())


def test_too_little_memory_is_told(resolver, monkeypatch):
    def play(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(Trainer, "play", play)
    with pytest.raises(UdeansrError, match=r"cpu: out of memory with 2 slabs in a batch; .* --method zssr --overwrite"):
        learned(resolver())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_learns_the_same(resolver):
    on_cpu, on_gpu = (learned(resolver(), device=device).cpu().state_dict() for device in ("cpu", "cuda"))
    for name, tensor in on_cpu.items():
        torch.testing.assert_close(on_gpu[name], tensor, atol=2e-3, rtol=0)
