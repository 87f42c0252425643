import base64
import io

import numpy as np
from PIL import Image

from udeansr.image.grid import reorient
from udeansr.image.volume import Geometry, Volume
from udeansr.report.scene import CaseImages
from udeansr.report.thumbnail import SIDE, slice_picture, thumbnails


def picture(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def head() -> Volume:
    """Bright, with its front brightest: world axes are L, P, S."""
    voxels = np.zeros((20, 30, 24), np.float32)
    voxels[3:17, 4:26, 4:20] = 50
    voxels[3:17, 4:10, 4:20] = 100
    return Volume(voxels, Geometry(voxels.shape, (3.0, 2.0, 2.0)))


def test_the_front_is_up_however_it_was_stored():
    for orientation in ("SPL", "LIA", "RAS"):
        shown = picture(slice_picture(reorient(head(), orientation)))
        assert max(shown.shape) == SIDE
        assert shown[SIDE // 4].max() > 1.5 * shown[3 * SIDE // 4].max() > 0


def test_all_images_of_a_case_have_one_white():
    dark = Volume(head().voxels / 2, head().geometry)
    pictures = dict(thumbnails(CaseImages("a", head(), dark)))
    assert list(pictures) == ["LR, axial", "SR, axial"]
    assert picture(pictures["LR, axial"]).max() < 0.6 * picture(pictures["SR, axial"]).max()
