"""The page of a run, on disk and in a browser."""

import re
import shutil

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.volume import Volume
from udeansr.prediction.predict import Outcome
from udeansr.report import run_report
from udeansr.report.run_report import find_cases, write_prediction_report, write_report


@pytest.fixture(scope="module")
def folders(case, tmp_path_factory):
    """Three cases: right, dimmed, and right again; the second has no HR."""
    root = tmp_path_factory.mktemp("run")
    for kind, path in case.items():
        (root / kind).mkdir()
        for name in ("a", "b", "c"):
            shutil.copy(path, root / kind / f"{name}.nii.gz")
    sr = read_volume(case["sr"])
    write_volume(Volume((0.8 * sr.voxels).astype(np.float32), sr.geometry), root / "sr" / "b.nii.gz")
    (root / "hr" / "b.nii.gz").unlink()
    write_volume(Volume((sr.voxels / 50).astype(np.float32), sr.geometry), root / "sr" / "uncertainty" / "a.nii.gz")
    return root


@pytest.fixture(scope="module")
def page(folders):
    return write_report(find_cases(folders / "sr", folders / "lr", folders / "hr"), folders / "page" / "report.html")


def test_what_belongs_to_each_case_is_found_by_its_name(folders):
    a, b, c = find_cases(folders / "sr", folders / "lr", folders / "hr")
    assert [one.name for one in (a, b, c)] == ["a", "b", "c"]
    assert a.uncertainty == folders / "sr" / "uncertainty" / "a.nii.gz" and b.uncertainty is None
    (one, *_) = find_cases(folders / "sr", folders / "lr", other=folders / "hr")
    assert one.other == folders / "hr" / "a.nii.gz" and a.other is None
    with pytest.raises(UdeansrError, match="give it with -i"):
        find_cases(folders / "sr", other=folders / "hr")
    assert a.hr == folders / "hr" / "a.nii.gz" and b.hr is None and b.lr == folders / "lr" / "b.nii.gz"


def test_single_images_are_partners_whatever_their_names(folders):
    (only,) = find_cases(folders / "sr" / "a.nii.gz", folders / "lr" / "b.nii.gz")
    assert only.lr == folders / "lr" / "b.nii.gz"


def test_an_sr_without_its_lr_is_the_users_mistake(folders, tmp_path):
    shutil.copy(folders / "lr" / "a.nii.gz", tmp_path)
    with pytest.raises(UdeansrError, match=r"2 of .*sr have no image of their name .*: b, c"):
        find_cases(folders / "sr", tmp_path)


def test_the_page_names_cases_and_no_folder(page, folders):
    text = page.read_text(encoding="utf-8")
    assert str(folders) not in text and "http" not in text.replace("http-equiv", "")
    assert text.index("1 of 3 to look at") < text.index("<table>")
    assert "darker" in text
    assert text.count('id="case-') == 3
    assert "3 cases" in text


def test_it_opens_and_each_case_can_be_looked_at(browse, page):
    browser = browse(page)
    for number, name in enumerate("abc"):
        browser.execute_script(f"document.querySelector('[data-open=\"{number}\"]').click()")
        browser.execute_async_script(
            "const done = arguments[0]; const wait = () => document.getElementById('viewer').getAttribute('aria-busy')"
            " === 'false' ? done() : setTimeout(wait, 20); wait()"
        )
        assert browser.execute_script("return viewer.scene.name") == name
        home = "return document.getElementById('viewer').closest('section').id"
        assert browser.execute_script(home) == f"case-{number}"
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen(browse, page, width):
    assert browse(page, width).execute_script("return document.documentElement.scrollWidth") <= width


def test_many_cases_share_the_room(folders, tmp_path):
    cases = find_cases(folders / "sr", folders / "lr")
    alone = write_report(cases[:1], tmp_path / "one.html").stat().st_size
    assert alone < 8.5e6
    sizes = [len(text) for text in re.findall(r'type="text/plain">([^<]*)<', (tmp_path / "one.html").read_text())]
    assert sizes and sum(sizes) <= 8e6


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
    monkeypatch.setattr(run_report, "write_report", lambda cases, path: given.append((cases, path)) or path)
    outcome = Outcome(done=(sr / "a.nii.gz",), skipped=(sr / "b.nii.gz",), failed=(lr / "c.nii.gz",))
    assert write_prediction_report(lr, sr, outcome) == sr / "report.html"
    ((a, b), path) = given[0]
    assert path == sr / "report.html"
    assert (a.name, a.lr, a.uncertainty, a.sidecar) == ("a", lr / "a.nii.gz", None, None)
    assert (b.name, b.uncertainty, b.sidecar) == ("b", sr / "uncertainty" / "b.nii.gz", sr / "b.json")
