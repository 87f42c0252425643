"""The rules: from a fingerprint and a memory target to a plan, each value with its reason. Pure; opens no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from udeansr.degradation.kspace import LEAST_THICKNESS, MOST_THICKNESS, Degradation
from udeansr.degradation.spectrum import SIGNIFICANT
from udeansr.errors import UdeansrError
from udeansr.image.grid import SPACING_TOLERANCE, format_spacing
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.configuration import (
    SMALLEST_PATCH,
    Configuration,
    Contrast,
    Protocol,
    SlabAxes,
    SourceDegradation,
    Task,
)
from udeansr.planning.fingerprint import Fingerprint
from udeansr.planning.plan import Plan
from udeansr.planning.training_size import size_for_cpu, size_for_memory

LARGEST_FACTOR = 8
SLAB_SLICES = 3

BLUR_TOLERANCE = 0.1
"""Transfer functions of the two in-plane axes that differ by more are two blurs."""


def make_plans(fingerprints: Sequence[Fingerprint], memory_gb: float | None, mixed: bool) -> Plan:
    """Decide how to train on a dataset whose target LR is of several protocols: a configuration for each.

    A configuration is named after its scale; of several with one scale, also after what they differ in.

    Args:
        fingerprints: of the protocols, the largest first; at least one.
        memory_gb: as the errors, those of :func:`make_plan`.
        mixed: whether the fingerprints are of parts of a dataset, so that the plan has to say which images are whose.
    """
    plans = [make_plan(fingerprint, memory_gb) for fingerprint in fingerprints]
    if not mixed:
        return plans[0]
    configurations = {}
    for fingerprint, plan, name in zip(fingerprints, plans, _names(fingerprints), strict=True):
        (configuration,) = plan.configurations.values()
        images: dict[str, tuple[str, ...]] = {}
        for case in fingerprint.cases:
            images[case.group] = (*images.get(case.group, ()), case.name)
        protocol = Protocol(images, plan.orientation, plan.lr_gain, plan.degradation)
        configurations[name] = replace(configuration, name=name, protocol=protocol)
    return replace(plans[0], configurations=configurations)


def _names(fingerprints: Sequence[Fingerprint]) -> list[str]:
    """A name for each protocol that a person can type: the scale, and as much more as tells it from the others."""
    slices = [f"{fingerprint.lr_spacing_mm[0]:.3g}mm" for fingerprint in fingerprints]
    contrasts = [(fingerprint.cohorts[TARGET_LR].contrast or "any").lower() for fingerprint in fingerprints]
    grids = ["x".join(f"{mm:.3g}" for mm in fingerprint.lr_spacing_mm[::-1]) + "mm" for fingerprint in fingerprints]
    names = [str(fingerprint.grid.scale) for fingerprint in fingerprints]
    for parts in (contrasts, slices, grids, [fingerprint.orientation.lower() for fingerprint in fingerprints]):
        twins = [[i for i, other in enumerate(names) if other == name] for name in names]
        differ = [len({parts[i] for i in own}) > 1 for own in twins]
        names = [f"{name}_{part}" if own else name for name, part, own in zip(names, parts, differ, strict=True)]
    return names


def make_plan(fingerprint: Fingerprint, memory_gb: float | None) -> Plan:
    """Decide how to train on a dataset, or for one protocol of it.

    Args:
        fingerprint: what is so in the dataset.
        memory_gb: what a training may take of the GPU's memory; None for a training on a CPU.
    Returns: a plan of one configuration, named after its scale.
    Raises:
        UdeansrError: if HR is not finer than LR by a factor from 2 to 8, or the memory is too small for any training.
        ValueError: if an image of the fingerprint is smaller than the smallest patch, which integrity refuses.
    """
    _check_scale(fingerprint)
    smallest = fingerprint.smallest_lr_voxels
    if any(n < least for n, least in zip(smallest, SMALLEST_PATCH, strict=True)):
        raise ValueError(f"the smallest foreground is {smallest} LR voxels, expected at least {SMALLEST_PATCH}")
    grid = fingerprint.grid
    rotate90, why_rotate90 = _rotate90(fingerprint)
    contrast, why_contrast = _contrast(fingerprint)
    source_degradation, why_degradation = _source_degradation(fingerprint)
    slab_axes, why_slab_axes = _slab_axes(fingerprint)
    if slab_axes != "Z" and rotate90:
        rotate90, why_rotate90 = False, "the slice axis lies in the patch: turned, it would change places with another"
    task = Task(
        scale=str(grid.scale),
        lr_spacing_mm=grid.lr_spacing_mm,
        hr_spacing_mm=grid.sr_spacing_mm,
        slab_slices=SLAB_SLICES,
        rotate90=rotate90,
        source_degradation=source_degradation,
        slab_axes=slab_axes,
        band_axes=fingerprint.band_axes,
        contrast=contrast,
    )
    size, why_size = size_for_cpu(task, smallest) if memory_gb is None else size_for_memory(task, smallest, memory_gb)
    why_task = {"slab_axes": why_slab_axes, "rotate90": why_rotate90, "source_degradation": why_degradation}
    why_task |= {"band_axes": _why_band(fingerprint), "contrast": why_contrast}
    reasons = _data_reasons(fingerprint) | why_task | why_size
    configuration = Configuration(task.scale, task, size, reasons=reasons)
    return Plan(
        fingerprint.dataset,
        fingerprint.orientation,
        1.0 if fingerprint.other_contrast else fingerprint.level_gain,
        {configuration.name: configuration},
        fingerprint.degradation,
    )


def _check_scale(fingerprint: Fingerprint) -> None:
    grid = fingerprint.grid
    factors = grid.scale.zyx
    if max(factors) > 1 and max(factors) <= LARGEST_FACTOR:
        return
    trouble = "they are of one resolution" if max(factors) == 1 else f"a factor is above {LARGEST_FACTOR}"
    raise UdeansrError(
        f"{fingerprint.dataset}: LR of {format_spacing(grid.lr_spacing_mm)} and "
        f"HR of {format_spacing(grid.hr_spacing_mm)} along "
        f"{grid.orientation} give {grid.scale}: {trouble}; expected a factor of 2 to {LARGEST_FACTOR} along at least "
        "one axis and none above; give other HR"
    )


def _slab_axes(fingerprint: Fingerprint) -> tuple[SlabAxes, str]:
    """Along which axes slabs are cut: networks convolve along the others, so along those of the least factor."""
    scale, held = fingerprint.grid.scale, fingerprint.smallest_lr_voxels
    if scale.z <= min(scale.y, scale.x):
        return "Z", "no axis has a smaller factor, so networks convolve where most is to be made"
    if held[0] < SMALLEST_PATCH[1]:
        return "Z", (
            f"the factor is largest along Z, but the smallest foreground has {held[0]} slices and a patch needs "
            f"{SMALLEST_PATCH[1]} where it holds the slice axis"
        )
    if scale.y != scale.x:
        axis = "Y" if scale.y < scale.x else "X"
        return axis, f"the factor is least along {axis}, so networks convolve where more is to be made"
    return "YX", "the factor is largest along Z, so networks convolve along it, in planes of both orientations"


def _rotate90(fingerprint: Fingerprint) -> tuple[bool, str]:
    """Whether a patch may be turned by right angles in the plane: only if it then looks as one of the same scanner."""
    grid = fingerprint.grid
    _, mm_y, mm_x = grid.lr_spacing_mm
    if abs(mm_y / mm_x - 1) > SPACING_TOLERANCE:
        return False, f"the voxels are {mm_y:.4g} x {mm_x:.4g} mm in the plane: turned, anatomy would be stretched"
    if grid.scale.y != grid.scale.x:
        return False, f"the factors in the plane differ ({grid.scale}): turning would mix the finer axis with the other"
    _, along_y, along_x = fingerprint.degradation.transfer
    apart = max(abs(y - x) for y, x in zip(along_y, along_x, strict=True))
    if apart > BLUR_TOLERANCE:
        return False, f"the blur along Y and X differs by up to {apart:.2f}: turning would mix two different blurs"
    return True, f"spacing and factors in the plane are equal, and the blur along Y and X agrees within {apart:.2f}"


def _contrast(fingerprint: Fingerprint) -> tuple[Contrast, str]:
    """In which contrasts the source HR is shown."""
    lr, hr = (fingerprint.cohorts[group].contrast for group in (TARGET_LR, SOURCE_HR))
    if fingerprint.other_contrast:
        return "randomized", f"LR is {lr} and HR {hr}: the HR is shown in random contrasts, so that none is relied on"
    if lr is None or hr is None:
        silent = " and ".join(name for name, told in (("LR", lr), ("HR", hr)) if told is None)
        return "as it is", f"no name, header or sidecar says the contrast of the {silent}; taken for the other's"
    return "as it is", f"LR and HR are {lr}"


def _why_band(fingerprint: Fingerprint) -> str:
    """Why networks work at the spacing of the HR along some axes."""
    if not fingerprint.band_axes:
        return "HR is coarser than LR along no axis"
    axes = " and ".join(fingerprint.band_axes)
    return (
        f"HR is coarser than LR along {axes}: networks work at the HR's spacing there, and what LR holds beyond it is "
        "interpolated along the other axes and added to the SR"
    )


def _source_degradation(fingerprint: Fingerprint) -> tuple[SourceDegradation | Degradation, str]:
    """What makes LR of the source HR: as measured, unless there may be nothing to measure, or no way to."""
    if fingerprint.other_contrast:
        return _known_of_headers(fingerprint)
    p, contrast = fingerprint.degradation_p, fingerprint.contrast
    if fingerprint.degradation.tone is not None:
        return "measured", (
            f"the contrasts of HR and LR differ by more than subjects do ({contrast.apart:.3f}, p = {contrast.p:.2g}): "
            "HR is brought to the LR's by a tone curve, then degraded as measured"
        )
    if p is None:
        return (
            "measured",
            "subjects are too few to tell whether there is more than truncation; it is as measured",
        )
    if p < SIGNIFICANT:
        return "measured", f"LR differs from truncated HR by more than subjects do (p = {p:.2g})"
    return "truncation", (
        f"LR differs from truncated HR no more than subjects do (p = {p:.2g}): the blur and noise that were measured "
        "may be chance"
    )


def _known_of_headers(fingerprint: Fingerprint) -> tuple[Degradation, str]:
    """Where LR and HR are of different contrasts, and spectra tell more of those than of the scanners."""
    lr, scale = fingerprint.cohorts[TARGET_LR], fingerprint.grid.scale
    _, middle, high = lr.foreground_percentiles
    noise = min(1.0, round(lr.noise * high / middle, 4))
    told = f"spectra of different contrasts do not compare; the noise is that of the LR's own spectrum, {noise:.2g}"
    if scale.y > 1 or scale.x > 1:
        return Degradation(noise=noise), f"{told}, and nothing else but truncation"
    thickness = min(max(lr.slice_thickness or 1.0, LEAST_THICKNESS), MOST_THICKNESS)
    said = "no header says another thickness" if lr.slice_thickness is None else "as headers say"
    return (
        Degradation(noise=noise, slice_profile="gaussian", slice_thickness=thickness),
        f"{told}; slices are {thickness:.2f} of their distance thick ({said})",
    )


def _data_reasons(fingerprint: Fingerprint) -> dict[str, str]:
    """Why what the data decide is so."""
    grid = fingerprint.grid
    letter, scale = fingerprint.orientation[0], grid.scale
    ratios = " x ".join(f"{lr / hr:.3g}" for lr, hr in zip(grid.lr_spacing_mm, grid.hr_spacing_mm, strict=True))
    slab = "the coarsest" if max(grid.lr_spacing_mm[1:]) < 0.999 * grid.lr_spacing_mm[0] else "among the coarsest"
    resampled, hr_images = len(fingerprint.resampled), sum(case.group == SOURCE_HR for case in fingerprint.cases)
    if resampled:
        why_hr = (
            f"LR spacing / {scale}; {resampled} of {hr_images} HR images are off it by more than 2 % and are "
            "resampled, as LR is not, but for band axes"
        )
    else:
        why_hr = f"LR spacing / {scale}: the HR has it within 2 %, so nothing is resampled"
    of_hr = " and, along the band axes, of the source HR" if fingerprint.band_axes else ""
    return {
        "orientation": f"axis {letter} is {slab} of the LR ({grid.lr_spacing_mm[0]:.4g} mm), so it is taken as Z",
        "lr_gain": "LR and HR are of different contrasts, whose levels do not compare"
        if fingerprint.other_contrast
        else (
            "HR degraded as measured comes out of normalisation brighter by this factor than the HR itself, so LR is "
            "divided by it"
        ),
        "scale": f"LR spacing / HR spacing is {ratios} along (Z, Y, X), rounded",
        "lr_spacing_mm": f"the median of the target LR{of_hr}",
        "hr_spacing_mm": why_hr,
        "slab_slices": "the paper's thin slab: a slice and its two neighbours",
    }
