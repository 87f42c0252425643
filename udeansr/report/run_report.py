"""The page of a run: SR images beside their LR and, where there is one, their HR; a card a case, worst first on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from markupsafe import Markup

from udeansr.errors import UdeansrError
from udeansr.evaluation.scores import Scores
from udeansr.image.files import list_images
from udeansr.image.names import case_name
from udeansr.parallel import parallel_map
from udeansr.prediction.bids import ignore_pages
from udeansr.prediction.output import UNCERTAINTY, Output, plan_outputs
from udeansr.prediction.predict import Outcome
from udeansr.report.case_report import CaseFiles, CaseReport, report_case
from udeansr.report.charts import strip_chart
from udeansr.report.page import write_page

PAGE = "report.html"
MOST_BYTES = 23.8e6
"""Of all volumes of a page: with the rest it stays below 25 MB."""

MOST_OF_A_CASE = 8e6
LEAST_OF_A_CASE = 5e5

NUMBERS = {
    "PSNR": ("PSNR", "dB", 2),
    "SSIM": ("SSIM", "", 4),
    "consistency": ("consistency", "dB", 1),
    "shift": ("shift", "voxels", 3),
    "gain": ("gain", "", 3),
    "doubted": ("doubted", "%", 2),
}
"""Columns of the summary: heading, unit, digits."""


def find_cases(
    sr: Path,
    lr: Path | None = None,
    hr: Path | None = None,
    lesions: Path | None = None,
    other: Path | None = None,
) -> list[CaseFiles]:
    """The cases of a folder of SR; what belongs to each is found by its name.

    Args:
        sr: folder of SR images, or one image.
        lr: folder of images of the same names, or one image; None where there is none.
        hr: as for LR; may be there for some of the cases only.
        lesions: masks; as for HR.
        other: SR of the same LR by another run; as for HR, and only beside LR.
    Raises:
        UdeansrError: if there is no image, or an SR has no LR.
    """
    images = {case_name(path): path for path in list_images(sr)}
    partners = {
        kind: {} if folder is None else _partners(folder, images)
        for kind, folder in (("lr", lr), ("hr", hr), ("lesions", lesions), ("other", other))
    }
    if lr is not None and (alone := sorted(set(images) - set(partners["lr"]))):
        raise UdeansrError(
            f"{len(alone)} of {sr} have no image of their name in {lr}: {', '.join(alone[:5])}; expected the LR of "
            "each; give the folder they were made of with -i"
        )
    if other is not None and lr is None:
        raise UdeansrError("the SR of another run is compared beside the LR; expected their folder; give it with -i")
    home = sr if sr.is_dir() else sr.parent
    doubts = home / UNCERTAINTY
    found = []
    for name, path in images.items():
        doubt, sidecar = doubts / path.name, path.with_name(f"{name}.json")
        found.append(
            CaseFiles(
                name,
                path,
                lr=partners["lr"].get(name),
                hr=partners["hr"].get(name),
                uncertainty=doubt if doubt.exists() else None,
                lesions=partners["lesions"].get(name),
                sidecar=sidecar if sidecar.is_file() else None,
                other=partners["other"].get(name),
            )
        )
    return found


def write_report(
    cases: Sequence[CaseFiles],
    path: Path,
    title: str = "Super-resolution",
    scores: Mapping[str, Mapping[str, float]] | None = None,
    processes: int = 1,
) -> Path:
    """Write the page of a run.

    Args:
        cases: of it, at least one.
        path: of the page.
        title: of the page.
        scores: of cases, by name, where they are known already.
        processes: cases that are looked at at once.
    Returns: the path.
    Raises:
        UdeansrError: if an image cannot be read or the page cannot be written.
    """
    most = min(max(MOST_BYTES / len(cases), LEAST_OF_A_CASE), MOST_OF_A_CASE)
    work = partial(_report_numbered, most_bytes=most, scores=scores or {})
    reports = parallel_map(work, list(enumerate(cases)), processes, "report")
    return write_page(
        path,
        "run.html.j2",
        title,
        [report.scene for report in reports],
        cases=reports,
        columns=[key for key in NUMBERS if any(key in report.numbers for report in reports)],
        numbers=NUMBERS,
        written=_written,
        distributions=_distributions(reports),
    )


def write_evaluation_reports(
    sr: Sequence[Path], hr: Path, scores: Scores, output: Path, processes: int = 1
) -> list[Path]:
    """Write the page of each folder that was scored.

    Args:
        sr: the folders.
        hr: the truth.
        scores: of them, in their order.
        output: folder of the page; of several, each has a folder of its name in it.
        processes: as for :func:`write_report`.
    Returns: the paths.
    Raises:
        UdeansrError: as :func:`write_report`.
    """
    pages = []
    for folder, found in zip(sr, scores.folders, strict=True):
        home = output if len(sr) == 1 else output / Path(found.folder).name
        pages.append(write_report(find_cases(folder, hr=hr), home / PAGE, found.folder, found.cases, processes))
    return pages


def write_prediction_report(
    lr: Path, sr_folder: Path, outcome: Outcome, *, dicom: bool = False, bids: bool = False
) -> Path:
    """Write the page of a prediction beside its SR.

    Args:
        lr: what was predicted.
        sr_folder: where the SR lies.
        outcome: of the prediction; what was done or was there already is on the page.
        dicom: as in the prediction.
        bids: as in the prediction.
    Returns: the path of the page.
    Raises:
        UdeansrError: if an image cannot be read or the page cannot be written.
    """
    there = {*outcome.done, *outcome.skipped}
    outputs = plan_outputs(lr, sr_folder, dicom=dicom, bids=bids)
    cases = [_files(image, output) for image, output in outputs.items() if output.sr in there]
    if bids:
        ignore_pages(sr_folder)
    return write_report(cases, sr_folder / PAGE)


def _files(image: Path, output: Output) -> CaseFiles:
    return CaseFiles(
        case_name(output.sr),
        output.sr,
        image,
        uncertainty=output.uncertainty if output.uncertainty.exists() else None,
        sidecar=output.sidecar if output.sidecar.is_file() else None,
    )


def _report_numbered(
    numbered: tuple[int, CaseFiles], most_bytes: float, scores: Mapping[str, Mapping[str, float]]
) -> CaseReport:
    number, files = numbered
    return report_case(files, f"v{number}", most_bytes, scores.get(files.name))


def _partners(folder: Path, images: Mapping[str, Path]) -> dict[str, Path]:
    """The images of a folder by the names of cases; a single image is the partner of a single one."""
    found = list_images(folder)
    if folder.is_file() and len(images) == 1:
        return {next(iter(images)): found[0]}
    return {case_name(path): path for path in found}


def _written(report: CaseReport, key: str) -> str:
    """A number of the summary as text."""
    return f"{report.numbers[key]:.{NUMBERS[key][2]}f}" if key in report.numbers else "–"


def _distributions(reports: Sequence[CaseReport]) -> list[Markup]:
    """How the numbers are spread over the cases, of three cases or more."""
    if len(reports) < 3:
        return []
    found = []
    for key, (heading, unit, _) in NUMBERS.items():
        values = {report.name: report.numbers[key] for report in reports if key in report.numbers}
        if values:
            found.append(strip_chart(heading, values, unit))
    return found
