"""The degradation measured: fitted to the mean power spectra of two cohorts, of which no subject need be in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from udeansr.degradation.measured_degradation import Curve, MeasuredDegradation, width_voxels
from udeansr.degradation.slice_profile import profile_transfer
from udeansr.degradation.spectrum import BINS, foreground_spectrum, mean_spectrum
from udeansr.image.acquisition import AcquisitionType
from udeansr.image.grid import Scale
from udeansr.image.volume import triple


def measure_degradation(
    truncated_hr_spectra: Sequence[np.ndarray],
    lr_spectra: Sequence[np.ndarray],
    lr_spacing_mm: tuple[float, float, float],
    unfolded_hr_spectra: Sequence[np.ndarray] = (),
    in_plane_alike: bool = False,
    acquisition: AcquisitionType | None = None,
) -> MeasuredDegradation:
    """Measure what turned one cohort's HR into another cohort's LR. No subject need be in both.

    The mean power of the LR is taken as ``gain^2 P_HR H_z^2 H_y^2 H_x^2 + noise^2`` with H that never rise, and fitted
    by least squares on its logarithm, with the scatter of both cohorts. H is 1 in the first bin of each axis.

    Where HR is known above the Nyquist of the slices, slices that were excited are fitted as well: ``gain^2 H_y^2 H_x^2
    sum(P_HR S^2) + noise^2``, the sum over all frequencies that fold onto one, S the transfer of a slice profile of one
    thickness. Which of the two it is, :data:`CLEARLY` and :data:`HARDLY` say.

    Args:
        truncated_hr_spectra: :func:`log_spectrum` of HR volumes truncated to the LR's k-space, at least one.
        lr_spectra: :func:`log_spectrum` of LR volumes, at least one.
        lr_spacing_mm: (Z, Y, X).
        unfolded_hr_spectra: :func:`unfolded_spectrum` of the HR volumes; empty where slices are as far apart as in HR.
        in_plane_alike: whether LR is as fine as HR in the plane, as 2-D scans are.
        acquisition: what headers say of the LR; it decides, unless the fit contradicts it.
    Raises:
        ValueError: if a cohort is empty or no cell is filled in both.
    Source: documentation/degradation.md.
    """
    hr_share = len(lr_spectra) / (len(truncated_hr_spectra) + len(lr_spectra))
    log_lr = mean_spectrum(lr_spectra)
    encoded = _PowerModel(mean_spectrum(truncated_hr_spectra), log_lr, hr_share)
    found = encoded.fitted()
    if len(unfolded_hr_spectra):
        excited = _fit_slices(mean_spectrum(unfolded_hr_spectra), log_lr, hr_share)
        folded = [_folded(spectrum, excited.thickness or 1.0) for spectrum in unfolded_hr_spectra]
        scatter = _scatter(truncated_hr_spectra, lr_spectra), _scatter(folded, lr_spectra)
        found = excited if _are_excited(found, excited, scatter, in_plane_alike, acquisition) else found
    curves, parameters = found.model.transfer(found.parameters), found.parameters
    if found.thickness is not None:
        curves[0] = profile_transfer(encoded.frequencies / 2, found.thickness)
    widths = [width_voxels(encoded.frequencies, curve) * mm for curve, mm in zip(curves, lr_spacing_mm, strict=True)]
    if found.thickness is not None:
        widths[0] = found.thickness * lr_spacing_mm[0]
    return MeasuredDegradation(
        frequencies=_floats(encoded.frequencies),
        transfer=(_floats(curves[0]), _floats(curves[1]), _floats(curves[2])),
        width_mm=triple(widths),
        noise=float(np.exp(parameters[1])),
        gain=float(np.exp(parameters[0])),
        residual=float(np.sqrt(np.mean(found.model.log_misfit(parameters) ** 2)) / np.log(10)),
        slice_profile=None if found.thickness is None else "gaussian",
        slice_thickness=round(found.thickness or 1.0, 4),
    )


def unfolded_spectrum(hr: np.ndarray, scale: Scale) -> np.ndarray:
    """:func:`~udeansr.degradation.spectrum.foreground_spectrum` of HR up to its own Nyquist along the slab axis.

    Args:
        hr: (Z, Y, X), any unit, not all zero.
        scale: to the LR; along Y and X its k-space is truncated to that of the LR.
    Returns: (sz * bins, bins, bins): log of the power that each cell gives to the LR but for the slice profile.
    """
    whole = foreground_spectrum(hr, Scale(1, scale.y, scale.x), (BINS * scale.z, BINS, BINS))
    return whole - np.log(scale.z)


@dataclass(frozen=True)
class _Fitted:
    """A model of the power, fitted; the better the less its misfit.

    Attributes:
        misfit: sum of squares, each in units of its scatter.
        model, parameters: of the power.
        thickness: of slices that were excited, over their distance; None of an encoded slab axis.
    """

    misfit: float
    model: _PowerModel
    parameters: np.ndarray
    thickness: float | None = None


CLEARLY, HARDLY = 1.03, 1.12
"""Misfit of excited slices over that of an encoded axis: below the one they are excited, above the other they are not.

