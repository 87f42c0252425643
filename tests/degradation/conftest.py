import numpy as np
import pytest


@pytest.fixture(scope="session")
def random_head():
    """Draw a "person": a random field with the power law of anatomy inside a random ellipsoid, air outside."""

    def draw(shape: tuple[int, int, int], seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        frequencies = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij", sparse=True)
        radius = np.sqrt(sum(f**2 for f in frequencies))
        spectrum = np.fft.fftn(rng.standard_normal(shape)) / (radius + 0.02) ** 1.5
        field = np.fft.ifftn(spectrum).real
        field = np.clip(1 + 0.3 * (field - field.mean()) / field.std(), 0.2, None)
        half = [n / 2 * rng.uniform(0.8, 0.9) for n in shape]
        axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij", sparse=True)
        distance = np.sqrt(sum((axis / side) ** 2 for axis, side in zip(axes, half, strict=True)))
        inside = 1 / (1 + np.exp((distance - 1) * min(half) / 0.7))
        return (1000 * field * inside).astype(np.float32)

    return draw
