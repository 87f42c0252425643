"""What holds for all tests: one thread, none of the user's own roots, one locale."""

import locale
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import numpy as np

    from udeansr.planning.plan import Configuration

# Before torch is imported, here or in a command that a test starts: its threads wait for one another on tiny tensors,
# the more so on a computer shared with other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

for variable in ("UDEANSR_RAW", "UDEANSR_PREPROCESSED", "UDEANSR_RESULTS"):
    os.environ.pop(variable, None)
os.environ["UDEANSR_MODELS"] = os.devnull  # no folder: none of the user's imported models


@pytest.fixture(autouse=True)
def locale_kept():
    """ITK's writer of DICOM, which only tests use, leaves the C locale behind, and with it ASCII as the encoding."""
    before = locale.setlocale(locale.LC_CTYPE)
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.fixture
def tiny_configuration() -> "Callable[..., Configuration]":
    """A maker of tiny configurations of a scale; every value can be given."""
    from udeansr.planning.plan import Configuration  # it imports numpy, before which the threads above must be set

    def make(scale: str = "x2x2x2", **values: Any) -> Configuration:
        numbers = {
            "lr_spacing_mm": (2.0, 2.0, 2.0),
            "slab_slices": 3,
            "patch_size": (16, 24),
            "turns": False,
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
        return Configuration(name=scale, scale=scale, **({"hr_spacing_mm": spacing_mm} | numbers))

    return make


@pytest.fixture(scope="session")
def textured_head() -> "Callable[..., np.ndarray]":
    """A maker of round heads with texture whose spectrum falls, as that of people does; air is 0."""
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
