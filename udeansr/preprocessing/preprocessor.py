"""Preprocessing a dataset: which cases are to be done, and doing them."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from udeansr.degradation.kspace import Degradation, acquire, noise_sigma, sample, truncate_kspace
from udeansr.degradation.measured_degradation import apply_measured
from udeansr.errors import UdeansrError
from udeansr.image.cropping import foreground_mask
from udeansr.image.files import read_volume
from udeansr.lock import LOCK_FILE, check_held
from udeansr.parallel import parallel_map
from udeansr.paths import SOURCE_HR, TARGET_LR, VALIDATION_HR, VALIDATION_LR
from udeansr.planning.configuration import Configuration
from udeansr.planning.domain import DOMAIN_FILE, Domain
from udeansr.planning.plan import Plan
from udeansr.planning.plan_dataset import facts_folder
from udeansr.planning.raw_dataset import Case, RawDataset
from udeansr.preprocessing.case_folder import (
    CASE_FILE,
    CaseRecord,
    look_of,
    read_record,
    remove_case,
    sha256_of,
    write_case,
)
from udeansr.preprocessing.contrast_randomization import CONTRASTS, MARK, variants
from udeansr.preprocessing.domain_randomization import degrade_variously
from udeansr.preprocessing.preparation import Prepared, prepare_hr, prepare_lr, prepare_pair
from udeansr.preprocessing.preprocessed_dataset import COMPLETE_FILE, PREPROCESSED_GROUPS, planned_values
from udeansr.strict_json import write_json

FOREGROUND_VOXELS = 10_000
"""Enough to draw slabs from; all of them would be as large as the volume."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Task:
    """What is prepared at once: a case of one group, HR in several contrasts, or the LR and the HR of a pair.

    Attributes:
        outputs: (group, case) of each array that comes out.
        raw: the raw dataset's folder.
        folder: where the arrays of the configuration lie.
    """

    outputs: tuple[tuple[str, Case], ...]
    raw: Path
    folder: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        """Of each output; those of one case in several contrasts are told apart by number."""
        if self.outputs[0] in self.outputs[1:]:
            group, case = self.outputs[0]
            return tuple(self.folder / group / f"{case.name}{MARK}{number}" for number in range(len(self.outputs)))
        return tuple(self.folder / group / case.name for group, case in self.outputs)

    @property
    def sources(self) -> dict[str, Path]:
        """Every file that decides the arrays, by its path in the raw dataset."""
        return {case.path.relative_to(self.raw).as_posix(): case.path for _, case in self.outputs}


def preprocess(raw: RawDataset, plan: Plan, configuration_name: str, folder: Path, processes: int) -> None:
    """Make the arrays that training reads.

    A case whose files and planned values are those of its arrays is not done again. Arrays of cases that have left
    the raw dataset are removed. It can be stopped at any moment and started again. Call it while the folder is locked.

    Args:
        raw: a checked dataset.
        plan: decides how.
        configuration_name: one of the plan's.
        folder: ``<preprocessed root>/<dataset>``; the arrays go to ``<configuration>/<group>/<case>/`` in it.
        processes: worker processes; up to 1, the work is done in this one.
    Raises:
        UdeansrError: if the plan has no such configuration, an image cannot be read, the folder is removed meanwhile,
            or the disk refuses.
    """
    domain_file = facts_folder(folder, plan, configuration_name) / DOMAIN_FILE
    configuration, plan = plan.configuration(configuration_name), plan.of(configuration_name)
    values = planned_values(plan, configuration)
    own = folder / configuration_name
    tasks = _tasks(raw, own, configuration)
    waiting = [task for task in tasks if not _looks_current(task, values)]
    if waiting:
        (own / COMPLETE_FILE).unlink(missing_ok=True)
    domain = Domain.load(domain_file) if configuration.task.deconvolves else None
    work = partial(_run, plan=plan, configuration=configuration, values=values, domain=domain)
    done = sum(parallel_map(work, waiting, processes, f"preprocess {configuration_name}"))
    kept = {path for task in tasks for path in task.folders}
    there = [path for group in PREPROCESSED_GROUPS for path in sorted((own / group).glob("*")) if path.is_dir()]
    left = [path for path in there if path not in kept]
    for path in left:
        remove_case(path)
    check_held(folder / LOCK_FILE)
    if lost := sorted(path for path in kept if not (path / CASE_FILE).is_file()):
        raise UdeansrError(f"{lost[0]}: was removed while the others were made; run the same command again")
    write_json(values, own / COMPLETE_FILE)
    _logger.info(
        "%s %s: %d preprocessed, %d unchanged, %d removed",
        raw.name, configuration_name, done, len(tasks) - done, len(left),
    )  # fmt: skip


