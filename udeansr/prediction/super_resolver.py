"""Super-resolution from Python: a model by its name, images of SimpleITK, nibabel or numpy in and out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
import SimpleITK as sitk
from nibabel import Nifti1Image
from nibabel.filebasedimages import FileBasedImage
from nibabel.spatialimages import SpatialImage

from udeansr.device import choose_device
from udeansr.errors import UdeansrError
from udeansr.image.files import read_geometry
from udeansr.image.nifti import nibabel_image, nibabel_volume
from udeansr.image.sitk_image import keep_metadata, sitk_image, sitk_volume
from udeansr.image.volume import Geometry, Volume, triple
from udeansr.inference.test_time_augmentation import Quality
from udeansr.models.model import load_model
from udeansr.models.registry import model_path
from udeansr.prediction.options import Options
from udeansr.prediction.predictor import Predictor
from udeansr.prediction.self_training import check_can_teach, learn_protocol, protocols
from udeansr.prediction.trust import Trust

_AXES = {
    "L": (1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "S": (0.0, 0.0, 1.0),
    "R": (-1.0, 0.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "I": (0.0, 0.0, -1.0),
}


def as_volume(
    image: object, spacing_mm: Sequence[float] | None = None, orientation: str = "SPL"
) -> tuple[Volume, Callable[[Volume], Any]]:
    """An image as a volume, and what makes of another volume, made of this one, an image of the same kind.

    Args:
        image: a SimpleITK image, a nibabel image, an array (Z, Y, X), or a volume.
        spacing_mm: of an array, (Z, Y, X); all others have their own.
        orientation: three letters for (Z, Y, X) of an array, which cannot tell.
    Raises:
        ValueError: if the image is of another kind or of neither integers nor floats, an array is not 3-D, or its
            spacing is missing or no spacing.
        UdeansrError: if it is not one 3-D scalar image, or its axes are not orthonormal.
    """
    if isinstance(image, np.ndarray):
        return _of_numbers(_array_volume(image, spacing_mm, orientation)), lambda made: made.voxels
    if spacing_mm is not None:
        raise ValueError("spacing_mm goes with an array; expected none, since the image has its own")
    if isinstance(image, sitk.Image):
        return _of_numbers(sitk_volume(image)), lambda made: _sitk_image_like(image, made)
    if isinstance(image, SpatialImage):
        return _of_numbers(nibabel_volume(image)), lambda made: nibabel_image(made, image)
    if isinstance(image, Volume):
        return _of_numbers(image), lambda made: made
    kind = f"{type(image).__module__}.{type(image).__qualname__}"
    raise ValueError(
        f"an image of type {kind}; expected a SimpleITK image, a nibabel image, or a numpy array with spacing_mm"
    )


def _sitk_image_like(image: sitk.Image, made: Volume) -> sitk.Image:
    """With its metadata."""
    wanted = sitk_image(made.voxels, made.geometry)
    keep_metadata(image, wanted)
    return wanted


def _array_volume(voxels: np.ndarray, spacing_mm: Sequence[float] | None, orientation: str) -> Volume:
    """An array as it would lie in the world, were it stored in this orientation."""
    if voxels.ndim != 3:
        raise ValueError(f"an array of {voxels.ndim} axes {voxels.shape}; expected one volume (Z, Y, X)")
    if spacing_mm is None:
        raise ValueError("an array without spacing_mm; expected its voxel size along (Z, Y, X) in mm beside it")
    numbers = np.asarray(spacing_mm, dtype=np.float64)
    if numbers.shape != (3,) or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise ValueError(f"spacing_mm {spacing_mm}; expected three positive numbers along (Z, Y, X)")
    axes = triple(_AXES[letter] for letter in orientation)
    return Volume(voxels, Geometry(triple(voxels.shape), triple(numbers.tolist()), axes=axes))


def _of_numbers(volume: Volume) -> Volume:
    """A volume, once it is found to hold numbers of a type that an image of magnitudes has."""
    if volume.voxels.dtype.kind not in "iuf" or not volume.voxels.size:
        raise ValueError(f"{volume.voxels.size} voxels of type {volume.voxels.dtype}; expected integers or floats")
    return volume


Image = TypeVar("Image", sitk.Image, Nifti1Image, np.ndarray, Volume)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SuperResolved(Generic[Image]):
    """What is made of an image, in images of its kind.

    Attributes:
        sr: the super-resolved image.
        uncertainty: on its grid and in its unit, float32: one standard deviation of the error to expect where
            :attr:`Predictor.is_calibrated`, else of the model's predictions. None where nobody asked.
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
        predictor: what works on :class:`Volume`.
    """

    predictor: Predictor

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
        return cls(options.predictor(load_model(model_path(model), choose_device(options.device))))

    @classmethod
    def learn(
        cls,
        scans: Sequence[str | Path],
        device: str = "auto",
        precision: str = "auto",
        quality: Quality | None = None,
        settings: Sequence[str] = (),
    ) -> SuperResolver:
        """Learn from thick-slice scans of one protocol themselves, as ``udeansr_predict --method self`` does.

        Args:
            scans: files that we read, or DICOM folders, of one contrast, spacing, slice orientation and thickness.
            device: as for :meth:`load`.
            precision: as for :meth:`load`.
            quality: as for :meth:`load`.
            settings: of the method, each ``self.NAME=VALUE``.
        Raises:
            UdeansrError: if a scan cannot be read or is no thick-slice scan, they are of several protocols, or a
                setting is none.
        """
        grids = [(path, read_geometry(path)) for path in map(Path, scans)]
        check_can_teach(grids)
        found = protocols(grids)
        if len(found) != 1:
            listed = "; ".join(map(str, found)) or "no scan"
            raise UdeansrError(f"scans of {len(found)} protocols: {listed}; expected one; learn from each apart")
        options = Options(device=device, precision=precision, quality=quality)
        return cls(options.predictor(learn_protocol(found[0], settings, device, precision)))

    @property
    def orientation(self) -> str:
        """How an array is taken to lie: three letters for (Z, Y, X), each the end of the body where its index grows."""
        plan = self.predictor.model.plan
        return plan.orientation if plan else "SPL"

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """The LR spacing that the model was made for, along :attr:`orientation`; None where any will do."""
        configuration = self.predictor.model.configuration
        return configuration.task.lr_spacing_mm if configuration else None

    @property
    def scale(self) -> tuple[int, int, int]:
        """How many SR voxels come of an LR voxel along :attr:`orientation`."""
        return self.predictor.model.scale.zyx

    @property
    def is_calibrated(self) -> bool:
        """Whether uncertainty is the error to expect, measured on subjects that the model had not seen."""
        return self.predictor.is_calibrated

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
        """Super-resolve an image, and say how far to trust it.

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
        made = self.predictor.predict(lr)
        doubt = None if made.uncertainty is None else back(made.uncertainty)
        return SuperResolved(back(made.sr), doubt, made.trust)

    def __repr__(self) -> str:
        """The model and how it works, in one line."""
        model, predictor = self.predictor.model, self.predictor
        return f"SuperResolver({model.label}, {model.device}, {predictor.precision}, {predictor.quality})"
