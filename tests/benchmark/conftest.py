"""A simulated dataset that is planned but holds no image, and results without a training."""

from collections.abc import Callable
from pathlib import Path

import pytest

from udeansr.benchmark.comparison import COLUMNS
from udeansr.benchmark.dataset import SimulatedDataset, with_variants
from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
from udeansr.benchmark.row_result import RowIdentity, RowResult, Training
from udeansr.benchmark.rows import ROWS, Row
from udeansr.benchmark.scenario import Scenario
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.strict_json import write_json

SHIFTED = Scenario("x2x2x1", "unpaired", "shifted", 1)
SUBJECTS = {"source": ["sub-1"], "target": ["sub-2"], "validation": ["sub-3"], "test": ["sub-4", "sub-5"]}


@pytest.fixture
def settings() -> BenchmarkSettings:
    scans = tuple(f"sub-{number}" for number in range(1, 6))
    return BenchmarkSettings(scans, 1, 1, 1, 2, memory_gb=0.0, epochs=2, iterations_per_epoch=3)


@pytest.fixture
def folder(tmp_path: Path) -> BenchmarkFolder:
    return BenchmarkFolder(tmp_path / "out")


@pytest.fixture
def planned(
    folder: BenchmarkFolder, tiny_configuration: Callable[..., Configuration]
) -> Callable[[str], SimulatedDataset]:
    """Lays the dataset of a scenario into the folder: its plan and its subjects, no image."""

    def lay(degradation: str = "shifted", pairing: str = "unpaired", seed: int = 1) -> SimulatedDataset:
        scenario = Scenario("x2x2x1", pairing, degradation, seed)
        name = scenario.dataset
        configuration = tiny_configuration(
            "x2x2x1", patch_size=(16, 16), rotate90=True, epochs=7, iterations_per_epoch=11
        )
        plan = with_variants(Plan(name, "SPL", 1.0, {"x2x2x1": configuration}), scenario.true_degradation)
        plan.save(folder.preprocessed(name) / "plans.json")
        write_json({"subjects": SUBJECTS}, folder.raw(name) / "simulation.json")
        plan = Plan.load(folder.preprocessed(name) / "plans.json")
        return SimulatedDataset(name, scenario, folder.raw(name), folder.preprocessed(name), plan, SUBJECTS)

    return lay


@pytest.fixture
def result() -> Callable[..., RowResult]:
    """Makes the result of a row: what one subject scores, the next one 1 more of everything."""

    def make(
        row: str | Row = "udean",
        first: float = 1.0,
        training: bool = True,
        scenario: Scenario = SHIFTED,
        **scores: float,
    ) -> RowResult:
        one = {column.key: first for column in COLUMNS} | scores
        cost = Training(6000, 61.4, 341_200, "best", "cpu", "fp32") if training else None
        return RowResult(
            ROWS[row] if isinstance(row, str) else row,
            scenario.dataset,
            scenario,
            "test",
            RowIdentity("udean", {}, SUBJECTS, "x2x2x1", {}, {}),
            cost,
            12.3,
            {"sub-4": one, "sub-5": {key: score + 1 for key, score in one.items()}},
        )

    return make
