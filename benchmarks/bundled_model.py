"""Makes the model that ships, from a training: scores on subjects never seen, calibration, card, one zip.

    python benchmarks/bundled_model.py -m udeansr_results/Dataset010_BrainT1w/x2x2x1_wide/supervised \
        -r udeansr_raw/Dataset010_BrainT1w --outside ds000011_t1w -o brain-t1w-x2x2x1.zip

LR is made of the dataset's validation and test HR. Qualities are compared, and uncertainty is calibrated, on validation
subjects; the scores of the card, and how reliable the uncertainty is, are of test subjects.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

from udeansr.degradation.kspace import DEGRADATIONS, degrade
from udeansr.errors import UdeansrError
from udeansr.evaluation.metrics import psnr, ssim_2d
from udeansr.image.cropping import crop, foreground_mask
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.normalization import intensity_scale
from udeansr.image.resampling import sinc, tricubic
from udeansr.image.volume import Volume, triple
from udeansr.inference.test_time_augmentation import QUALITIES
from udeansr.models.calibration import Calibration
from udeansr.models.card import ModelCard
from udeansr.models.export import ExportSettings, export_model
from udeansr.models.model import load_model
from udeansr.prediction.predictor import Prediction, Predictor

matplotlib.use("Agg")

PARTS = 10
"""Of the voxels by their uncertainty, in the reliability table."""

WORDS = Path(__file__).with_name("bundled_models.json")
"""What the cards say beside the scores: fields of ModelCard, of all models and of each."""


@dataclass(frozen=True)
class Pair:
    """An HR scan and its LR; truth is normalised, unit is what it was divided by."""

    name: str
    lr: Volume
    truth: np.ndarray
    unit: float


def pair_of(path: Path, scale: Scale, kind: str) -> Pair:
    stored = read_volume(path)
    hr = reorient(stored, slab_orientation(stored.geometry))
    hr = crop(hr, ((0, 0, 0), triple(n // s * s for n, s in zip(hr.geometry.shape, scale.zyx, strict=True))))
    rng = np.random.default_rng([zlib.crc32(case_name(path).encode()), list(DEGRADATIONS).index(kind)])
    lr = degrade(hr.voxels, scale, DEGRADATIONS[kind], rng)
    unit = intensity_scale(hr.voxels)
    return Pair(case_name(path), Volume(lr, lr_geometry(hr.geometry, scale)), hr.voxels / np.float32(unit), unit)


def scores(sr: np.ndarray, pair: Pair) -> tuple[float, float]:
    sr = np.maximum(sr, 0) / np.float32(pair.unit)
    return psnr(sr, pair.truth), ssim_2d(sr, pair.truth)


def shown(values: list[tuple[float, float]]) -> str:
    decibels, likeness = np.array(values).T
    return f"{decibels.mean():.2f} ± {decibels.std():.2f} / {likeness.mean():.4f}"


def in_foreground(predictor: Predictor, made: Prediction, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Uncertainty and error of the voxels of the foreground, in the unit that the model works in."""
    assert made.uncertainty is not None and predictor.model.plan is not None
    level = np.float32(intensity_scale(pair.lr.voxels) * predictor.model.plan.lr_gain)
    inside = foreground_mask(pair.truth)
    error = made.sr.voxels[inside] - pair.truth[inside] * np.float32(pair.unit)
    return made.uncertainty.voxels[inside] / level, error / level


