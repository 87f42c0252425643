"""Source HR and target LR of equal name, made pairs to train on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.registration import RigidMotion, covered, move_onto, register_rigidly
from udeansr.errors import UdeansrError
from udeansr.image.cropping import Box, crop, foreground_mask
from udeansr.image.grid import Scale, sr_geometry
from udeansr.image.volume import Volume, triple
from udeansr.lock import LOCK_FILE, locked
from udeansr.parallel import parallel_map
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.configuration import Configuration
from udeansr.preprocessing.case_folder import CaseRecord, read_record, write_case
from udeansr.preprocessing.preparation import training_box
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase, PreprocessedDataset, read_case
from udeansr.preprocessing.preprocessor import draw_foreground
from udeansr.strict_json import as_json

PAIRS, PAIRS_REGISTERED = "pairs", "pairs_registered"
"""Folders of a configuration that hold pairs, beside those of the groups."""

FORMAT = 1
"""Counts the changes of how pairs are made; pairs of another format are made again."""

LARGE_DEGREES, LARGE_MM = 10.0, 20.0
"""A motion beyond these is rarely one of a subject who was scanned twice."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Task:
    """An HR and an LR of one subject, and the folder of what becomes of them."""

    hr: PreprocessedCase
    lr: PreprocessedCase
    folder: Path


def pair_cases(
    dataset: PreprocessedDataset,
    hr_cases: Sequence[PreprocessedCase],
    lr_cases: Sequence[PreprocessedCase],
    configuration: Configuration,
    register: bool = False,
    processes: int = 1,
) -> tuple[PreprocessedCase, ...]:
    """Make training cases of the subjects who are in both groups: their HR, and as its ``degraded`` their real LR.

    The voxels are the HR on the grid of the SR of the LR, found by the places in the world, and brought to the level
    of the LR. Both are cut to the field of view that they share. A pair whose HR and LR are those that it was made of
    is not made again.

    Args:
        dataset: gets the pairs, in ``pairs/<case>/`` or ``pairs_registered/<case>/`` of its folder.
        hr_cases: of ``sourceHR``.
        lr_cases: of ``targetLR``; those of equal name show one subject.
        configuration: the dataset's.
        register: whether each HR is first moved rigidly onto its LR.
        processes: worker processes; up to 1, the work is done in this one.
    Returns: a case for each pair, of the group ``sourceHR``, sorted by name; its LR has its noise, so ``noise`` is 0.
    Raises:
        UdeansrError: if there is no pair, an HR does not show what its LR shows, or the disk refuses.
    """
    check_partners(dataset, hr_cases, lr_cases)
    subjects = {case.name: case for case in lr_cases}
    folder = dataset.folder / (PAIRS_REGISTERED if register else PAIRS)
    tasks = [_Task(hr, subjects[hr.name], folder / hr.name) for hr in hr_cases if hr.name in subjects]
    if len(hr_cases) + len(lr_cases) > 2 * len(tasks):
        _logger.info(
            "%d of %d %s and %d of %d %s have no partner of their name and are left out of the pairs",
            len(hr_cases) - len(tasks), len(hr_cases), SOURCE_HR, len(lr_cases) - len(tasks), len(lr_cases), TARGET_LR,
        )  # fmt: skip
    with locked(folder / LOCK_FILE, wait=True):  # two trainings may begin at once
        waiting = [task for task in tasks if not _is_current(task)]
        work = partial(_make, configuration=configuration, register=register)
        motions = parallel_map(work, waiting, processes, "registering" if register else "pairing")
    if register:
        for task, motion in zip(waiting, motions, strict=True):
            _log_motion(task.hr.name, motion)
    _logger.info("%d pairs of HR and LR of equal name, %d of them made now", len(tasks), len(waiting))
    return tuple(read_case(task.folder, SOURCE_HR) for task in tasks)


def check_partners(
    dataset: PreprocessedDataset, hr_cases: Sequence[PreprocessedCase], lr_cases: Sequence[PreprocessedCase]
) -> None:
    """Refuse groups of which nobody is in both.

    Raises:
        UdeansrError: then.
    """
    if {case.name for case in hr_cases}.isdisjoint(case.name for case in lr_cases):
        raise UdeansrError(
            f"{dataset.folder.parent.name}: none of {len(hr_cases)} names of {SOURCE_HR} to train on is one of the "
            f"{len(lr_cases)} of {TARGET_LR}; expected LR and HR of the same subjects under equal names, as "
            "udeansr_simulate --pairing misaligned gives them; or pairs made of HR: --set supervised.pairs=synthetic"
        )


