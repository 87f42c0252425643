import gzip

import nibabel as nib
import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume
from udeansr.image.nifti_content import check_whole


def written(path, dtype):
    voxels = np.random.default_rng(0).uniform(1, 900, (5, 6, 7)).astype(dtype)
    header = nib.Nifti1Header(endianness=dtype[0])
    header.set_data_dtype(voxels.dtype)
    nib.save(nib.Nifti1Image(voxels, np.eye(4), header), path)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", ">i2"])
def test_a_whole_file_passes(tmp_path, suffix, dtype):
    path = written(tmp_path / f"a{suffix}", dtype)
    check_whole(path)
    assert read_volume(path).voxels.shape == (7, 6, 5)


@pytest.mark.parametrize("dtype", ["<i2", ">f4"])
def test_a_file_that_ends_early_is_refused(tmp_path, dtype):
    path = written(tmp_path / "a.nii", dtype)
    whole = len(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-3])
    words = (
        rf"cut off: it holds {whole - 3} of the {whole} bytes that its header promises; copy it again, or take it out"
    )
    with pytest.raises(UdeansrError, match=words):
        read_volume(path)


def test_a_compressed_file_that_ends_early_or_is_corrupt_is_refused(tmp_path):
    path = written(tmp_path / "a.nii.gz", "<i2")
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(UdeansrError, match=r"cannot be read \(.*ended before.*\); copy it again, or take it out"):
        read_volume(path)
    path.write_bytes(content[:-8] + bytes(4) + content[-4:])
    with pytest.raises(UdeansrError, match=r"cannot be read \(CRC check failed.*\); copy it again"):
        read_volume(path)


def test_what_is_no_nifti_is_left_to_the_reader(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(gzip.compress(b"something else"))
    check_whole(path)
    with pytest.raises(UdeansrError, match="cannot be read"):
        read_volume(path)
