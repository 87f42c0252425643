"""What more work at prediction brings: mirrored copies, consistency with the LR's k-space.

    python benchmarks/inference.py -p udeansr_preprocessed/Dataset002_BrainT1wInplane \
        -m udeansr_results/Dataset002_BrainT1wInplane/x2x2x1/udean

Scores a model on the validation pairs of its dataset. Consistency adds to SR what the LR measured and SR lacks, where
the measured degradation and the model's own error (on two source HR, degraded as measured) say that it can be trusted.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.measured_degradation import MeasuredDegradation, add_rician_noise
from udeansr.degradation.spectrum import BINS, log_spectrum
from udeansr.evaluation.metrics import psnr, ssim_2d
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc
from udeansr.inference.whole_volume import super_resolve_volume
from udeansr.methods import build_method, load_settings
from udeansr.methods.method import Method
from udeansr.planning.plan import Plan
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.training.checkpoint import load_checkpoint


def super_resolved(method: Method, lr: np.ndarray) -> np.ndarray:
    return super_resolve_volume(method, lr, device="cpu", precision="bf16")


def mirrored(method: Method, lr: np.ndarray) -> np.ndarray:
    """The mean over the eight mirrored copies."""
    total = np.zeros((), np.float32)
    for count in range(4):
        for axes in itertools.combinations(range(3), count):
            total = total + np.flip(super_resolved(method, np.ascontiguousarray(np.flip(lr, axes))), axes)
    return total / 8


def consistent(
    sr: np.ndarray, lr: np.ndarray, scale: Scale, measured: MeasuredDegradation, noise: float, error: np.ndarray
) -> np.ndarray:
    """SR with a part of what its LR has and it has not: Wiener's, from the power of the error and of the noise."""
    transfer, cells = np.ones(lr.shape), []
    for axis, curve in enumerate(measured.transfer):
        frequency = np.abs(2 * np.fft.fftfreq(lr.shape[axis]))
        factor = np.interp(frequency, (0.0, *measured.frequencies), (1.0, *curve))
        transfer = transfer * np.expand_dims(factor, [other for other in range(3) if other != axis])
        cells.append(np.minimum((frequency * BINS).astype(int), BINS - 1))
    power = error[np.ix_(*cells)]
    lacking = np.fft.fftn(lr) - transfer * np.fft.fftn(truncate_kspace(sr, scale))
    weight = transfer * power / (transfer**2 * power + noise**2)
    return sr + sinc(np.fft.ifftn(weight * lacking).real.astype(np.float32), scale)


def error_power(method: Method, dataset: PreprocessedDataset, scale: Scale) -> np.ndarray:
    """Power of the error within the LR's k-space, of two source HR degraded as measured, in cells of |f| / Nyquist."""
    logs = []
    for number, case in enumerate(dataset.cases("sourceHR")[:2]):
        lr = add_rician_noise(np.array(case.degraded), case.noise, np.random.default_rng(number))
        logs.append(log_spectrum(truncate_kspace(super_resolved(method, lr) - case.voxels, scale)))
    return np.exp(np.nanmean(logs, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-p", "--preprocessed", type=Path, required=True, help="folder of the preprocessed dataset")
    parser.add_argument("-m", "--model", type=Path, required=True, help="folder of the training")
    arguments = parser.parse_args()
    state = load_checkpoint(arguments.model / "best.pt")
    plan = Plan.from_dict(state["plan"])
    configuration = plan.configuration(state["configuration"])
    method = build_method(state["method"], configuration, load_settings(state["method"], state["settings"]))
    method.load_state_dict({**state["weights"], **state["averaged"]})
    method.eval()
    measured, scale = plan.degradation, configuration.task.factors
    assert measured is not None, "a plan that udeansr made has a measured degradation"
    dataset = PreprocessedDataset.open(arguments.preprocessed, configuration)
    truth = {case.name: case for case in dataset.cases("validationHR")}
    error = error_power(method, dataset, scale)
    scores: dict[str, list[tuple[float, float, float]]] = {}

    def score(name: str, sr: np.ndarray, hr: np.ndarray, began: float) -> None:
        seconds, sr = time.perf_counter() - began, np.maximum(sr, 0)
        scores.setdefault(name, []).append((psnr(sr, hr), ssim_2d(sr, hr), seconds))

    for case in dataset.cases("validationLR"):
        lr, hr = np.array(case.voxels), np.array(truth[case.name].voxels)
        began = time.perf_counter()
        sr = super_resolved(method, lr)
        score("as it is", sr, hr, began)
        score("+ consistency", consistent(sr, lr, scale, measured, measured.noise / plan.lr_gain, error), hr, began)
        began = time.perf_counter()
        score("+ 8 mirrored copies", mirrored(method, lr), hr, began)
    print("| prediction | PSNR dB | SSIM 2-D | seconds a volume |\n|---|---|---|---|")
    for name, values in scores.items():
        mean_psnr, mean_ssim, seconds = np.mean(values, axis=0)
        print(f"| {name} | {mean_psnr:.2f} | {mean_ssim:.4f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
