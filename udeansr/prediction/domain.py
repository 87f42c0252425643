"""What a model was made for, as measured on its people. Knows spectra and numbers; knows no network and no file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from udeansr.errors import UdeansrError


@dataclass(frozen=True)
class Domain:
    """Facts about the people of a model, against which an LR volume that comes in is held.

    Attributes:
        contrast: in the words of BIDS, such as ``T1w``; None where nobody said.
        people: whose HR the spectrum is the mean of.
        log_spectrum: their mean :func:`~udeansr.degradation.spectrum.log_spectrum`, truncated to the LR's k-space.
        restores: whether the measured degradation of an LR is undone, as far as its noise lets it, before the network.
        residual: what the measure leaves of the log power, decades: the most that LR of the domain had.
        noise: of each complex channel, normalised intensity: the most that the model learned from.
        lowest_transfer: along (Z, Y, X), the least that the model learned from.
    """

    contrast: str | None
    people: int
    log_spectrum: tuple[tuple[tuple[float, ...], ...], ...]
    restores: bool
    residual: float
    noise: float
    lowest_transfer: tuple[float, float, float]

    def as_dict(self) -> dict[str, Any]:
        """The facts as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Domain:
        """The way back from :meth:`as_dict`.

        Raises:
            UdeansrError: naming what is unknown, missing or of no sense.
        """
        known = {item.name for item in fields(cls)}
        if not isinstance(values, dict) or set(values) != known:
            raise UdeansrError(f"domain: expected an object with {', '.join(sorted(known))}")
        try:
            spectrum = np.asarray(values["log_spectrum"], dtype=np.float64)
            if spectrum.ndim != 3:
                raise ValueError(f"'log_spectrum' has {spectrum.ndim} axes, not three")
            z, y, x = (float(number) for number in values["lowest_transfer"])
            return cls(
                contrast=None if values["contrast"] is None else str(values["contrast"]),
                people=int(values["people"]),
                log_spectrum=tuple(tuple(tuple(row) for row in plane) for plane in spectrum.tolist()),
                restores=bool(values["restores"]),
                residual=float(values["residual"]),
                noise=float(values["noise"]),
                lowest_transfer=(z, y, x),
            )
        except (TypeError, ValueError) as error:
            raise UdeansrError(f"domain: {error}; expected what a model of ours carries") from error
