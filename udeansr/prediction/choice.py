"""Which model the user means. Knows models, their plans and the grids of images; predicts nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from udeansr.errors import UdeansrError
from udeansr.image.files import read_geometry
from udeansr.image.grid import Scale, slab_orientation
from udeansr.image.volume import Geometry
from udeansr.methods import METHODS
from udeansr.paths import Root, find_dataset
from udeansr.prediction.models import TrainedModel, find_models, interpolator, load_model
from udeansr.prediction.super_resolver import SuperResolver, fits, shown_mm

_logger = logging.getLogger(__name__)

CHECKPOINTS = ("best", "final", "latest")


@dataclass(frozen=True)
class Wish:
    """What the user said about the model; whatever is None is left to what there is.

    Attributes:
        results: where trained models lie.
        path: a checkpoint, or the folder of a training.
        dataset: 1, 001 or Dataset001_Name.
        configuration: of the plan.
        method: a key of ``METHODS``.
        scale: for a method that learns nothing and so needs no model.
        checkpoint: which checkpoint of a training.
    """

    results: Root
    path: Path | None = None
    dataset: str | None = None
    configuration: str | None = None
    method: str | None = None
    scale: Scale | None = None
    checkpoint: str = "best"


def wished_model(wish: Wish, images: Sequence[Path], device: torch.device | str = "cpu") -> SuperResolver:
    """The model that a wish means: the one it names, or the only one that fits the images.

    Args:
        wish: the user's words.
        images: the LR, whose grids are looked at if several models have the wished names.
        device: where it will compute.
    Raises:
        UdeansrError: if no model or more than one is meant, listing what there is.
    """
    names = (wish.dataset, wish.configuration, wish.method)
    if wish.scale is not None:
        if wish.path is not None or wish.method is None or wish.method not in METHODS or METHODS[wish.method].players:
            free = ", ".join(name for name, method in METHODS.items() if not method.players)
            raise UdeansrError(
                f"--scale {wish.scale} goes with a --method that needs no model ({free}); a trained model has its scale"
            )
        return interpolator(wish.method, wish.scale, device)
    if wish.path is not None:
        if any(names):
            raise UdeansrError("-m names a model already; leave out -d, -c and --method, or -m")
        return _loaded(_checkpoint_file(wish.path, wish.checkpoint), device)
    return _loaded(_choose(wish, images).path, device)


def _loaded(path: Path, device: torch.device | str) -> SuperResolver:
    """The model of a checkpoint; the log says which, since the user may not have named it."""
    model = load_model(path, device)
    _logger.info("model: %s", path)
    return model


def _checkpoint_file(path: Path, checkpoint: str) -> Path:
    """The file that ``-m`` means: itself, or a checkpoint in the folder of a training."""
    if not path.is_dir():
        return path
    if not (path / f"{checkpoint}.pt").is_file():
        there = ", ".join(found.name for found in sorted(path.glob("*.pt"))) or "no .pt file"
        raise UdeansrError(f"{path}: no {checkpoint}.pt, but {there}; give a .pt file or choose with --checkpoint")
    return path / f"{checkpoint}.pt"


def _choose(wish: Wish, images: Sequence[Path]) -> TrainedModel:
    """The one trained model of the wished names, of several the one that fits the images' grids."""
    dataset = find_dataset(wish.results, wish.dataset).name if wish.dataset is not None else None
    everything = find_models(wish.results, wish.checkpoint)
    named = [
        model
        for model in everything
        if dataset in (None, model.dataset)
        and wish.configuration in (None, model.configuration)
        and wish.method in (None, model.method)
    ]
    if not named:
        raise UdeansrError(_no_model(wish, everything))
    if len(named) == 1:
        return named[0]
    plans = [model.plan() for model in named]
    geometries = _readable_geometries(images)
    fitting = [
        (model, plan)
        for model, (plan, configuration) in zip(named, plans, strict=True)
        if any(fits(geometry, plan, configuration) for geometry in geometries)
    ]
    if len(fitting) > 1:
        # An isotropic grid fits models of every slab axis; then its own slab axis decides, if it can.
        slabs = {slab_orientation(geometry) for geometry in geometries}
        fitting = [(model, plan) for model, plan in fitting if plan.orientation in slabs] or fitting
    if len(fitting) == 1:
        return fitting[0][0]
    first = shown_mm(geometries[0].spacing_mm) if geometries else "unknown"
    if fitting:
        listed = "; ".join(str(model) for model, _ in fitting)
        raise UdeansrError(f"{len(fitting)} trained models fit the spacing {first} mm; choose one: {listed}")
    listed = "; ".join(
        f"{model} (LR {shown_mm(configuration.lr_spacing_mm)} mm as {plan.orientation})"
        for model, (plan, configuration) in zip(named, plans, strict=True)
    )
    raise UdeansrError(
        f"no trained model fits the spacing {first} mm; there are {listed}. Train one for this spacing, "
        "or interpolate: --method tricubic --scale x2x2x2"
    )


def _no_model(wish: Wish, everything: list[TrainedModel]) -> str:
    """What to say when no model is of the wished names."""
    there = "; ".join(str(model) for model in everything) or "none"
    asked = [("-d", wish.dataset), ("-c", wish.configuration), ("--method", wish.method)]
    words = " ".join(f"{flag} {word}" for flag, word in asked if word is not None)
    wanted = f"no trained model of {words}" if words else "no trained model"
    if wish.method in METHODS and not METHODS[wish.method].players:
        return f"{wanted} in {wish.results}; --method {wish.method} needs none if it is given a --scale, such as x2x2x2"
    return (
        f"{wanted} with {wish.checkpoint}.pt in {wish.results}; there: {there}. Train one: udeansr_train DATASET "
        "CONFIGURATION, or give its path: -m PATH, or its root: --results FOLDER"
    )


def _readable_geometries(images: Sequence[Path]) -> list[Geometry]:
    """The grids of the images that can be read; the others are told of when their turn comes."""
    geometries = []
    for image in images:
        try:
            geometries.append(read_geometry(image))
        except UdeansrError:
            continue
    return geometries
