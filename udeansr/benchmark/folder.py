"""The folder of a benchmark: what it was made with, and where what lies in it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from udeansr.degradation.subjects import Counts
from udeansr.errors import UdeansrError
from udeansr.lock import locked
from udeansr.strict_json import NonNegativeFloat, PositiveFloat, PositiveInt, differences, read_json_as, write_json

SETTINGS_FILE = "benchmark.json"


@dataclass(frozen=True)
class BenchmarkSettings:
    """What holds for all scenarios and rows of a benchmark; it lies in its folder as ``benchmark.json``.

    Attributes:
        scans: names of the HR scans.
        source, target, validation, test: subjects in each group; None is the simulation's default. Where LR and HR are
            of the same subjects, ``source`` has no say.
        memory_gb: GPU memory to plan for, 0 for a CPU; None takes what there is when the plan is made.
        epochs, iterations_per_epoch: length of each training; None takes the plan's.
        budget_seconds: of each training instead of a length, validation left out; None where there is no such budget.
    """

    scans: tuple[str, ...]
    source: int | None = None
    target: int | None = None
    validation: int | None = None
    test: int | None = None
    memory_gb: NonNegativeFloat | None = None
    epochs: PositiveInt | None = None
    iterations_per_epoch: PositiveInt | None = None
    budget_seconds: PositiveFloat | None = None

    @property
    def counts(self) -> Counts:
        """Subjects in each group, as the simulation takes them."""
        return Counts(self.source, self.target, self.validation, self.test)


@dataclass(frozen=True)
class BenchmarkFolder:
    """Where what lies in the folder of a benchmark."""

    root: Path

    def check(self, settings: BenchmarkSettings) -> None:
        """See that a benchmark of these settings can lie here; changes nothing.

        Raises:
            UdeansrError: if the folder holds something else, or a benchmark of other settings.
        """
        path = self.root / SETTINGS_FILE
        if not path.is_file():
            there = sorted(child.name for child in self.root.iterdir()) if self.root.is_dir() else []
            if self.root.is_file() or any(not name.startswith(".") for name in there):
                raise UdeansrError(
                    f"{self.root}: holds something else than a benchmark; expected an empty folder, or one that "
                    f"udeansr_benchmark made; give another with -o"
                )
            return
        former = self.settings()
        changes = [
            f"--{change.name.replace('_', '-')} {_said(change.former)} -> {_said(change.now)}"
            for change in differences(asdict(former), asdict(settings))
            if change.name != "scans"
        ]
        if former.scans != settings.scans:
            odd = sorted(set(former.scans) ^ set(settings.scans))
            changes.insert(0, f"other scans ({len(odd)} are in one of the two alone, such as {odd[0]})")
        if changes:
            raise UdeansrError(
                f"{self.root}: the benchmark in it was made with other options: {', '.join(changes)}. "
                "Give the former ones to go on with it, or another folder with -o"
            )

    def settings(self) -> BenchmarkSettings:
        """What the benchmark in it was made with.

        Raises:
            UdeansrError: if there is none, or it cannot be read.
        """
        return read_json_as(BenchmarkSettings, self.root / SETTINGS_FILE, "benchmark", "udeansr_benchmark")

    def claim(self, settings: BenchmarkSettings) -> None:
        """Make the folder that of a benchmark of these settings, if it is not yet; raises as :meth:`check`."""
        with self.lock("benchmark"):
            self.check(settings)
            if not (self.root / SETTINGS_FILE).is_file():
                write_json(settings, self.root / SETTINGS_FILE)

    def lock(self, name: str, wait: bool = True) -> AbstractContextManager[None]:
        """What only one process may hold at a time; raises as :func:`udeansr.lock.locked`."""
        return locked(self.root / ".locks" / f"{name}.lock", wait, f"{self.root}: {name}")

    def raw(self, dataset: str) -> Path:
        """The raw dataset."""
        return self.root / "raw" / dataset

    def preprocessed(self, dataset: str) -> Path:
        """Its plan and arrays."""
        return self.root / "preprocessed" / dataset

    def training(self, dataset: str, configuration: str, row: str) -> Path:
        """The training of a row: of the row, not of its method, as rows of one method differ in their settings."""
        return self.root / "results" / dataset / configuration / row

    def sr(self, dataset: str, split: str, row: str) -> Path:
        """SR of the subjects that are scored."""
        return self.root / "sr" / dataset / split / row

    def length_file(self, dataset: str, row: str) -> Path:
        """How long a row is trained under a budget of seconds."""
        return self.root / "lengths" / dataset / f"{row}.json"

    def row_file(self, dataset: str, split: str, row: str) -> Path:
        """What came of a row."""
        return self.root / "rows" / dataset / split / f"{row}.json"

    def row_files(self, split: str = "*") -> list[Path]:
        """What has come of rows so far; of all splits, if none is named."""
        return sorted((self.root / "rows").glob(f"*/{split}/[!.]*.json"))


def _said(value: Any) -> str:
    return "left out" if value is None else str(value)
