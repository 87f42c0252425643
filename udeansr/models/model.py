"""A model: a method that is ready, the plan it was made for, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from udeansr.errors import UdeansrError
from udeansr.image.grid import PROTOCOL_TOLERANCE, Scale
from udeansr.inference.deployment import empty_method, fill, keep_averaged, keep_deployed
from udeansr.methods import Method, build_method, parse_settings
from udeansr.models.calibration import Calibration
from udeansr.models.model_file import read_model
from udeansr.planning.configuration import Configuration, Task
from udeansr.planning.domain import Domain
from udeansr.planning.plan import Plan
from udeansr.planning.training_size import CPU
from udeansr.strict_json import from_json
from udeansr.training.checkpoint import check_weights, checkpoint_file, load_checkpoint, other_weights
from udeansr.training.settings import RunSettings, TrainingRecord

LARGEST_METHOD = 2**28
"""Weights of a method in a model file, those that only training needs among them: some hundred times the paper's."""


@dataclass(frozen=True)
class Model:
    """A method with its weights, and what it was made for. Threads may share one.

    Attributes:
        method: what makes SR of LR, not in training; its networks lie on ``device``.
        scale: HR voxels in an LR voxel, along (Z, Y, X) of the orientation it works in.
        plan: what the method was made for; None where it suits any grid.
        configuration: that of the plan; None with it.
        device: where its networks lie, in torch's words.
        run: how a zero-shot method is trained; None for all others.
        name: for people; "" where it has none.
        calibration: from the standard deviation of predictions to the error to expect; None if not measured.
        file: where it lies; None where it needs none.
        spacing_tolerance: how far, as a part of it, a spacing may lie from the one it was made for.
    """

    method: Method
    scale: Scale
    plan: Plan | None = None
    configuration: Configuration | None = None
    device: str = "cpu"
    run: RunSettings | None = None
    name: str = ""
    calibration: Calibration | None = None
    file: Path | None = None
    spacing_tolerance: float = PROTOCOL_TOLERANCE

    @property
    def domain(self) -> Domain | None:
        """What it was made for; None where it was not measured."""
        return self.method.domain

    @property
    def label(self) -> str:
        """The model in a few words: its name, or method, scale and the dataset it learned from."""
        own = f"{self.method.name} {self.scale}" + (f" of {self.plan.dataset}" if self.plan else "")
        return self.name or own


def load_model(path: Path, device: torch.device | str = "cpu") -> Model:
    """Make a model ready: its method with the averaged weights, and the plan it was made for.

    Args:
        path: a checkpoint (.pt), the folder of a training, of which ``best.pt`` is taken, or a model file (.zip).
        device: where it will compute.
    Raises:
        UdeansrError: if the file is no checkpoint or model of ours, or of a method or weights this version lacks.
    """
    path = checkpoint_file(path)
    return load_model_file(path, device) if path.suffix.lower() == ".zip" else _trained(path, device)


def load_model_file(path: Path, device: torch.device | str = "cpu") -> Model:
    """Make the model of a model file ready; whoever names one may use it at any spacing.

    Raises:
        UdeansrError: as :func:`load_model`.
    """
    description, weights = read_model(path)
    configuration = description.configuration
    other = UdeansrError(
        f"{path}: holds other weights than {description.method} has here; it was made by another version "
        f"({description.version}): install that one"
    )
    if configuration.size.groups * configuration.size.blocks > len(weights):
        raise other  # before a network of any size that the file says is built
    method = _empty(path, description.method, configuration, description.settings)
    if not method.players:
        raise UdeansrError(f"{path}: {description.method} learns nothing; expected a model that was trained")
    if sum(weight.numel() for weight in method.state_dict().values()) > LARGEST_METHOD:
        raise UdeansrError(f"{path}: its plan says more than {LARGEST_METHOD} weights; get the file again")
    keep_deployed(method)
    if differing := other_weights(weights, method.state_dict()):
        raise UdeansrError(
            f"{path}: holds other weights than {description.method} has here ({differing}); it was made by another "
            f"version ({description.version}): install that one"
        )
    fill(method, weights, device)
    method.domain = description.domain
    if configuration.task.deconvolves and method.domain is None:
        raise UdeansrError(f"{path}: it restores each LR and has no domain to do so by; export it again")
    run = from_json(RunSettings, description.run, str(path), "get the file again")
    return Model(
        method,
        configuration.task.factors,
        description.plan,
        configuration,
        str(device),
        run=run if method.is_zero_shot else None,
        name=description.name,
        calibration=description.calibration,
        file=path,
        spacing_tolerance=float("inf"),
    )


def trained_method(path: Path, state: dict[str, Any], record: TrainingRecord) -> Method:
    """The method of a checkpoint with the averaged weights; networks that only training needs are left out.

    Args:
        path: the checkpoint, for messages.
        state: as :func:`load_checkpoint` gave it.
        record: of the state.
    Raises:
        UdeansrError: if it is of a method or weights this version lacks.
    """
    method = _empty(path, record.method, record.planned, record.settings)
    weights = {**state["weights"], **state["averaged"]}
    check_weights({**state, "weights": weights}, method.state_dict(), str(path))
    keep_averaged(method)
    fill(method, {name: weights[name] for name in method.state_dict()}, "cpu")
    method.domain = record.domain
    return method


def interpolator(name: str, scale: Scale, device: torch.device | str = "cpu") -> Model:
    """A method that learns nothing, for any grid."""
    task = Task(str(scale), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), slab_slices=1, rotate90=False)
    method = build_method(name, Configuration(str(scale), task, CPU), parse_settings(name, []))
    return Model(method.eval(), scale, device=str(device))


def _trained(path: Path, device: torch.device | str) -> Model:
    """A checkpoint, ready."""
    state = load_checkpoint(path)
    record = TrainingRecord.from_dict(state, str(path))
    method = trained_method(path, state, record).to(device)
    run = record.run if method.is_zero_shot else None
    return Model(method, record.planned.task.factors, record.plan, record.planned, str(device), run=run, file=path)


def _empty(path: Path, method: str, configuration: Configuration, settings: dict[str, Any]) -> Method:
    """The method, without weights."""
    try:
        return empty_method(method, configuration, settings)
    except UdeansrError as error:
        raise UdeansrError(f"{path}: made by another version of udeansr ({error}); install that one") from error