def _is_current(task: _Task) -> bool:
    """Whether the pair is there and what it was made of has not changed."""
    record = read_record(task.folder)
    return record is not None and record.made_of == _made_of(task)


def _made_of(task: _Task) -> dict[str, Any]:
    """What decides the arrays of a pair, as JSON gives it back: what decides those of its HR and of its LR."""
    made_of: dict[str, Any] = {"format": FORMAT}
    for group, case in ((SOURCE_HR, task.hr), (TARGET_LR, task.lr)):
        record = read_record(case.folder)
        assert record is not None, "the cases were read a moment ago"
        contents = {name: look.get("sha256") for name, look in record.sources.items()}
        geometry = as_json(record.geometry)
        made_of[group] = {"sources": contents, "plan": record.plan, "geometry": geometry, "level": record.level}
    return made_of


def _make(task: _Task, configuration: Configuration, register: bool) -> RigidMotion:
    """Make one pair; returns the motion that was found."""
    hr, lr = (Volume(np.array(case.voxels), case.geometry) for case in (task.hr, task.lr))
    try:
        motion = register_rigidly(hr, lr) if register else RigidMotion()
    except UdeansrError as error:
        raise UdeansrError(f"{task.hr.name}: {error}") from error
    scale = configuration.task.factors
    lr = crop(lr, _shared_box(hr, motion, lr, configuration))
    grid = sr_geometry(lr.geometry, scale)
    moved, inside = move_onto(hr, motion, grid).voxels, covered(hr.geometry, motion, grid)
    gain = _gain(moved * inside, lr.voxels, scale)
    foreground = draw_foreground(moved * inside, task.hr.name)
    if gain is None or not len(foreground):
        raise UdeansrError(
            f"{task.hr.name}: its HR of {SOURCE_HR} and its LR of {TARGET_LR} have no foreground in one place; "
            "expected scans of one subject that overlap in the world; check their headers"
        )
    record = CaseRecord(
        geometry=grid,
        intensity_scale=task.hr.intensity_scale,
        level=task.hr.level / gain,
        made_of=_made_of(task),
        motion=motion,
        gain=gain,
    )
    write_case(task.folder, moved * np.float32(gain), foreground, record, lr.voxels)
    return motion


def _shared_box(hr: Volume, motion: RigidMotion, lr: Volume, configuration: Configuration) -> Box:
    """The box of LR voxels that the HR covers, or of a patch where that is larger."""
    found = ndimage.find_objects(covered(hr.geometry, motion, lr.geometry).astype(np.uint8), max_label=1)[0]
    whole = tuple(slice(0, n) for n in lr.geometry.shape)
    parts = whole if found is None else found
    box = (triple(part.start for part in parts), triple(part.stop - part.start for part in parts))
    patch = configuration.task.least_lr_voxels(configuration.size.patch_size)
    return training_box(box, lr.geometry.shape, patch, (1, 1, 1))


def _gain(hr: np.ndarray, lr: np.ndarray, scale: Scale) -> float | None:
    """The mean of the LR over that of the HR, where both show anatomy; None where they never do.

    Blur and truncation keep the mean, so HR times this has the level of its LR, subject by subject. That a subject's HR
    and LR were each divided by a percentile of their own leaves them some percent apart.
    """
    coarse = truncate_kspace(hr, scale)
    both = foreground_mask(coarse) & foreground_mask(lr)
    return float(lr[both].mean() / coarse[both].mean()) if both.any() else None


def _log_motion(name: str, motion: RigidMotion) -> None:
    """Say how far a subject moved, louder where it is hard to believe."""
    shift_mm = float(np.linalg.norm(motion.translation_mm))
    degrees = float(np.degrees(motion.rotation.magnitude()))
    _logger.info("%s: HR lies %.2f mm and %.2f degrees off its LR", name, shift_mm, degrees)
    if shift_mm > LARGE_MM or degrees > LARGE_DEGREES:
        _logger.warning(
            "%s: a motion of %.0f mm and %.0f degrees was found; expected at most %.0f mm and %.0f degrees of a "
            "subject scanned twice: look whether both scans show one subject, and whether their headers are right",
            name, shift_mm, degrees, LARGE_MM, LARGE_DEGREES,
        )  # fmt: skip
