"""How fast prediction is, beside what the machine could do, and how much memory it takes.

    python benchmarks/prediction.py                              # one LR of 160 x 160 x 128 at x2x2x2
    python benchmarks/prediction.py --forms                      # the network as trained, compiled, and lean
    python benchmarks/prediction.py --volumes 1000 --side 48     # a queue: does memory grow?
    python benchmarks/prediction.py --large                      # 512 x 512 x 300, memory only, with a small network

Measured in one run, with random weights, each prediction from files to files in a process of its own.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from udeansr.cli.predict import main as command
from udeansr.device import choose_precision, half_precision
from udeansr.image.files import write_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Geometry, Volume
from udeansr.inference.fused import fused
from udeansr.inference.sliding_window import HR_PIXELS_A_BATCH
from udeansr.inference.test_time_augmentation import QUALITIES
from udeansr.methods import Method, build_method, parse_settings
from udeansr.models.model import load_model
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.training.checkpoint import save_checkpoint

SPACING_MM = (2.0, 2.0, 2.0)
PEAK_SHAPES = [(1, 32), (1, 80), (1, 96), (1, 160), (2, 160)]
"""Slabs and side of what the peak is looked for with, for each number of channels."""


def all_seconds(run: Callable[[], object], device: torch.device, spent: float = 0.5) -> list[float]:
    """Of as many runs as the time allows, at least three; the first is not counted."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < spent:
        began = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return times[1:]


