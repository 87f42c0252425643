"""All figures that the finished rows of a benchmark allow."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from udeansr.benchmark.comparison import REFERENCE_ROW
from udeansr.benchmark.folder import BenchmarkFolder
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.rows import GROUPS
from udeansr.benchmark.tables import read_results
from udeansr.errors import UdeansrError
from udeansr.evaluation.evaluate import difference
from udeansr.figures.error_figure import Reconstruction, draw_errors
from udeansr.figures.feature_figure import draw_explanations, draw_features
from udeansr.figures.plane import VIEWS
from udeansr.figures.slabs import slabs_of
from udeansr.figures.style import caption_of
from udeansr.files import write_whole
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import reorient, same_grid
from udeansr.image.names import case_name
from udeansr.image.normalization import intensity_scale, normalize
from udeansr.image.volume import Volume
from udeansr.methods import method_type
from udeansr.methods.method import Method
from udeansr.methods.udean import Udean
from udeansr.models.model import load_model
from udeansr.paths import SOURCE_HR

FIGURES_FOLDER, CAPTIONS_FILE = "figures", "captions.md"

_logger = logging.getLogger(__name__)


def write_figures(
    folder: BenchmarkFolder, split: str = "test", case: str | None = None, rows: str | None = None
) -> list[Path]:
    """Draw the figures of every dataset, and write ``captions.md`` of all that lie there.

    They lie in ``<folder>/figures/<dataset>``, as PNG and PDF. A row whose SR or checkpoint is missing is left out of
    the figure that needs it, with a line in the log.

    Args:
        folder: of a benchmark.
        split: "test" or "validation".
        case: the name of a scan; None takes the one whose PSNR by ``udean``, or else by the last row, is the median.
        rows: names of rows and groups, comma-separated; None takes all that are finished.
    Returns: the PNGs, in the order in which they were drawn.
    Raises:
        UdeansrError: if there is no finished row of these words, or a figure cannot be written.
    """
    tables = {dataset: results for (dataset, group), results in read_results(folder).items() if group == split}
    if not tables:
        raise UdeansrError(
            f"{folder.root}: no finished row of {split} subjects; expected the folder of a benchmark, "
            f"such as udeansr_benchmark -o {folder.root} --split {split} makes"
        )
    wanted = _wanted(rows, tables)
    written = []
    for dataset, results in tables.items():
        shown = [result for result in results if wanted is None or result.row.name in wanted]
        if not shown:
            _logger.warning("%s: none of the wanted rows is finished; no figure", dataset)
            continue
        name = case or median_case(results)
        if name not in results[0].cases:
            there = ", ".join(sorted(results[0].cases))
            raise UdeansrError(f"{dataset}: no scan '{name}' among its {split} subjects; expected one of {there}")
        written += _error_figures(folder, shown, name)
        written += _method_figures(folder, shown, name)
    _write_captions(folder.root / FIGURES_FOLDER)
    return written


def are_drawn(folder: BenchmarkFolder, split: str) -> bool:
    """Whether the figures were finished after the last row of a split, or there is no row to draw."""
    rows = [path.stat().st_mtime_ns for path in folder.row_files(split)]
    captions = folder.root / FIGURES_FOLDER / CAPTIONS_FILE  # the last file to be written
    return not rows or (captions.is_file() and captions.stat().st_mtime_ns >= max(rows))


def median_case(results: Sequence[RowResult]) -> str:
    """The scan whose PSNR by the reference row is the median: neither the best nor the worst.

    Of an even number the lower one of the middle two; without that row, by the last one.
    """
    result = next((one for one in results if one.row.name == REFERENCE_ROW), results[-1])
    by_psnr = sorted(result.cases, key=lambda name: (result.cases[name]["psnr_db"], name))
    return by_psnr[(len(by_psnr) - 1) // 2]


def _wanted(rows: str | None, tables: dict[str, list[RowResult]]) -> set[str] | None:
    """Names of rows out of the user's words."""
    if rows is None:
        return None
    there = dict.fromkeys(result.row.name for results in tables.values() for result in results)
    wanted: set[str] = set()
    for word in filter(None, (part.strip() for part in rows.split(","))):
        if word not in GROUPS and word not in there:
            raise UdeansrError(
                f"there is no finished row '{word}'; finished: {', '.join(there)}; groups: {', '.join(GROUPS)}"
            )
        wanted |= set(GROUPS.get(word, (word,)))
    return wanted