def share_of_most_uncertain(made: Prediction, pair: Pair) -> float:
    """The part of the squared error that the most uncertain tenth of all voxels holds."""
    assert made.uncertainty is not None
    square = (made.sr.voxels / np.float32(pair.unit) - pair.truth).ravel() ** 2
    order = np.argsort(made.uncertainty.voxels.ravel(), kind="stable")
    return float(square[order[-len(order) // PARTS :]].sum() / square.sum())


def compare_qualities(predictor: Predictor, paths: list[Path]) -> Calibration:
    """The table of qualities on validation subjects, and the calibration of the best."""
    print(f"\n{len(paths)} validation subjects; PSNR dB / SSIM 2-D\n\n| LR | quality | scores | seconds a volume |")
    print("|---|---|---|---|")
    spreads, errors = [], []
    for kind in DEGRADATIONS:
        for quality in QUALITIES:
            own, found = replace(predictor, quality=quality, uncertainty=quality == "best"), []
            begun = time.perf_counter()
            for path in paths:
                pair = pair_of(path, predictor.model.scale, kind)
                made = own.predict(pair.lr)
                found.append(scores(made.sr.voxels, pair))
                if made.uncertainty is not None:
                    spread, error = in_foreground(predictor, made, pair)
                    spreads.append(spread)
                    errors.append(error)
            seconds = (time.perf_counter() - begun) / len(paths)
            print(f"| {kind} | {quality} | {shown(found)} | {seconds:.1f} |", flush=True)
    return Calibration.fitted(np.concatenate(spreads), np.concatenate(errors), "best")


def reliability(predictor: Predictor, paths: list[Path], curve: Path | None) -> str:
    """How the uncertainty of test subjects, calibrated on others, compares with their errors; the curve is drawn."""
    lines = []
    figure, axes = plt.subplots(figsize=(4, 3.6), layout="constrained")
    for kind in DEGRADATIONS:
        expected, squared, whole = [], [], []
        for path in paths:
            pair = pair_of(path, predictor.model.scale, kind)
            made = replace(predictor, quality="best", uncertainty=True).predict(pair.lr)
            sigma, error = in_foreground(predictor, made, pair)
            expected.append(sigma)
            squared.append(error**2)
            whole.append(share_of_most_uncertain(made, pair))
        sigma, square = np.concatenate(expected), np.concatenate(squared)
        parts = np.array_split(np.argsort(sigma, kind="stable"), PARTS)
        both = np.square(sigma, dtype=float), square
        axes.plot(*([np.sqrt(np.mean(values[part])) for part in parts] for values in both), "o-", label=kind)
        lines.append(f"\nReliability, {kind}, {len(paths)} test subjects, foreground\n")
        lines.append("| tenth of the voxels, by uncertainty | expected error | found, rms | of the squared error |")
        lines.append("|---|---|---|---|")
        for number, part in enumerate(parts, 1):
            share = square[part].sum() / square.sum()
            rms = np.sqrt(np.mean(np.square(sigma[part], dtype=np.float64)))
            lines.append(f"| {number} | {rms:.4f} | {np.sqrt(square[part].mean()):.4f} | {share:.1%} |")
        lines.append(f"\nOf whole volumes, air included, the most uncertain tenth holds {np.mean(whole):.1%}")
    if curve is not None:
        top = max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([0, top], [0, top], "k:", linewidth=1, label="perfect")
        axes.set(xlabel="expected error (1 is the 99.5th percentile)", ylabel="error found, rms")
        axes.legend()
        figure.savefig(curve, dpi=110)
    return "\n".join(lines)


def table(predictor: Predictor, paths: list[Path]) -> tuple[list[dict[str, str | float]], list[str]]:
    """Scores of interpolation and of the model, and what the trust line says, by degradation."""
    rows: list[dict[str, str | float]] = []
    told = []
    for kind in DEGRADATIONS:
        found: dict[str, list[tuple[float, float]]] = {"tricubic": [], "sinc": [], "model": []}
        trusts = []
        for path in paths:
            pair = pair_of(path, predictor.model.scale, kind)
            made = predictor.predict(pair.lr)
            trusts.append(made.trust)
            for name, sr in (
                ("tricubic", tricubic(pair.lr.voxels, predictor.model.scale)),
                ("sinc", sinc(pair.lr.voxels, predictor.model.scale)),
                ("model", made.sr.voxels),
            ):
                found[name].append(scores(sr, pair))
        rows.append({"LR": kind, **{name: shown(values) for name, values in found.items()}})
        worse = sum(model[0] <= max(one[0], other[0]) for one, other, model in zip(*found.values(), strict=True))
        outside = [trust for trust in trusts if trust.outside]
        told.append(
            f"{kind}: the model is above both interpolations in PSNR of {len(paths) - worse} of {len(paths)}; told "
            f"outside {len(outside)}{'; ' + outside[0].why if outside else ''}; consistency "
            f"{np.mean([trust.consistency_db for trust in trusts]):.1f} dB, shift at most "
            f"{max(trust.shift_voxels for trust in trusts):.3f} HR voxels, gain "
            f"{min(t.gain for t in trusts):.3f} to {max(t.gain for t in trusts):.3f}"
        )
        print(rows[-1], told[-1], sep="\n", flush=True)
    return rows, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", type=Path, required=True, help="folder of the training, or a checkpoint")
    parser.add_argument("-r", "--raw", type=Path, required=True, help="raw dataset with validation and test HR")
    parser.add_argument("--outside", type=Path, help="HR of other subjects and another field of view, for the card")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the zip")
    parser.add_argument("--card", type=Path, default=WORDS, help="JSON with what else the card says, by name of model")
    parser.add_argument("--name", default="brain-t1w-x2x2x1")
    parser.add_argument("--contrast", default="T1w")
    parser.add_argument("--reliability-subjects", type=int, default=4)
    parser.add_argument("--curve", type=Path, help="PNG of how reliable the uncertainty is")
    parser.add_argument("--scores-only", action="store_true", help="leave out what takes long: qualities, calibration")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    predictor = Predictor(model, precision="bf16")
    validation, test = (list_images(arguments.raw / group) for group in ("validationHR", "testHR"))
    print(f"{len(test)} test subjects, quality fast; PSNR dB, mean ± standard deviation / SSIM 2-D")
    rows, told = table(predictor, test)
    outside = "not tried"
    if arguments.outside is not None:
        print(f"\n{arguments.outside.name}")
        anywhere = replace(predictor, model=replace(model, spacing_tolerance=10.0))
        elsewhere, told_elsewhere = table(anywhere, list_images(arguments.outside))
        outside = "; ".join(
            f"{row['LR']}: tricubic {row['tricubic']}, sinc {row['sinc']}, model {row['model']}" for row in elsewhere
        )
        outside = f"{arguments.outside.name} (PSNR dB / SSIM 2-D). {outside}. {'. '.join(told_elsewhere)}"
    calibration = None
    if not arguments.scores_only:
        calibration = compare_qualities(predictor, validation)
        calibrated = replace(predictor, model=replace(model, calibration=calibration))
        print(reliability(calibrated, test[: arguments.reliability_subjects], arguments.curve))
    settings = ExportSettings(arguments.name, arguments.contrast, calibration=calibration)
    description = export_model(arguments.model, arguments.output, settings)
    told_by_name = json.loads(arguments.card.read_text(encoding="utf-8"))
    words = {**told_by_name["all"], **told_by_name.get(arguments.name, {})}
    words = {key: tuple(value) if isinstance(value, list) else value for key, value in words.items()}
    card = replace(
        ModelCard.of(description),
        scores=tuple(rows),
        scores_note=f"{len(test)} subjects never seen, quality fast, PSNR dB / SSIM 2-D. " + ". ".join(told),
        outside=outside,
        **words,
    )
    export_model(arguments.model, arguments.output, replace(settings, card=card.markdown()))
    print(f"\n{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    try:
        main()
    except UdeansrError as error:
        raise SystemExit(str(error)) from error
