"""Fingerprint and plan as short tables for a terminal."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from udeansr.degradation.kspace import Degradation
from udeansr.degradation.true_resolution import true_spacing_mm
from udeansr.image.grid import format_spacing
from udeansr.paths import TARGET_LR
from udeansr.planning.configuration import SIZE_KEYS, TASK_KEYS
from udeansr.planning.fingerprint import Fingerprint
from udeansr.planning.plan import Plan

LISTED = (0.25, 0.5, 0.75, 1.0)
"""Parts of Nyquist at which the transfer function is told."""

VALUES = (*TASK_KEYS, *SIZE_KEYS)


def fingerprint_table(fingerprint: Fingerprint) -> str:
    """The facts that a person judges by, a line each."""
    measured = fingerprint.degradation
    rows = [("axes (Z, Y, X)", f"towards {', '.join(fingerprint.orientation)}; Z is the coarsest of the LR")]
    for group, cohort in fingerprint.cohorts.items():
        shape = " x ".join(f"{n:g}" for n in cohort.shape)
        rows.append(
            (group, f"{cohort.images} images, median {shape} voxels of {format_spacing(cohort.spacing_mm)}, "
             f"{cohort.foreground_fraction:.0%} foreground")
        )  # fmt: skip
        if cohort.contrast is not None:
            rows.append(("  contrast", f"{cohort.contrast}, as names, headers or sidecars say"))
        if min(cohort.resolved_fraction) < 1:
            true_mm = true_spacing_mm(cohort.spacing_mm, cohort.resolved_fraction)
            rows.append(
                ("  resolution", f"spectra break off at {format_spacing(true_mm)}: zero filling or partial Fourier")
            )
    rows.append(("degradation", f"LR beside HR truncated to its k-space (misfit {measured.residual:.2f} decades)"))
    if fingerprint.other_contrast:
        rows.append(("  not used", "LR and HR are of different contrasts, of which their spectra tell more"))
    p = fingerprint.degradation_p
    chance = "subjects are too few to tell" if p is None else f"p = {p:.2g} that there is no more than truncation"
    rows.append(("  chance", chance))
    if not fingerprint.other_contrast:
        rows.append(("  tone", _tone(fingerprint)))
    places = [min(range(len(measured.frequencies)), key=lambda i: abs(measured.frequencies[i] - f)) for f in LISTED]
    for axis, curve, width in zip("ZYX", measured.transfer, measured.width_mm, strict=True):
        left = " ".join(f"{curve[i]:.2f}" for i in places)
        target = fingerprint.cohorts[TARGET_LR]
        kind = f"headers say {target.acquisition}" if target.acquisition else "no header says 2D or 3D"
        if axis == "Z" and measured.slice_profile is not None:
            told = target.slice_thickness
            thick = f"{measured.slice_thickness:.2f} of their distance thick"
            headers = "no header says" if told is None else f"headers say {told:.2f}"
            rows.append(("  slices", f"excited ({kind}), {thick} ({headers}); what is finer folds back"))
        elif axis == "Z" and target.acquisition is not None:
            rows.append(("  slices", f"encoded, as their spectra fit ({kind})"))
        rows.append(
            (f"  along {axis}", f"transfer {left} at {' '.join(map(str, LISTED))} Nyquist; width {width:.2f} mm")
        )
    rows.append(("  noise", f"{measured.noise:.4f} of the level that becomes 1"))
    rows.append(("  gain", f"{measured.gain:.3f} between the normalised cohorts"))
    rows.append(
        ("level gain", f"{fingerprint.level_gain:.3f}, normalised LR over HR of the same subject, by degrading HR")
    )
    return _table(rows)


def _tone(fingerprint: Fingerprint) -> str:
    """How far the intensities of the cohorts are apart, and what is done about it."""
    contrast, tone = fingerprint.contrast, fingerprint.degradation.tone
    chance = "subjects are too few to tell" if contrast.p is None else f"p = {contrast.p:.2g}"
    apart = f"quantiles of degraded HR and LR are {contrast.apart:.3f} apart ({chance})"
    if tone is None and not contrast.same_anatomy:
        return f"{apart}; not compared, as the foreground of LR is {contrast.volume_ratio:.2f} of that of HR"
    if tone is None:
        return f"{apart}; taken for alike"
    places = np.linspace(0, 1, 6)
    curve = " ".join(f"{level:.2f}" for level in tone(places))
    return f"{apart}; HR becomes {curve} at {' '.join(f'{place:.1f}' for place in places)}"


def plan_table(plan: Plan) -> str:
    """Each configuration: every value and why."""
    parts = []
    for name, configuration in plan.configurations.items():
        reasons = configuration.reasons
        rows = [
            ("orientation", plan.of(name).orientation, reasons.get("orientation", "")),
            ("lr_gain", f"{plan.of(name).lr_gain:g}", reasons.get("lr_gain", "")),
        ]
        for key in VALUES:
            value, why = configuration.values()[key], reasons.get(key, "set by hand")
            if isinstance(value, Degradation):
                value, why = "known", f"{why}: " + ", ".join(f"{name} {part}" for name, part in asdict(value).items())
            rows.append((key, _text(value), why))
        width = max(len(value) for _, value, _ in rows)
        inherits = f" (inherits from {configuration.inherits_from})" if configuration.inherits_from else ""
        table = _table([(key, f"{value:<{width}}  {why}") for key, value, why in rows])
        parts.append(f"  configuration {name}{inherits}\n{table}")
    return "\n".join(parts)


def _table(rows: list[tuple[str, str]]) -> str:
    width = max(len(key) for key, _ in rows)
    return "\n".join(f"  {key:<{width}}  {text}".rstrip() for key, text in rows)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " x ".join(f"{number:.4g}" for number in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
