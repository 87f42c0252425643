"""Finding trained models and making one ready. Knows results folders and checkpoints; chooses and predicts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.methods import build_method, load_settings, parse_settings
from udeansr.paths import Root, dataset_folders
from udeansr.planning.plan import Configuration, Plan
from udeansr.prediction.super_resolver import SuperResolver
from udeansr.training.checkpoint import check_weights, load_checkpoint
from udeansr.training.settings import RunSettings


@dataclass(frozen=True)
class TrainedModel:
    """A checkpoint of a training, and the names that lead to it."""

    path: Path
    dataset: str
    configuration: str
    method: str

    def __str__(self) -> str:
        """The names, as the command line takes them."""
        return f"-d {self.dataset} -c {self.configuration} --method {self.method}"

    def plan(self) -> tuple[Plan, Configuration]:
        """The plan that the model was made for, out of its checkpoint."""
        return _plan(self.path, load_checkpoint(self.path))


def find_models(results: Root, checkpoint: str = "best") -> list[TrainedModel]:
    """All trainings under the results root that have the checkpoint, sorted by name."""
    paths = [path for folder in dataset_folders(results) for path in sorted(folder.glob(f"*/*/{checkpoint}.pt"))]
    return [TrainedModel(path, path.parts[-4], path.parts[-3], path.parts[-2]) for path in paths]


def load_model(path: Path, device: torch.device | str = "cpu") -> SuperResolver:
    """Make the model of a checkpoint ready: its method with the averaged weights, and the plan it was made for.

    Raises:
        UdeansrError: if the file is no checkpoint of ours, or of a method or weights this version does not have.
    """
    state = load_checkpoint(path)
    plan, configuration = _plan(path, state)
    try:
        method = build_method(state["method"], configuration, load_settings(state["method"], state["settings"]))
    except UdeansrError as error:
        raise UdeansrError(f"{path}: made by another version of udeansr ({error}); install that one") from error
    check_weights(state, method.state_dict(), str(path))
    method.load_state_dict({**state["weights"], **state["averaged"]})
    method.requires_grad_(False)
    method.to(device)
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = RunSettings.from_dict(state["run"], str(path)) if method.learns_in_prediction else None
    return SuperResolver(method.eval(), configuration.factors, plan, configuration, str(device), run=run)


def interpolator(name: str, scale: Scale, device: torch.device | str = "cpu") -> SuperResolver:
    """A method that learns nothing, for any grid."""
    untrained = Configuration(
        name=str(scale),
        scale=str(scale),
        lr_spacing_mm=(1.0, 1.0, 1.0),
        hr_spacing_mm=(1.0, 1.0, 1.0),
        slab_slices=1,
        patch_size=(1, 1),
        turns=False,
        batch_size=1,
        features=1,
        groups=1,
        blocks=1,
        discriminator_features=1,
        epochs=1,
        iterations_per_epoch=1,
    )
    method = build_method(name, untrained, parse_settings(name, []))
    return SuperResolver(method.eval(), scale, device=str(device))


def _plan(path: Path, state: dict[str, Any]) -> tuple[Plan, Configuration]:
    plan = Plan.from_dict(state["plan"], str(path))
    return plan, plan.configuration(state["configuration"])
