"""Makes the models of thick slices that ship: one network for any contrast, with a way up for each factor; a zip each.

    python benchmarks/thick_slice_models.py ds000011_t1w ds002748_t1w -o udeansr/models/weights \
        --leave-out sub-01 sub-02 sub-03 sub-06 sub-08 sub-10 sub-12 sub-20 sub-30 sub-31 sub-33 sub-34 sub-38 sub-54 \
        sub-70

Planes of HR scans, along the axes on which they are truly fine, are shown in random contrasts and degraded along their
rows: by a slice profile of random shape and thickness, sampled at 2 to 8 rows a slice, with noise. Who is left out can
be tested on.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from udeansr.batches.augmentation import draw_gain
from udeansr.degradation.slice_profile import SLICE_PROFILES, slice_weights
from udeansr.degradation.true_resolution import resolved_fraction
from udeansr.device import autocast, choose_precision
from udeansr.image.cropping import crop, foreground_box
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import reorient
from udeansr.image.normalization import intensity_scale, normalize
from udeansr.methods import build_method
from udeansr.methods.self_supervised import SelfSettings, SelfSupervised
from udeansr.models.card import ModelCard
from udeansr.models.description import ANY_CONTRAST, ModelDescription
from udeansr.models.model_file import write_model
from udeansr.models.thick_slices import FACTORS, thick_slice_model
from udeansr.networks.residual_network import ResidualNetwork
from udeansr.prediction.self_training import Protocol, plan_of
from udeansr.preprocessing.contrast_randomization import draw_contrast
from udeansr.strict_json import as_json
from udeansr.training.trainer import cosine_learning_rate

ROWS, COLUMNS, HR_ROWS, MARGIN = 24, 32, 112, 12
ALIKE = 1.25
"""Planes are taken whose two axes are of one true resolution, within this factor."""

EMPTY = 0.03
WORDS = Path(__file__).with_name("thick_slice_models.json")
"""What the cards say: fields of ModelCard; the scores by factor."""

THICKNESS, NOISE = (0.6, 1.4), (0.002, 0.04)


@dataclass(frozen=True)
class Source:
    """A volume in one contrast, and an order of its axes: planes, rows, columns."""

    voxels: np.ndarray
    order: tuple[int, int, int]


def sources(paths: list[Path], contrasts: int) -> list[Source]:
    """Every scan in its own and in random contrasts, seen along each fine axis."""
    found = []
    for number, path in enumerate(paths):
        volume = reorient(read_volume(path), "SPL")
        volume = crop(volume, foreground_box(volume.voxels, 4))
        own = normalize(volume.voxels, intensity_scale(volume.voxels))
        true_mm = [mm / resolved_fraction(own, axis) for axis, mm in enumerate(volume.geometry.spacing_mm)]
        orders = [
            (3 - rows - columns, rows, columns)
            for rows in range(3)
            for columns in range(3)
            if rows != columns and 1 / ALIKE < true_mm[rows] / true_mm[columns] < ALIKE
        ]
        rng = np.random.default_rng([7, number])
        shown = [own, *(draw_contrast(own, rng) for _ in range(contrasts - 1))]
        found += [Source(one.astype(np.float16), order) for one in shown for order in orders]
        print(f"{path.name}: {len(orders)} kinds of planes", flush=True)
    return found


def draw(found: list[Source], factor: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A patch of HR (rows * factor, columns) and its LR."""
    rows, before = min(ROWS, HR_ROWS // factor), -(-MARGIN // factor)
    tall = (rows + 2 * before) * factor
    hr = None
    while hr is None:
        source = found[int(rng.integers(len(found)))]
        planes = source.voxels.transpose(source.order)
        if planes.shape[1] < tall or planes.shape[2] < COLUMNS:
            continue
        plane, y, x = (int(rng.integers(n)) for n in np.subtract(planes.shape, (0, tall - 1, COLUMNS - 1)))
        drawn = planes[plane, y : y + tall, x : x + COLUMNS].astype(np.float32)
        hr = drawn if drawn.mean() >= EMPTY or rng.random() < 0.05 else None
    profile = SLICE_PROFILES[int(rng.random() < 0.25)]
    weights = slice_weights(tall, factor, rng.uniform(*THICKNESS) * factor, profile)
    lr, hr = (weights @ hr)[before : before + rows], hr[before * factor : (before + rows) * factor]
    sigma = np.exp(rng.uniform(*np.log(NOISE)))
    lr = np.hypot(lr + rng.normal(0, sigma, lr.shape), rng.normal(0, sigma, lr.shape)).astype(np.float32)
    for axis in (0, 1):
        if rng.random() < 0.5:
            hr, lr = np.flip(hr, axis), np.flip(lr, axis)
    gain = np.float32(draw_gain(rng))
    return hr * gain, lr * gain


def train(found: list[Source], settings: SelfSettings, arguments: argparse.Namespace) -> dict[int, ResidualNetwork]:
    """Networks of all factors, which share all but the way up; their moving averages."""
    torch.manual_seed(0)
    networks = {k: ResidualNetwork((1, k, 1), settings.features, settings.blocks) for k in FACTORS}
    first = networks[FACTORS[0]]
    for network in networks.values():
        network.head, network.blocks = first.head, first.blocks
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = torch.nn.ModuleList(networks.values())
    average = [weight.detach().clone() for weight in module.parameters()]
    optimizer = torch.optim.Adam(module.parameters(), arguments.learning_rate)
    precision, begun = choose_precision("auto", torch.device("cpu")), time.monotonic()
    for number in range(arguments.iterations):
        rng = np.random.default_rng([11, number])
        factor = int(rng.choice(FACTORS))
        pairs = [draw(found, factor, rng) for _ in range(settings.batch_size)]
        hr, lr = (torch.from_numpy(np.stack(side))[:, None] for side in zip(*pairs, strict=True))
        for group in optimizer.param_groups:
            group["lr"] = min(1, number / 200) * cosine_learning_rate(
                number, arguments.iterations, arguments.learning_rate
            )
        with autocast(torch.device("cpu"), precision):
            loss = F.l1_loss(networks[factor](lr.contiguous(memory_format=torch.channels_last)), hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(  # type: ignore[attr-defined]
                average, list(module.parameters()), 1 - min(0.999, (1 + number) / (10 + number))
            )
        if number % 2000 == 1999:
            print(f"{number + 1}: {loss.item():.4f}, {time.monotonic() - begun:.0f} s", flush=True)
    with torch.no_grad():
        for weight, mean in zip(module.parameters(), average, strict=True):
            weight.copy_(mean)
    return networks


def write(network: ResidualNetwork, factor: int, settings: SelfSettings, folder: Path) -> Path:
    """The zip of a factor."""
    protocol = Protocol("SPL", (float(factor), 1.0, 1.0), 1.0, None, None, ())
    plan = replace(plan_of(protocol, settings), dataset="planes of HR in random contrasts")
    configuration = next(iter(plan.configurations.values()))
    method = build_method("self", configuration, settings)
    assert isinstance(method, SelfSupervised)
    method.network.load_state_dict(network.state_dict())
    name = thick_slice_model(factor)
    description = ModelDescription(name, ANY_CONTRAST, plan, method.name, as_json(settings))
    words = json.loads(WORDS.read_text(encoding="utf-8"))
    card = replace(ModelCard.of(description), **{**words, "scores": words["scores"][str(factor)]})
    write_model(folder / f"{name}.zip", description, method.state_dict(), card.markdown(), half=True)
    return folder / f"{name}.zip"


def main() -> None:
    """Learn, then write a zip for each factor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path, nargs="+", help="folders of HR scans")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the zips")
    parser.add_argument("--leave-out", nargs="*", default=[], help="beginnings of the names of scans to leave out")
    parser.add_argument("--most", type=int, default=24, help="scans of a folder at most")
    parser.add_argument("--contrasts", type=int, default=6, help="in which each scan is shown, its own among them")
    parser.add_argument("--iterations", type=int, default=60000)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = SelfSettings()
    paths = [
        [path for path in list_images(folder) if not path.name.startswith(tuple(arguments.leave_out))]
        for folder in arguments.hr
    ]
    found = sources([path for folder in paths for path in folder[: arguments.most]], arguments.contrasts)
    for factor, network in train(found, settings, arguments).items():
        print(write(network, factor, settings, arguments.output))


if __name__ == "__main__":
    main()
