"""Which image is super-resolved by which model: one that is there and fits, or one that is learned from the images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from udeansr.errors import UdeansrError
from udeansr.image.files import read_geometry
from udeansr.models.choice import ModelQuery, choose_model, deal_to_trained, loaded, without_model
from udeansr.prediction.options import Options
from udeansr.prediction.self_training import (
    NAME,
    Protocol,
    cannot_teach,
    check_can_teach,
    learn_protocol,
    protocols,
)

if TYPE_CHECKING:
    from udeansr.models.model import Model

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """Images that one model serves.

    Attributes:
        images: in their order.
        model: makes it ready, or learns it; called once, when their turn comes.
        is_learned: whether it is learned from them.
    """

    images: tuple[Path, ...]
    model: Callable[[], Model]
    is_learned: bool = False


def assign(query: ModelQuery, images: Sequence[Path], options: Options) -> list[Share]:
    """Deal images to models.

    A model that the user names serves all. Else thick-slice scans that no trained, bundled or imported model fits learn
    from themselves, those of one protocol together; a BIDS dataset has to ask for that.

    Args:
        query: the user's words.
        images: the LR, at least one.
        options: spacing, settings, device, whether a model is kept.
    Raises:
        UdeansrError: if words do not go together, nothing fits, or an image that is to learn from itself cannot.
    """
    shares = _asked_for(query, images, options) if query.method == NAME else _fitting(query, images, options)
    learned = [share for share in shares if share.is_learned]
    if options.settings and not learned:
        raise UdeansrError(
            f"--set {options.settings[0]} has no effect: the settings of a model are those of its training; expected "
            f"--method {NAME}, which learns in prediction, or no --set"
        )
    if options.save_model is not None and len(learned) != 1:
        raise UdeansrError(
            f"--save-model {options.save_model}: {len(learned)} models are learned from these images, one for each "
            f"protocol; expected one: give images of one protocol, with --method {NAME} if another model fits them"
        )
    return shares


def _asked_for(query: ModelQuery, images: Sequence[Path], options: Options) -> list[Share]:
    """Each image by what its own protocol teaches."""
    if any((query.path, query.dataset, query.configuration, query.scale, query.name)):
        raise UdeansrError(
            f"--method {NAME} learns from the images; leave out -m, -d, -c, --name and --scale, or --method"
        )
    grids = [(image, read_geometry(image)) for image in images]
    check_can_teach(grids, _slice_mm(options))
    return [_learning(protocol, options) for protocol in protocols(grids, _slice_mm(options))]


def _fitting(query: ModelQuery, images: Sequence[Path], options: Options) -> list[Share]:
    """Each by the trained model of the nearest protocol, or all by the model that is named or fits; else by its own."""
    dealt = [] if options.bids else deal_to_trained(query, images)
    shares = [Share(own, partial(loaded, path, options.device)) for path, own in dealt]
    served = {image for share in shares for image in share.images}
    images = [image for image in images if image not in served]
    if not images:
        return shares
    if query.names_a_model or options.bids:
        return [*shares, Share(tuple(images), partial(choose_model, query, images, options.device))]
    grids = [
        (image, geometry)
        for image, geometry in without_model(query, images)
        if cannot_teach(geometry, _slice_mm(options)) is None
    ]
    teaching = {image for image, _ in grids}
    rest = tuple(image for image in images if image not in teaching)
    if rest:
        shares.append(Share(rest, partial(choose_model, query, rest, options.device)))
    return [*shares, *(_learning(protocol, options) for protocol in protocols(grids, _slice_mm(options)))]


def _learning(protocol: Protocol, options: Options) -> Share:
    return Share(protocol.images, partial(_learned, protocol, options), is_learned=True)


def _learned(protocol: Protocol, options: Options) -> Model:
    """Learn a model, and keep it where that is asked for."""
    model = learn_protocol(protocol, options.settings, options.device, options.precision)
    if options.save_model is not None:
        from udeansr.models.export import save_model

        save_model(model, options.save_model, protocol.contrast)
        _logger.info("model kept; the next time: -m %s", options.save_model)
    return model


def _slice_mm(options: Options) -> float | None:
    """The distance of slices that the user asks for, if a number was given."""
    return options.spacing_mm[0] if isinstance(options.spacing_mm, tuple) else None
