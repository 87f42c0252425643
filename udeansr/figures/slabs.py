"""A slab of a source subject's HR and one of a real LR, as a trained method takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from skimage.transform import resize
from torch import Tensor

from udeansr.batches.slabs import seen
from udeansr.figures.plane import cut_region, largest_slice, plane_on_screen
from udeansr.image.cropping import foreground_mask
from udeansr.image.files import read_volume
from udeansr.image.grid import Scale, reorient_geometry
from udeansr.image.names import case_name
from udeansr.image.volume import Geometry
from udeansr.inference.whole_volume import super_resolve_volume
from udeansr.models.model import Model
from udeansr.preprocessing.preparation import prepare_hr, prepare_lr

PATTERN_PIXELS = 32
"""Side of the patterns by which slices of two subjects are compared."""


@dataclass(frozen=True)
class Drawn:
    """A plane the right way up.

    Attributes:
        pixels: (rows, columns).
        spacing_mm: of rows and columns.
    """

    pixels: np.ndarray
    spacing_mm: tuple[float, float]

    @property
    def rows_by_columns(self) -> float:
        """Height over width in the world."""
        rows, columns = self.pixels.shape
        return rows * self.spacing_mm[0] / (columns * self.spacing_mm[1])


@dataclass(frozen=True)
class Slabs:
    """What a method is given: real LR around its slice of the largest foreground, source HR where it is most alike.

    Attributes:
        source, target: whose HR and whose LR.
        hr: (1, slices * sz, Y * sy, X * sx) normalised HR, Y and X even.
        lr: (1, slices, y, x) normalised LR of other subjects, in general of another size.
        sr: (y * sy, x * sx), the middle slice of the SR of ``lr``.
        hr_geometry, lr_geometry: of the volumes the slabs were cut from.
        scale: HR voxels in an LR voxel.
    """

    source: str
    target: str
    hr: Tensor
    lr: Tensor
    sr: np.ndarray
    hr_geometry: Geometry
    lr_geometry: Geometry
    scale: Scale

    def drawn(self, plane: Tensor | np.ndarray, of_source: bool) -> Drawn:
        """A plane (Y, X) on the source's or the target's HR or LR grid, as it is shown.

        Raises:
            ValueError: if it is on neither grid.
        """
        pixels = plane if isinstance(plane, np.ndarray) else plane.float().cpu().numpy()
        geometry, slab = (self.hr_geometry, self.hr) if of_source else (self.lr_geometry, self.lr)
        y, x = slab.shape[2:]
        sy, sx = self.scale.y, self.scale.x
        if pixels.shape not in ((y, x), (y // sy, x // sx) if of_source else (y * sy, x * sx)):
            raise ValueError(f"a plane of {pixels.shape} lies on no grid of a slab of {(y, x)}")
        z_mm, y_mm, x_mm = geometry.spacing_mm
        spacing_mm = (z_mm, y_mm * y / pixels.shape[0], x_mm * x / pixels.shape[1])  # the field of view is kept
        grid = Geometry((1, *pixels.shape), spacing_mm, geometry.origin_mm, geometry.axes)
        pixels_on_screen, grid_on_screen = plane_on_screen(pixels, grid)
        return Drawn(pixels_on_screen, grid_on_screen.spacing_mm[1:])


def slabs_of(model: Model, hr: Path, lr: Path) -> Slabs:
    """Read and prepare both as training does, and cut a slab out of each.

    Args:
        model: a trained one.
        hr: HR of a source subject.
        lr: LR of a subject that is scored.
    Raises:
        UdeansrError: if one of them cannot be read or is empty.
    """
    assert model.plan is not None and model.configuration is not None, "a trained model has a plan"
    method, plan, configuration = model.method, model.plan, model.configuration
    source = prepare_hr(read_volume(hr), plan, configuration, hr)
    target = prepare_lr(read_volume(lr), plan, configuration, lr)
    slices, thick, view = configuration.task.slab_slices, method.scale.z, configuration.task.views[0]
    letters = "".join(plan.orientation[axis] for axis in view)
    hr_slabs, lr_slabs = seen(source.voxels, view), seen(target.voxels, view)
    chosen = largest_slice(foreground_mask(lr_slabs))
    lowest = _first_of_slab(chosen, slices, len(lr_slabs))
    alike = most_alike(hr_slabs[thick // 2 :: thick], lr_slabs[chosen])
    first = _first_of_slab(alike, slices, len(hr_slabs) // thick)
    # With the slabs on either side, so that the middle slice is what prediction gives.
    around = slice(max(lowest - slices, 0), lowest + 2 * slices)
    volume = seen(lr_slabs[around], np.argsort(view).tolist())
    sr = seen(super_resolve_volume(method, volume, device=model.device, precision="fp32"), view)
    in_plane = (method.scale.y, method.scale.x)
    middle = (lowest - around.start) * thick + slices * thick // 2
    return Slabs(
        source=case_name(hr),
        target=case_name(lr),
        hr=_tensor(_even(hr_slabs[first * thick : (first + slices) * thick], in_plane), model.device),
        lr=_tensor(_even(lr_slabs[lowest : lowest + slices], (1, 1)), model.device),
        sr=_even(sr[middle], in_plane),
        hr_geometry=reorient_geometry(source.geometry, letters),
        lr_geometry=reorient_geometry(target.geometry, letters),
        scale=method.scale,
    )


def most_alike(candidates: np.ndarray, wanted: np.ndarray) -> int:
    """Which slice shows most nearly the same anatomy: that of the largest correlation, the first of equal ones.

    Both are cut to their foreground and brought to few pixels, so that neither place, size nor resolution counts.

    Args:
        candidates: (N, Y, X) slices of one subject.
        wanted: (Y, X), a slice of another.
    """
    pattern = _pattern(wanted)
    likeness = [float(np.mean(pattern * _pattern(candidate))) for candidate in candidates]
    return int(np.argmax(likeness))


def _pattern(plane: np.ndarray) -> np.ndarray:
    """The foreground of a plane in few pixels, of mean 0 and power 1; zeros where there is nothing to see."""
    cut = plane[cut_region(foreground_mask(plane), 0.0).inside]
    few = np.asarray(resize(cut.astype(np.float64), (PATTERN_PIXELS, PATTERN_PIXELS), order=1, anti_aliasing=True))
    std = float(few.std())
    return (few - few.mean()) / std if std > 0 else np.zeros_like(few)


def middle_slice(slab: Tensor) -> Tensor:
    """The slice of a slab (1, slices, Y, X) that is shown: (Y, X)."""
    return slab[0, slab.shape[1] // 2]


def _first_of_slab(middle: int, slices: int, length: int) -> int:
    """The first slice of the slab around a slice, as far as the volume goes."""
    return min(max(middle - slices // 2, 0), length - slices)


def _even(voxels: np.ndarray, factors: tuple[int, int]) -> np.ndarray:
    """(..., Y, X) without a last row or column of LR pixels that has no partner: some methods take them in pairs."""
    rows, columns = (side - side % (2 * factor) for side, factor in zip(voxels.shape[-2:], factors, strict=True))
    return voxels[..., :rows, :columns]


def _tensor(slab: np.ndarray, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(slab, dtype=np.float32))[None].to(device)
