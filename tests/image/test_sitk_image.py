import numpy as np

from udeansr.image.sitk_image import sitk_image
from udeansr.image.volume import Geometry


def test_every_voxel_keeps_its_value_and_its_place_in_the_world():
    axes = ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (-1.0, 0.0, 0.0))
    geometry = Geometry((3, 4, 5), (2.0, 1.3, 0.7), (-90.0, 12.5, 7.25), axes)
    voxels = np.arange(60, dtype=np.int16).reshape(geometry.shape)
    image = sitk_image(voxels, geometry)
    for z, y, x in np.ndindex(*geometry.shape):
        assert image.GetPixel(x, y, z) == voxels[z, y, x]
        assert np.allclose(image.TransformIndexToPhysicalPoint((x, y, z)), geometry.world_mm((z, y, x)))
