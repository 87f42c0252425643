"""From a training to a file that others can use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from udeansr.errors import UdeansrError
from udeansr.inference.deployment import keep_deployed
from udeansr.models.calibration import Calibration
from udeansr.models.card import ModelCard
from udeansr.models.description import ModelDescription, one_configuration
from udeansr.models.model import Model, trained_method
from udeansr.models.model_file import write_model
from udeansr.strict_json import as_json
from udeansr.training.checkpoint import checkpoint_file, load_checkpoint
from udeansr.training.settings import TrainingRecord


@dataclass(frozen=True)
class ExportSettings:
    """What the user says of a model that is exported; whatever is None comes from the training.

    Attributes:
        name: how it will be called; else made of dataset, contrast and scale.
        contrast: in the words of BIDS; else the domain's.
        card: Markdown; else one of what the training says.
        calibration: of its uncertainty, if it was measured.
        half: whether weights are stored in float16.
    """

    name: str | None = None
    contrast: str | None = None
    card: str | None = None
    calibration: Calibration | None = None
    half: bool = True


def export_model(training: Path, output: Path, settings: ExportSettings | None = None) -> ModelDescription:
    """Write what prediction needs of a training to one file; the same training gives the same bytes.

    Args:
        training: a checkpoint, or the folder of a training, of which ``best.pt`` is taken.
        output: the zip; an existing one is replaced.
        settings: what the training cannot say.
    Raises:
        UdeansrError: if there is no such training, its contrast is not known, or the file cannot be written.
    """
    settings = settings or ExportSettings()
    if output.suffix.lower() != ".zip":
        raise UdeansrError(f"{output}: a model is one zip; expected a name that ends in .zip")
    path = checkpoint_file(training)
    state = load_checkpoint(path)
    record = TrainingRecord.from_dict(state, str(path))
    method = trained_method(path, state, record)
    contrast = settings.contrast or (record.domain and record.domain.contrast)
    if not contrast:
        raise UdeansrError(f"{path}: does not say the contrast of its images; give it: --contrast T1w")
    description = ModelDescription(
        name=settings.name or _name(record.plan.dataset, contrast, record.planned.task.scale),
        contrast=contrast,
        plan=one_configuration(record.plan, record.configuration),
        method=record.method,
        settings=record.settings,
        run=as_json(record.run),
        domain=record.domain,
        calibration=settings.calibration,
    )
    keep_deployed(method)
    card = settings.card or ModelCard.of(description).markdown()
    write_model(output, description, method.state_dict(), card, half=settings.half)
    return description


UNKNOWN_CONTRAST = "unknown"
"""The contrast of a model that was learned from images which do not say theirs."""


def save_model(model: Model, output: Path, contrast: str | None) -> ModelDescription:
    """Write a model that was learned in prediction to one file, to be given again by ``-m``.

    Args:
        model: with a plan.
        output: the zip; an existing one is replaced.
        contrast: of the images that it learned from, or None.
    Raises:
        UdeansrError: if the file cannot be written.
    """
    assert model.plan is not None, "a model without a plan has nothing to be kept"
    description = ModelDescription(
        name=model.name,
        contrast=contrast or UNKNOWN_CONTRAST,
        plan=model.plan,
        method=model.method.name,
        settings=as_json(model.method.settings),
    )
    write_model(output, description, model.method.state_dict(), ModelCard.of(description).markdown(), half=False)
    return description


def _name(dataset: str, contrast: str, scale: str) -> str:
    """Dataset001_BrainT1w, T1w and x2x2x1 become brain-t1w-x2x2x1."""
    about = re.sub(r"[^a-z0-9]+", "-", dataset.partition("_")[2].lower().removesuffix(contrast.lower())).strip("-")
    return "-".join(word for word in (about, contrast.lower(), scale) if word)
