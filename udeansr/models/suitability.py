"""Which bundled or imported model suits images, by their spacing and contrast."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from udeansr.errors import UdeansrError
from udeansr.image.acquisition import image_contrast
from udeansr.image.grid import SPACING_TOLERANCE, format_spacing, slab_orientation
from udeansr.image.volume import Geometry
from udeansr.models.description import ANY_CONTRAST, ModelDescription
from udeansr.models.registry import NamedModel

AUTOMATIC_TOLERANCE = 0.15
"""How far, as a part of it, a spacing may lie from that of a model which nobody named."""

_LISTED = 3

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Image:
    """What is known of an image before its voxels are read."""

    path: Path
    geometry: Geometry
    contrast: str | None

    @classmethod
    def of(cls, path: Path, geometry: Geometry) -> Image:
        """With the contrast that its name or its sidecar says."""
        return cls(path, geometry, image_contrast(path))


def choose_suitable(images: Sequence[Image], models: Sequence[NamedModel]) -> NamedModel | None:
    """The model that suits most images; of equal ones that of their own spacing, then the imported, then the nearest.

    Args:
        images: at least one.
        models: that can be called by name.
    Returns: the model, or None if none suits any image.
    Raises:
        UdeansrError: if there are several that nothing distinguishes.
    """
    ranked = {}
    for model in models:
        suited = [image for image in images if suits(image, model)]
        if suited:
            farthest = max(_deviation(image.geometry, model) for image in suited)
            own_slabs = model.description.plan.orientation in {slab_orientation(image.geometry) for image in suited}
            rank = (-len(suited), farthest > SPACING_TOLERANCE, model.bundled, round(farthest, 3), not own_slabs)
            ranked.setdefault(rank, []).append(model)
    if not ranked:
        return None
    best = ranked[min(ranked)]
    if len(best) > 1:
        names = ", ".join(f"-m {model.name}" for model in best)
        raise UdeansrError(f"{len(best)} bundled or imported models fit the images alike; choose one: {names}")
    return best[0]


def suits(image: Image, model: NamedModel) -> bool:
    """Whether a model may be taken for an image without being named: spacing to 15 %, and no other known contrast."""
    close = _deviation(image.geometry, model) <= AUTOMATIC_TOLERANCE
    return close and _same_contrast(image, model)


def _deviation(geometry: Geometry, model: NamedModel) -> float:
    """How far a grid, in the model's orientation, is from its LR spacing: the worst axis, as a part of the model's."""
    return model.description.plan.spacing_deviation(geometry, model.description.configuration)


def warn_of_contrast(images: Sequence[Path], model: ModelDescription) -> None:
    """Tell of images whose contrast is not the model's, or is not known."""
    wanted = model.contrast
    if wanted == ANY_CONTRAST:
        return
    silent, other = [], []
    for image in images:
        contrast = image_contrast(image)
        if contrast is None:
            silent.append(image.name)
        elif contrast != wanted:
            other.append(f"{image.name} ({contrast})")
    if silent:
        _logger.warning(
            "contrast unknown, taken for %s, which %s was made for: %s", wanted, model.name, _shortened(silent)
        )
    if other:
        _logger.warning(
            "another contrast than %s, which %s was made for, do not trust the SR of: %s",
            *(wanted, model.name, _shortened(other)),
        )


def none_suits(image: Image, models: Sequence[NamedModel]) -> str:
    """That no model was taken for an image, the nearest of its contrast with the numbers, and what to do about it.

    Args:
        image: with its grid and contrast.
        models: those that are here, at least one.
    """
    nearest = min(models, key=lambda model: (not _same_contrast(image, model), _deviation(image.geometry, model)))
    spacing = format_spacing(nearest.description.configuration.task.lr_spacing_mm)
    return (
        f"no model fits {image.path.name} ({image.contrast or 'contrast unknown'}, "
        f"{format_spacing(image.geometry.spacing_mm)} as {image.geometry.orientation}); the nearest here is "
        f"{nearest.name} ({nearest.description.contrast}, {spacing} as {nearest.description.plan.orientation}, "
        f"{_percent(_deviation(image.geometry, nearest))} off, {_percent(AUTOMATIC_TOLERANCE)} allowed). "
        f"Train one on such scans, or take it all the same: -m {nearest.name}"
    )


def _same_contrast(image: Image, model: NamedModel) -> bool:
    return image.contrast in (None, model.description.contrast)


def _shortened(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown


def _percent(part: float) -> str:
    return f"{100 * part:.3g} %"
