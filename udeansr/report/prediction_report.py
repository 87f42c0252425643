"""The page with which a prediction ends."""

from __future__ import annotations

from pathlib import Path

from udeansr.image.names import case_name
from udeansr.prediction.output import Output, plan_outputs
from udeansr.prediction.predict import Outcome
from udeansr.report.case_report import CaseFiles
from udeansr.report.run_report import PAGE, write_report


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
    return write_report(cases, sr_folder / PAGE)


def _files(image: Path, output: Output) -> CaseFiles:
    return CaseFiles(
        case_name(output.sr),
        output.sr,
        image,
        uncertainty=output.uncertainty if output.uncertainty.exists() else None,
        sidecar=output.sidecar if output.sidecar.is_file() else None,
    )
