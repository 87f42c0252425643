"""How far to trust the SR of one volume, by its own LR."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.measured_degradation import MeasuredDegradation, convolve
from udeansr.degradation.shift import shift_voxels
from udeansr.degradation.slice_profile import acquire_slices
from udeansr.degradation.true_resolution import resolved_fraction, true_spacing_mm
from udeansr.evaluation.fidelity import gain
from udeansr.image.cropping import middle
from udeansr.image.grid import Scale, format_spacing
from udeansr.planning.domain import Domain, mean_transfer

WINDOW = 256
"""Voxels of the LR along each side of a slice: of larger slices the middle is used, so that memory stays bounded."""

_BORDER = 8
"""Voxels at the border of such a window that do not count: what lies beyond it is not known to the blur."""

MARGIN = 1.25
"""How far misfit and noise may lie above those of the domain before a volume counts as outside."""

TRANSFER_MARGIN = 0.1
"""How far the mean transfer of an axis may lie from what the domain had; one volume measures it to some 0.05."""


@dataclass(frozen=True)
class Trust:
    """What an LR says of its SR.

    Attributes:
        consistency_db: PSNR of the SR, degraded as the LR was measured to be, against the LR; the peak is the level
            that becomes 1. No more than the LR's own noise allows.
        shift_voxels: how far the content of SR lies from that of its LR along the worst axis, HR voxels.
        gain: level of the SR, degraded, over that of its LR.
        noise: of each complex channel of the LR, normalised intensity; None where there is no domain to measure with.
        width_mm: full width at half maximum of the LR's point spread along (Z, Y, X); None as for noise.
        misfit: root mean square of what the measure leaves of the log power, decades; None as for noise.
        outside: in which respects the LR is unlike those that the model was made for, each with its number; empty if
            it is like them, None where it is not known.
        resolved_mm: true resolution of the LR along (Z, Y, X) where its spectrum breaks off; None where it does not.
    """

    consistency_db: float
    shift_voxels: float
    gain: float
    noise: float | None = None
    width_mm: tuple[float, float, float] | None = None
    misfit: float | None = None
    outside: tuple[str, ...] | None = None
    resolved_mm: tuple[float, float, float] | None = None

    def __str__(self) -> str:
        """The line that prediction prints for a volume."""
        words = [
            f"consistent with its LR to {self.consistency_db:.1f} dB",
            f"shift {self.shift_voxels:.3f} HR voxels",
            f"gain {self.gain:.3f}",
        ]
        if self.noise is not None:
            words.append(f"noise {self.noise:.4f}")
        if self.resolved_mm is not None:
            words.append(
                f"its spectrum breaks off at {format_spacing(self.resolved_mm)} (zero filling or partial Fourier)"
            )
        if self.outside is not None:
            words.append("in the model's domain" if not self.outside else f"OUTSIDE the model's domain: {self.why}")
        return ", ".join(words)

    @property
    def why(self) -> str:
        """What is unlike, in one line."""
        return "; ".join(self.outside or ())

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it; what is no finite number is null."""
        values = asdict(self)
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in values.items()
        }


