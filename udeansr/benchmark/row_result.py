"""What came of one row, as it lies on disk: the scores of each subject, and what they cost."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from udeansr.benchmark.rows import Row
from udeansr.benchmark.scenario import Scenario
from udeansr.errors import UdeansrError
from udeansr.evaluation.scores import FolderScores
from udeansr.strict_json import NonNegativeFloat, NonNegativeInt, read_json_as, write_json

METRICS = (
    *("psnr_db", "ssim_2d", "foreground_nrmse", "spectrum_low_db", "spectrum_middle_db", "spectrum_high_db"),
    *("shift_voxels", "gain"),
)
"""What every case has, those among it that the tables show."""

LARGEST = 1e12
"""Amount of a score that none has."""


@dataclass(frozen=True)
class Training:
    """What a training took.

    Attributes:
        iterations: done in all; on each volume, where it is learnt on in prediction.
        seconds: in all, without validation; 0 where all is learnt in prediction.
        weights: numbers that were learnt, discriminators' among them.
        checkpoint: which one predicted.
        device, precision: what it was computed on last.
    """

    iterations: NonNegativeInt
    seconds: NonNegativeFloat
    weights: NonNegativeInt
    checkpoint: str
    device: str
    precision: str


@dataclass(frozen=True)
class RowIdentity:
    """Everything that decides the scores of a row, as JSON.

    Attributes:
        method: its name.
        settings: of the method.
        subjects: by group, source, target, validation, test.
        configuration: name of the plan's.
        plan: the numbers of the plan that the row depends on.
        run: the settings of the training that change what is learned; empty where nothing is.
    """

    method: str
    settings: dict[str, Any]
    subjects: dict[str, list[str]]
    configuration: str
    plan: dict[str, Any]
    run: dict[str, Any]


@dataclass(frozen=True)
class RowResult:
    """One row of one dataset's table.

    Attributes:
        row: as it was when it was done.
        dataset: its folder name.
        scenario: what was simulated in it.
        split: "test" or "validation": who was scored.
        identity: what decided the scores.
        training: None for a method that learns nothing.
        prediction_seconds: for the SR of one volume, the mean of all.
        cases: subject's scan -> metric -> score; not a number where a metric has none.
        same_as: the row whose training this is, if it is another's.
    """

    row: Row
    dataset: str
    scenario: Scenario
    split: str
    identity: RowIdentity
    training: Training | None
    prediction_seconds: NonNegativeFloat
    cases: dict[str, dict[str, float]]
    same_as: str | None = None

    @property
    def scores(self) -> FolderScores:
        """Means and deviations over subjects."""
        return FolderScores(self.row.name, self.cases)

    def reported_as(self, row: Row) -> RowResult:
        """The same as the result of another row."""
        return replace(self, row=row, same_as=self.row.name)

    def save(self, path: Path) -> None:
        """Write the result, whole or not at all; what is no number is null."""
        cases = {
            name: {metric: score if math.isfinite(score) else None for metric, score in scores.items()}
            for name, scores in self.cases.items()
        }
        write_json(asdict(self) | {"cases": cases}, path)

    @classmethod
    def load(cls, path: Path) -> RowResult:
        """The way back from :meth:`save`.

        Raises:
            UdeansrError: if it is no result of a row.
        """
        stored = read_json_as(_Stored, path, "row", "remove it and run udeansr_benchmark again")
        cases = {
            name: {metric: math.nan if score is None else score for metric, score in scores.items()}
            for name, scores in stored.cases.items()
        }
        if lacking := sorted({metric for scores in cases.values() for metric in METRICS if metric not in scores}):
            raise UdeansrError(f"{path}: a case has no {lacking[0]}; expected all scores; run udeansr_benchmark again")
        if len({frozenset(scores) for scores in cases.values()}) != 1 or not all(stored.identity.subjects.values()):
            raise UdeansrError(
                f"{path}: has no case, cases of other scores than the rest, or a group without subjects; run "
                "udeansr_benchmark again"
            )
        if any(abs(score) > LARGEST for scores in cases.values() for score in scores.values()):
            raise UdeansrError(f"{path}: has a score beyond {LARGEST:g}; run udeansr_benchmark again")
        return cls(**{**vars(stored), "cases": cases})


@dataclass(frozen=True)
class _Stored(RowResult):
    """A result as it lies on disk, where a score that is no number is null."""

    cases: dict[str, dict[str, float | None]]  # pyright: ignore[reportIncompatibleVariableOverride]
