from __future__ import annotations

import pytest

from udeansr.errors import UdeansrError
from udeansr.methods import parse_settings
from udeansr.speed import measured_training
from udeansr.speed.comparison import Comparison, compare, comparison_table, other_variant
from udeansr.speed.measured_training import MeasuredTraining, Variant
from udeansr.training.settings import RunSettings

FIRST = Variant(parse_settings("supervised", ["supervised.alpha=0.25"]), RunSettings(device="cpu", precision="fp32"))


def other(compared: str) -> Variant:
    return other_variant(FIRST, "supervised", ["supervised.alpha=0.25"], compared)


def test_what_is_named_differs_and_nothing_else() -> None:
    assert other("precision=bf16, workers=2").run == RunSettings(device="cpu", precision="bf16", workers=2)
    assert other("precision=bf16").settings == FIRST.settings
    assert other("compile=yes").run.compile is True
    assert other("step=plain") == Variant(FIRST.settings, FIRST.run, plain=True)
    mixed = other("supervised.network=rcan,batch_size=4")
    assert (mixed.settings.network, mixed.settings.alpha, mixed.run.batch_size) == ("rcan", 0.25, 4)


@pytest.mark.parametrize(
    ("compared", "text"),
    [
        ("precision", "'precision' sets nothing; expected SETTING=VALUE"),
        ("speed=high", "'speed=high': expected one of precision, workers"),
        ("step=fast", "step \\(own or plain\\)"),
        ("precision=fp8", "--compare.*precision"),
        ("supervised.colour=red", "colour"),
        ("udean.beta=0.1", "is for the method 'udean'"),
    ],
)
def test_what_is_no_setting_is_refused(compared, text) -> None:
    with pytest.raises(UdeansrError, match=text):
        other(compared)


def test_both_are_timed_in_turns(folder, plan, monkeypatch) -> None:
    monkeypatch.setattr(measured_training, "PROGRESSES", (0.5,))
    timed = []

    def seconds(self: MeasuredTraining) -> float:
        timed.append(self.run.batch_size)
        return float(self.run.batch_size)

    monkeypatch.setattr(measured_training.MeasuredTraining, "seconds", seconds)
    found = compare(folder, plan, ("x2x2x1", "supervised"), (FIRST, other("batch_size=3")), "batch_size=3", 3)
    assert timed == [2, 3, 3, 2, 2, 3]
    assert found.ratios == (1.5, 1.5, 1.5)


def test_the_table_tells_the_ratio_with_its_spread() -> None:
    told = comparison_table(Comparison("precision=fp32", ("bf16", "fp32"), ((0.5, 1.0), (0.5, 0.5), (0.5, 1.5))))
    assert told.splitlines() == [
        "as it is: 2 iterations a second in bf16",
        "precision=fp32: 1 iterations a second in fp32",
        "precision=fp32 takes 2.00 times as long (1.00 to 3.00 in 3 rounds in turns)",
    ]
