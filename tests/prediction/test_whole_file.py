import pytest

from udeansr.errors import UdeansrError
from udeansr.prediction.whole_file import write_whole


def test_a_file_is_written_with_its_folder_and_replaced(tmp_path):
    path = tmp_path / "new" / "a.bin"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two" and list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_told_and_left_clean(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UdeansrError, match=r"file/a: cannot be written \(.*\); give another place"):
        write_whole(tmp_path / "file" / "a", b"one")
    with pytest.raises(UdeansrError, match=r"folder: cannot be written \(.*\); pray"):
        write_whole(tmp_path / "folder", b"one", "pray")
    assert sorted(child.name for child in tmp_path.iterdir()) == ["file", "folder"]
