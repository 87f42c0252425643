import hashlib
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from udeansr.errors import UdeansrError
from udeansr.prediction.archive import CHECKSUMS, read_archive, write_archive

MEMBERS = {"a.json": b"{}", "b.bin": bytes(range(256))}
LIMITS = {"a.json": 100, "b.bin": 1000}


def foreign(path, members, how=ZIP_STORED):
    """A zip that somebody else wrote, with true checksums unless it brings its own."""
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in members.items())
    with ZipFile(path, "w", how) as archive:
        for name, content in ({CHECKSUMS: sums.encode()} | members).items():
            archive.writestr(name, content)
    return path


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "a.zip"
    write_archive(path, MEMBERS)
    assert read_archive(path, LIMITS) == MEMBERS
    assert read_archive(path, LIMITS, ("a.json",)) == {"a.json": b"{}"}
    assert [child.name for child in path.parent.iterdir()] == ["a.zip"]


def test_the_same_members_are_the_same_bytes_and_others_are_not(tmp_path):
    for name, members in {"a": MEMBERS, "b": dict(reversed(MEMBERS.items())), "c": MEMBERS | {"a.json": b"[]"}}.items():
        write_archive(tmp_path / name, members)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()


def test_any_program_can_check_the_sums(tmp_path):
    write_archive(tmp_path / "a.zip", MEMBERS)
    with ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        lines = archive.read(CHECKSUMS).decode().splitlines()
    assert lines == [f"{hashlib.sha256(MEMBERS[name]).hexdigest()}  {name}" for name in sorted(MEMBERS)]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (MEMBERS | {"run.py": b""}, r"it holds 'run.py'"),
        (MEMBERS | {"../a.json": b""}, r"it holds '\.\./a\.json'"),
        (MEMBERS | {"/etc/a": b""}, r"it holds '/etc/a'"),
        ({"a.json": b"{}"}, "it has no b.bin"),
        (MEMBERS | {"a.json": b" " * 101}, "its a.json has 101 bytes, and 100 are allowed"),
        (MEMBERS | {CHECKSUMS: b""}, "its SHA256SUMS does not tell of a.json, b.bin"),
        (MEMBERS | {CHECKSUMS: b"\xff\x00"}, "its SHA256SUMS does not tell of a.json, b.bin"),
    ],
)
def test_other_members_are_refused(tmp_path, members, told):
    with pytest.raises(UdeansrError, match=rf"a.zip: {told}; expected a model that udeansr_models export wrote"):
        read_archive(foreign(tmp_path / "a.zip", members), LIMITS)


def test_a_bomb_is_refused_before_it_is_read(tmp_path):
    path = foreign(tmp_path / "a.zip", MEMBERS | {"b.bin": bytes(900)}, ZIP_DEFLATED)
    with pytest.raises(UdeansrError, match=r"is compressed or encrypted"):
        read_archive(path, LIMITS)


def test_a_member_that_is_there_twice_is_refused(tmp_path):
    path = foreign(tmp_path / "a.zip", MEMBERS)
    with ZipFile(path, "a") as archive, pytest.warns(UserWarning, match=r"Duplicate name"):
        archive.writestr("a.json", b"{}")
    with pytest.raises(UdeansrError, match=r"it holds a.json twice"):
        read_archive(path, LIMITS)


def test_a_changed_member_is_refused(tmp_path):
    path = foreign(tmp_path / "a.zip", MEMBERS | {CHECKSUMS: f"{'0' * 64}  a.json\n{'0' * 64}  b.bin\n".encode()})
    with pytest.raises(UdeansrError, match=r"a.zip: a.json has another checksum than SHA256SUMS tells.*get the file"):
        read_archive(path, LIMITS)


def test_no_byte_can_be_lost_or_changed_unseen(tmp_path):
    write_archive(tmp_path / "a.zip", MEMBERS)
    whole = (tmp_path / "a.zip").read_bytes()
    broken = tmp_path / "broken.zip"
    for at in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[at] ^= 255
        for content in (whole[:at], bytes(changed)):
            broken.write_bytes(content)
            try:
                assert read_archive(broken, LIMITS) == MEMBERS  # a date or the like, which says nothing
            except UdeansrError as error:
                assert str(error).startswith(str(broken)) and "\n" not in str(error)


def test_what_is_no_zip_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(UdeansrError, match=r"a.zip: no zip, or a broken one; expected a model"):
        read_archive(tmp_path / "a.zip", LIMITS)
    with pytest.raises(UdeansrError, match=r"b.zip: there is no such file; expected a model that udeansr_models"):
        read_archive(tmp_path / "b.zip", LIMITS)
