"""What is left to do of a benchmark, in words and seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from udeansr.benchmark.bench import Benchmark, check, row_task
from udeansr.benchmark.budget import length_file, load_length, measured, of_length, seconds_per_iteration
from udeansr.benchmark.dataset import SimulatedDataset, read_dataset
from udeansr.benchmark.row_task import RowTask
from udeansr.benchmark.rows import Row
from udeansr.benchmark.scenario import Scenario, left_out, runs_of_part
from udeansr.errors import UdeansrError
from udeansr.methods import method_type
from udeansr.training.log import duration
from udeansr.training.timing import Length


def remaining_rows(benchmark: Benchmark) -> Iterator[str]:
    """What :func:`~udeansr.benchmark.bench.run` would do, a line a row, and what it would take; changes nothing.

    What an iteration takes is measured now, where the dataset is planned and no budget says it.

    Raises:
        UdeansrError: as :func:`check`.
    """
    check(benchmark)
    known, unknown = 0.0, 0
    for scenario, runs in runs_of_part(benchmark.rows, benchmark.scenarios, benchmark.part):
        dataset = read_dataset(benchmark.folder, scenario)
        for row, same in runs:
            label = ", same as well as ".join([row.name, *(other.name for other in same)])
            words, seconds = _RemainingRow(benchmark, row, scenario, dataset).told()
            known, unknown = known + (seconds or 0), unknown + (seconds is None)
            yield f"{scenario}: {label}: {words}{_taking(seconds)}"
    for scenario in benchmark.scenarios:
        if rows := left_out(benchmark.rows, scenario):
            yield f"{scenario}: {rows}"
    more = f", and {unknown} rows, unknown before planning" if unknown else ""
    yield f"in all about {duration(known)} of training on this machine{more}; simulation, validation, SR come on top"


def _taking(seconds: float | None) -> str:
    if seconds is None:
        return "; time unknown before planning"
    return f", about {duration(seconds)}" if seconds else ""


@dataclass(frozen=True)
class _RemainingRow:
    """A row in a scenario, whose dataset may not be there yet."""

    benchmark: Benchmark
    row: Row
    scenario: Scenario
    dataset: SimulatedDataset | None

    def told(self) -> tuple[str, float | None]:
        """What is left in words and seconds; None where nobody knows yet."""
        if not method_type(self.row.method).players:
            return self._unless_done("prediction only", 0.0)
        if self.dataset is None:
            return self._before_planning()
        volumes = len(self.dataset.subjects[self.benchmark.split]) if self._in_prediction else 1
        words = f"{self._task.iterations} iterations{self._where}"
        return self._unless_done(words, self._task.iterations * volumes)

    def _unless_done(self, words: str, iterations: float) -> tuple[str, float]:
        """The words, and the seconds of so many iterations, less what is done."""
        if self.dataset is None or self.benchmark.overwrite:
            return words, iterations and iterations * self._seconds
        try:
            if self._task.result() is not None:
                return "done", 0.0
            left, of_all = self._task.iterations_left(), self._task.iterations
        except UdeansrError as error:
            return f"refused: {error}", 0.0
        if left != of_all:
            words, iterations = f"{left} of {words}", left
        return words, iterations and iterations * self._seconds

    def _before_planning(self) -> tuple[str, float | None]:
        """What the options say, before there is a plan."""
        budget = self.benchmark.settings.budget_seconds
        if budget is not None:
            volumes = self._volumes_wanted if self._in_prediction else 1
            seconds = None if volumes is None else volumes * budget
            return f"iterations of {budget:g} seconds{self._where}", seconds
        run = replace(self.benchmark.options, **self.row.run)
        words = "iterations as planned"
        if run.epochs and run.iterations_per_epoch:
            words = f"{run.epochs * run.iterations_per_epoch} iterations"
        return words + self._where, None

    @property
    def _volumes_wanted(self) -> int | None:
        """Subjects that are scored, if the options say it."""
        return getattr(self.benchmark.settings, self.benchmark.split)

    @property
    def _in_prediction(self) -> bool:
        return method_type(self.row.method).is_zero_shot

    @property
    def _where(self) -> str:
        return " on each volume, in prediction" if self._in_prediction else ""

    @cached_property
    def _length(self) -> Length | None:
        """What a budget makes of the row: as on record, else as measured now."""
        budget = self.benchmark.settings.budget_seconds
        if budget is None:
            return None
        path = length_file(self._unlimited)
        return load_length(path) if path.is_file() else measured(self._unlimited, budget)

    @property
    def _unlimited(self) -> RowTask:
        assert self.dataset is not None, "there is no dataset yet"
        return row_task(self.benchmark, self.dataset, self.row)

    @cached_property
    def _task(self) -> RowTask:
        learns = self._unlimited.learns
        return of_length(self._unlimited, self._length) if learns and self._length else self._unlimited

    @property
    def _seconds(self) -> float:
        """An iteration's."""
        return self._length.seconds_per_iteration if self._length else seconds_per_iteration(self._task)
