"""Which bundled or imported model suits images, by their spacing and contrast."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from udeansr.errors import UdeansrError
from udeansr.image.dicom import is_series, series_at
from udeansr.image.grid import SPACING_TOLERANCE, format_spacing, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.volume import Geometry
from udeansr.models.description import ModelDescription
from udeansr.models.registry import NamedModel

CONTRASTS = (
    *("T1w", "T2w", "PDw", "FLAIR", "T2starw", "PDT2", "inplaneT1", "inplaneT2", "UNIT1", "T1map", "T2map"),
    *("angio", "MTw", "SWI", "DIR", "bold", "sbref", "dwi", "epi", "asl", "M0map"),
)
"""Suffixes of file names in BIDS."""

_WORDS = {"T1w": {"t1", "t1w", "mprage"}, "T2w": {"t2", "t2w"}, "PDw": {"pd", "pdw"}, "FLAIR": {"flair"}}
"""What people and scanners' protocols call them."""

_LONGEST_SIDECAR_BYTES = 2**24


def image_contrast(path: Path) -> str | None:
    """The contrast of an image, in the words of BIDS; None where nothing says.

    Args:
        path: an image. ``sub-01_T1w.nii.gz`` or ``IXI002-T1.nii.gz`` says it in its name, another in the ``.json``
            beside it; a DICOM series says it in its headers, which come first.
    """
    told = _series_contrast(path) if is_series(path) else None
    return told or _suffix(case_name(path)) or _sidecar_contrast(path.with_name(f"{case_name(path)}.json"))


def _suffix(name: str) -> str | None:
    """The contrast that a name ends in, after its last underscore or hyphen: as in BIDS, or as people call it."""
    last = re.split("[_-]", name.lower())[-1]
    suffix = next((contrast for contrast in CONTRASTS if contrast.lower() == last), None)
    return suffix or next((contrast for contrast, synonyms in _WORDS.items() if last in synonyms), None)


def _sidecar_contrast(path: Path) -> str | None:
    """What a sidecar in the manner of dcm2niix says: its own guess of the name in BIDS, else the protocol."""
    try:
        if path.stat().st_size > _LONGEST_SIDECAR_BYTES:
            return None
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None  # a sidecar is no input of ours: what cannot be read says nothing
    if not isinstance(values, dict):
        return None
    guess = values.get("BidsGuess")
    if isinstance(guess, list) and guess and (told := _suffix(str(guess[-1]))):
        return told
    return _described(f"{values.get('SeriesDescription')} {values.get('ProtocolName')}")


def _series_contrast(path: Path) -> str | None:
    """What the headers of a DICOM series say."""
    try:
        return _described(series_at(path).words)
    except UdeansrError:
        return None  # whoever reads the image says what is wrong with it


def _described(text: str) -> str | None:
    """The one contrast that a description or a protocol names."""
    words = set(re.split(r"[^a-z0-9]+", text.lower()))
    named = [contrast for contrast, synonyms in _WORDS.items() if words & synonyms]
    if "FLAIR" in named:
        return "FLAIR"  # which is T2-weighted as well, and is often called so
    return named[0] if len(named) == 1 else None


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
    return close and image.contrast in (None, model.description.contrast)


def _deviation(geometry: Geometry, model: NamedModel) -> float:
    """How far a grid, in the model's orientation, is from its LR spacing: the worst axis, as a part of the model's."""
    return model.description.plan.spacing_deviation(geometry, model.description.configuration)


def warn_of_contrast(images: Sequence[Path], model: ModelDescription) -> None:
    """Tell of images whose contrast is not the model's, or is not known."""
    wanted = model.contrast
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
    """Why no model was taken for an image, with the numbers, and what to do about it."""
    listed = "; ".join(
        f"{model.name} ({model.description.contrast}, "
        f"LR {format_spacing(model.description.configuration.task.lr_spacing_mm)} "
        f"as {model.description.plan.orientation}, {_percent(_deviation(image.geometry, model))} off)"
        for model in models
    )
    return (
        f"no bundled or imported model fits {image.path.name} ({image.contrast or 'contrast unknown'}, "
        f"{format_spacing(image.geometry.spacing_mm)} as {image.geometry.orientation}) to "
        f"{_percent(AUTOMATIC_TOLERANCE)}: {listed}. To use one all the same, name it: -m {models[0].name}"
    )


def _shortened(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"
