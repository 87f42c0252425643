from __future__ import annotations

import pickle

import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.training.checkpoint import KEYS, check_weights, load_checkpoint, save_checkpoint


def a_state(**values) -> dict:
    return {key: {} for key in KEYS if key not in ("format", "version")} | values


def test_what_is_written_is_read(tmp_path) -> None:
    path = tmp_path / "latest.pt"
    save_checkpoint(
        path, a_state(weights={"w": torch.arange(3.0)}, progress={"epoch": 2, "best": None, "seconds": 1.5})
    )
    state = load_checkpoint(path)
    assert torch.equal(state["weights"]["w"], torch.arange(3.0))
    assert state["progress"] == {"epoch": 2, "best": None, "seconds": 1.5}
    assert state["format"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["latest.pt"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch) -> None:
    path = tmp_path / "latest.pt"
    save_checkpoint(path, a_state(progress={"epoch": 1}))

    def half(state, file) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, a_state(progress={"epoch": 2}))
    assert load_checkpoint(path)["progress"] == {"epoch": 1}


def test_keys_are_those_that_were_agreed(tmp_path) -> None:
    with pytest.raises(ValueError, match="weights"):
        save_checkpoint(tmp_path / "latest.pt", {key: {} for key in KEYS if key != "weights"})
    with pytest.raises(ValueError, match="other"):
        save_checkpoint(tmp_path / "latest.pt", a_state(other={}))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code in a checkpoint was run",))


def test_what_is_no_checkpoint_is_refused(tmp_path) -> None:
    path = tmp_path / "latest.pt"
    with pytest.raises(UdeansrError, match=r"there is no such checkpoint; expected latest.pt, best.pt or final.pt"):
        load_checkpoint(path)
    save_checkpoint(path, a_state(weights={"w": torch.zeros(1000)}))
    whole = path.read_bytes()
    for content in (b"", b"no weights", whole[: len(whole) // 2], pickle.dumps(Bomb())):
        path.write_bytes(content)
        with pytest.raises(UdeansrError, match=r"latest.pt: it cannot be read as a checkpoint .*broken or foreign"):
            load_checkpoint(path)
    torch.save({"bomb": Bomb()}, path)
    with pytest.raises(UdeansrError, match=r"latest.pt: it cannot be read as a checkpoint .*broken or foreign"):
        load_checkpoint(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(UdeansrError, match="holds weights of another program"):
        load_checkpoint(path)
    torch.save({"format": 99, "version": "9.0"}, path)
    with pytest.raises(UdeansrError, match=r"checkpoint format 99, written by udeansr 9.0; udeansr .* reads format 1"):
        load_checkpoint(path)
    torch.save({"format": 1, "version": "0.1"}, path)
    with pytest.raises(UdeansrError, match="the checkpoint has no 'plan'; it is broken"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("weights", "named"), [({}, "1 of them, first b"), ({"b": torch.zeros(3)}, "first b"), ({"c": torch.zeros(2)}, "2")]
)
def test_weights_of_another_version_are_told_in_one_line(weights, named) -> None:
    state = {"weights": {"a": torch.zeros(1), **weights}, "method": "udean", "version": "0.0.1"}
    with pytest.raises(
        UdeansrError, match=rf"^latest\.pt: holds other weights than udean has .*{named}.*\(0\.0\.1\): in"
    ):
        check_weights(state, {"a": torch.zeros(1), "b": torch.zeros(2)}, "latest.pt")
    check_weights({**state, "weights": {"b": torch.ones(2)}}, {"b": torch.zeros(2)}, "latest.pt")
