"""The page of a benchmark, of rows that are there."""

import math

import pytest
from PIL import Image

from udeansr.benchmark.comparison import COLUMNS
from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
from udeansr.benchmark.row_result import RowIdentity, RowResult, Training
from udeansr.benchmark.rows import ROWS
from udeansr.benchmark.scenario import Scenario
from udeansr.errors import UdeansrError
from udeansr.report import benchmark_page
from udeansr.report.benchmark_page import benchmark_warnings, write_benchmark_page

SCENARIO = Scenario("x2x2x1", "unpaired", "shifted", 1)
SUBJECTS = {"source": ["sub-1"], "target": ["sub-2"], "validation": ["sub-3"], "test": ["sub-4", "sub-5"]}
GOOD = {"gain": 1.0, "shift_voxels": 0.01, "spectrum_low_db": 0.0, "spectrum_middle_db": -1.0, "spectrum_high_db": -2.0}


def result(name: str, psnr: float, **scores: float) -> RowResult:
    row = ROWS[name]
    subject = {column.key: 0.9 for column in COLUMNS} | GOOD | {"psnr_db": psnr} | scores
    cases = {"sub-4": subject, "sub-5": subject | {"psnr_db": psnr + 1, "shift_voxels": 0.02}}
    learned = name not in ("tricubic", "sinc")
    training = Training(6, 2.0, 1000, "best", "cpu", "fp32") if learned else None
    identity = RowIdentity(row.method, {}, SUBJECTS, "x2x2x1", {}, {})
    return RowResult(row, SCENARIO.dataset, SCENARIO, "test", identity, training, 0.5, cases)


@pytest.fixture
def folder(tmp_path) -> BenchmarkFolder:
    made = BenchmarkFolder(tmp_path / "out")
    made.claim(
        BenchmarkSettings(("a", "b", "c", "d", "e"), 1, 1, 1, 2, memory_gb=0.0, epochs=2, iterations_per_epoch=3)
    )
    for one in (result("tricubic", 30.0, spectrum_low_db=-9.0), result("supervised_measured", 29.0, gain=0.9)):
        one.save(made.row_file(one.dataset, one.split, one.row.name))
    for name in ("errors", "features"):
        path = made.root / "figures" / SCENARIO.dataset / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 30), 128).save(path)
    return made


def test_the_page_has_the_tables_the_spread_and_the_figures(folder):
    path = write_benchmark_page(folder)
    text = path.read_text(encoding="utf-8")
    assert path == folder.root / "benchmark.html" and str(folder.root) not in text
    for words in (SCENARIO.dataset, "<strong>30.50 ± 0.71</strong>", "2 test", "PSNR by subject, dB", "sub-5: 31"):
        assert words in text, words
    assert text.count("data:image/png;base64,") == 2
    assert text.count("<circle") == 8  # two subjects, two rows, two metrics


def test_what_is_wrong_with_a_row_that_learned_is_told_and_interpolation_is_left_alone():
    rows = [result("tricubic", 30.0, spectrum_low_db=-9.0), result("supervised_measured", 29.0, gain=0.9)]
    below, dark = benchmark_warnings(rows)
    assert "29.50 dB, tricubic interpolation 30.50 dB" in below and "darker than HR" in dark
    assert benchmark_warnings([result("tricubic", 30.0), result("supervised_measured", 33.0)]) == []
    (shifted,) = benchmark_warnings([result("supervised_measured", 33.0, shift_voxels=0.4)])
    assert "0.40 voxels" in shifted
    assert benchmark_warnings([result("supervised_measured", 33.0, spectrum_high_db=math.nan)]) == []


def test_figures_that_find_no_room_are_counted(folder, monkeypatch):
    monkeypatch.setattr(benchmark_page, "MOST_BYTES", 10)
    text = write_benchmark_page(folder, folder.root / "a.html").read_text(encoding="utf-8")
    assert "2 more figures lie in the folder figures" in text and "data:image/png" not in text


def test_a_folder_without_rows_is_the_users_mistake(tmp_path):
    with pytest.raises(UdeansrError, match="no finished row; expected the folder of a benchmark"):
        write_benchmark_page(BenchmarkFolder(tmp_path))


@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_and_fits_the_screen(browse, folder, width):
    page = write_benchmark_page(folder)
    assert browse(page, width).execute_script("return document.documentElement.scrollWidth") <= width
