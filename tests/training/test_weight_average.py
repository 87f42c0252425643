from __future__ import annotations

import pytest
import torch

from udeansr.training.weight_average import WeightAverage


@pytest.fixture
def method(tiny, configuration):
    torch.manual_seed(0)
    return tiny(configuration, tiny.settings_type())


def shift(method, by: float) -> None:
    with torch.no_grad():
        for weight in method.generators.parameters():
            weight.add_(by)


def test_the_average_of_what_does_not_change_is_itself(method) -> None:
    average = WeightAverage(method, 0.9)
    for updates in range(3):
        average.update(updates)
    for name, weight in average.state_dict().items():
        torch.testing.assert_close(weight, method.state_dict()[name])


def test_it_names_what_predicts_and_nothing_else(method) -> None:
    names = set(WeightAverage(method, 0.9).state_dict())
    assert names == {name for name in method.state_dict() if name.startswith("generators.")}


@pytest.mark.parametrize(
    ("decay", "updates", "expected"), [(0.999, 0, 0.1), (0.999, 90, 0.91), (0.5, 90, 0.5), (0.0, 90, 0.0)]
)
def test_the_decay_warms_up(method, decay, updates, expected) -> None:
    average = WeightAverage(method, decay)
    before = {name: weight.clone() for name, weight in average.state_dict().items()}
    shift(method, 1.0)
    average.update(updates)
    for name, weight in average.state_dict().items():
        torch.testing.assert_close(weight - before[name], torch.full_like(weight, 1 - expected))


def test_off_it_is_the_weights_bit_for_bit(method) -> None:
    average = WeightAverage(method, 0.0)
    shift(method, 0.1)
    average.update(5)
    assert all(torch.equal(weight, method.state_dict()[name]) for name, weight in average.state_dict().items())


def test_its_own_weights_come_back_bit_for_bit_even_after_an_error(method) -> None:
    average = WeightAverage(method, 0.9)
    shift(method, 1.0)
    own = {name: weight.clone() for name, weight in method.state_dict().items()}
    with pytest.raises(RuntimeError), average.in_place() as averaged:
        assert all(torch.equal(averaged.state_dict()[name], weight) for name, weight in average.state_dict().items())
        raise RuntimeError
    assert all(torch.equal(weight, own[name]) for name, weight in method.state_dict().items())
    assert all(weight.requires_grad for weight in method.parameters())


def test_saved_and_loaded_it_is_the_same(method) -> None:
    average, other = WeightAverage(method, 0.9), WeightAverage(method, 0.9)
    shift(method, 1.0)
    average.update(3)
    other.load_state_dict(average.state_dict())
    assert all(torch.equal(weight, other.state_dict()[name]) for name, weight in average.state_dict().items())
    with pytest.raises(ValueError, match="other weights"):
        other.load_state_dict({})


def test_it_moves_in_one_call_and_as_one_by_one(method, kernels) -> None:
    average = WeightAverage(method, 0.9)
    expected = {name: weight.clone() for name, weight in average.state_dict().items()}
    shift(method, 0.3)
    with kernels() as counted:
        average.update(5)
    assert counted.names == ["aten::_foreach_lerp_"]
    for name, weight in expected.items():
        assert torch.equal(average.state_dict()[name], weight.lerp_(method.state_dict()[name], 1 - 6 / 15))
