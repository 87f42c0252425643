import pytest

from udeansr.errors import UdeansrError
from udeansr.files import check_keys, read_json, write_json, write_whole


def test_what_is_written_is_read_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "facts.json"
    write_json({"a": [1, None, "x"]}, path)
    assert read_json(path, "facts", "a command") == {"a": [1, None, "x"]}
    assert list(path.parent.iterdir()) == [path]


def test_a_number_that_json_does_not_know_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json({"a": float("nan")}, tmp_path / "facts.json")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(UdeansrError, match=r"facts.json: there is no plan; make one: udeansr_x -d 1$"):
        read_json(tmp_path / "facts.json", "plan", "udeansr_x -d 1")


def test_no_json_says_where(tmp_path):
    path = tmp_path / "facts.json"
    path.write_text('{\n"a": }')
    with pytest.raises(UdeansrError, match=r"facts.json: no JSON \(.*line 2.*\); mend it, or make it again: a command"):
        read_json(path, "facts", "a command")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": 1, "b": 2, "z": 3}, "here: unknown key 'z'; known are a, b, c"),
        ({"a": 1}, "here: the key 'b' is missing; expected a, b, c"),
        ([], "here: expected an object with the keys a, b, c"),
    ],
)
def test_wrong_keys_are_named(values, message):
    with pytest.raises(UdeansrError, match=message):
        check_keys(values, {"a", "b", "c"}, "here", {"c"})


def test_optional_keys_may_be_missing():
    check_keys({"a": 1}, {"a", "b"}, "here", {"b"})


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
