"""The rules: from a fingerprint and a memory target to a plan, each value with its reason. Pure; opens no file."""

from __future__ import annotations

from udeansr.degradation.spectrum import SIGNIFICANT
from udeansr.errors import UdeansrError
from udeansr.image.grid import SPACING_TOLERANCE, format_spacing
from udeansr.paths import SOURCE_HR
from udeansr.planning.fingerprint import Fingerprint
from udeansr.planning.plan import SMALLEST_PATCH, Configuration, Plan, SlabAxes, SourceDegradation, Task
from udeansr.planning.training_size import size_for_cpu, size_for_memory

LARGEST_FACTOR = 8
SLAB_SLICES = 3

BLUR_TOLERANCE = 0.1
"""Transfer functions of the two in-plane axes that differ by more are two blurs."""


def make_plan(fingerprint: Fingerprint, memory_gb: float | None) -> Plan:
    """Decide how to train on a dataset.

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
    source_degradation, why_degradation = _source_degradation(fingerprint)
    slab_axes, why_slab_axes = _slab_axes(fingerprint)
    if slab_axes != "Z" and rotate90:
        rotate90, why_rotate90 = False, "the slice axis lies in the patch: turned, it would change places with another"
    task = Task(
        str(grid.scale), grid.lr_spacing_mm, grid.sr_spacing_mm, SLAB_SLICES, rotate90, source_degradation, slab_axes
    )
    size, why_size = size_for_cpu(task, smallest) if memory_gb is None else size_for_memory(task, smallest, memory_gb)
    why_task = {"slab_axes": why_slab_axes, "rotate90": why_rotate90, "source_degradation": why_degradation}
    reasons = _data_reasons(fingerprint) | why_task | why_size
    configuration = Configuration(task.scale, task, size, reasons=reasons)
    return Plan(
        fingerprint.dataset,
        fingerprint.orientation,
        fingerprint.level_gain,
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


def _source_degradation(fingerprint: Fingerprint) -> tuple[SourceDegradation, str]:
    """What makes LR of the source HR: as measured, unless there may be nothing to measure."""
    p = fingerprint.degradation_p
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
            "resampled, as LR is never resampled"
        )
    else:
        why_hr = f"LR spacing / {scale}: the HR has it within 2 %, so nothing is resampled"
    return {
        "orientation": f"axis {letter} is {slab} of the LR ({grid.lr_spacing_mm[0]:.4g} mm), so it is taken as Z",
        "lr_gain": (
            "HR degraded as measured comes out of normalisation brighter by this factor than the HR itself, so LR is "
            "divided by it"
        ),
        "scale": f"LR spacing / HR spacing is {ratios} along (Z, Y, X), rounded",
        "lr_spacing_mm": "the median of the target LR, which agree within 2 %",
        "hr_spacing_mm": why_hr,
        "slab_slices": "the paper's thin slab: a slice and its two neighbours",
    }
