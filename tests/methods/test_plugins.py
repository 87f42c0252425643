from importlib import metadata

import pytest

from udeansr.errors import UdeansrError
from udeansr.methods import METHODS, Method, build_method, method_type, parse_settings, plugins
from udeansr.methods.interpolation import Tricubic


class Mine(Tricubic):
    """A method as another package has it."""

    name = "mine"


@pytest.fixture
def offer(monkeypatch):
    """Lets an installed package offer a method; returns its name."""

    def offer(value: str, name: str = "mine") -> str:
        point = metadata.EntryPoint(name, value, plugins.GROUP)
        monkeypatch.setattr("udeansr.methods.entry_points", lambda: {name: point})
        return name

    return offer


def test_a_method_of_another_package_is_one_like_ours(offer, monkeypatch, tiny_configuration):
    monkeypatch.setattr(plugins, "Mine", Mine, raising=False)
    name = offer("udeansr.methods.plugins:Mine")
    assert method_type(name) is Mine
    built = build_method(name, tiny_configuration(), parse_settings(name, []))
    assert isinstance(built, Mine)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_package:Mine", "the method 'mine' of another package cannot be imported .*mend or uninstall"),
        ("udeansr.methods:Nothing", "cannot be imported"),
        ("udeansr.methods:Method", "offers udeansr.methods:Method as the method 'mine'; expected a subclass"),
        ("udeansr.methods:method_type", "expected a subclass of udeansr.methods.Method whose name is 'mine'"),
    ],
)
def test_what_is_offered_and_is_none_is_told(offer, value, message):
    name = offer(value)
    with pytest.raises(UdeansrError, match=message):
        method_type(name)


def test_ours_cannot_be_replaced(offer):
    assert method_type(offer("udeansr.methods:Method", "supervised")) is METHODS["supervised"]


def test_the_nearest_word_is_told_and_what_others_offer_too(offer):
    offer("x:Mine", "mine")
    with pytest.raises(UdeansrError, match=r"no method 'Supervize' \(did you mean supervised\?\); expected .*, mine$"):
        method_type("Supervize")


def test_installed_entry_points_are_read():
    assert plugins.entry_points() == {point.name: point for point in metadata.entry_points(group=plugins.GROUP)}
    assert issubclass(Mine, Method)