def convolution_peak(device: torch.device, channels: int, shapes: list[tuple[int, int]]) -> float:
    """FLOP/s of the fastest 3 x 3 convolution in bf16, channels last."""
    speeds = []
    conv = nn.Conv2d(channels, channels, 3, padding=1).to(device, torch.bfloat16, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for slabs, side in shapes:
        x = torch.randn(slabs, channels, side, side, device=device).bfloat16()
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            seconds = min(all_seconds(lambda x=x: conv(x), device))
        speeds.append(2 * 9 * channels**2 * slabs * side**2 / seconds)
    return max(speeds)


def checkpoint(path: Path, options: argparse.Namespace) -> None:
    """A model of the wished size with random weights."""
    scale = Scale.parse(options.scale)
    z, y, x = (mm / factor for mm, factor in zip(SPACING_MM, scale.zyx, strict=True))
    configuration = Configuration.of(
        name=str(scale),
        scale=str(scale),
        lr_spacing_mm=SPACING_MM,
        hr_spacing_mm=(z, y, x),
        slab_slices=3,
        patch_size=(options.patch, options.patch),
        rotate90=False,
        batch_size=1,
        features=options.features,
        groups=options.groups,
        blocks=options.blocks,
        discriminator_features=4,
        epochs=1,
        iterations_per_epoch=1,
    )
    settings = parse_settings("supervised", [])
    torch.manual_seed(0)
    method = build_method("supervised", configuration, settings)
    for parameter in method.parameters():
        parameter.data += 1e-3 * torch.randn_like(parameter)
    empty: dict[str, object] = {key: {} for key in ("run", "averaged", "optimizers", "scaler", "schedule", "random")}
    plan = Plan("Dataset001_Speed", "SPL", 1.0, {configuration.name: configuration})
    state = {"plan": plan.as_dict(), "configuration": configuration.name, "method": "supervised", "progress": {}}
    save_checkpoint(path, {**empty, **state, "settings": asdict(settings), "weights": method.state_dict()})


def write_lr(path: Path, shape: tuple[int, int, int], seed: int = 0) -> None:
    voxels = np.random.default_rng(seed).integers(0, 1000, shape, dtype=np.int16)
    write_volume(Volume(voxels, Geometry(shape, SPACING_MM)), path)


def bare(model: Path, options: argparse.Namespace, device: torch.device, precision: str) -> tuple[float, float]:
    """Seconds of the forward passes that a volume needs, nothing else done, and the FLOP of their convolutions.

    The mean of many: a volume takes all its passes, not the fastest of them.
    """
    method = load_model(model, device).method
    network = fused(method, half_precision(precision))
    slabs = batch_of_slabs(method, options, device)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        method.super_resolve(slabs[:1])
    seconds = pass_seconds(network.super_resolve, slabs, precision, options.seconds)
    slices = options.size[0]
    return seconds / len(slabs) * slices, counter.get_total_flops() * slices


def batch_of_slabs(method: Method, options: argparse.Namespace, device: torch.device) -> Tensor:
    """As many as prediction sends through at once."""
    slices, rows, columns = options.size
    limit = HR_PIXELS_A_BATCH.get(device.type, HR_PIXELS_A_BATCH["cpu"])
    batch = min(slices, max(1, limit // (rows * columns * method.scale.y * method.scale.x)))
    slabs = torch.rand(batch, method.slab_slices or slices, rows, columns, device=device)
    return slabs.contiguous(memory_format=torch.channels_last)


def pass_seconds(network: Callable[[Tensor], Tensor], slabs: Tensor, precision: str, spent: float) -> float:
    """Of a forward pass, the mean of many."""
    half = half_precision(precision)
    with torch.inference_mode(), torch.autocast(slabs.device.type, half or torch.bfloat16, enabled=half is not None):
        return float(np.mean(all_seconds(lambda: network(slabs), slabs.device, spent)))


def forms(folder: Path, options: argparse.Namespace, device: torch.device) -> None:
    """Time a pass of the network in the form that is trained, the same compiled, and the lean form."""
    from torch._inductor import config as inductor_config  # large, and the memory of a prediction is measured here

    precision = choose_precision("auto", device)
    half = half_precision(precision)
    method = load_model(folder / "model.pt", device).method
    slabs = batch_of_slabs(method, options, device)
    cast = copy.deepcopy(method).to(dtype=half).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    inductor_config.freezing = True
    compiled = torch.compile(cast.super_resolve)
    print(f"a pass of {len(slabs)} slab(s), {precision}\n\n| form | seconds |\n|---|---|")
    for name, network in (
        ("as trained, under autocast", method.super_resolve),
        ("torch.compile, weights cast and frozen", compiled),
        ("lean", fused(method, half).super_resolve),
    ):
        print(f"| {name} | {pass_seconds(network, slabs, precision, options.seconds):.3f} |", flush=True)


def predicted(model: Path, lr: Path, sr: Path, options: argparse.Namespace, quality: str) -> dict[str, float]:
    """Seconds and peak memory of a prediction in a process of its own, and how its memory went."""
    words = ["-i", str(lr), "-o", str(sr), "-m", str(model), "--quality", quality, "--device", options.device]
    if options.memory_gb is not None:
        words += ["--memory-gb", str(options.memory_gb)]
    done = subprocess.run([sys.executable, __file__, "--child", *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def child(words: list[str]) -> None:
    """Run udeansr_predict, and print what it took."""
    folder = Path(words[words.index("-o") + 1])
    resident: dict[int, int] = {}
    over = threading.Event()

    def watch() -> None:
        """Keep the memory at each number of files that are there."""
        while not (resident and over.wait(0.02)):
            apply = len(list(folder.glob("[!.]*")))
            resident[apply] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    watcher = threading.Thread(target=watch)
    watcher.start()
    sys.argv = ["udeansr_predict", *words]
    began = time.perf_counter()
    try:
        command()
    except SystemExit as end:
        if end.code:
            raise
    finally:
        seconds = time.perf_counter() - began
        over.set()
        watcher.join()
    files = max(resident, default=0)
    part = min(100, max(1, files // 2))
    first, last = (
        [resident[number] for number in numbers if number in resident]
        for numbers in (range(1, part + 1), range(files - part + 1, files + 1))
    )
    told = {
        "seconds": seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "first_gb": float(np.mean(first or list(resident.values()))) / 1e9,
        "last_gb": float(np.mean(last or list(resident.values()))) / 1e9,
    }
    print(json.dumps(told))


def one_volume(folder: Path, options: argparse.Namespace, device: torch.device) -> None:
    model, lr = folder / "model.pt", folder / "lr" / "a.nii.gz"
    write_lr(lr, options.size)
    precision = choose_precision("auto", device)
    shapes = PEAK_SHAPES if not options.short else [(1, 16)]
    peak = max(convolution_peak(device, channels, shapes) for channels in (64, 128, 256)[: 1 if options.short else 3])
    own_peak = convolution_peak(device, options.features, shapes)
    seconds, flop = bare(model, options, device, precision)
    factors = Scale.parse(options.scale).zyx
    voxels = float(np.prod(options.size)) * float(np.prod(factors))
    allowed_gb = 1.5 * 4 * voxels / 1e9 + 1
    print(
        f"convolution peak, bf16: {peak / 1e12:.2f} TFLOP/s; with {options.features} channels {own_peak / 1e12:.2f}\n"
    )
    print("| | seconds | of the bare passes | TFLOP/s | share of the peak | with its channels | Mvoxel/s | peak GB |")
    print("|---|---|---|---|---|---|---|---|")
    speed = flop / seconds
    print(
        f"| bare passes, {precision} | {seconds:.1f} | 1 | {speed / 1e12:.2f} | {speed / peak:.0%} | "
        f"{speed / own_peak:.0%} | {voxels / seconds / 1e6:.2f} | |"
    )
    for quality in options.qualities:
        told = predicted(model, lr.parent, folder / quality, options, quality)
        print(
            f"| {quality} | {told['seconds']:.1f} | {told['seconds'] / seconds:.2f} | | | | "
            f"{voxels / told['seconds'] / 1e6:.2f} | {told['peak_gb']:.2f} (allowed {allowed_gb:.2f}) |",
            flush=True,
        )


def many_volumes(folder: Path, options: argparse.Namespace) -> None:
    for number in range(options.volumes):
        write_lr(folder / "lr" / f"{number:04d}.nii", (options.side,) * 3, number)
    told = predicted(folder / "model.pt", folder / "lr", folder / "sr", options, "fast")
    print("| volumes | seconds a volume | memory, first GB | last GB | growth | peak GB |\n|---|---|---|---|---|---|")
    print(
        f"| {options.volumes} | {told['seconds'] / options.volumes:.3f} | {told['first_gb']:.3f} | "
        f"{told['last_gb']:.3f} | {told['last_gb'] / told['first_gb'] - 1:+.1%} | {told['peak_gb']:.2f} |"
    )


def large_volume(folder: Path, options: argparse.Namespace) -> None:
    write_lr(folder / "lr" / "a.nii", (300, 512, 512))
    told = predicted(folder / "model.pt", folder / "lr", folder / "sr", options, "fast")
    print("| LR | seconds | peak GB |\n|---|---|---|")
    print(f"| 512 x 512 x 300 | {told['seconds']:.0f} | {told['peak_gb']:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=(128, 160, 160), help="of the LR: slices, rows, columns")
    parser.add_argument("--scale", default="x2x2x2")
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--groups", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--patch", type=int, default=64, help="side of a training patch, LR voxels")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--qualities", nargs="*", default=QUALITIES, choices=QUALITIES)
    parser.add_argument("--memory-gb", type=float, help="as for udeansr_predict")
    parser.add_argument("--seconds", type=float, default=10.0, help="to time the bare passes for")
    parser.add_argument("--volumes", type=int, default=0, help="how many small volumes to predict in one call")
    parser.add_argument("--side", type=int, default=48, help="of a small volume")
    parser.add_argument("--forms", action="store_true", help="a pass in each form of the network; needs a compiler")
    parser.add_argument("--large", action="store_true", help="512 x 512 x 300 with a network of 8 features")
    parser.add_argument("--short", action="store_true", help="look for the peak with one small shape")
    parser.add_argument("--folder", type=Path, help="where files lie meanwhile")
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
        return
    options = parser.parse_args()
    options.size = tuple(options.size)
    if options.large or options.volumes:
        options.features, options.groups, options.blocks = min(options.features, 8), 1, 1
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        checkpoint(folder / "model.pt", options)
        if options.forms:
            forms(folder, options, torch.device(options.device))
        elif options.volumes:
            many_volumes(folder, options)
        elif options.large:
            large_volume(folder, options)
        else:
            one_volume(folder, options, torch.device(options.device))


if __name__ == "__main__":
    main()
