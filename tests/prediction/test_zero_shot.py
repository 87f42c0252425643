import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from udeansr.degradation.kspace import truncate_kspace
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Geometry, Volume
from udeansr.methods import build_method, parse_settings
from udeansr.networks.rcan import ChannelAttention
from udeansr.planning.plan import Plan
from udeansr.prediction.super_resolver import VolumeResolver
from udeansr.prediction.zero_shot import learned_on
from udeansr.training.settings import RunSettings
from udeansr.training.trainer import Trainer

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example" / "Dataset001_BrainT1w"
ON_CPU = {"device": "cpu", "precision": "fp32"}
NOISE = np.random.default_rng(4).random((2, 7, 19, 17), dtype=np.float32)


@pytest.fixture
def resolver(tiny_configuration):
    """A maker of ZSSR that is ready to predict, as a model of it is."""

    def make(*assignments: str, scale: str = "x2x2x2", run: RunSettings | None = None, **values) -> VolumeResolver:
        configuration = tiny_configuration(scale, **{"patch_size": (8, 8), **values})
        torch.manual_seed(0)
        settings = parse_settings("zssr", [f"zssr.{words}" for words in ("iterations=3", *assignments)])
        method = build_method("zssr", configuration, settings).requires_grad_(False).eval()
        plan = Plan("Dataset007_Tiny", "SPL", 1.0, {scale: configuration})
        run = (run or RunSettings()).resolved(configuration, type(method))
        return VolumeResolver(method, Scale.parse(scale), plan, configuration, run=run)

    return make


def volume(voxels: np.ndarray) -> Volume:
    return Volume(voxels, Geometry(voxels.shape, (2.0, 2.0, 2.0)))


def learned(resolver: VolumeResolver, lr: np.ndarray = NOISE[0], **where: str):
    return learned_on(resolver.method, lr, resolver.run, **{**ON_CPU, **where})


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
    before = {name: tensor.clone() for name, tensor in loaded.method.state_dict().items()}
    loaded(one)
    second = loaded(other)
    np.testing.assert_array_equal(second.voxels, resolver()(other).voxels)
    np.testing.assert_array_equal(loaded(other).voxels, second.voxels)
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.method.state_dict().items())
    assert not any(parameter.requires_grad for parameter in loaded.method.parameters())
    assert not np.array_equal(second.voxels, resolver("iterations=0")(other).voxels)


def test_seed_rate_and_averaging_of_the_run_hold(resolver):
    weights = [
        torch.cat([tensor.flatten() for tensor in learned(resolver(run=RunSettings(**values))).parameters()])
        for values in ({}, {"seed": 1}, {"lr": 1e-4}, {"ema_decay": 0.0}, {"batch_size": 1}, {"augment": False})
    ]
    for number, one in enumerate(weights):
        assert not any(torch.equal(one, other) for other in weights[:number])


def test_the_network_pools_what_a_patch_of_this_volume_is(resolver):
    model = learned(resolver("iterations=1", patch_size=(24, 24)), np.random.default_rng(1).random((6, 20, 64)))
    assert {part.window for part in model.modules() if isinstance(part, ChannelAttention)} == {(10, 24)}


def test_a_volume_that_is_too_small_is_told(resolver):
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
        learned(resolver(run=RunSettings(lr=1e30)))
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
