"""Up to which part of its Nyquist frequency each image of a folder holds anything, along each axis, and its noise."""

from __future__ import annotations

import argparse
from pathlib import Path

from udeansr.degradation.true_resolution import noise_sigma, resolved_fraction
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import format_spacing, reorient, slab_orientation
from udeansr.image.normalization import intensity_scale, normalize


def main() -> None:
    """Print a row an image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of images")
    for path in list_images(parser.parse_args().folder):
        stored = read_volume(path)
        volume = reorient(stored, slab_orientation(stored.geometry))
        image = normalize(volume.voxels, intensity_scale(volume.voxels))
        fractions = [resolved_fraction(image, axis) for axis in range(3)]
        grid = f"{format_spacing(volume.geometry.spacing_mm)} as {volume.geometry.orientation}"
        print(f"{path.name}: {grid}; resolved {fractions}; noise {noise_sigma(image):.4f}")


if __name__ == "__main__":
    main()