An encoded axis has an H of 16 numbers, which can imitate a good deal; a profile has its thickness. So between the two
slices of 2-D scans are taken for excited, where the encoded axis needs a blur to explain them.
"""

SHARP = 0.9
"""H at the Nyquist of the slices from which on there is no blur to explain."""


OVERRULES = 0.9
"""Below this ratio of misfits slices are excited, even if headers say 3D."""


def _are_excited(
    encoded: _Fitted,
    excited: _Fitted,
    scatter: tuple[float, float],
    in_plane_alike: bool,
    acquisition: AcquisitionType | None,
) -> bool:
    """Whether slices were excited, or the slab axis encoded: by misfits over what subjects scatter, and headers."""
    ratio = (excited.misfit / scatter[1]) / (encoded.misfit / scatter[0])
    if acquisition is not None:
        return ratio < (HARDLY if acquisition == "2D" else OVERRULES)
    blurred = encoded.model.transfer(encoded.parameters)[0][-1] < SHARP
    return ratio < CLEARLY or (in_plane_alike and blurred and ratio < HARDLY)


def _fit_slices(log_unfolded: np.ndarray, log_lr: np.ndarray, hr_share: float) -> _Fitted:
    """The thickness of a Gaussian profile that explains the LR best; spectra cannot tell it from a box."""
    from scipy.optimize import minimize_scalar

    def fitted(thickness: float) -> _Fitted:
        model = _PowerModel(_folded(log_unfolded, thickness), log_lr, hr_share, axes=(1, 2))
        return replace(model.fitted(), thickness=thickness)

    best = minimize_scalar(
        lambda thickness: fitted(thickness).misfit, bounds=THICKNESS_RANGE, method="bounded", options={"xatol": 0.005}
    )
    return fitted(float(best.x))  # pyright: ignore[reportAttributeAccessIssue] its stub


def _folded(log_unfolded: np.ndarray, thickness: float) -> np.ndarray:
    """The log power that is left by slices of a thickness, each frequency on that which it folds onto."""
    bins = log_unfolded.shape[1]
    cells = np.arange(len(log_unfolded))
    within = cells % (2 * bins)
    left = np.exp(log_unfolded) * profile_transfer((cells + 0.5) / bins / 2, thickness)[:, None, None] ** 2
    folded = np.zeros((bins, *log_unfolded.shape[1:]))
    np.add.at(folded, np.where(within < bins, within, 2 * bins - 1 - within), left)
    with np.errstate(divide="ignore"):
        return np.where(folded > 0, np.log(folded), np.nan)


def _scatter(hr_spectra: Sequence[np.ndarray], lr_spectra: Sequence[np.ndarray]) -> float:
    """The variance that the means of two cohorts differ by as their subjects do; 1 where a cohort is one subject."""
    variances = 0.0
    for spectra in (hr_spectra, lr_spectra):
        stack = np.stack(spectra).reshape(len(spectra), -1)
        stack = stack[:, np.isfinite(stack).all(axis=0)]
        if len(spectra) < 2 or not stack.size:
            return 1.0
        variances += float(stack.var(axis=0, ddof=1).mean()) / len(spectra)
    return variances or 1.0


THICKNESS_RANGE = (0.4, 2.0)
"""Of slices over their distance, within which it is looked for."""


class _PowerModel:
    """Mean LR power as gain, noise and transfer functions make it of mean HR power, to be fitted by least squares.

    The HR spectrum is a mean over few subjects too. Taken as exact, its scatter would pass for a flatter relation: a
    noise that is not there and a steeper H. So each misfit is in units of its own scatter, which counts both cohorts
    ("effective variance", Orear, Am. J. Phys. 50, 1982): that of HR comes in as far as the cell is signal.

    Parameters: log gain, log noise, and for each axis the falls of -log H from one bin that is filled to the next.
    """

    def __init__(
        self, log_hr: np.ndarray, log_lr: np.ndarray, hr_share: float, axes: tuple[int, ...] = (0, 1, 2)
    ) -> None:
        """Keep the cells that both spectra fill.

        Args:
            log_hr: (bins, bins, bins) mean log spectrum of truncated HR.
            log_lr: of LR.
            hr_share: part of HR in the variance of the difference of the two.
            axes: along which there is an H that is not known.
        Raises:
            ValueError: if there is no such cell.
        """
        filled = np.isfinite(log_hr) & np.isfinite(log_lr)
        if not filled.any():
            raise ValueError("the two cohorts have no cell of the spectrum in common")
        bins = log_hr.shape[0]
        self.frequencies = (np.arange(bins) + 0.5) / bins
        self._hr_power, self._log_lr, self._hr_share = np.exp(log_hr[filled]), log_lr[filled], hr_share
        cells = np.nonzero(filled)
        self._bins = [np.unique(cell) if axis in axes else np.array([0]) for axis, cell in enumerate(cells)]
        passed = [cell[:, None] >= present[None, 1:] for cell, present in zip(cells, self._bins, strict=True)]
        self._falls = np.concatenate(passed, axis=1).astype(float)

    def fitted(self) -> _Fitted:
        """With the parameters of the least misfit."""
        count = self._falls.shape[1]
        start = np.concatenate([[0.0, self._log_lr.min() / 2], np.full(count, 0.02)])
        lowest = np.concatenate([[-10.0, start[1] - 10], np.zeros(count)])
        highest = np.concatenate([[10.0, start[1] + 10], np.full(count, 10.0)])
        from scipy.optimize import least_squares

        found = least_squares(self._misfit, start, self._jacobian, bounds=(lowest, highest))  # pyright: ignore[reportArgumentType] its stub
        return _Fitted(2 * float(found.cost), self, found.x)

    def transfer(self, parameters: np.ndarray) -> list[np.ndarray]:
        """H along (Z, Y, X) at :attr:`frequencies`."""
        curves, first = [], 2
        for bins in self._bins:
            logs = np.concatenate([[0.0], -np.cumsum(parameters[first : first + len(bins) - 1])])
            first += len(bins) - 1
            curves.append(np.interp(self.frequencies, self.frequencies[bins], np.exp(logs)))
        return curves

    def log_misfit(self, parameters: np.ndarray) -> np.ndarray:
        """Log power of the model over that of the LR, for each cell."""
        return np.log(sum(self._powers(parameters))) - self._log_lr

    def _powers(self, parameters: np.ndarray) -> tuple[np.ndarray, float]:
        """Power of the signal in each cell, and of the noise."""
        log_gain, log_noise = parameters[:2]
        signal = self._hr_power * np.exp(2 * (log_gain - self._falls @ parameters[2:]))
        return signal, float(np.exp(2 * log_noise))

    def _scatter(self, signal_part: np.ndarray) -> np.ndarray:
        """Standard deviation of the misfit of cells, in units of that of one spectrum."""
        return np.sqrt(1 - self._hr_share + self._hr_share * signal_part**2)

    def _misfit(self, parameters: np.ndarray) -> np.ndarray:
        signal, noise = self._powers(parameters)
        return (np.log(signal + noise) - self._log_lr) / self._scatter(signal / (signal + noise))

    def _jacobian(self, parameters: np.ndarray) -> np.ndarray:
        signal, noise = self._powers(parameters)
        part = signal / (signal + noise)
        scatter = self._scatter(part)
        weight_change = self._misfit(parameters) * self._hr_share * part**2 * (1 - part) / scatter**2
        of_signal, of_noise = 2 * (part / scatter - weight_change), 2 * ((1 - part) / scatter + weight_change)
        return np.concatenate([of_signal[:, None], of_noise[:, None], -of_signal[:, None] * self._falls], axis=1)


def _floats(curve: np.ndarray) -> Curve:
    return tuple(float(number) for number in curve)
