import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from udeansr.errors import UdeansrError
from udeansr.report.training_page import MOST_SAMPLES, training_charts, training_warnings, write_training_page
from udeansr.training.log import EpochRecord

RUN = {
    "version": "0.1.0",
    "dataset": "Dataset001_A",
    "configuration": "x2x2x2",
    "method": "udean",
    "settings": {"alpha": 0.25},
    "run": {"epochs": 9, "seed": 7},
    "computed": {"device": "cpu", "precision": "bf16", "torch": "2.9", "python": "3.11"},
}


def epoch(number: int, psnr: float, **more) -> EpochRecord:
    validation = {"score": psnr / 40, "psnr": psnr, "ssim": 0.8, "shift_voxels": [0.01, 0.02, 0.0], **more}
    losses = {} if number == 0 else {"generators.l1": 0.1 / number, "discriminators.real": 0.5}
    seconds = {"computing": 5.0, "waiting": 0.5, "validation": 1.0}
    return EpochRecord(number, 10 if number else 0, losses, validation, 1e-3, seconds)


HISTORY = [epoch(0, 30.0, tricubic_psnr=31.0), epoch(1, 32.0), epoch(2, 33.0)]


@pytest.fixture
def training(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "metrics.jsonl").write_text("".join(entry.line() for entry in HISTORY))
    return tmp_path


def test_the_page_tells_how_it_went_and_what_it_was_told(training):
    path = write_training_page(training)
    text = path.read_text(encoding="utf-8")
    assert path == training / "training.html" and str(training) not in text
    for words in ("2 of 9, 20 iterations", "0.8250, after epoch 2", "torch 2.9", "alpha", "0.25", "20 s"):
        assert words in text, words
    assert 'class="warnings"' not in text


def test_samples_stand_between_what_to_compare_them_with(training):
    (training / "samples").mkdir()
    for name in ("HR", "tricubic", *(f"epoch_{2**number:04d}" for number in range(15))):
        Image.new("L", (4, 3), 9).save(training / "samples" / f"{name}.png")
    text = write_training_page(training).read_text(encoding="utf-8")
    labels = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert labels[:3] == ["tricubic", "epoch 1", "epoch 2"] and labels[-2:] == ["epoch 16384", "HR"]
    assert len(labels) == MOST_SAMPLES + 2


def test_memory_has_a_curve_where_it_is_known():
    assert "most in use" in training_charts([replace(entry, memory_gb=1.5) for entry in HISTORY])[-1]


def test_players_and_tricubic_have_curves():
    charts = training_charts(HISTORY)
    titles = [chart.split("<title>")[1].split("<")[0] for chart in charts]
    assert titles == [
        "losses, by player",
        "validation: PSNR, dB",
        "validation: SSIM",
        "validation: score that chooses the best",
        "learning rate",
        "time of an epoch",
    ]
    assert charts[0].count("<polyline") == 2
    assert charts[1].count("<polyline") == 2  # psnr, and tricubic, measured once, along all epochs


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (epoch(3, 30.5), "30.50 dB, tricubic interpolation 31.00 dB"),
        (epoch(3, 33.0, shift_voxels=[0.0, -0.7, None]), "shifted against HR by 0.70 voxels"),
        (EpochRecord(3, 10, {"a.b": float("nan")}, {"psnr": 33.0}, 1e-3, {}), "no number from epoch 3"),
        (EpochRecord(3, 10, {}, {"psnr": 33.0}, 1e-3, {"waiting": 99.0}), "waiting for batches"),
    ],
)
def test_what_went_wrong_is_told(last, words):
    assert training_warnings(HISTORY) == []
    (said,) = training_warnings([*HISTORY, last])
    assert words in said


def test_the_plan_is_told_with_its_reasons_where_a_checkpoint_has_it(training, monkeypatch, tiny_configuration):
    from udeansr.planning.plan import Plan
    from udeansr.report import training_page

    plan = Plan("Dataset001_A", "SPL", 1.0, {"x2x2x2": tiny_configuration()})
    (training / "latest.pt").touch()
    monkeypatch.setattr(training_page, "load_checkpoint", lambda path: {"plan": plan.as_dict()})
    text = write_training_page(training).read_text(encoding="utf-8")
    assert "each value with its reason" in text and "patch_size" in text


def test_no_training_is_the_users_mistake(tmp_path):
    with pytest.raises(UdeansrError, match="with an epoch; expected the folder of a training"):
        write_training_page(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_and_fits_the_screen(browse, training, width):
    page = write_training_page(training)
    assert browse(page, width).execute_script("return document.documentElement.scrollWidth") <= width
