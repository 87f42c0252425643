"""One image: predicted, assessed, and written in all the ways that are asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import udeansr
from udeansr.files import no_wider_than
from udeansr.image.dicom import is_series, series_at
from udeansr.image.files import write_volume
from udeansr.image.names import case_name
from udeansr.image.volume import Geometry, Volume
from udeansr.inference.memory import VolumeAllocator
from udeansr.prediction.labels import labels_to_sr, read_labels
from udeansr.prediction.options import Options
from udeansr.prediction.output import Output, Provenance, checksum
from udeansr.prediction.predictor import Prediction, Predictor
from udeansr.prediction.trust import Trust
from udeansr.progress import ProgressBar, progress_bar
from udeansr.strict_json import as_json

LARGE_BYTES = 256_000_000
"""Of an SR volume: it is written before the next is made, so that two such never take memory at once."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """What came of an image and its label map, not yet written."""

    prediction: Prediction
    lr: Geometry
    labels: Volume | None = None

    @property
    def is_large(self) -> bool:
        """Whether it is to be written before the next is made."""
        return self.prediction.sr.voxels.nbytes > LARGE_BYTES


@dataclass(frozen=True)
class ImagePredictor:
    """What is done with each image.

    Attributes:
        resolver: the model.
        options: the user's.
        outputs: where everything goes, by image.
        labels: label maps, by image.
        allocator: for what is made.
    """

    resolver: Predictor
    options: Options
    outputs: dict[Path, Output]
    labels: dict[Path, Path]
    allocator: VolumeAllocator

    @cached_property
    def how(self) -> str:
        """Scale, model and version, in words."""
        return f"{self.resolver.model.label}, quality {self.resolver.quality}, udeansr {udeansr.__version__}"

    def make(self, image: Path, volume: Volume) -> Made:
        """Predict an image, with a bar over its slabs.

        Raises:
            UdeansrError: as :meth:`Predictor.predict`; before, if a label map does not lie on the grid of the LR.
        """
        name = case_name(image)
        labels = read_labels(self.labels[image], volume.geometry) if image in self.labels else None
        with progress_bar(name, unit="slab", leave=False, delay=0.5) as bar:
            made = self.resolver.predict(volume, progress=_advance(bar), name=name, allocate=self.allocator.allocate)
        return Made(made, volume.geometry, labels)

    def write(self, image: Path, made: Made) -> None:
        """Write all that was asked for, and tell meanwhile what the LR says of its SR.

        SR comes last but for the JSON that tells of it: where SR is, all images are.

        Raises:
            UdeansrError: if it cannot be written.
        """
        with ThreadPoolExecutor(1, "trust") as executor, no_wider_than(_file_of(image)):
            assessed = executor.submit(lambda: made.prediction.trust)
            self._write_images(image, made, assessed)
            trust = assessed.result()
            if self.options.json:
                self.outputs[image].write_provenance(self._provenance(image, made), self.how)
        (_logger.warning if trust.outside else _logger.info)("%s: %s", case_name(image), trust)

    def _write_images(self, image: Path, made: Made, assessed: Future[Trust]) -> None:
        output, sr = self.outputs[image], made.prediction.sr
        if made.labels is not None:
            write_volume(labels_to_sr(made.labels, sr.geometry), output.labels)
            output.describe_labels(self.how)
        if made.prediction.uncertainty is not None:
            output.write_uncertainty(made.prediction.uncertainty, self.how)
        output.write_sr(sr, self.how, assessed.result() if self.options.dicom else None)

    def _provenance(self, image: Path, made: Made) -> Provenance:
        resolver, options = self.resolver, self.options
        settings = {
            "device": resolver.model.device.split(":")[0],
            "float": options.as_float,
            "precision": resolver.precision,
            "quality": resolver.quality,
            "method": {"name": resolver.model.method.name, **as_json(resolver.model.method.settings)},
            "spacing_mm": options.spacing_mm,
            "stride": resolver.inference.stride,
            "uncertainty": options.uncertainty,
        }
        return Provenance(
            image=image,
            image_sha256=checksum(image),
            model=resolver.model.label,
            model_file=resolver.model.file,
            model_sha256=self._model_sha256,
            settings=settings,
            lr=made.lr,
            sr=made.prediction.sr.geometry,
            report=made.prediction.trust.as_dict(),
        )

    @cached_property
    def _model_sha256(self) -> str | None:
        return None if self.resolver.model.file is None else checksum(self.resolver.model.file)


def _file_of(image: Path) -> Path:
    """The file itself, or the first of a DICOM series."""
    return series_at(image).files[0] if is_series(image) else image


def _advance(bar: ProgressBar) -> Callable[[int, int], None]:
    def advance(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return advance
