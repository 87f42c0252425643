"""Self-supervised learning: from the thick-slice scans of one protocol to a model for them, inside prediction."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from udeansr.degradation.kspace import LEAST_THICKNESS, MOST_THICKNESS
from udeansr.device import choose_device, choose_precision
from udeansr.errors import UdeansrError
from udeansr.image.acquisition import image_contrast, slice_thickness_mm
from udeansr.image.files import read_volume
from udeansr.image.grid import (
    SPACING_TOLERANCE,
    Scale,
    equal_spacing,
    format_spacing,
    oriented_view,
    reorient_geometry,
    slab_orientation,
)
from udeansr.image.normalization import intensity_scale, normalize
from udeansr.image.volume import Geometry, Triple

if TYPE_CHECKING:  # torch, for which no refusal has to wait
    from udeansr.batches.planes import Planes
    from udeansr.methods.self_supervised import SelfSettings
    from udeansr.models.model import Model
    from udeansr.planning.plan import Plan

NAME = "self"
THICK = 1.2
"""Distance of slices over the voxels of their plane from which on an image teaches itself anything."""

LARGEST_FACTOR = 8
"""Slices that are made of one at most: a scale goes no further."""

MOST_VOLUMES = 8
"""Of one protocol that are learned from: more are not needed, and take memory."""

LEAST_ROWS = 8
"""LR rows and columns of a plane that is learned from."""


_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Protocol:
    """Thick-slice scans that one network serves: of one spacing, slice orientation, thickness and contrast.

    Attributes:
        orientation: three letters for (Z, Y, X), slices first.
        spacing_mm: (Z, Y, X), of the first image.
        slice_mm: distance of the slices that are wanted, mm.
        thickness: slice thickness over the distance of slices, as headers say it; None where they do not.
        contrast: in the words of BIDS, or None.
        images: of this protocol.
    """

    orientation: str
    spacing_mm: Triple
    slice_mm: float
    thickness: float | None
    contrast: str | None
    images: tuple[Path, ...]

    @property
    def factor(self) -> int:
        """Slices that are made of one: enough for the wanted distance (to 2 %), as far as a scale goes."""
        least = math.ceil(self.spacing_mm[0] / self.slice_mm * (1 - SPACING_TOLERANCE))
        return min(max(least, 2), LARGEST_FACTOR)

    def __str__(self) -> str:
        """The protocol in a few words."""
        count = f"{len(self.images)} image{'' if len(self.images) == 1 else 's'}"
        return f"{count} of {self.contrast or 'unknown contrast'}, {format_spacing(self.spacing_mm)}"

    def holds(self, other: Protocol) -> bool:
        """Whether another image is of the same protocol."""
        alike = equal_spacing(other.spacing_mm, self.spacing_mm)
        alike = alike and abs(other.slice_mm / self.slice_mm - 1) <= SPACING_TOLERANCE
        thick = abs((other.thickness or 1.0) - (self.thickness or 1.0)) <= SPACING_TOLERANCE
        return alike and thick and (other.orientation, other.contrast) == (self.orientation, self.contrast)


def cannot_teach(geometry: Geometry, slice_mm: float | None = None) -> str | None:
    """Why an image on this grid cannot learn from its own planes; None if it can.

    Args:
        geometry: of the image.
        slice_mm: the distance of slices that is wanted; None: that of the voxels in their plane.
    """
    grid = reorient_geometry(geometry, slab_orientation(geometry))
    z, y, x = grid.spacing_mm
    wanted = slice_mm or min(y, x)
    if z < THICK * wanted:
        return f"its slices lie {z:.4g} mm apart, hardly more than the {wanted:.4g} mm that are wanted"
    rows = min(n * mm for n, mm in zip(grid.shape[1:], (y, x), strict=True)) / z
    if rows < LEAST_ROWS or min(grid.shape[1:]) < LEAST_ROWS:
        return f"its slices, {grid.shape[1]} x {grid.shape[2]} voxels, are too small for slices {z:.4g} mm apart"
    return None


def check_can_teach(images: Sequence[tuple[Path, Geometry]], slice_mm: float | None = None) -> None:
    """Refuse an image that cannot learn from its own planes.

    Args:
        images: with their grids.
        slice_mm: as for :func:`cannot_teach`.
    Raises:
        UdeansrError: naming the first that cannot.
    """
    for image, geometry in images:
        if trouble := cannot_teach(geometry, slice_mm):
            raise UdeansrError(
                f"{image}: {trouble}; expected thick slices that are sharper in their plane. Leave it out, or name a "
                "model: udeansr_models list"
            )


def protocols(images: Sequence[tuple[Path, Geometry]], slice_mm: float | None = None) -> list[Protocol]:
    """Images grouped by protocol, in the order of the first of each.

    Args:
        images: that can teach, with their grids.
        slice_mm: the distance of slices that is wanted; None: that of the voxels in their plane.
    """
    found: list[Protocol] = []
    for image, geometry in images:
        orientation = slab_orientation(geometry)
        spacing_mm = reorient_geometry(geometry, orientation).spacing_mm
        told_mm = slice_thickness_mm(image)
        thickness = None if told_mm is None else round(told_mm / spacing_mm[0], 3)
        if thickness is not None and not LEAST_THICKNESS <= thickness <= MOST_THICKNESS:
            _logger.warning("%s: says a slice thickness of %.4g mm; not believed", image.name, told_mm)
            thickness = None
        own_mm = min(spacing_mm[1:]) if slice_mm is None else slice_mm
        own = Protocol(orientation, spacing_mm, own_mm, thickness, image_contrast(image), (image,))
        place = next((i for i, protocol in enumerate(found) if protocol.holds(own)), None)
        if place is None:
            found.append(own)
        else:
            found[place] = replace(found[place], images=(*found[place].images, image))
    return found


def learn_protocol(
    protocol: Protocol, assignments: Sequence[str], device: str = "auto", precision: str = "auto"
) -> Model:
    """Learn from the scans of a protocol.

    Args:
        protocol: its first images, up to :data:`MOST_VOLUMES` of them evenly spread, are learned from.
        assignments: settings, each ``self.NAME=VALUE``.
        device: where to learn and to predict, as the user says it.
        precision: ``auto``, ``bf16``, ``fp16`` or ``fp32``.
    Returns: a model for images of this protocol.
    Raises:
        UdeansrError: if a setting is none, no image can be read, or learning goes astray.
    """
    import torch

    from udeansr.batches.planes import PlanePairs
    from udeansr.methods import build_method, parse_settings
    from udeansr.methods.self_supervised import LEARNING_RATE
    from udeansr.models.model import Model
    from udeansr.models.thick_slices import beginning
    from udeansr.prediction.learning import Remedies, learn
    from udeansr.training.checkpoint import seed_everything
    from udeansr.training.trainer import Trainer

    where = choose_device(device)
    settings = parse_settings(NAME, list(assignments))
    if protocol.thickness is not None and not any(word.startswith("self.thickness=") for word in assignments):
        settings = replace(settings, thickness=protocol.thickness)
    settings, start = beginning(protocol.factor, settings, asked="self.pretrained=true" in assignments)
    learning_rate = LEARNING_RATE[start is not None]
    plan = plan_of(protocol, settings)
    configuration = next(iter(plan.configurations.values()))
    _logger.info(
        "%s: no model is for them; the slices, %.4g mm apart and %.4g mm thick (%s), learn from their own planes, "
        "beginning with %s",
        protocol,
        protocol.spacing_mm[0],
        settings.thickness * protocol.spacing_mm[0],
        "as their headers say" if settings.thickness == protocol.thickness else "no header says it",
        "cubic interpolation" if start is None else f"the bundled model of x1x1x{protocol.factor}",
    )
    planes = _planes(protocol, settings.thickness)
    seed_everything(0)
    method = build_method(NAME, configuration, settings)
    if start is not None:
        method.load_state_dict(start)
    numbers = choose_precision(precision, where)
    trainer = Trainer(method, learning_rate=learning_rate, device=where, precision=numbers, ema_decay=method.ema_decay)
    patch = (settings.patch_rows, settings.patch_columns)
    pairs = PlanePairs(planes, patch, protocol.factor, settings.batch_size, seed=0)
    remedies = Remedies("learn from fewer: --set self.batch_size=4", "learn for less long: --set self.iterations=100")
    length = settings.iterations or 0
    learned = learn(trainer, pairs.batch, length, learning_rate, name=str(protocol), remedies=remedies)
    torch.cuda.empty_cache()
    return Model(learned, configuration.task.factors, plan, configuration, str(where), name=model_name(protocol))


def model_name(protocol: Protocol) -> str:
    """What the model of a protocol is called."""
    return f"self-{(protocol.contrast or 'any').lower()}-x1x1x{protocol.factor}"


def plan_of(protocol: Protocol, settings: SelfSettings) -> Plan:
    """The plan that the model of a protocol carries."""
    from udeansr.planning.configuration import Configuration
    from udeansr.planning.plan import Plan

    z, y, x = protocol.spacing_mm
    scale = str(Scale(protocol.factor, 1, 1))
    values = asdict(settings)
    configuration = Configuration.of(
        scale,
        scale=scale,
        lr_spacing_mm=protocol.spacing_mm,
        hr_spacing_mm=(z / protocol.factor, y, x),
        slab_slices=3,
        rotate90=False,
        source_degradation="truncation",
        patch_size=(values["patch_rows"], values["patch_columns"]),
        batch_size=values["batch_size"],
        features=values["features"],
        groups=1,
        blocks=values["blocks"],
        discriminator_features=1,
        epochs=1,
        iterations_per_epoch=max(1, values["iterations"] or 0),
        reasons={"scale": f"slices {z:.4g} mm apart, {protocol.slice_mm:.4g} mm wanted"},
    )
    return Plan(
        f"{len(protocol.images)} scans of their own protocol", protocol.orientation, 1.0, {scale: configuration}
    )


def _planes(protocol: Protocol, thickness: float) -> list[Planes]:
    """The pairs of planes of a protocol's scans."""
    from udeansr.batches.planes import planes_of, teaching_axes

    step = max(1, math.ceil(len(protocol.images) / MOST_VOLUMES))
    pairs, first = [], None
    for image in protocol.images[::step]:
        try:
            lr = _normalized(image, protocol.orientation)
        except UdeansrError as error:
            first = first or error  # told of when the image's turn comes
            continue
        axes = teaching_axes(lr, protocol.spacing_mm)
        if len(axes) == 1:
            _logger.info(
                "%s: learns along %s alone; along %s the spectrum breaks off",
                *(image.name, *(protocol.orientation[axis] for axis in (axes[0], 3 - axes[0]))),
            )
        pairs += planes_of(lr, protocol.spacing_mm, protocol.factor, thickness, axes)
    if first is not None and not pairs:
        raise first
    return pairs


def _normalized(image: Path, orientation: str) -> np.ndarray:
    """The voxels of an image, slices first."""
    volume = read_volume(image)
    voxels = np.nan_to_num(volume.voxels) if volume.voxels.dtype.kind == "f" else volume.voxels
    try:
        level = intensity_scale(voxels)
    except ValueError as error:
        raise UdeansrError(f"{image}: no voxel is above 0; expected an image of magnitudes; leave it out") from error
    return np.ascontiguousarray(oriented_view(normalize(voxels, level), volume.geometry.orientation, orientation))
