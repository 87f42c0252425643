"""A folder of LR to a folder of SR, image by image: the next is read and the last written meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tqdm.contrib.logging import logging_redirect_tqdm

from udeansr.errors import UdeansrError
from udeansr.files import look_for_abandoned, remove_abandoned
from udeansr.image.acquisition import image_contrast
from udeansr.image.files import read_volume
from udeansr.image.names import printable
from udeansr.inference.memory import VolumeAllocator
from udeansr.models.choice import ModelQuery
from udeansr.parallel import parallel_map
from udeansr.prediction.assignment import assign
from udeansr.prediction.bids import write_dataset_description
from udeansr.prediction.labels import find_labels
from udeansr.prediction.options import Options
from udeansr.prediction.output import Output, plan_outputs
from udeansr.progress import progress_bar

if TYPE_CHECKING:
    from udeansr.prediction.predictor import Predictor

Item = TypeVar("Item")
Read = TypeVar("Read")
Made = TypeVar("Made")

ItemOutcome = tuple[Item, Exception | None]
"""An item, and what went wrong with it."""


def overlapped(
    items: Sequence[Item],
    read: Callable[[Item], Read],
    work: Callable[[Item, Read], Made],
    write: Callable[[Item, Made], None],
    is_large: Callable[[Made], bool] = lambda _: False,
) -> Iterator[ItemOutcome[Item]]:
    """Read, work and write for each item, in order: one item is read ahead, one is written behind.

    So at most three items are held at a time. One that fails at any step does not stop the others. What is no
    ``Exception``, such as Ctrl-C, does: the item that is being written is finished, no other begins.

    Args:
        items: any number.
        read: called in a thread of its own.
        work: called in the caller's thread.
        write: called in a thread of its own.
        is_large: whether what was made has to be written before the next is worked on.
    Yields:
        each item once it is written or has failed, in order, with what went wrong or None.
    """
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        ahead = reader.submit(read, items[0]) if items else None
        behind: tuple[Item, Future[None]] | None = None
        for number, item in enumerate(items):
            assert ahead is not None, "each item but the first is read ahead of its turn"
            this, ahead = ahead, None
            this.exception()  # waits, so that only one is read at a time
            if number + 1 < len(items):
                ahead = reader.submit(read, items[number + 1])
            made: list[Made] = []  # none, if something goes wrong
            failure: Exception | None = None
            try:
                made.append(work(item, this.result()))
            except Exception as error:
                failure = error
            del this  # and what was read with it
            if behind is not None:
                yield behind[0], _failure(behind[1])
                behind = None
            if failure is not None:
                yield item, failure
                continue
            waits = is_large(made[0])
            behind = (item, writer.submit(write, item, made.pop()))
            if waits:
                yield item, _failure(behind[1])
                behind = None
        if behind is not None:
            yield behind[0], _failure(behind[1])


def _failure(future: Future) -> Exception | None:
    """Wait for a thread; what went wrong in it."""
    failure = future.exception()
    if failure is not None and not isinstance(failure, Exception):
        raise failure
    return failure


_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of the images.

    Attributes:
        done: SR written.
        skipped: SR that was there already (``mode="continue"``).
        failed: images that could not be predicted; the reasons were logged.
    """

    done: tuple[Path, ...] = ()
    skipped: tuple[Path, ...] = ()
    failed: tuple[Path, ...] = ()

    def __str__(self) -> str:
        """One line that tells it all."""
        total = len(self.done) + len(self.skipped) + len(self.failed)
        words = [f"{len(self.done)} of {total} done"]
        if self.skipped:
            words.append(f"{len(self.skipped)} were there already")
        if self.failed:
            words.append(f"{len(self.failed)} failed: {', '.join(printable(Path(path.name)) for path in self.failed)}")
        return ", ".join(words)


def predict(lr: Path, sr_folder: Path, query: ModelQuery, options: Options | None = None) -> Outcome:
    """Super-resolve an image, or all images of a folder, into a folder; names are kept.

    Each file is written whole or not at all. An image that cannot be predicted is logged in one line and does not stop
    the others. While one image is predicted, the next is read and the last is written.

    Args:
        lr: an image, a DICOM folder, a folder of images, or with ``options.bids`` a dataset.
        sr_folder: made where it is not there; another folder than the images lie in.
        query: which model.
        options: how.
    Raises:
        UdeansrError: before anything is written: no image, no model, an output that must not be.
    """
    options = options or Options()
    everything = plan_outputs(lr, sr_folder, dicom=options.dicom, bids=options.bids, json=options.json)
    outputs = _of_part(everything, options)
    there = [output for output in outputs.values() if output.sr.exists()]
    if there and options.mode == "new":
        raise UdeansrError(
            f"{sr_folder}: {len(there)} of {len(outputs)} SR files are there already, first {there[0].sr.name}; keep "
            "them and make the others with --continue, replace them with --overwrite, or choose another folder"
        )
    shares = options.by_device()
    if len(shares) == 1:
        return _predict(lr, sr_folder, query, everything, shares[0])
    outcomes = parallel_map(partial(_predict_share, lr, sr_folder, query, everything), shares, len(shares), "devices")
    done, skipped, failed = (
        tuple(sorted(path for outcome in outcomes for path in getattr(outcome, name)))
        for name in ("done", "skipped", "failed")
    )
    return Outcome(done, skipped, failed)


