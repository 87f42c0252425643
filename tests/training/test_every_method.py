"""What every method keeps when it is trained: all players move, and a stop in any stage leaves no trace."""

from __future__ import annotations

import os
import re
import signal
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.inference.whole_volume import super_resolve_volume
from udeansr.methods import METHODS, build_method, parse_settings
from udeansr.methods.method import Method
from udeansr.training.checkpoint import load_checkpoint, seed_everything
from udeansr.training.interruption import StoppedError

TRAINED = [name for name, kind in METHODS.items() if kind.players and kind.needs_cohort and not kind.is_zero_shot]


@pytest.fixture
def source_only(monkeypatch) -> type[Method]:
    """The method of the documentation, as a user would add it."""
    page = (Path(__file__).parents[2] / "documentation" / "add_a_method.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert example.count("\n") <= 30
    module = types.ModuleType("source_only")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look their module up
    exec(compile(example, "add_a_method.md", "exec"), module.__dict__)
    monkeypatch.setitem(METHODS, "source_only", module.SourceOnly)
    return module.SourceOnly


def test_the_thirty_lines_of_the_documentation_are_a_method(
    source_only, dataset_folder, plan, tmp_path, run_tiny
) -> None:
    final = run_tiny(dataset_folder, plan, tmp_path / "results", method="source_only")
    state = load_checkpoint(final)
    method = build_method("source_only", plan.configuration("x2x2x2"), parse_settings("source_only", []))
    lr = np.random.default_rng(0).random((5, 9, 12), dtype=np.float32)
    untrained = super_resolve_volume(method, lr, device="cpu", precision="fp32")
    method.load_state_dict({**state["weights"], **state["averaged"]})
    sr = super_resolve_volume(method, lr, device="cpu", precision="fp32")
    assert sr.shape == (10, 18, 24) and np.abs(sr - untrained).max() > 1e-4
    with pytest.raises(UdeansrError, match=r"source_only.*alpha.*much.*expected a number"):
        parse_settings("source_only", ["source_only.alpha=much"])


@pytest.mark.parametrize("name", TRAINED)
def test_every_player_moves(name, dataset_folder, plan, tmp_path, run_tiny) -> None:
    final = run_tiny(dataset_folder, plan, tmp_path / "results", method=name)
    seed_everything(0)
    method = build_method(name, plan.configuration("x2x2x2"), parse_settings(name, []))
    weights = load_checkpoint(final)["weights"]
    for player in method.players:
        parts = method.get_submodule(player).state_dict(prefix=f"{player}.")
        assert any(not torch.equal(weights[part], before) for part, before in parts.items()), player


@pytest.mark.parametrize("name", TRAINED)
def test_stopped_in_any_stage_it_goes_on_as_if_it_had_not(
    name, dataset_folder, plan, tmp_path, monkeypatch, run_tiny, assert_same
) -> None:
    run_tiny(dataset_folder, plan, tmp_path / "whole", method=name)  # two epochs of three iterations
    kind, turns, played = METHODS[name], METHODS[name].turns, iter(range(1, 100))

    def turns_and_signal(self, batch):
        if next(played) in (2, 5):
            os.kill(os.getpid(), signal.SIGINT)
        yield from turns(self, batch)

    monkeypatch.setattr(kind, "turns", turns_and_signal)
    for mode in ("new", "continue"):
        with pytest.raises(StoppedError):
            run_tiny(dataset_folder, plan, tmp_path / "parted", mode, method=name)
    run_tiny(dataset_folder, plan, tmp_path / "parted", "continue", method=name)
    assert_same(tmp_path / "whole" / "final.pt", tmp_path / "parted" / "final.pt")


def test_the_end_of_a_stage_and_of_the_training_is_explained(dataset_folder, plan, tmp_path, run_tiny) -> None:
    run_tiny(dataset_folder, plan, tmp_path / "results", method="dasr")
    shown = tmp_path / "results" / "explanations"
    assert sorted(path.name for path in shown.iterdir()) == ["pair_0.npz", "pair_0.png"]
    run_tiny(dataset_folder, plan, tmp_path / "results", "overwrite", method="udean")
    assert not shown.exists()
