import json

import pytest
import safetensors.torch
import torch

from udeansr.errors import UdeansrError
from udeansr.prediction.archive import read_archive, write_archive
from udeansr.prediction.model_file import (
    CARD,
    DESCRIPTION,
    LIMITS_BYTES,
    WEIGHTS,
    read_card,
    read_description,
    read_model,
    write_model,
)


def changed(path, **members):
    """The same file with other members, their checksums true."""
    kept = read_archive(path, LIMITS_BYTES)
    write_archive(path, kept | {name.replace("_", "."): content for name, content in members.items()})
    return path


def test_what_is_written_is_read(portable, tmp_path):
    description, weights = read_model(portable())
    assert (description.name, description.contrast, description.method) == ("tiny-t1w-x2x2x2", "T1w", "udean")
    again = tmp_path / "again.zip"
    write_model(again, description, weights, "# A card\n", half=True)
    assert read_description(again) == description and read_card(again) == "# A card\n"
    for name, weight in read_model(again)[1].items():
        torch.testing.assert_close(weight, weights[name], rtol=0, atol=0)


def test_whole_weights_are_kept_whole(portable, tmp_path):
    description, weights = read_model(portable())
    fine = {name: torch.full_like(weight, 1 / 3) for name, weight in weights.items()}
    sizes = {}
    for half, error in ((False, 0), (True, 1e-4)):
        path = tmp_path / f"{half}.zip"
        write_model(path, description, fine, "", half=half)
        sizes[half] = path.stat().st_size
        for weight in read_model(path)[1].values():
            assert weight.dtype == torch.float32 and float((weight - 1 / 3).abs().max()) <= error
    assert sizes[True] < sizes[False]


def test_a_weight_that_float16_cannot_hold_is_refused(portable, tmp_path):
    description, weights = read_model(portable())
    name = next(iter(weights))
    weights[name] = torch.full_like(weights[name], 1e6)
    with pytest.raises(UdeansrError, match=f"a.zip: the weight {name} is not finite in float16; export with --float32"):
        write_model(tmp_path / "a.zip", description, weights, "", half=True)
    assert not (tmp_path / "a.zip").exists()
    weights[name] = weights[name] * torch.nan
    with pytest.raises(UdeansrError, match=r"is not finite in float32; train again"):
        write_model(tmp_path / "a.zip", description, weights, "", half=False)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b'{"format": NaN}'])
def test_a_description_that_is_no_json_is_refused(portable, content):
    with pytest.raises(UdeansrError, match=f"its {DESCRIPTION} is no JSON; get the file again"):
        read_description(changed(portable(), model_json=content))


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle.", b"\xff" * 64, b"\x10" + bytes(7) + b'{"a":{"dtype":1}'])
def test_weights_that_are_none_are_refused(portable, content):
    with pytest.raises(UdeansrError, match=f"its {WEIGHTS} cannot be read .*; get the file again"):
        read_model(changed(portable(), weights_safetensors=content))


def test_weights_of_another_type_are_refused(portable):
    content = safetensors.torch.save({"a": torch.zeros(2, dtype=torch.int64)})
    with pytest.raises(UdeansrError, match=r"the weight a is torch.int64; expected float16 or float32"):
        read_model(changed(portable(), weights_safetensors=content))


def test_a_card_that_would_command_a_terminal_is_refused(portable):
    path = changed(portable(), card_md=b"# nice \x1b]0;gone\x07")
    with pytest.raises(UdeansrError, match=f"its {CARD} holds signs that are no text; get the file again"):
        read_card(path)
    with pytest.raises(UdeansrError, match=r"holds signs that are no text"):
        read_model(path)


def test_nothing_but_names_numbers_and_words_is_in_the_file(portable):
    members = read_archive(portable(), LIMITS_BYTES)
    values = json.loads(members[DESCRIPTION])
    assert {"optimizers", "random", "progress"}.isdisjoint(values)
    assert set(values["plan"]["configurations"]) == {values["configuration"]}
