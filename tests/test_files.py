import errno
import os
import shutil
import subprocess
import sys

import pytest

from udeansr.errors import UdeansrError
from udeansr.files import check_writable, partial_path, remove_partials, whole_file, whole_folder, write_whole


@pytest.mark.parametrize("content", [b"two", "two"])
def test_a_file_is_written_with_its_folder_and_replaced(tmp_path, content):
    path = tmp_path / "new" / "a.bin"
    write_whole(path, b"one")
    write_whole(path, content)
    assert path.read_bytes() == b"two" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.b.nii.gz", "figure.png", "no_suffix"])
def test_what_is_written_first_is_hidden_and_ends_as_the_file_does(tmp_path, name):
    partial = partial_path(tmp_path / name)
    assert partial.parent == tmp_path and partial.name.startswith(".") and str(os.getpid()) in partial.name
    assert partial.suffix == ((tmp_path / name).suffix or ".partial")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_the_old_file_or_folder(tmp_path, error):
    write_whole(tmp_path / "file", b"old")
    with whole_folder(tmp_path / "folder") as partial:
        (partial / "old").touch()
    with pytest.raises(error), whole_file(tmp_path / "file") as partial:
        partial.write_bytes(b"half")
        raise error
    with pytest.raises(error), whole_folder(tmp_path / "folder") as partial:
        (partial / "half").touch()
        raise error
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["file", "folder", "folder/old"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_folder_is_made_whole_and_replaces_another(tmp_path):
    folder = tmp_path / "new" / "case.1"
    for name in ("one", "two"):
        with whole_folder(folder) as partial:
            (partial / name).touch()
            assert not (folder / name).exists()
    assert [path.name for path in folder.iterdir()] == ["two"] and list(folder.parent.iterdir()) == [folder]


def test_a_place_that_cannot_be_written_is_named_and_left_clean(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UdeansrError, match=r"file/a: cannot be written \(.+\); check"):
        write_whole(tmp_path / "file" / "a", b"one")
    with pytest.raises(UdeansrError, match=r"folder: cannot be written \(.+\); pray$"):
        write_whole(tmp_path / "folder", b"one", "pray")
    with pytest.raises(UdeansrError, match=r"file/a: cannot be written"), whole_folder(tmp_path / "file" / "a"):
        pass
    assert sorted(child.name for child in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_an_error_about_another_file_is_not_taken_for_one_of_writing(tmp_path, whole):
    with pytest.raises(FileNotFoundError, match="elsewhere"), whole(tmp_path / "a"):
        (tmp_path / "elsewhere").read_bytes()


def test_what_a_killed_process_left_is_hidden_and_can_be_removed(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from udeansr.files import whole_file, whole_folder\n"
        "with whole_file(Path('a.json')) as file, whole_folder(Path('b')) as folder:\n"
        "    file.write_text('half'); (folder / 'half').touch(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path).returncode == 9
    assert len(list(tmp_path.iterdir())) == 2 and all(path.name.startswith(".") for path in tmp_path.iterdir())
    write_whole(tmp_path / "a.json", "{}")
    remove_partials(tmp_path / "a.json")
    remove_partials(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
@pytest.mark.parametrize("name", ["a.1.nii.gz", "model[1].zip"])
def test_who_writes_again_removes_what_processes_that_are_gone_left(tmp_path, whole, name):
    """Of processes that live nothing is touched, nor anything of other files."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    first, rest = name.split(".", 1)
    gone = [tmp_path / f".{first}.{ended.pid}.partial.{rest}", tmp_path / f".{name}.{ended.pid}.replaced"]
    kept = [tmp_path / f".{first}.{os.getppid()}.partial.{rest}", tmp_path / f".b.{ended.pid}.partial"]
    for left in (*gone, *kept):
        left.write_bytes(b"half")
    with whole(tmp_path / name) as partial:
        partial.touch()
    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / name])


def test_a_disk_that_gives_no_reason_of_its_own_is_told_with_what_it_said(tmp_path):
    """As numpy does when it can write but a part."""
    line = r"a: cannot be written \(512 requested and 8 written\); check"
    with pytest.raises(UdeansrError, match=line), whole_file(tmp_path / "a"):
        raise OSError("512 requested and 8 written")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_tried_before_the_work_and_left_empty(tmp_path, monkeypatch):
    check_writable(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(UdeansrError, match=r"file/new: cannot be written \(.+\); check the folder and the disk"):
        check_writable(tmp_path / "file" / "new")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(UdeansrError, match=r"new: cannot be written \(No space left on device\)"):
        check_writable(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_is_removed_while_it_is_made_is_not_taken_for_whole(tmp_path, again):
    """Whoever writes into it may have made it again, without what was there before."""
    line = "a: was removed or replaced while it was written; nothing more"
    with pytest.raises(UdeansrError, match=line), whole_folder(tmp_path / "a") as partial:
        (partial / "one").touch()
        shutil.rmtree(partial)
        if again:
            partial.mkdir()
            (partial / "two").touch()
    assert not list(tmp_path.iterdir())
