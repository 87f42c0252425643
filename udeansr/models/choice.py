"""Which model the user means.

What the user named comes first; then trained models; then, if nothing was named, bundled and imported ones.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from udeansr.device import choose_device
from udeansr.errors import UdeansrError
from udeansr.image.acquisition import image_contrast
from udeansr.image.files import read_geometry
from udeansr.image.grid import PROTOCOL_TOLERANCE, Scale, format_spacing, slab_orientation
from udeansr.image.volume import Geometry
from udeansr.models.description import ANY_CONTRAST
from udeansr.models.model_file import read_description
from udeansr.models.registry import NamedModel, TrainedModel, find_models, model_path, named_models
from udeansr.models.suitability import (
    AUTOMATIC_TOLERANCE,
    Image,
    choose_suitable,
    none_suits,
    suits,
    warn_of_contrast,
)
from udeansr.paths import Root, find_dataset

if TYPE_CHECKING:
    from udeansr.models.model import Model

_logger = logging.getLogger(__name__)

CHECKPOINTS = ("best", "final", "latest")


@dataclass(frozen=True)
class ModelQuery:
    """What the user said about the model; whatever is None is left to what there is.

    Attributes:
        results: where trained models lie.
        path: a checkpoint, the folder of a training, a model file, or the name of a bundled or imported model.
        others: more of these, which predict with it as an ensemble.
        dataset: 1, 001 or Dataset001_Name.
        configuration: of the plan.
        method: who learned, as :func:`udeansr.methods.method_type` knows it.
        name: of the run.
        scale: for a method that learns nothing and so needs no model.
        checkpoint: which checkpoint of a training.
    """

    results: Root
    path: Path | None = None
    others: tuple[Path, ...] = ()
    dataset: str | None = None
    configuration: str | None = None
    method: str | None = None
    scale: Scale | None = None
    checkpoint: str = "best"
    name: str | None = None

    @property
    def names_a_model(self) -> bool:
        """Whether the user said anything of which model to take."""
        return any((self.path, self.dataset, self.configuration, self.method, self.scale, self.name))


def choose_model(query: ModelQuery, images: Sequence[Path], device: str = "cpu") -> Model:
    """The model that a wish means: the one it names, or the only one that fits the images.

    Args:
        query: the user's words.
        images: the LR, whose grids are looked at if several models have the wished names.
        device: where it will compute.
    Raises:
        UdeansrError: if no model or more than one is meant, listing what there is.
    """
    names = (query.dataset, query.configuration, query.method, query.name)
    if query.scale is not None:
        return _interpolator(query, query.scale, device)
    if query.path is not None:
        from udeansr.models.ensemble import ensemble

        if any(names):
            raise UdeansrError("-m names a model already; leave out -d, -c, --method and --name, or -m")
        named = [_named(path, query.checkpoint, images, device) for path in (query.path, *query.others)]
        return ensemble(named) if len(named) > 1 else named[0]
    if any(names):
        return loaded(_choose(query, images).path, device)
    return _fitting(query, images, device)


def without_model(query: ModelQuery, images: Sequence[Path]) -> list[tuple[Path, Geometry]]:
    """The images that can be read and that no model fits which would be taken without being named, with their grids.

    Args:
        query: names no model.
        images: the LR.
    """
    plans = [model.plan() for model in find_models(query.results, query.checkpoint)]
    candidates = _taken_unasked()
    return [
        (image, geometry)
        for image, geometry in _readable(images)
        if not any(plan.fits(geometry, one, PROTOCOL_TOLERANCE) for plan, one in plans)
        and not any(suits(Image.of(image, geometry), model) for model in candidates)
    ]


def _taken_unasked() -> list[NamedModel]:
    """The bundled and imported models but those for any contrast, where learning from an image itself begins."""
    return [model for model in named_models() if model.description.contrast != ANY_CONTRAST]


def _interpolator(query: ModelQuery, scale: Scale, device: str) -> Model:
    """The method of the query, which needs no model."""
    from udeansr.methods import METHODS
    from udeansr.models.model import interpolator

    free = [name for name, method in METHODS.items() if not method.players]
    if query.path is not None or query.method not in free:
        raise UdeansrError(
            f"--scale {scale} goes with a --method that needs no model ({', '.join(free)}); a trained model has its "
            "scale"
        )
    return interpolator(query.method, scale, choose_device(device))


def loaded(path: Path, device: str) -> Model:
    """The model of a file; the log says which, since the user may not have named it."""
    from udeansr.models.model import load_model  # it takes torch, for which no refusal has to wait

    model = load_model(path, choose_device(device))
    _logger.info("model: %s", path)
    return model


def _named(words: Path, checkpoint: str, images: Sequence[Path], device: str) -> Model:
    """What ``-m`` means: a file, the folder of a training, or the name of a model."""
    from udeansr.training.checkpoint import checkpoint_file

    path = checkpoint_file(model_path(words), checkpoint)
    if path.suffix.lower() == ".zip":
        warn_of_contrast(images, read_description(path))
    return loaded(path, device)


def _fitting(query: ModelQuery, images: Sequence[Path], device: str) -> Model:
    """The model of no name: a trained one that fits the images, else a bundled or imported one that does."""
    trained, candidates = find_models(query.results, query.checkpoint), _taken_unasked()
    plans = [model.plan() for model in trained] if candidates else []
    grids = [geometry for _, geometry in _readable(images)]
    if not candidates or any(plan.fits(grid, one, PROTOCOL_TOLERANCE) for grid in grids for plan, one in plans):
        return loaded(_choose(query, images).path, device)
    described = [Image.of(image, geometry) for image, geometry in _readable(images)]
    suitable = choose_suitable(described, candidates) if described else None
    if suitable is not None:
        warn_of_contrast(images, suitable.description)
        return replace(loaded(suitable.path, device), spacing_tolerance=AUTOMATIC_TOLERANCE)
    if trained:
        return loaded(_choose(query, images).path, device)
    if not described:
        for image in images:
            read_geometry(image)  # says what is wrong with the first
    if described:
        raise UdeansrError(none_suits(described[0], candidates))
    raise UdeansrError(_no_model(query, trained))


def _choose(query: ModelQuery, images: Sequence[Path]) -> TrainedModel:
    """The one trained model of the wished names, of several the one that fits the images' grids."""
    everything = find_models(query.results, query.checkpoint)
    named = _of_names(query, everything)
    if not named:
        raise UdeansrError(_no_model(query, everything))
    if len(named) == 1:
        return named[0]
    plans = [model.plan() for model in named]
    geometries = [geometry for _, geometry in _readable(images)]
    fitting = [
        (model, plan)
        for model, (plan, configuration) in zip(named, plans, strict=True)
        if any(plan.fits(geometry, configuration, PROTOCOL_TOLERANCE) for geometry in geometries)
    ]
    if len(fitting) > 1:
        # An isotropic grid fits models of every slab axis; then its own slab axis decides, if it can.
        slabs = {slab_orientation(geometry) for geometry in geometries}
        fitting = [(model, plan) for model, plan in fitting if plan.orientation in slabs] or fitting
    if len(fitting) == 1:
        return fitting[0][0]
    first = format_spacing(geometries[0].spacing_mm) if geometries else "unknown"
    if fitting:
        listed = "; ".join(str(model) for model, _ in fitting)
        raise UdeansrError(f"{len(fitting)} trained models fit the spacing {first}; choose one: {listed}")
    listed = "; ".join(
        f"{model} (LR {format_spacing(configuration.task.lr_spacing_mm)} as {plan.orientation})"
        for model, (plan, configuration) in zip(named, plans, strict=True)
    )
    raise UdeansrError(
        f"no trained model fits the spacing {first}; there are {listed}. Train one for this spacing, "
        "or interpolate: --method tricubic --scale x2x2x2"
    )


