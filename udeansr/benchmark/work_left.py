"""What is left to do of a benchmark, in words. Knows what lies there; does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from udeansr.benchmark.bench import Benchmark, check, left_out, row_task, shared_runs
from udeansr.benchmark.row import Row
from udeansr.benchmark.simulated_dataset import SimulatedDataset, read_dataset
from udeansr.errors import UdeansrError
from udeansr.methods import METHODS


def work_left(benchmark: Benchmark) -> Iterator[str]:
    """What :func:`~udeansr.benchmark.bench.run` would do, a line a row; changes nothing.

    Raises:
        UdeansrError: as :func:`check`.
    """
    check(benchmark)
    for scenario in benchmark.scenarios:
        dataset = read_dataset(benchmark.folder, scenario)
        for row, shown in shared_runs(benchmark.rows, scenario):
            label = ", shown as well as ".join([row.name, *(other.name for other in shown)])
            yield f"{scenario}: {label}: {_work(benchmark, row, dataset)}"
        if rows := left_out(benchmark.rows, scenario):
            yield f"{scenario}: {rows}"


def _work(benchmark: Benchmark, row: Row, dataset: SimulatedDataset | None) -> str:
    """What is left to do for a row, in words."""
    if not METHODS[row.method].players:
        training = "prediction only"
    elif dataset is None:
        run = replace(benchmark.options, **row.run)
        training = "iterations as planned"
        if run.epochs and run.iterations_per_epoch:
            training = f"{run.epochs * run.iterations_per_epoch} iterations"
    else:
        training = f"{row_task(benchmark, dataset, row).iterations} iterations"
    if METHODS[row.method].learns_in_prediction:
        training += " on each volume, in prediction"
    if dataset is None or benchmark.overwrite:
        return training
    task = row_task(benchmark, dataset, row)
    try:
        if task.result() is not None:
            return "done"
        left = task.iterations_left()
    except UdeansrError as error:
        return f"refused: {error}"
    return training if left == task.iterations else f"{left} of {training}"
