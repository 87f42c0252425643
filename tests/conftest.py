"""What holds for all tests: one thread, none of the user's own roots, one locale."""

import json
import locale
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import numpy as np

    from udeansr.image.volume import Volume
    from udeansr.planning.configuration import Configuration
    from udeansr.planning.plan import Plan

EXAMPLE = Path(__file__).parents[1] / "udeansr_raw_example" / "Dataset001_BrainT1w"

# Before torch is imported, here or in a command that a test starts: its threads wait for one another on tiny tensors,
# the more so on a computer shared with other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

for variable in list(os.environ):
    if variable.lower().startswith("udeansr_"):
        del os.environ[variable]
os.environ["UDEANSR_MODELS"] = os.devnull  # no folder: none of the user's imported models


@pytest.fixture(autouse=True)
def locale_kept():
    """ITK's writer of DICOM, which only tests use, leaves the C locale behind, and with it ASCII as the encoding."""
    before = locale.setlocale(locale.LC_CTYPE)
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.fixture
def kernels() -> "Callable[[], Any]":
    """A context that counts what is computed in it: the name of each operation but views and empty memory."""
    from torch.utils._python_dispatch import TorchDispatchMode

    nothing = {f"aten::{name}" for name in ("detach", "_unsafe_view", "_reshape_alias", "lift_fresh")}

    class Kernels(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.names: list[str] = []

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = function._schema.name
            if not (function.is_view or name in nothing or "empty" in name):
                self.names.append(name)
            return function(*args, **(kwargs or {}))

    return Kernels


@pytest.fixture
def tiny_configuration() -> "Callable[..., Configuration]":
    """A maker of tiny configurations of a scale; every value can be given."""
    from udeansr.planning.plan import Configuration  # it imports numpy, before which the threads above must be set

    def make(scale: str = "x2x2x2", **values: Any) -> Configuration:
        numbers = {
            "lr_spacing_mm": (2.0, 2.0, 2.0),
            "slab_slices": 3,
            "patch_size": (16, 24),
            "rotate90": False,
            "batch_size": 2,
            "features": 8,
            "groups": 1,
            "blocks": 1,
            "discriminator_features": 2,
            "epochs": 1,
            "iterations_per_epoch": 1,
        }
        numbers |= values
        factors = [int(factor) for factor in reversed(scale[1:].split("x"))]
        spacing_mm = tuple(mm / factor for mm, factor in zip(numbers["lr_spacing_mm"], factors, strict=True))
        return Configuration.of(name=scale, scale=scale, **({"hr_spacing_mm": spacing_mm} | numbers))

    return make


@pytest.fixture(scope="session")
def small_example() -> "Callable[..., Path]":
    """Writes a copy of the example, of each image its middle alone: of HR twice the sides of LR, which are given."""
    from udeansr.image.cropping import crop
    from udeansr.image.files import read_volume, write_volume

    def write(folder: Path, lr_sides: tuple[int, int, int] = (16, 24, 24)) -> Path:
        copy = folder / EXAMPLE.name
        for path in EXAMPLE.rglob("*.*"):
            if path.suffix == ".json":
                copy.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
                continue
            volume, factor = read_volume(path), 2 if path.parent.name.endswith("HR") else 1
            sides = [factor * side for side in lr_sides]
            start = [(n - side) // 2 for n, side in zip(volume.voxels.shape, sides, strict=True)]
            write_volume(crop(volume, (tuple(start), tuple(sides))), copy / path.parent.name / path.name)
        return copy

    return write


@pytest.fixture(scope="session")
def textured_head() -> "Callable[..., np.ndarray]":
    """A maker of round heads with texture whose spectrum falls, as that of subjects does; air is 0."""
    import numpy as np

    def make(seed: int, shape: tuple[int, int, int], extent: float, level: float, contrast: float) -> np.ndarray:
        rng = np.random.default_rng(seed)
        z, y, x = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
        falling = (0.03 + np.sqrt(z**2 + y**2 + x**2)) ** 1.2
        texture = np.fft.ifftn(np.fft.fftn(rng.standard_normal(shape)) / falling).real
        grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
        tissue = np.maximum(level + contrast * texture / texture.std(), 0)
        return np.where((grid**2).sum(0) < extent, tissue, 0).astype(np.float32)

    return make


@pytest.fixture
def tiny_plan(tiny_configuration) -> "Callable[..., Plan]":
    """Makes the plan of a tiny model."""
    from udeansr.planning.plan import Plan

    def make(spacing_mm: tuple[float, float, float], orientation: str, scale: str, lr_gain: float = 1.0) -> Plan:
        sizes = {"patch_size": (8, 8), "features": 4, "discriminator_features": 4}
        configuration = tiny_configuration(scale, lr_spacing_mm=spacing_mm, **sizes)
        return Plan("Dataset007_Tiny", orientation, lr_gain, {scale: configuration})

    return make


@pytest.fixture
def tiny_dataset(tmp_path) -> "Callable[[Plan], Path]":
    """Writes a preprocessed dataset of noise for a plan of x2x2x1, three subjects a cohort; gives its folder."""
    import numpy as np

    from udeansr.image.volume import Geometry
    from udeansr.preprocessing.case_folder import CaseRecord, write_case
    from udeansr.preprocessing.preprocessed_dataset import COMPLETE_FILE, planned_values

    def write(plan: "Plan") -> Path:
        configuration = plan.configuration("x2x2x1")
        folder, rng = tmp_path / "udeansr_preprocessed" / plan.dataset, np.random.default_rng(0)
        for group, shape in (("sourceHR", (6, 24, 24)), ("targetLR", (6, 12, 12))):
            for number in range(3):
                voxels = rng.random(shape, dtype=np.float32)
                record = CaseRecord(Geometry(voxels.shape, (1.0, 1.0, 1.0)), 1.0, 1.0)
                degraded = voxels[:, ::2, ::2] if group == "sourceHR" else None
                write_case(folder / "x2x2x1" / group / f"{number}", voxels, np.argwhere(voxels > 0.5), record, degraded)
        (folder / "x2x2x1" / COMPLETE_FILE).write_text(json.dumps(planned_values(plan, configuration)))
        plan.save(folder / "plans.json")
        return folder

    return write


@pytest.fixture
def tiny_checkpoint(tiny_plan) -> Callable[..., Path]:
    """Writes the checkpoint of a tiny, untrained UDEAN and gives its path."""
    import torch

    from udeansr.methods import build_method, parse_settings
    from udeansr.training.checkpoint import save_checkpoint

    def write(
        path: Path,
        spacing_mm: tuple[float, float, float] = (4.0, 2.0, 2.0),
        orientation: str = "SPL",
        scale: str = "x2x2x2",
        **changed: object,
    ) -> Path:
        plan = tiny_plan(spacing_mm, orientation, scale)
        settings = parse_settings("udean", [])
        torch.manual_seed(1)
        method = build_method("udean", plan.configuration(scale), settings)
        weights = method.state_dict()
        averaged = {name: tensor + 0.01 for name, tensor in weights.items() if name.startswith("generators.")}
        state = {
            "plan": plan.as_dict(),
            "configuration": scale,
            "method": "udean",
            "settings": asdict(settings),
            "run": {},
            "weights": weights,
            "averaged": averaged,
            "optimizers": {},
            "scaler": {},
            "schedule": {},
            "random": {},
            "progress": {},
            **changed,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path, state)
        return path

    return write


@pytest.fixture
def tiny_model_file(tiny_checkpoint, tmp_path, monkeypatch) -> Callable[..., Path]:
    """Writes a tiny model file, by default among the bundled ones, of which there are no others; gives its path."""
    from udeansr.models import registry
    from udeansr.models.export import ExportSettings, export_model

    monkeypatch.setattr(registry, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("UDEANSR_MODELS", str(tmp_path / "imported"))

    def write(
        name: str = "tiny-t1w-x2x2x2", contrast: str = "T1w", folder: str = "bundled", half: bool = True, **changed: Any
    ) -> Path:
        training = tiny_checkpoint(tmp_path / "trained" / f"{name}.pt", **changed)
        path = tmp_path / folder / f"{name}.zip"
        export_model(training, path, ExportSettings(name=name, contrast=contrast, half=half))
        return path

    return write


@pytest.fixture
def lr() -> "Volume":
    """LR of integers on a grid of 4 x 2 x 2 mm, for the tiny models."""
    import numpy as np

    from udeansr.image.volume import Geometry, Volume

    grid = Geometry((6, 9, 8), (4.0, 2.0, 2.0), (3.0, -4.0, 5.0))
    return Volume(np.random.default_rng(5).integers(0, 900, grid.shape).astype(np.int16), grid)
