"""How images are to be predicted, in the user's words."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from udeansr.device import Precision, choose_device, choose_precision
from udeansr.errors import UdeansrError
from udeansr.image.grid import WantedSpacing
from udeansr.parallel import WHOLE, Part

if TYPE_CHECKING:
    from udeansr.models.model import Model
    from udeansr.prediction.predictor import Predictor

_logger = logging.getLogger(__name__)

MODES = ("new", "continue", "overwrite")


@dataclass(frozen=True)
class Options:
    """Options of ``udeansr_predict`` beside input, output and model.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``; several with commas between, or ``all`` of CUDA: the
            images are dealt to them, each with a process of its own.
        precision: ``auto``, ``bf16``, ``fp16`` or ``fp32``.
        quality: "fast", "balanced" or "best"; see :mod:`udeansr.inference.test_time_augmentation`. None: fast,
            and best where uncertainty is wanted.
        stride: LR slices from one slab to the next, in the place of the quality's own.
        as_float: whether SR of integer LR is written as float32.
        uncertainty: whether a map of it is written as well.
        labels: folder of label maps to bring to the grid of SR.
        dicom: whether SR becomes a DICOM series derived from the one that came in.
        bids: whether input and output are BIDS datasets.
        json: whether provenance is written beside each SR.
        memory_gb: of a volume that is made; what takes more lies in a file of the output meanwhile. None: a quarter of
            the memory that is free.
        spacing_mm: of SR, along (Z, Y, X) of the orientation that the model works in; "isotropic": the finest of its
            grid along all axes. None: the grid that a model makes, and for thick slices that learn from themselves
            the distance of slices that makes voxels isotropic.
        settings: of the method that learns in prediction, each METHOD.NAME=VALUE.
        save_model: where the model that is learned in prediction is kept, a .zip; None: nowhere.
        mode: with SR that is there already: "new" refuses, "continue" keeps it, "overwrite" replaces it.
        part: of the images.

    Raises:
        UdeansrError: if a word is none.
    """

    device: str = "auto"
    precision: str = "auto"
    quality: str | None = None
    stride: int | None = None
    as_float: bool = False
    uncertainty: bool = False
    labels: Path | None = None
    dicom: bool = False
    bids: bool = False
    json: bool = False
    memory_gb: float | None = None
    spacing_mm: WantedSpacing = None
    settings: tuple[str, ...] = ()
    save_model: Path | None = None
    mode: str = "new"
    part: Part = WHOLE

    def __post_init__(self) -> None:
        """Refuse words that are none."""
        if self.precision not in get_args(Precision):
            raise UdeansrError(f"precision '{self.precision}' is none; expected {', '.join(get_args(Precision))}")
        if self.mode not in MODES:
            raise ValueError(f"mode '{self.mode}'; expected {', '.join(MODES)}")
        if self.save_model is not None and self.save_model.suffix.lower() != ".zip":
            raise UdeansrError(f"--save-model {self.save_model}: a model is one zip; expected a name that ends in .zip")

    @property
    def chosen_quality(self) -> str:
        """The quality that holds."""
        return self.quality or ("best" if self.uncertainty else "fast")

    def predictor(self, model: Model) -> Predictor:
        """A model that works as the options say; that it is not calibrated for that is warned of.

        Raises:
            UdeansrError: if quality, stride or precision do not go with it.
        """
        import torch

        from udeansr.prediction.predictor import Predictor

        predictor = Predictor(
            model,
            precision=choose_precision(self.precision, torch.device(model.device)),
            quality=self.chosen_quality,
            stride=self.stride,
            as_float=self.as_float,
            uncertainty=self.uncertainty,
            spacing_mm=self.spacing_mm,
        )
        if self.uncertainty and not predictor.is_calibrated:
            _logger.warning(
                "%s is not calibrated for quality %s: uncertainty is the standard deviation of its "
                "predictions, less than the error",
                *(model.label, predictor.quality),
            )
        return predictor

    def by_device(self) -> list[Options]:
        """The same for each of the devices, with the part of the images that it gets.

        Raises:
            UdeansrError: if this machine lacks one of them.
        """
        names = [name.strip() for name in self.device.split(",")]
        if self.device == "all":
            import torch

            names = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
            if not names:
                raise UdeansrError("device 'all' means all CUDA devices, and there is none; expected auto or cpu")
        for name in names:
            if name not in ("auto", "cpu"):  # which are everywhere: torch is not imported to ask for them
                choose_device(name)
        parts = self.part.split(len(names))
        return [replace(self, device=name, part=part) for name, part in zip(names, parts, strict=True)]
