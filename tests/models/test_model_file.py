import hashlib
import json
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
import safetensors.torch
import torch

from udeansr.errors import UdeansrError
from udeansr.models.model_file import (
    CARD,
    CHECKSUMS,
    DESCRIPTION,
    LIMITS_BYTES,
    WEIGHTS,
    read_archive,
    read_card,
    read_description,
    read_model,
    write_archive,
    write_model,
)

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
        (MEMBERS | {CHECKSUMS: b""}, "its SHA256SUMS does not list a.json, b.bin"),
        (MEMBERS | {CHECKSUMS: b"\xff\x00"}, "its SHA256SUMS does not list a.json, b.bin"),
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
    with pytest.raises(UdeansrError, match=r"a.zip: a.json has another checksum than SHA256SUMS says.*get the file"):
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


def changed(path, **members):
    """The same file with other members, their checksums true."""
    kept = read_archive(path, LIMITS_BYTES)
    write_archive(path, kept | {name.replace("_", "."): content for name, content in members.items()})
    return path


def test_what_is_written_is_read_model_file(tiny_model_file, tmp_path):
    description, weights = read_model(tiny_model_file())
    assert (description.name, description.contrast, description.method) == ("tiny-t1w-x2x2x2", "T1w", "udean")
    again = tmp_path / "again.zip"
    write_model(again, description, weights, "# A card\n", half=True)
    assert read_description(again) == description and read_card(again) == "# A card\n"
    for name, weight in read_model(again)[1].items():
        torch.testing.assert_close(weight, weights[name], rtol=0, atol=0)


def test_whole_weights_are_kept_whole(tiny_model_file, tmp_path):
    description, weights = read_model(tiny_model_file())
    fine = {name: torch.full_like(weight, 1 / 3) for name, weight in weights.items()}
    sizes = {}
    for half, error in ((False, 0), (True, 1e-4)):
        path = tmp_path / f"{half}.zip"
        write_model(path, description, fine, "", half=half)
        sizes[half] = path.stat().st_size
        for weight in read_model(path)[1].values():
            assert weight.dtype == torch.float32 and float((weight - 1 / 3).abs().max()) <= error
    assert sizes[True] < sizes[False]


def test_a_weight_that_float16_cannot_hold_is_refused(tiny_model_file, tmp_path):
    description, weights = read_model(tiny_model_file())
    name = next(iter(weights))
    weights[name] = torch.full_like(weights[name], 1e6)
    with pytest.raises(UdeansrError, match=f"a.zip: the weight {name} is not finite in float16; export with --float32"):
        write_model(tmp_path / "a.zip", description, weights, "", half=True)
    assert not (tmp_path / "a.zip").exists()
    weights[name] = weights[name] * torch.nan
    with pytest.raises(UdeansrError, match=r"is not finite in float32; train again"):
        write_model(tmp_path / "a.zip", description, weights, "", half=False)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b'{"format": NaN}'])
def test_a_description_that_is_no_json_is_refused(tiny_model_file, content):
    with pytest.raises(UdeansrError, match=f"its {DESCRIPTION} is no JSON; get the file again"):
        read_description(changed(tiny_model_file(), model_json=content))


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle.", b"\xff" * 64, b"\x10" + bytes(7) + b'{"a":{"dtype":1}'])
def test_weights_that_are_none_are_refused(tiny_model_file, content):
    with pytest.raises(UdeansrError, match=f"its {WEIGHTS} cannot be read .*; get the file again"):
        read_model(changed(tiny_model_file(), weights_safetensors=content))


def test_weights_of_another_type_are_refused(tiny_model_file):
    content = safetensors.torch.save({"a": torch.zeros(2, dtype=torch.int64)})
    with pytest.raises(UdeansrError, match=r"the weight a is torch.int64; expected float16 or float32"):
        read_model(changed(tiny_model_file(), weights_safetensors=content))


def test_a_card_that_would_command_a_terminal_is_refused(tiny_model_file):
    path = changed(tiny_model_file(), card_md=b"# nice \x1b]0;gone\x07")
    with pytest.raises(UdeansrError, match=f"its {CARD} holds signs that are no text; get the file again"):
        read_card(path)
    with pytest.raises(UdeansrError, match=r"holds signs that are no text"):
        read_model(path)


def test_nothing_but_names_numbers_and_words_is_in_the_file(tiny_model_file):
    members = read_archive(tiny_model_file(), LIMITS_BYTES)
    values = json.loads(members[DESCRIPTION])
    assert {"optimizers", "random", "progress"}.isdisjoint(values)
    assert set(values["plan"]["configurations"]) == {values["configuration"]}