def _of_names(query: ModelQuery, models: Sequence[TrainedModel]) -> list[TrainedModel]:
    """The trained models of the wished names."""
    dataset = find_dataset(query.results, query.dataset).name if query.dataset is not None else None
    return [
        model
        for model in models
        if dataset in (None, model.dataset)
        and query.configuration in (None, model.configuration)
        and query.name in (None, model.name)
        and (query.method is None or query.method == model.method)
    ]


def deal_to_trained(query: ModelQuery, images: Sequence[Path]) -> list[tuple[Path, tuple[Path, ...]]]:
    """Which images go to which trained model, where several could be meant: each to that of the nearest protocol.

    Args:
        query: the user's words.
        images: the LR.
    Returns: checkpoints and their images, in the order of the first of each. Where a name was given, an image that no
        model fits goes to the nearest all the same, to be refused alone; else it is left out. Nothing where one model
        is meant, or two are equally near.
    """
    if query.path is not None or query.scale is not None:
        return []
    named = _of_names(query, find_models(query.results, query.checkpoint))
    if len(named) < 2:
        return []
    known = [(model, *model.plan_and_contrast()) for model in named]
    dealt: dict[Path, tuple[Path, ...]] = {}
    for image, geometry in _readable(images):
        contrast = image_contrast(image)
        ranks = sorted(
            (off > PROTOCOL_TOLERANCE, None not in (contrast, told) and contrast != told, round(off, 4), model.path)
            for model, plan, configuration, told in known
            for off in (plan.spacing_deviation(geometry, configuration),)
        )
        fits = not ranks[0][0]
        if fits and ranks[0][:3] == ranks[1][:3]:
            return []
        if fits or query.names_a_model:
            dealt[ranks[0][3]] = (*dealt.get(ranks[0][3], ()), image)
    return list(dealt.items())


def _no_model(query: ModelQuery, everything: list[TrainedModel]) -> str:
    """What to say when no model is of the wished names."""
    there = "; ".join(str(model) for model in everything) or "none"
    given = [("-d", query.dataset), ("-c", query.configuration), ("--method", query.method), ("--name", query.name)]
    words = " ".join(f"{flag} {word}" for flag, word in given if word is not None)
    wanted = f"no trained model of {words}" if words else "no trained model"
    if query.method is not None and _needs_no_model(query.method):
        return (
            f"{wanted} in {query.results}; --method {query.method} needs none if it is given a --scale, such as x2x2x2"
        )
    return (
        f"{wanted} with {query.checkpoint}.pt in {query.results}; there: {there}. Train one: udeansr_train DATASET "
        "CONFIGURATION, or give its path: -m PATH, or its root: --results FOLDER"
    )


def _needs_no_model(method: str) -> bool:
    """Whether a method learns nothing."""
    from udeansr.methods import method_type

    return not method_type(method).players


def _readable(images: Sequence[Path]) -> Iterator[tuple[Path, Geometry]]:
    """The grids of the images that can be read; the others are told of when their turn comes."""
    for image in images:
        try:
            geometry = read_geometry(image)
        except UdeansrError:
            continue
        yield image, geometry
