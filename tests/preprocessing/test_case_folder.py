import logging
import os
from pathlib import Path

import numpy as np
import pytest

from udeansr.degradation.registration import RigidMotion
from udeansr.errors import UdeansrError
from udeansr.files import partial_path
from udeansr.image.volume import Geometry
from udeansr.preprocessing.case_folder import (
    CASE_FILE,
    FOREGROUND_FILE,
    VOXELS_FILE,
    CaseRecord,
    look_of,
    read_array,
    read_record,
    remove_case,
    sha256_of,
    write_case,
)

VOXELS = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
FOREGROUND = np.array([[0, 1, 2]], dtype=np.int32)
GRID = Geometry((2, 3, 4), (2.0, 1.0, 0.7))
RECORD = CaseRecord(
    GRID, 700.0, 2.5, noise=0.01, sources={"a.nii": {"bytes": 9, "modified_ns": 10**18, "sha256": "00"}}, cut_from=GRID,
    motion=RigidMotion((1.0, 2.0, 3.0), (0.1, 0.2, 0.3)), gain=1.25,
)  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> Path:
    write_case(tmp_path / "anna", VOXELS, FOREGROUND, RECORD)
    return tmp_path / "anna"


def test_what_is_written_is_read_and_nothing_else_is_left(case: Path) -> None:
    assert read_record(case) == RECORD
    voxels = read_array(case / VOXELS_FILE)
    assert isinstance(voxels, np.memmap) and not voxels.flags.writeable
    np.testing.assert_array_equal(voxels, VOXELS)
    np.testing.assert_array_equal(read_array(case / FOREGROUND_FILE), FOREGROUND)
    assert {path.name for path in case.iterdir()} == {VOXELS_FILE, FOREGROUND_FILE, CASE_FILE}


@pytest.mark.parametrize("fails_at", [0, 1])
def test_a_case_that_was_cut_short_is_no_case(case: Path, fails_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def save(file: Path, array: np.ndarray) -> None:
        calls.append(array)
        file.write_bytes(b"half of it")
        if len(calls) > fails_at:
            raise KeyboardInterrupt

    mapped = read_array(case / VOXELS_FILE)
    monkeypatch.setattr(np, "save", save)
    with pytest.raises(KeyboardInterrupt):
        write_case(case, VOXELS + 1, FOREGROUND, RECORD)
    monkeypatch.undo()
    assert read_record(case) is None
    np.testing.assert_array_equal(mapped, VOXELS)  # who has it open still has the old one
    write_case(case, VOXELS + 1, FOREGROUND, RECORD)
    np.testing.assert_array_equal(read_array(case / VOXELS_FILE), VOXELS + 1)
    assert len(list(case.iterdir())) == 3


@pytest.mark.parametrize("text", ["{", "[1, 2]", "", '{"level": 2.5}'])
def test_a_broken_record_is_no_record(case: Path, text: str) -> None:
    (case / CASE_FILE).write_text(text)
    assert read_record(case) is None


def test_a_record_without_its_arrays_is_no_record(case: Path) -> None:
    (case / FOREGROUND_FILE).unlink()
    assert read_record(case) is None


@pytest.mark.parametrize("cut", [None, 0, 60, 150])
def test_a_missing_or_cut_array_is_the_users_error(case: Path, cut: int | None) -> None:
    path = case / VOXELS_FILE
    path.unlink() if cut is None else os.truncate(path, cut)
    with pytest.raises(
        UdeansrError, match=r"voxels.npy: missing or broken \(.+\); delete its folder and run udeansr_plan"
    ):
        read_array(path)


def test_a_disk_that_refuses_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "anna").write_text("a file where a folder should be")
    with pytest.raises(UdeansrError, match=r"anna: cannot be written \(File exists\); check the folder and the disk"):
        write_case(tmp_path / "anna", VOXELS, FOREGROUND, RECORD)


def test_removing_takes_what_we_made_and_nothing_else(case: Path, caplog: pytest.LogCaptureFixture) -> None:
    (case / "notes.txt").write_text("mine")
    partial_path(case / VOXELS_FILE).write_text("left by a crash")
    with caplog.at_level(logging.WARNING):
        remove_case(case)
    assert [path.name for path in case.iterdir()] == ["notes.txt"]
    assert caplog.messages == [f"{case}: kept, as it holds files that preprocessing did not make"]
    (case / "notes.txt").unlink()
    remove_case(case)
    assert not case.exists()


@pytest.mark.parametrize("series", [False, True])
def test_changes_of_a_source_show(tmp_path: Path, series: bool) -> None:
    source = tmp_path / "scan"
    if series:
        source.mkdir()
        (source / "1.dcm").write_bytes(b"one")
    file = source / "2.dcm" if series else source
    file.write_bytes(b"two")
    look, digest = look_of(source), sha256_of(source)
    assert (look_of(source), sha256_of(source)) == (look, digest)
    os.utime(file, ns=(1, look["modified_ns"] + 5))
    assert look_of(source) != look and sha256_of(source) == digest
    file.write_bytes(b"three")
    assert look_of(source)["bytes"] == look["bytes"] + 2 and sha256_of(source) != digest