def _predict_share(
    lr: Path, sr_folder: Path, query: ModelQuery, everything: Mapping[Path, Output], options: Options
) -> Outcome:
    """The share of one device, in a process of its own, which has yet to be told to speak."""
    logging.basicConfig(level=logging.INFO, format=f"{options.device}: %(message)s")
    return _predict(lr, sr_folder, query, everything, options)


def _predict(
    lr: Path, sr_folder: Path, query: ModelQuery, everything: Mapping[Path, Output], options: Options
) -> Outcome:
    """The images of a part, by one model on one device."""
    allocator = VolumeAllocator(sr_folder, options.memory_gb, volumes=2 if options.uncertainty else 1)
    outputs = _of_part(everything, options)
    labels = find_labels(options.labels, list(outputs)) if options.labels is not None else {}
    kept = _kept(outputs, labels, options) if options.mode == "continue" else set()
    skipped = tuple(outputs[image].sr for image in outputs if image in kept)
    if kept == set(outputs):
        return Outcome(skipped=skipped)
    done: list[Path] = []
    failed: list[Path] = []
    with logging_redirect_tqdm(), progress_bar("files", len(outputs) - len(kept), unit="file") as bar:
        for share in assign(query, [image for image in outputs if image not in kept or options.bids], options):
            own = {image: outputs[image] for image in share.images}
            try:
                resolver = options.predictor(share.model())
            except UdeansrError as error:
                if not share.is_learned:
                    raise
                for image in own:
                    _logger.error("%s: %s", image, error)
                failed += own
                continue
            if options.bids:
                own = _of_its_contrast(own, resolver)
            todo = [image for image in own if image not in kept]
            from udeansr.prediction.image_prediction import ImagePredictor  # torch; a refusal has not waited for it

            work = ImagePredictor(resolver, options, own, labels, allocator)
            if options.bids:
                write_dataset_description(sr_folder, lr, work.how)
            for image, error in overlapped(todo, read_volume, work.make, work.write, lambda made: made.is_large):
                if error is None:
                    done.append(own[image].sr)
                elif isinstance(error, UdeansrError | MemoryError | OSError):
                    reason = str(error) or "out of memory"
                    name = printable(image)
                    _logger.error("%s", reason if reason.startswith(name) else f"{name}: {reason}")
                    failed.append(image)
                else:
                    raise error
                bar.update()
    return Outcome(tuple(done), skipped, tuple(failed))


def _kept(outputs: Mapping[Path, Output], labels: Mapping[Path, Path], options: Options) -> set[Path]:
    """The images of which all that is asked for is there; what killed calls left half-written is removed."""
    kept = set()
    look_for_abandoned()
    for image, output in outputs.items():
        asked = output.files(json=options.json, uncertainty=options.uncertainty, labels=image in labels)
        for file in asked:
            remove_abandoned(file)
        if all(file.exists() for file in asked) and (not options.json or output.has_provenance):
            kept.add(image)
    return kept


def _of_part(everything: Mapping[Path, Output], options: Options) -> dict[Path, Output]:
    """Of all images those of the part, and where what is made of them goes."""
    return {image: output for place, (image, output) in enumerate(everything.items()) if options.part.has(place)}


def _of_its_contrast(outputs: dict[Path, Output], resolver: Predictor) -> dict[Path, Output]:
    """Of a BIDS dataset the images of the model's contrast, where it says one."""
    contrast = resolver.model.domain.contrast if resolver.model.domain is not None else None
    if contrast is None:
        return outputs
    own = {image: output for image, output in outputs.items() if image_contrast(image) == contrast}
    if not own:
        raise UdeansrError(f"none of {len(outputs)} images is {contrast}, which the model was made for; name one by -i")
    if len(own) < len(outputs):
        _logger.info("%d images of another contrast than %s are left out", len(outputs) - len(own), contrast)
    return own
