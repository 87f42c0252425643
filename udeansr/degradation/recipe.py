"""How LR and HR are made from a scan: what simulate is told. Knows numbers and their notation; does nothing."""

from __future__ import annotations

from dataclasses import dataclass

from udeansr.degradation.kspace import TRUNCATION, Degradation
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale


@dataclass(frozen=True)
class CropBox:
    """A box to cut each scan to.

    Attributes:
        shape: HR voxels along (Z, Y, X), slab axis first.
        at: where its centre lies in the box of the foreground, along (Z, Y, X), 0 to 1.
    """

    shape: tuple[int, int, int]
    at: tuple[float, float, float] = (0.5, 0.5, 0.5)

    @classmethod
    def parse(cls, shape: str, at: str = "0.5x0.5x0.5") -> CropBox:
        """Read ``96x96x64`` and ``0.5x0.5x0.7``, both in-plane x in-plane x through-plane.

        Raises:
            UdeansrError: if it is something else.
        """
        try:
            x, y, z = (int(side) for side in shape.split("x"))
            right, back, up = (float(part) for part in at.split("x"))
        except ValueError as error:
            raise UdeansrError(
                f"crop '{shape}' at '{at}' is no box; expected such as 96x96x64 at 0.5x0.5x0.7"
            ) from error
        if min(x, y, z) < 1 or not all(0 <= part <= 1 for part in (right, back, up)):
            raise UdeansrError(f"crop '{shape}' at '{at}': expected sides of at least 1, and parts from 0 to 1")
        return cls((z, y, x), (up, back, right))


@dataclass(frozen=True)
class Recipe:
    """How LR and HR are made from one scan.

    Attributes:
        scale: HR voxels in an LR voxel.
        degradation: what the LR scanner did beyond truncation.
        pairing: "unpaired", or "misaligned": the source HR has moved against the LR of the same person.
        seed: of the dataset; noise and motion of a scan come from the seed and the scan's name.
        crop: the box that each scan is cut to, or None.
    """

    scale: Scale
    degradation: Degradation = TRUNCATION
    pairing: str = "unpaired"
    seed: int = 0
    crop: CropBox | None = None
