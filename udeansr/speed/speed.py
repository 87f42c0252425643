"""How fast a training is, who waits for whom, and how long all of it will take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

import udeansr
from udeansr.device import describe_device
from udeansr.peak_memory import forget_peak, peak_bytes
from udeansr.planning.plan import Plan
from udeansr.speed.measured_training import MeasuredTraining, Variant
from udeansr.speed.peak import convolution_peak, matrix_peak


@dataclass(frozen=True)
class Speed:
    """What was measured of a training; all means are over the whole of its length.

    Attributes:
        dataset, configuration, method: what is trained.
        machine, precision, workers, batch_size: on what, in which numbers, and how.
        udeansr, torch: versions.
        seconds, seconds_on_device: of an iteration with its batch, and with one that is on the device already; the
            medians of rounds in turns.
        seconds_of_batch: what the loader takes for a batch where nobody else works.
        phases: seconds of the phases of an iteration, each waited for.
        phases_together: seconds of that iteration.
        memory_bytes: the most in use: CUDA's allocator, else this process; None where the system does not say.
        tensor_bytes: of all tensors alive at once in an iteration, what planning counts; None of compiled networks.
        flop: of an iteration: convolutions and matrix products, forward and back.
        convolution_peak, matrix_peak: FLOP a second that the device reached here, in the same precision.
        epochs, iterations_per_epoch: of the planned training.
        seconds_of_validation, seconds_of_record: after each epoch, validation; checkpoint and picture.
    """

    dataset: str
    configuration: str
    method: str
    machine: str
    precision: str
    workers: int
    batch_size: int
    udeansr: str
    torch: str
    seconds: float
    seconds_on_device: float
    seconds_of_batch: float
    phases: dict[str, float]
    phases_together: float
    memory_bytes: int | None
    tensor_bytes: int | None
    flop: float
    convolution_peak: float
    matrix_peak: float
    epochs: int
    iterations_per_epoch: int
    seconds_of_validation: float
    seconds_of_record: float

    @property
    def waiting(self) -> float:
        """The share of an iteration in which the device waits for its batch."""
        return max(0.0, 1 - self.seconds_on_device / self.seconds)

    @property
    def expected_seconds(self) -> float:
        """What the planned training takes, with the validation before it and those after each epoch."""
        iterations = self.epochs * self.iterations_per_epoch
        validations = (self.epochs + 1) * self.seconds_of_validation
        return iterations * self.seconds + validations + (self.epochs + 1) * self.seconds_of_record

    def as_dict(self) -> dict[str, Any]:
        """All numbers, those that follow from others too."""
        return {**vars(self), "waiting": self.waiting, "expected_seconds": self.expected_seconds}


def measure_speed(
    folder: Path, plan: Plan, configuration_name: str, method_name: str, variant: Variant, rounds: int
) -> Speed:
    """Measure how fast a training is; nothing of it is kept.

    Args:
        folder: ``<preprocessed root>/<dataset>``.
        plan: the dataset's.
        configuration_name: one of the plan's.
        method_name: one that learns from cohorts.
        variant: how it is run, with the trainer's own step.
        rounds: of iterations with and without batches, in turns; at least one.
    Raises:
        UdeansrError: as training does.
    """
    with MeasuredTraining(folder, plan, configuration_name, method_name, variant) as training:
        forget_peak(training.device)
        pairs = [(training.seconds_on_device(), training.seconds()) for _ in range(rounds)]
        phases, phases_together = training.phases()
        memory = peak_bytes(training.device)
        run, device, precision = training.run, training.device, training.precision
        assert run.batch_size and run.epochs and run.iterations_per_epoch, "settings are not resolved"
        return Speed(
            dataset=plan.dataset,
            configuration=configuration_name,
            method=method_name,
            machine=describe_device(device),
            precision=precision,
            workers=run.workers,
            batch_size=run.batch_size,
            udeansr=udeansr.__version__,
            torch=torch.__version__,
            seconds=median(seconds for _, seconds in pairs),
            seconds_on_device=median(seconds for seconds, _ in pairs),
            seconds_of_batch=training.seconds_of_batches(),
            phases=phases,
            phases_together=phases_together,
            memory_bytes=memory,
            tensor_bytes=training.bytes_of_tensors(),
            flop=training.flop,
            convolution_peak=convolution_peak(device, precision),
            matrix_peak=matrix_peak(device, precision),
            epochs=run.epochs,
            iterations_per_epoch=run.iterations_per_epoch,
            seconds_of_validation=training.seconds_of_validation(),
            seconds_of_record=training.seconds_of_record(),
        )


def table(speed: Speed) -> str:
    """The numbers as a person reads them, a line each."""
    memory = "unknown" if speed.memory_bytes is None else f"{speed.memory_bytes / 2**30:.2f} GiB"
    of_what = "in CUDA's allocator" if "cuda" in speed.machine else "of this process"
    reached = speed.flop / speed.seconds
    length = f"{speed.epochs} epochs of {speed.iterations_per_epoch} iterations"
    rows = [
        ("training", f"{speed.dataset} {speed.configuration}, {speed.method}, batches of {speed.batch_size}"),
        ("computed", f"on {speed.machine}, in {speed.precision}, {speed.workers} workers, torch {speed.torch}"),
        ("with batches", f"{1 / speed.seconds:.3g} iterations a second"),
        ("data on the device", f"{1 / speed.seconds_on_device:.3g} iterations a second"),
        ("loader alone", f"{1 / speed.seconds_of_batch:.3g} batches a second"),
        ("waiting for batches", f"{speed.waiting:.1%} of an iteration"),
        *((f"  {phase}", f"{1000 * seconds:.1f} ms") for phase, seconds in speed.phases.items()),
        ("  an iteration", f"{1000 * speed.phases_together:.1f} ms, each phase waited for"),
        ("memory", f"{memory} at the peak, {of_what}"),
        ("  tensors", "unknown" if speed.tensor_bytes is None else f"{speed.tensor_bytes / 2**30:.2f} GiB at once"),
        ("computing", f"{speed.flop / 1e9:.4g} GFLOP an iteration, {reached / 1e9:.4g} GFLOP a second"),
        ("  of convolutions", f"{reached / speed.convolution_peak:.1%} of {speed.convolution_peak / 1e9:.4g} measured"),
        ("  of matrix products", f"{reached / speed.matrix_peak:.1%} of {speed.matrix_peak / 1e9:.4g} measured"),
        (
            "after each epoch",
            f"{speed.seconds_of_validation:.1f} s validation, {speed.seconds_of_record:.1f} s records",
        ),
        ("expected", f"{speed.expected_seconds / 60:.1f} minutes for {length}"),
    ]
    width = max(len(name) for name, _ in rows)
    return "".join(f"{name:{width}}  {value}\n" for name, value in rows)