class TrustMeter:
    """Watches an SR volume go by slice by slice, then holds it to its LR; of each slice it keeps its LR resolution.

    Args:
        scale: between LR and SR.
        lr_slices: of the LR.
        slice_thickness: full width at half maximum of the slice profile over the distance of slices, for slices as 2-D
            scans make them; None: the slice axis was encoded as the others were.
    """

    def __init__(self, scale: Scale, lr_slices: int, slice_thickness: float | None = None) -> None:
        self._scale, self._slice_thickness = scale, slice_thickness
        self._waiting = lr_slices * scale.z
        self._coarse = np.empty(0, np.float32)

    def __call__(self, first: int, block: np.ndarray) -> None:
        """See some slices.

        Args:
            first: number of the first HR slice.
            block: (n, Y * sy, X * sx), normalised.
        """
        coarse = _middle(truncate_kspace(block, Scale(1, self._scale.y, self._scale.x)))
        if not self._coarse.size:
            self._coarse = np.empty((self._waiting, *coarse.shape[1:]), np.float32)
        self._coarse[first : first + len(coarse)] = coarse
        self._waiting -= len(coarse)

    def trust(
        self,
        lr: np.ndarray,
        lr_spacing_mm: tuple[float, float, float],
        domain: Domain | None = None,
        expected: MeasuredDegradation | None = None,
        deconvolves: bool = False,
    ) -> Trust:
        """Judge, once all slices have gone by.

        Args:
            lr: (Z, Y, X), in the unit of the slices.
            lr_spacing_mm: (Z, Y, X).
            domain: of the model, or None.
            expected: what the model takes the scanner to do beyond truncation; None: nothing. It has no say where the
                model deconvolves each LR by its own measure.
            deconvolves: whether it does.
        Raises:
            ValueError: if a slice has not gone by.
        """
        if self._waiting:
            raise ValueError(f"{self._waiting} slices of the SR have not gone by")
        measured = domain.measure(lr, lr_spacing_mm) if domain is not None else None
        known = measured or expected
        thickness = self._slice_thickness
        if expected is not None and expected.slice_profile is not None and not deconvolves:
            thickness = expected.slice_thickness
        coarse, whole, lr = self._slices(thickness), lr, _middle(lr)
        axes = (0, 1, 2) if thickness is None else (1, 2)
        again = np.abs(convolve(coarse, known, axes) if known is not None else coarse)
        border = tuple(slice(_BORDER, -_BORDER) if n > WINDOW else slice(None) for n in whole.shape[1:])
        inner = (slice(None), *border)
        error = float(np.mean(np.square(again[inner] - lr[inner]), dtype=np.float64))
        shift = np.abs(shift_voxels(coarse, lr, Scale(1, 1, 1))) * self._scale.zyx
        found = {}
        if measured is not None and domain is not None:
            found = {
                "noise": measured.noise,
                "width_mm": measured.width_mm,
                "misfit": measured.residual,
                "outside": _outside(measured, domain, None if deconvolves else expected, deconvolves),
            }
        return Trust(
            consistency_db=-10 * math.log10(error) if error > 0 else math.inf,
            shift_voxels=float(shift.max()),
            gain=gain(again, lr),
            resolved_mm=resolved_mm(whole, lr_spacing_mm),
            **found,
        )

    def _slices(self, thickness: float | None) -> np.ndarray:
        """The SR at the resolution of its LR, along the slices too."""
        if thickness is None:
            return truncate_kspace(self._coarse, Scale(self._scale.z, 1, 1))
        return acquire_slices(self._coarse, self._scale.z, thickness * self._scale.z)


def _middle(slices: np.ndarray) -> np.ndarray:
    """(n, Y, X) -> the middle of the slices, at most :data:`WINDOW` along each side; a view."""
    return middle(slices, (len(slices), WINDOW, WINDOW))


def resolved_mm(lr: np.ndarray, spacing_mm: tuple[float, float, float]) -> tuple[float, float, float] | None:
    """The true resolution of an LR; None where its voxels hold what they promise.

    Args:
        lr: (Z, Y, X), any unit.
        spacing_mm: (Z, Y, X).
    """
    parts = [resolved_fraction(lr, axis) for axis in range(3)]
    if min(parts) == 1:
        return None
    return true_spacing_mm(spacing_mm, parts)


def _outside(
    measured: MeasuredDegradation, domain: Domain, expected: MeasuredDegradation | None, deconvolves: bool
) -> tuple[str, ...]:
    """In which respects an LR is unlike those of a domain."""
    found = []
    if measured.residual > MARGIN * domain.residual:
        found.append(
            f"its spectrum differs by {measured.residual:.2f} decades from the subjects' (LR of theirs by "
            f"{domain.residual:.2f}): another contrast, part of the body, field of view or shape of k-space"
        )
    if measured.noise > MARGIN * domain.noise:
        found.append(f"noise {measured.noise:.4f} (learnt up to {domain.noise:.4f})")
    wanted = (1.0, 1.0, 1.0) if expected is None else mean_transfer(expected)
    for axis, transfer, lowest, learnt in zip(
        "ZYX", mean_transfer(measured), domain.lowest_transfer, wanted, strict=True
    ):
        if deconvolves and transfer < lowest - TRANSFER_MARGIN:
            found.append(f"blur along {axis}: a mean transfer of {transfer:.2f} (learnt down to {lowest:.2f})")
        elif not deconvolves and not min(lowest, learnt) - TRANSFER_MARGIN <= transfer <= learnt + TRANSFER_MARGIN:
            found.append(f"blur along {axis}: a mean transfer of {transfer:.2f} (learnt from {learnt:.2f})")
    return tuple(found)
