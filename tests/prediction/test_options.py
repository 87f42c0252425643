import pytest

from udeansr.errors import UdeansrError
from udeansr.parallel import Part
from udeansr.prediction.options import Options


def test_uncertainty_asks_for_the_best_unless_told_otherwise():
    assert Options().chosen_quality == "fast"
    assert Options(uncertainty=True).chosen_quality == "best"
    assert Options(uncertainty=True, quality="balanced").chosen_quality == "balanced"


def test_each_device_gets_a_share_of_the_part():
    shares = Options(device="cpu, cpu", part=Part(3, 1)).by_device()
    assert [(share.device, share.part) for share in shares] == [("cpu", Part(6, 1)), ("cpu", Part(6, 4))]
    assert Options(device="cpu").by_device() == [Options(device="cpu")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"device": "cpu,tpu"}, "device 'tpu'"),
        ({"device": "cpu,"}, "device ''"),
        ({"device": "all"}, "device 'all' means all CUDA devices, and there is none; expected auto or cpu"),
    ],
)
def test_devices_that_are_not_there_are_told(words, message, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(UdeansrError, match=message):
        Options(**words).by_device()


def test_words_that_are_none_are_refused():
    with pytest.raises(UdeansrError, match="precision 'half' is none; expected"):
        Options(precision="half")
    with pytest.raises(ValueError, match="mode 'append'"):
        Options(mode="append")
