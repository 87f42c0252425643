"""Misalignment between two scans of one subject: rigid motion and a smaller field of view, drawn and applied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from udeansr.image.volume import Geometry, Volume, nearest_world_axes

LARGEST_DEGREES, LARGEST_VOXELS = 2.0, 2.0
L, P, S = 0, 1, 2


@dataclass(frozen=True)
class Misalignment:
    """A small motion and a small distortion. Voxels are those of the volume, along the axis that is named.

    Attributes:
        rotation_hf_degrees: about head-feet, through the centre of the volume.
        rotation_lr_degrees: about left-right, after the other.
        translation_hf_voxels: towards the head.
        translation_lr_voxels: towards the left.
        shrink_ap_voxels: how much smaller the whole field of view becomes along anterior-posterior.
        shrink_lr_voxels: and along left-right.
    """

    rotation_hf_degrees: float = 0.0
    rotation_lr_degrees: float = 0.0
    translation_hf_voxels: float = 0.0
    translation_lr_voxels: float = 0.0
    shrink_ap_voxels: float = 0.0
    shrink_lr_voxels: float = 0.0

    def affine(self, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
        """Where content goes: voxel index i (Z, Y, X) to ``matrix @ i + offset``.

        Shrinking comes first, then the rotations, all about the centre of the volume and in mm, then the translation.
        The anatomical axes are those of the array, so that an oblique volume moves in its own frame.

        Args:
            geometry: of the volume that moves.
        Returns: matrix (3, 3) and offset (3,).
        """
        signs, world = nearest_world_axes(geometry)
        to_lps = np.zeros((3, 3))
        to_lps[list(world), range(3)] = signs
        sides = np.empty(3)
        sides[list(world)] = geometry.shape
        spacing = np.asarray(geometry.spacing_mm)
        shrink = 1 - np.array([self.shrink_lr_voxels, self.shrink_ap_voxels, 0.0]) / sides
        angles = np.zeros((2, 3))
        angles[0, S], angles[1, L] = np.radians(self.rotation_hf_degrees), np.radians(self.rotation_lr_degrees)
        about_hf, about_lr = Rotation.from_rotvec(angles).as_matrix()
        rotated = to_lps.T @ about_lr @ about_hf @ np.diag(shrink) @ to_lps
        matrix = rotated * spacing / spacing[:, None]
        centre = (np.asarray(geometry.shape) - 1) / 2
        translation = to_lps.T @ np.array([self.translation_lr_voxels, 0.0, self.translation_hf_voxels])
        return matrix, centre - matrix @ centre + translation


def draw_misalignment(rng: np.random.Generator) -> Misalignment:
    """Draw a misalignment as the paper does: each number uniform from 0 to 2, motions to either side.

    Source: paper, section II.D; the signs of the motions are our choice.
    """
    rotation_hf, rotation_lr = rng.uniform(0, LARGEST_DEGREES, 2) * rng.choice((-1, 1), 2)
    translation_hf, translation_lr = rng.uniform(0, LARGEST_VOXELS, 2) * rng.choice((-1, 1), 2)
    shrink_ap, shrink_lr = rng.uniform(0, LARGEST_VOXELS, 2)
    return Misalignment(
        float(rotation_hf),
        float(rotation_lr),
        float(translation_hf),
        float(translation_lr),
        float(shrink_ap),
        float(shrink_lr),
    )


def misalign(volume: Volume, misalignment: Misalignment) -> Volume:
    """Move the content of a volume; its geometry stays, as a scanner writes it that has not seen the motion.

    One cubic resampling; what enters from outside repeats the border. Values stay within those of the volume.

    Returns: float32 voxels in the unit of the volume.
    """
    matrix, offset = misalignment.affine(volume.geometry)
    back = np.linalg.inv(matrix)
    voxels = volume.voxels.astype(np.float32)
    origin = (-back @ offset).tolist()
    moved = ndimage.affine_transform(voxels, back, origin, order=3, mode="nearest")
    return Volume(np.clip(moved, voxels.min(), voxels.max()), volume.geometry)
