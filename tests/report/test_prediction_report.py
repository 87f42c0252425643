import shutil
from pathlib import Path

from udeansr.prediction.predict import Outcome
from udeansr.report import prediction_report as library
from udeansr.report.prediction_report import write_prediction_report


def test_what_was_done_or_was_there_is_on_the_page_with_what_lies_beside_it(case, tmp_path, monkeypatch):
    lr, sr = tmp_path / "lr", tmp_path / "sr"
    for folder, path in ((lr, case["lr"]), (sr, case["sr"])):
        folder.mkdir()
        for name in ("a", "b", "c"):
            shutil.copy(path, folder / f"{name}.nii.gz")
    (sr / "uncertainty").mkdir()
    shutil.copy(case["sr"], sr / "uncertainty" / "b.nii.gz")
    (sr / "b.json").write_text("{}")
    given = []
    monkeypatch.setattr(library, "write_report", lambda cases, path: given.append((cases, path)) or path)
    outcome = Outcome(done=(sr / "a.nii.gz",), skipped=(sr / "b.nii.gz",), failed=(lr / "c.nii.gz",))
    assert write_prediction_report(lr, sr, outcome) == sr / "report.html"
    ((a, b), path) = given[0]
    assert path == Path(sr / "report.html")
    assert (a.name, a.lr, a.uncertainty, a.sidecar) == ("a", lr / "a.nii.gz", None, None)
    assert (b.name, b.uncertainty, b.sidecar) == ("b", sr / "uncertainty" / "b.nii.gz", sr / "b.json")