def _error_figures(folder: BenchmarkFolder, results: list[RowResult], case: str) -> list[Path]:
    """Figures 5 to 7: a figure a view, of all rows that have SR of the subject."""
    dataset, split = results[0].dataset, results[0].split
    hr_path = _image(folder.raw(dataset) / f"{split}HR", case)
    hr, lr = read_volume(hr_path), read_volume(_image(folder.raw(dataset) / f"{split}LR", case))
    try:
        level = intensity_scale(hr.voxels)
    except ValueError as error:
        raise UdeansrError(f"{hr_path}: {error}; expected a magnitude image; make the dataset again") from error
    truth = Volume(normalize(hr.voxels, level), hr.geometry)
    reconstructions = []
    for result in results:
        try:
            sr = _sr_on_grid(_image(folder.sr(dataset, split, result.same_as or result.row.name), case), hr)
        except UdeansrError as error:
            _logger.warning("%s %s: left out of the error figures: %s", dataset, result.row.name, error)
            continue
        scores = result.cases[case]
        words = f"{scores['psnr_db']:.2f} dB, {scores['ssim_2d']:.4f}"
        reconstructions.append(
            Reconstruction(result.row.title, Volume(normalize(sr.voxels, level), sr.geometry), words)
        )
    if not reconstructions:
        return []
    given, what = Volume(normalize(lr.voxels, level), lr.geometry), f"{case} of {dataset}"
    place = folder.root / FIGURES_FOLDER / dataset
    return [
        draw_errors(truth, given, reconstructions, view, place / f"errors_{view}_{case}.png", what) for view in VIEWS
    ]


def _method_figures(folder: BenchmarkFolder, results: list[RowResult], case: str) -> list[Path]:
    """Figure 4, and what other methods give to be looked at: a figure a row."""
    dataset, split = results[0].dataset, results[0].split
    place = folder.root / FIGURES_FOLDER / dataset
    written = []
    for result in results:
        if result.training is None or result.same_as:
            continue
        try:
            kind = method_type(result.row.method)
            if not _shows_anything(kind):
                continue
            model = load_model(_checkpoint(folder, result))
            hr = list_images(folder.raw(dataset) / SOURCE_HR)[0]
            slabs = slabs_of(model, hr, _image(folder.raw(dataset) / f"{split}LR", case))
        except UdeansrError as error:
            _logger.warning("%s %s: no figure of its networks: %s", dataset, result.row.name, error)
            continue
        what, name = f"{result.row.title}, {dataset}", f"{result.row.name}_{case}.png"
        if issubclass(kind, Udean):
            written.append(draw_features(model.method, slabs, place / f"features_{name}", what))
        drawn = draw_explanations(model.method, slabs, place / f"explanations_{name}", what)
        written += [drawn] if drawn else []
    return written


def _shows_anything(kind: type[Method]) -> bool:
    """Whether there may be a figure of a method's own."""
    return issubclass(kind, Udean) or kind.explanations is not Method.explanations


def _checkpoint(folder: BenchmarkFolder, result: RowResult) -> Path:
    """The checkpoint that made a row's SR."""
    assert result.training is not None
    configuration = result.identity.configuration
    return folder.training(result.dataset, configuration, result.row.name) / f"{result.training.checkpoint}.pt"


def _image(folder: Path, case: str) -> Path:
    """The image of a name in a folder, whatever its suffix."""
    for path in list_images(folder):
        if case_name(path) == case:
            return path
    raise UdeansrError(f"{folder}: no image of {case}; run udeansr_benchmark again with --overwrite")


def _sr_on_grid(path: Path, hr: Volume) -> Volume:
    """SR as it lies, once it is found to lie on the grid of its HR."""
    sr = read_volume(path)
    geometry = reorient(sr, hr.geometry.orientation).geometry
    if not same_grid(geometry, hr.geometry):
        raise UdeansrError(
            f"{path}: lies on another grid than its HR: {difference(geometry, hr.geometry)}; expected one grid; "
            "run udeansr_benchmark again with --overwrite"
        )
    return sr


def _write_captions(folder: Path) -> None:
    """Write anew what each figure that lies there shows: every figure carries its caption."""
    lines = ["# Figures", ""]
    for path in sorted(folder.glob("*/[!.]*.png")):
        name = path.relative_to(folder).as_posix()
        lines += [f"![{path.stem}]({name})", "", f"**{name}** {caption_of(path)}", ""]
    write_whole(folder / CAPTIONS_FILE, "\n".join(lines))
