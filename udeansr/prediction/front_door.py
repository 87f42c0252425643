"""The door for Python: a model by its name, images of any library in and out. Knows names and kinds; reads no image."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
import SimpleITK as sitk
from nibabel import Nifti1Image
from nibabel.filebasedimages import FileBasedImage  # what nibabel.load is said to give

from udeansr.image.volume import Volume
from udeansr.prediction.bundled import model_path
from udeansr.prediction.image_kinds import as_volume
from udeansr.prediction.models import load_model
from udeansr.prediction.options import Options
from udeansr.prediction.quality import Quality
from udeansr.prediction.super_resolver import VolumeResolver
from udeansr.prediction.trust import Trust
from udeansr.training.precision import choose_device

Image = TypeVar("Image", sitk.Image, Nifti1Image, np.ndarray, Volume)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SuperResolved(Generic[Image]):
    """What is made of an image, in images of its kind.

    Attributes:
        sr: the super-resolved image.
        uncertainty: on its grid and in its unit, float32: one standard deviation of the error to expect where
            :attr:`VolumeResolver.is_calibrated`, else of the model's answers. None where nobody asked.
        trust: what the image says of its SR: ``print`` it, or look at its numbers.
    """

    sr: Image
    uncertainty: Image | None
    trust: Trust


@dataclass(frozen=True, repr=False)
class SuperResolver:
    """A model that stays loaded: ``sr = SuperResolver.load("brain-t1w-x2x2x1")(lr)``. Threads may share one.

    An image comes out as the kind that goes in:

    - a SimpleITK image: with its direction and what its metadata say that is not of the grid;
    - a nibabel image of any format: as ``Nifti1Image``, in mm, with a right affine and the words of the header;
    - a numpy array (Z, Y, X) beside ``spacing_mm`` (Z, Y, X). An array has no orientation: it is taken to lie as the
      model's images did, :attr:`orientation`, the slab axis first. Where yours lies otherwise, turn it before and
      turn the SR back, or give an image of the other kinds, which are turned by themselves;
    - a :class:`udeansr.image.volume.Volume`, our own.

    SR has the field of view, orientation and intensity unit of its LR, and its numeric type where that is of
    integers (rounded, clipped to its range), else float32. A 4-D image with one volume is taken as that volume.

    Attributes:
        volumes: what works behind the door, on :class:`Volume`.
    """

    volumes: VolumeResolver

    @classmethod
    def load(
        cls,
        model: str | Path,
        device: str = "auto",
        precision: str = "auto",
        quality: Quality | None = None,
        uncertainty: bool = False,
    ) -> SuperResolver:
        """Load a model, once for all images.

        Args:
            model: the name of a bundled or imported model (``udeansr_models list``), or a model file (.zip), a
                checkpoint (.pt) or the folder of a training. A named model or a model file is used at any spacing,
                with a warning where it is off by more than 2 %; a training refuses.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            precision: ``auto``, ``bf16``, ``fp16`` or ``fp32``.
            quality: "fast", "balanced" or "best", as ``udeansr_predict --quality``. None: fast, and best where
                uncertainty is wanted.
            uncertainty: whether :meth:`predict` gives a map of it.
        Raises:
            UdeansrError: if there is no such model or device, or the words do not go together.
        """
        options = Options(device=device, precision=precision, quality=quality, uncertainty=uncertainty)
        return cls(options.told_to(load_model(model_path(model), choose_device(options.device))))

    @property
    def orientation(self) -> str:
        """How an array is taken to lie: three letters for (Z, Y, X), each the end of the body where its index grows."""
        return self.volumes.plan.orientation if self.volumes.plan else "SPL"

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """The LR spacing that the model was made for, along :attr:`orientation`; None where any will do."""
        return self.volumes.configuration.lr_spacing_mm if self.volumes.configuration else None

    @property
    def scale(self) -> tuple[int, int, int]:
        """How many SR voxels come of an LR voxel along :attr:`orientation`."""
        return self.volumes.scale.zyx

    @property
    def is_calibrated(self) -> bool:
        """Whether uncertainty is the error to expect, measured on people that the model had not seen."""
        return self.volumes.is_calibrated

    @overload
    def __call__(self, image: sitk.Image) -> sitk.Image: ...
    @overload
    def __call__(self, image: FileBasedImage) -> Nifti1Image: ...
    @overload
    def __call__(self, image: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray: ...
    @overload
    def __call__(self, image: Volume) -> Volume: ...
    def __call__(self, image: Any, spacing_mm: Sequence[float] | None = None) -> Any:
        """Super-resolve an image: the ``sr`` of :meth:`predict`; one outside the model's domain is warned of.

        Raises:
            ValueError, UdeansrError: as :meth:`predict`.
        """
        made = self._predict(image, spacing_mm)
        if made.trust.outside:
            _logger.warning("%s", made.trust)
        return made.sr

    @overload
    def predict(self, image: sitk.Image) -> SuperResolved[sitk.Image]: ...
    @overload
    def predict(self, image: FileBasedImage) -> SuperResolved[Nifti1Image]: ...
    @overload
    def predict(self, image: np.ndarray, spacing_mm: Sequence[float]) -> SuperResolved[np.ndarray]: ...
    @overload
    def predict(self, image: Volume) -> SuperResolved[Volume]: ...
    def predict(self, image: Any, spacing_mm: Sequence[float] | None = None) -> SuperResolved[Any]:
        """Super-resolve an image, and tell how far to trust it.

        Args:
            image: LR, of any kind that the class tells of.
            spacing_mm: (Z, Y, X) of an array; all others have their own.
        Raises:
            ValueError: if the image is of no kind or numeric type that we know, an array is not 3-D, or its spacing
                is missing.
            UdeansrError: if the spacing is not one for the model, the header is not that of one straight volume, or
                the voxels are empty or not finite.
        """
        return self._predict(image, spacing_mm)

    def _predict(self, image: object, spacing_mm: Sequence[float] | None) -> SuperResolved[Any]:
        lr, back = as_volume(image, spacing_mm, self.orientation)
        made = self.volumes.predict(lr)
        doubt = None if made.uncertainty is None else back(made.uncertainty)
        return SuperResolved(back(made.sr), doubt, made.trust)

    def __repr__(self) -> str:
        """The model and how it works, in one line."""
        volumes = self.volumes
        return f"SuperResolver({volumes.label}, {volumes.device}, {volumes.precision}, {volumes.quality})"