def _tasks(raw: RawDataset, folder: Path, configuration: Configuration) -> list[_Task]:
    """All that training needs: the two cohorts case by case, the validation pairs two by two; of its protocol's."""
    contrasts = CONTRASTS if configuration.task.contrast == "randomized" else 1
    cohorts = [((SOURCE_HR, case),) * contrasts for case in raw.groups[SOURCE_HR]]
    cohorts += [((TARGET_LR, case),) for case in raw.groups[TARGET_LR]]
    pairs = [((VALIDATION_LR, lr), (VALIDATION_HR, hr)) for lr, hr in raw.pairs(VALIDATION_LR)]
    protocol = configuration.protocol
    return [
        _Task(outputs, raw.folder, folder)
        for outputs in (*cohorts, *pairs)
        if protocol is None or all(case.name in protocol.images.get(group, ()) for group, case in outputs)
    ]


def _looks_current(task: _Task, values: dict[str, Any], contents: bool = False) -> bool:
    """Whether the arrays are there and nothing that decides them changed.

    Args:
        task: whose arrays.
        values: the plan's.
        contents: compare the files' contents instead of their sizes and times.
    """
    records = [read_record(folder) for folder in task.folders]
    for record in records:
        if record is None or record.plan != values or set(record.sources) != set(task.sources):
            return False
        for name, source in task.sources.items():
            now = {"sha256": sha256_of(source)} if contents else look_of(source)
            if any(record.sources[name].get(key) != value for key, value in now.items()):
                return False
    return True


def _run(task: _Task, plan: Plan, configuration: Configuration, values: dict[str, Any], domain: Domain | None) -> bool:
    """Do one task; False if its files turn out to be the same under another time. A domain: for a variety of LR."""
    if _looks_current(task, values, contents=True):
        for folder in task.folders:
            record = read_record(folder)
            assert record is not None, "it was there a moment ago"
            looks = {name: {**record.sources[name], **look_of(source)} for name, source in task.sources.items()}
            write_json(replace(record, sources=looks), folder / CASE_FILE)
        return False
    sources = {name: {**look_of(path), "sha256": sha256_of(path)} for name, path in task.sources.items()}
    for folder, prepared in zip(task.folders, _prepare(task, plan, configuration), strict=True):
        record = CaseRecord(
            geometry=prepared.geometry,
            intensity_scale=prepared.intensity_scale,
            level=prepared.level,
            sources=sources,
            plan=values,
            cut_from=prepared.whole,
            start=prepared.start,
        )
        foreground = draw_foreground(prepared.voxels, folder.name)
        degraded = None
        if task.outputs[0][0] == SOURCE_HR:
            if domain is not None:
                degraded, measured = degrade_variously(prepared.voxels, configuration, domain, folder.name)
                record = replace(record, measured=tuple(measured))
            else:
                degraded, noise = degrade_source(prepared.voxels, plan, configuration)
                record = replace(record, noise=noise)
        write_case(folder, prepared.voxels, foreground, record, degraded)
    return True


def degrade_source(hr: np.ndarray, plan: Plan, configuration: Configuration) -> tuple[np.ndarray, float]:
    """Make the LR of preprocessed HR, as the configuration says, but for the noise.

    Args:
        hr: (Z, Y, X) normalised; each side divides by the scale.
        plan: tells the degradation and the gain between the cohorts.
        configuration: tells the scale, and whether the degradation is the measured one, truncation, or known.
    Returns: (Z / sz, Y / sy, X / sx) float32, if the degradation is not known before the magnitude is taken, and the
        standard deviation of the noise in each complex channel, both in normalised intensity of HR.
    """
    known, scale = configuration.task.source_degradation, configuration.task.factors
    if isinstance(known, Degradation):
        lr = sample(hr, scale, known)
        # Noise turned by the phase of the image is the same noise: it can be added to the magnitude as well.
        silent = acquire(lr, replace(known, noise=0.0), np.random.default_rng())
        return silent, noise_sigma(lr, known)
    if known == "truncation" or plan.degradation is None:
        return truncate_kspace(hr, scale), 0.0
    return apply_measured(hr, scale, plan.degradation), plan.degradation.noise / plan.lr_gain


def _prepare(task: _Task, plan: Plan, configuration: Configuration) -> tuple[Prepared, ...]:
    (group, case), *rest = task.outputs
    volume = read_volume(case.path)
    if rest and group == SOURCE_HR:
        return variants(prepare_hr(volume, plan, configuration, case.path), case.name)
    if rest:
        hr = rest[0][1].path
        return prepare_pair(volume, read_volume(hr), plan, configuration, case.path, hr)
    prepare = prepare_hr if group == SOURCE_HR else prepare_lr
    return (prepare(volume, plan, configuration, case.path),)


def draw_foreground(voxels: np.ndarray, name: str) -> np.ndarray:
    """Draw at most 10,000 voxels of the foreground.

    Args:
        voxels: (Z, Y, X).
        name: of the case; the same name draws the same voxels.
    Returns: (N, 3) int32 indices (Z, Y, X), each once, sorted.
    """
    inside = np.flatnonzero(foreground_mask(voxels))
    if len(inside) > FOREGROUND_VOXELS:
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        inside = np.sort(rng.choice(inside, FOREGROUND_VOXELS, replace=False, shuffle=False))
    return np.stack(np.unravel_index(inside, voxels.shape), axis=1).astype(np.int32)
