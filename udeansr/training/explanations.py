"""Pictures of a training: SR of a validation subject over the epochs, and maps that explain what was learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from udeansr.batches.slabs import seen
from udeansr.device import autocast
from udeansr.files import whole_file
from udeansr.methods.method import Method
from udeansr.training.validation import Split, Validator

EXPLANATIONS = "explanations"
"""The folder, in that of the training."""

SAMPLES = "samples"
"""The folder of a slice's SR over the epochs."""


def write_explanations(method: Method, split: Split, device: torch.device, precision: str, folder: Path) -> list[Path]:
    """Keep and draw the method's maps of the subjects who validate: an ``.npz`` and a PNG of its middle for each HR.

    Args:
        method: on the device, with the weights to be explained.
        split: whose validation HR, each beside a validation LR of the same place in its list.
        device: where to compute.
        precision: of the networks.
        folder: of the training.
    Returns: the PNGs; none where the method has nothing to show.
    """
    drawn = []
    count = min(len(split.validation_hr), len(split.validation_lr))
    for hr, lr in zip(split.validation_hr[:count], split.validation_lr[:count], strict=True):
        maps = explain(method, hr.voxels, lr.voxels, device, precision)
        if not maps:
            break
        own = folder / EXPLANATIONS
        with whole_file(own / f"{hr.name}.npz") as partial:
            np.savez_compressed(partial, **maps)  # type: ignore[arg-type]
        draw_maps(maps, own / f"{hr.name}.png")
        drawn.append(own / f"{hr.name}.png")
    return drawn


def is_sampled(epoch: int, epochs: int) -> bool:
    """Whether an epoch leaves a sample: the first ones, each power of two, the last."""
    return epoch & (epoch - 1) == 0 or epoch == epochs


def write_samples(validator: Validator, epoch: int, epochs: int, orientation: str, folder: Path) -> None:
    """Keep how the middle slice of a validation subject looks by now, and before training what to compare with.

    Args:
        validator: which has validated the epoch.
        epoch: its number; 0 before any training.
        epochs: in all.
        orientation: of the plan.
        folder: of the training.
    """
    pictures = {} if epoch else validator.references()
    if validator.sample is not None and is_sampled(epoch, epochs):
        pictures[f"epoch_{epoch:04d}"] = validator.sample
    for name, plane in pictures.items():
        write_sample(plane, orientation, folder / SAMPLES / f"{name}.png")


def write_sample(plane: np.ndarray, orientation: str, path: Path) -> None:
    """Write a slice as a grey picture, whole or not at all: 0 is black, 1 white, head or face up, right on the left.

    Args:
        plane: (Y, X), normalised.
        orientation: of (Z, Y, X), the letters that they run to.
        path: the PNG.
    """
    rows, columns = (-1 if letter in "SAR" else 1 for letter in orientation[1:])
    grey = np.clip(np.nan_to_num(plane[::rows, ::columns]) * 255, 0, 255).astype(np.uint8)
    with whole_file(path) as partial:
        Image.fromarray(np.ascontiguousarray(grey)).save(partial, "PNG")


def explain(
    method: Method, hr: np.ndarray, lr: np.ndarray, device: torch.device, precision: str
) -> dict[str, np.ndarray]:
    """A method's maps of whole volumes, slab by slab.

    Args:
        method: on the device.
        hr: (Z, Y, X) normalised HR.
        lr: (Z, Y, X) normalised LR, of anybody.
        device: where to compute.
        precision: of the networks.
    Returns: by name float16 maps (slab axis, rows, columns) on the HR or the LR grid, and what they are made of, ``HR``
        and ``LR``; as many slices as whole slabs of both volumes give, sides cut to an even number of LR pixels. Empty
        where the method has nothing to show.
    """
    slices, scale, view = method.slab_slices or 1, method.scale, method.configuration.task.views[0]
    if type(method).explanations is Method.explanations:
        return {}
    fine = _even(seen(hr, view), (2 * scale.y, 2 * scale.x))
    coarse = _even(seen(lr, view), (2, 2))
    parts: list[dict[str, Tensor]] = []
    training = method.training
    method.eval()
    with torch.inference_mode(), autocast(device, precision):
        for start in range(0, min(len(fine) // scale.z, len(coarse)) - slices + 1, slices):
            y_s = torch.from_numpy(fine[start * scale.z : (start + slices) * scale.z])[None].to(device)
            x_t = torch.from_numpy(coarse[start : start + slices])[None].to(device)
            parts.append({"HR": y_s, "LR": x_t, **method.explanations(y_s, x_t)})
    method.train(training)
    return {
        name: torch.cat([part[name][0] for part in parts]).float().cpu().numpy().astype(np.float16)
        for name in (parts[0] if parts else ())
    }


def draw_maps(maps: dict[str, np.ndarray], path: Path) -> None:
    """Draw the middle slice of each map beside the others, whole or not at all; images grey, 0 to 1 for all.

    Args:
        maps: slices first, by name.
        path: the PNG.
    """
    figure = Figure(figsize=(3.2 * len(maps), 3.6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes, (name, volume) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        is_map = name.endswith("map")
        colours = "cividis" if is_map else "gray"  # cividis reads the same to the colour-blind
        shown = axes.imshow(volume[len(volume) // 2].astype(np.float32), cmap=colours, vmin=0, vmax=1)
        axes.set_title(name)
        axes.set_axis_off()
        if is_map:
            figure.colorbar(shown, ax=axes, shrink=0.8)
    with whole_file(path) as partial:
        canvas.print_png(str(partial))


def _even(volume: np.ndarray, cell: tuple[int, int]) -> np.ndarray:
    """The volume without the last rows and columns that fill no cell."""
    rows, columns = (side - side % n for side, n in zip(volume.shape[1:], cell, strict=True))
    return np.array(volume[:, :rows, :columns])
