"""A volume as SimpleITK has it. Knows the order of axes on both sides; knows no file."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from udeansr.image.volume import Geometry


def sitk_image(voxels: np.ndarray, geometry: Geometry) -> sitk.Image:
    """An image of the same voxels in the same places; SimpleITK names axes (x, y, z), fastest first.

    Args:
        voxels: (Z, Y, X), of a type that SimpleITK has.
        geometry: where they lie.
    """
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(geometry.spacing_mm[::-1])
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(np.asarray(geometry.axes)[::-1].T.flatten().tolist())
    return image
