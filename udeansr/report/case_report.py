"""All that a page says of one case: pictures, numbers, spectra, lesions, and what to be warned of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.errors import UdeansrError
from udeansr.evaluation.evaluate import Pair as ScoredPair
from udeansr.evaluation.evaluate import score_pair
from udeansr.image.files import read_volume
from udeansr.image.resampling import resample_onto
from udeansr.image.volume import Volume
from udeansr.prediction.trust import Trust, TrustMeter
from udeansr.report.charts import line_chart
from udeansr.report.findings import hr_warnings, in_band_db, lr_warnings, prediction_warnings
from udeansr.report.lesions import Lesion, measure_lesions
from udeansr.report.pair import Pair, make_pair
from udeansr.report.scene import CaseImages, Maps, Scene, make_scene
from udeansr.report.spectra import AGREED, DIRECTIONS, AxisSpectra, agreements, axis_spectra
from udeansr.report.support import Support, measure_support
from udeansr.report.thumbnail import thumbnails
from udeansr.strict_json import read_json_object

MOST_DOUBT, MOST_CONTRADICTION = 8.0, 8.0
"""Where the colours of the maps end, standard deviations."""


@dataclass(frozen=True)
class CaseFiles:
    """Where the images of a case lie.

    Attributes:
        name: of the case.
        sr: the image.
        lr, hr, uncertainty, lesions, sidecar: what else there is; None where there is none.
        other: SR of the same LR by another run.
    """

    name: str
    sr: Path
    lr: Path | None = None
    hr: Path | None = None
    uncertainty: Path | None = None
    lesions: Path | None = None
    sidecar: Path | None = None
    other: Path | None = None


@dataclass(frozen=True)
class CaseReport:
    """What a page says of a case.

    Attributes:
        name: of the case.
        warnings: in plain words, worst first.
        facts: name, value, what it means.
        numbers: by name, for the summary.
        charts: spectra and transfer.
        lesions: rows of a table, the head first; empty where there is no mask.
        scene: for the viewer.
        thumbnails: label and picture.
    """

    name: str
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str, str], ...]
    numbers: dict[str, float]
    charts: tuple[Markup, ...]
    lesions: tuple[tuple[str, ...], ...]
    scene: Scene
    thumbnails: tuple[tuple[str, str], ...]


@dataclass
class _Found:
    """What is gathered of a case."""

    warnings: list[str] = field(default_factory=list)
    facts: list[tuple[str, str, str]] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)
    charts: list[Markup] = field(default_factory=list)
    maps: dict[str, Maps] = field(default_factory=dict)
    lesions: list[tuple[str, ...]] = field(default_factory=list)


def report_case(files: CaseFiles, key: str, most_bytes: float, scores: Mapping[str, float] | None = None) -> CaseReport:
    """Look at a case from all sides.

    Args:
        files: its images.
        key: distinguishes its volumes in the page.
        most_bytes: that they may take.
        scores: by HR, where they are known already.
    Raises:
        UdeansrError: if an image cannot be read, is empty, or lies elsewhere than the others.
    """
    sr, lr, hr = (None if path is None else read_volume(path) for path in (files.sr, files.lr, files.hr))
    assert sr is not None
    found = _Found()
    if files.sidecar is not None:
        _tell_prediction(found, read_json_object(files.sidecar, "record of a prediction", "udeansr_predict --json"))
    if files.hr is not None:
        _tell_truth(found, files, scores)
    if files.uncertainty is not None:
        doubt = read_volume(files.uncertainty)
        most = float(np.percentile(doubt.voxels, 99.9)) or 1.0
        found.maps["uncertainty"] = Maps(doubt, "uncertainty", "", "heat", most)
    if lr is not None:
        try:
            pair = make_pair(lr, sr)
            _tell_pair(found, pair, hr)
            if files.other is not None:
                _tell_agreement(found, pair, read_volume(files.other))
        except ValueError as error:
            raise UdeansrError(
                f"{files.sr}: cannot be held against its LR ({error}); give the LR it was made of"
            ) from error
    if files.lesions is not None:
        _tell_lesions(found, files.lesions, sr, lr, hr)
    images = CaseImages(files.name, sr, lr, hr, found.maps)
    scene = make_scene(images, key, most_bytes)
    return CaseReport(
        files.name,
        tuple(found.warnings),
        tuple(found.facts),
        found.numbers,
        tuple(found.charts),
        tuple(found.lesions),
        scene,
        thumbnails(images),
    )


def _tell_prediction(found: _Found, record: Mapping[str, Any]) -> None:
    """What prediction wrote of itself; no path and no name of a person goes on."""
    record = _object(record.get("udeansr", record))  # within the sidecar of a BIDS dataset
    found.warnings += prediction_warnings(_object(record.get("report")))
    model, settings = _object(record.get("model")), _object(record.get("settings"))
    words = f"{model.get('name')}, quality {settings.get('quality')}, {settings.get('precision')}"
    found.facts.append(("model", words, "as the prediction's JSON says"))


def _object(values: Any) -> Mapping[str, Any]:
    """What an object of JSON holds; of anything else nothing: people may have written it."""
    return values if isinstance(values, dict) else {}


def _tell_truth(found: _Found, files: CaseFiles, scores: Mapping[str, float] | None) -> None:
    try:
        assert files.hr is not None
        scores = scores or score_pair(ScoredPair(files.sr, files.hr, None))
    except UdeansrError:
        found.warnings.append("HR lies on another grid than SR: there are no scores; resample it onto the grid of SR.")
        return
    found.warnings += hr_warnings(scores)
    found.numbers |= {"PSNR": scores["psnr_db"], "SSIM": scores["ssim_2d"]}
    found.facts += [
        ("PSNR", f"{scores['psnr_db']:.2f} dB", f"{scores['foreground_psnr_db']:.2f} dB in the foreground"),
        ("SSIM", f"{scores['ssim_2d']:.4f}", "within slices, mean"),
        (
            "spectrum against HR",
            ", ".join(f"{scores[f'spectrum_{band}_db']:+.1f}" for band in ("low", "middle", "high")) + " dB",
            "low, middle and high frequencies; 0 is right, less is smooth, more is invented",
        ),
    ]


def _tell_pair(found: _Found, pair: Pair, hr: Volume | None) -> None:
    measured, support = pair.degradation, measure_support(pair)
    trust = _trust(pair, measured)
    others = {} if hr is None else {"HR": pair.on_sr_grid(hr)}
    spectra = axis_spectra(pair, others)
    found.warnings += lr_warnings(pair, trust, support, spectra)
    found.numbers |= {
        "consistency": trust.consistency_db,
        "shift": trust.shift_voxels,
        "gain": trust.gain,
        "doubted": 100 * support.doubted_part,
    }
    found.facts += _pair_facts(pair, measured, trust, support, spectra)
    found.charts += [_spectrum_chart(axis) for axis in spectra]
    found.charts.append(_transfer_chart(pair, measured))
    contradiction = Volume(support.contradiction.astype(np.float32), pair.geometry)
    found.maps["doubt"] = Maps(
        Volume(support.doubt.astype(np.float32), pair.geometry), "doubt", "std", "heat", MOST_DOUBT
    )
    found.maps["contradiction"] = Maps(contradiction, "degraded SR less LR", "std", "signed", MOST_CONTRADICTION)


def _tell_agreement(found: _Found, pair: Pair, other: Volume) -> None:
    """Up to where SR and that of another run agree."""
    agreed = agreements(pair, pair.on_sr_grid(other))
    curves = {axis.direction: list(zip(axis.frequency, axis.correlation, strict=True)) for axis in agreed}
    ends = [min(axis.frequency[0] for axis in agreed), max(axis.frequency[-1] for axis in agreed)]
    curves["1/7"] = [(frequency, AGREED) for frequency in ends]
    title = "Fourier ring correlation of two runs"
    found.charts.append(line_chart(title, curves, "cycles per mm", "correlation", from_zero=True))
    names = ", ".join(axis.direction for axis in agreed)
    meaning = f"of this SR and that of another run, along {names}; finer than this at least one invents"
    found.facts.append(("two runs agree to", _mm([axis.mm for axis in agreed]), meaning))


def _trust(pair: Pair, measured: MeasuredDegradation) -> Trust:
    meter = TrustMeter(pair.scale, len(pair.lr))
    meter(0, pair.sr)
    return meter.trust(pair.lr, pair.geometry.spacing_mm, None, measured)


def _pair_facts(
    pair: Pair, measured: MeasuredDegradation, trust: Trust, support: Support, spectra: tuple[AxisSpectra, ...]
) -> list[tuple[str, str, str]]:
    names = [axis.direction for axis in spectra]
    before, after = (_mm([getattr(axis, which) for axis in spectra]) for which in ("lr_mm", "sr_mm"))
    profile = "" if measured.slice_profile is None else f"; slices of a {measured.slice_profile} profile"
    return [
        ("consistency", f"{trust.consistency_db:.1f} dB", "SR, seen through the LR's scanner, against the LR"),
        ("shift", f"{trust.shift_voxels:.3f} voxels", "of SR against its LR; 0 is right"),
        ("gain", f"{trust.gain:.3f}", "level of SR over that of its LR; 1 is right"),
        ("within the LR's band", f"{in_band_db(pair):+.1f} dB", "power of SR, degraded, over its LR's; 0 is right"),
        ("noise of the LR", f"{100 * pair.noise:.2f} %", "of the level that becomes 1"),
        ("doubted", f"{100 * support.doubted_part:.2f} %", "of the foreground; see the layer “doubt”"),
        ("true resolution", f"{before} → {after}", f"LR → SR, along {', '.join(names)}; where the spectrum breaks off"),
        (
            "point spread of the LR",
            _mm(measured.width_mm),
            f"full width at half maximum, measured on this pair{profile}",
        ),
    ]


def _mm(values: Any) -> str:
    return " × ".join(f"{value:.2f}" for value in values) + " mm"


def _spectrum_chart(axis: AxisSpectra) -> Markup:
    order = [name for name in ("LR", "SR", "HR", "tricubic") if name in axis.curves]
    curves = {name: list(zip(*vars(axis.curves[name]).values(), strict=True)) for name in order}
    title = f"spectrum, {axis.direction}"
    return line_chart(title, curves, f"{axis.direction}, cycles per mm", "power, dB", {"LR ends": axis.lr_nyquist})


def _transfer_chart(pair: Pair, measured: MeasuredDegradation) -> Markup:
    names = [DIRECTIONS[letter] for letter in pair.geometry.orientation]
    curves = {
        name: list(zip(measured.frequencies, curve, strict=True))
        for name, curve in zip(names, measured.transfer, strict=True)
    }
    return line_chart("degradation", curves, "part of the LR's Nyquist frequency", "transfer, SR to LR", from_zero=True)


def _tell_lesions(found: _Found, path: Path, sr: Volume, lr: Volume | None, hr: Volume | None) -> None:
    mask = resample_onto(read_volume(path), sr.geometry).voxels > 0.5
    images = {name: volume for name, volume in (("LR", lr), ("SR", sr), ("HR", hr)) if volume is not None}
    on_grid = {
        name: (sr if volume is sr else resample_onto(volume, sr.geometry)).voxels for name, volume in images.items()
    }
    lesions = measure_lesions(mask, on_grid, sr.geometry.spacing_mm)
    if not lesions:
        found.warnings.append("The lesion mask is empty on the grid of SR.")
        return
    head = ("lesion at (R, A, S) mm", "mask mm³")
    found.lesions.append((*head, *(f"contrast {name}" for name in images), *(f"volume {name} mm³" for name in images)))
    found.lesions += [_lesion_row(lesion, sr, list(images)) for lesion in lesions]
    for lesion in lesions:
        before, after = (lesion.contrast.get(name, math.nan) for name in ("LR", "SR"))
        if math.isfinite(before) and abs(after) < 0.8 * abs(before):
            found.warnings.append(
                f"A lesion of {lesion.mask_mm3:.0f} mm³ loses contrast: {before:.2f} in LR, {after:.2f} in SR."
            )


def _lesion_row(lesion: Lesion, sr: Volume, names: list[str]) -> tuple[str, ...]:
    left, back, up = sr.geometry.world_mm(np.asarray(lesion.at))
    return (
        f"{-left:.0f}, {-back:.0f}, {up:.0f}",
        f"{lesion.mask_mm3:.0f}",
        *(f"{lesion.contrast[name]:+.2f}" for name in names),
        *(f"{lesion.volume_mm3[name]:.0f}" for name in names),
    )
