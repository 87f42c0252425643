"""Rigid registration: the motion between two volumes of one subject, and moving one onto the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from udeansr.errors import UdeansrError
from udeansr.image.sitk_image import sitk_image
from udeansr.image.volume import Geometry, Triple, Volume, triple

SHRINKS = (4, 2, 1)
"""Voxels of the fixed volume that each level merges along each axis."""

SIGMAS_MM = (4.0, 2.0, 1.0)
"""Smoothing of both volumes at each level. The last is not 0: unsmoothed HR is rougher than LR can follow."""

BINS = 50
FIRST_STEP_MM, LAST_STEP_MM = 1.0, 1e-3
MOST_STEPS = 200


@dataclass(frozen=True)
class RigidMotion:
    """Where in the moving volume lies what lies at a place of the fixed one: rotated about a centre, then
    translated.

    World axes are (L, P, S). Without values, nothing has moved.

    Attributes:
        rotation_degrees: about each world axis; about P first, then about L, then about S.
        translation_mm: along each world axis.
        centre_mm: the centre of rotation.
    """

    rotation_degrees: Triple = (0.0, 0.0, 0.0)
    translation_mm: Triple = (0.0, 0.0, 0.0)
    centre_mm: Triple = (0.0, 0.0, 0.0)

    @property
    def rotation(self) -> Rotation:
        """The three rotations as one."""
        about_l, about_p, about_s = self.rotation_degrees
        return Rotation.from_euler("yxz", (about_p, about_l, about_s), degrees=True)

    def world_mm(self, fixed_mm: np.ndarray) -> np.ndarray:
        """Places (..., 3) in the moving volume of places (..., 3) in the fixed one, LPS mm."""
        centre = np.asarray(self.centre_mm)
        return (fixed_mm - centre) @ self.rotation.as_matrix().T + centre + np.asarray(self.translation_mm)


def register_rigidly(moving: Volume, fixed: Volume) -> RigidMotion:
    """Find the rigid motion between two volumes of one subject: Mattes mutual information, coarse to fine.

    It begins where the headers put the volumes. All voxels of the fixed volume are used, so that nothing is drawn at
    random; one thread sums them up, so that the result is the same on every computer.

    Args:
        moving: the one whose content has moved, HR for us.
        fixed: the other, LR for us.
    Raises:
        UdeansrError: if they do not overlap, one has no contrast, or a side is below 4 voxels; the message names no
            scan.
    Source: D. Mattes et al., IEEE Trans. Med. Imaging 22(1), 2003. The paper names mutual information only; bins,
        levels, smoothing and steps are our choice.
    """
    with _one_thread():
        return _register(_float_image(moving), _float_image(fixed), _centre_mm(fixed.geometry))


def _register(moving: sitk.Image, fixed: sitk.Image, centre_mm: Triple) -> RigidMotion:
    registration = sitk.ImageRegistrationMethod()
    registration.SetMetricAsMattesMutualInformation(BINS)
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetOptimizerAsRegularStepGradientDescent(FIRST_STEP_MM, LAST_STEP_MM, MOST_STEPS)
    registration.SetOptimizerScalesFromPhysicalShift()
    registration.SetShrinkFactorsPerLevel(SHRINKS)
    registration.SetSmoothingSigmasPerLevel(SIGMAS_MM)
    registration.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    transform = _transform(RigidMotion(centre_mm=centre_mm))
    registration.SetInitialTransform(transform, inPlace=True)
    try:
        registration.Execute(fixed, moving)
    except RuntimeError as error:
        raise UdeansrError(
            f"cannot be registered ({_reason(error)}); expected two scans of one subject that overlap in the world; "
            "check that they show one subject and that their headers put them in one place"
        ) from error
    angles = np.degrees((transform.GetAngleX(), transform.GetAngleY(), transform.GetAngleZ()))
    return RigidMotion(
        triple(float(angle) for angle in angles), triple(transform.GetTranslation()), triple(transform.GetCenter())
    )


def move_onto(moving: Volume, motion: RigidMotion, geometry: Geometry) -> Volume:
    """Bring a volume that has moved onto a grid in the world of the fixed one, by cubic B-splines.

    Args:
        moving: any volume.
        motion: its motion against the fixed volume.
        geometry: the grid.
    Returns: float32 voxels in the unit of the volume. Where the grid leaves the volume, its border is repeated: a jump
        to 0 would be an edge that is not there.
    """
    return Volume(_resampled(_float_image(moving), motion, geometry, sitk.sitkBSpline, True), geometry)


def covered(moving: Geometry, motion: RigidMotion, geometry: Geometry) -> np.ndarray:
    """Which voxels of a grid :func:`move_onto` finds within the volume: booleans (Z, Y, X)."""
    inside = sitk_image(np.ones(moving.shape, dtype=np.uint8), moving)
    return _resampled(inside, motion, geometry, sitk.sitkNearestNeighbor, False).astype(bool)


def _resampled(image: sitk.Image, motion: RigidMotion, geometry: Geometry, kind: int, repeat: bool) -> np.ndarray:
    """An image on a grid; beyond its border the border repeated, or 0."""
    grid = sitk_image(np.zeros(geometry.shape, dtype=np.uint8), geometry)
    pixel = image.GetPixelID()
    return sitk.GetArrayFromImage(sitk.Resample(image, grid, _transform(motion), kind, 0.0, pixel, repeat))


def _transform(motion: RigidMotion) -> sitk.Euler3DTransform:
    transform = sitk.Euler3DTransform()
    transform.SetCenter(motion.centre_mm)
    transform.SetRotation(*np.radians(motion.rotation_degrees).tolist())
    transform.SetTranslation(motion.translation_mm)
    return transform


def _float_image(volume: Volume) -> sitk.Image:
    return sitk_image(volume.voxels.astype(np.float32), volume.geometry)


def _centre_mm(geometry: Geometry) -> Triple:
    return triple(float(mm) for mm in geometry.world_mm((np.asarray(geometry.shape) - 1) / 2))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Hold all of ITK to one thread: set on the registration alone, the last digits vary from run to run."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _reason(error: RuntimeError) -> str:
    """The last line of ITK's message, which holds its reason."""
    return str(error).strip().splitlines()[-1].split("): ")[-1].strip().rstrip(".")
