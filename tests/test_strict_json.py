import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Lt
from hypothesis import given
from hypothesis import strategies as st

from udeansr.errors import UdeansrError
from udeansr.strict_json import as_json, differences, from_json, from_text, read_json, read_json_as, write_json


@dataclass(frozen=True)
class Filter:
    sigma: Annotated[float, Gt(0)]
    kind: Literal["gauss", "box"] = "gauss"

    def __post_init__(self) -> None:
        if self.sigma == 7:
            raise ValueError("7 is no sigma")
        if self.sigma == 8:
            raise UdeansrError("8 is no sigma")


@dataclass(frozen=True)
class Recipe:
    count: Annotated[int, Ge(1)]
    share: Annotated[float, Ge(0), Lt(1)] | None = None
    on: bool = False
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    curve: tuple[tuple[float, ...], ...] = ()
    filters: dict[str, Filter] = field(default_factory=dict)
    source: Literal["measured", "none"] | Filter = "none"
    rest: dict[str, Any] = field(default_factory=dict)


FULL = Recipe(
    3, 0.25, True, (2.0, 0.5, 1 / 3), ((1.0,), (0.1, 1e-300)), {"a": Filter(0.1)}, Filter(2.0, "box"), {"x": [1, None]}
)


@pytest.mark.parametrize("recipe", [FULL, Recipe(1), Recipe(1, source="measured")])
def test_what_is_written_is_read_back(recipe, tmp_path):
    write_json(recipe, tmp_path / "new" / "recipe.json")
    assert read_json_as(Recipe, tmp_path / "new" / "recipe.json", "recipe", "a command") == recipe
    assert from_json(Recipe, as_json(recipe), "here") == from_json(Recipe, asdict(recipe), "here") == recipe
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["recipe.json"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=9))
def test_every_number_comes_back_as_it_was(numbers):
    recipe = Recipe(1, curve=(tuple(numbers),))
    assert from_json(Recipe, as_json(recipe), "here") == recipe


WRONG = {
    "an unknown key": ({"count": 1, "n": 2}, "unknown key 'n'; known are count, share"),
    "an unknown key within": ({"count": 1, "source": {"sigma": 1, "n": 2}}, "'source.n'; known are sigma, kind"),
    "a missing key": ({}, "the key 'count' is missing"),
    "a missing key within": ({"count": 1, "filters": {"a": {}}}, "the key 'filters.a.sigma' is missing"),
    "text for a number": ({"count": "3"}, """'count' is "3"; expected a whole number"""),
    "true for a number": ({"count": True}, "'count' is true; expected a whole number"),
    "a fraction for a whole number": ({"count": 3.5}, "'count' is 3.5; expected a whole number"),
    "a number for true": ({"count": 1, "on": 1}, "'on' is 1; expected true or false"),
    "below its bound": ({"count": 0}, "'count' is 0; expected at least 1"),
    "above its bound": ({"count": 1, "share": 1}, "'share' is 1; expected below 1"),
    "not finite": ({"count": 1, "share": float("nan")}, "'share' is NaN; expected a finite number"),
    "a bound within": ({"count": 1, "filters": {"a": {"sigma": -1}}}, "'filters.a.sigma' is -1; expected above 0"),
    "a word of no list": ({"count": 1, "source": "n"}, "'source' is \"n\"; expected 'measured' or 'none' or an object"),
    "too few": ({"count": 1, "spacing_mm": [1, 2]}, r"'spacing_mm' is \[1, 2\]; expected a longer list"),
    "too many": ({"count": 1, "spacing_mm": [1, 2, 3, 4]}, "'spacing_mm' is .*; expected a list of at most 3"),
    "a wrong one among many": ({"count": 1, "curve": [[1], [2, "x"]]}, "'curve.1.1' is \"x\"; expected a number"),
    "no list": ({"count": 1, "curve": 3}, "'curve' is 3; expected a list"),
    "no object": ([1], r"\[1\]; expected an object"),
    "its own check": ({"count": 1, "source": {"sigma": 7}}, "'source': 7 is no sigma"),
    "its own error": ({"count": 1, "source": {"sigma": 8}}, "8 is no sigma"),
    "no JSON": ({"count": {1}}, "set is not JSON"),
    "much": ({"count": list(range(99))}, r"'count' is \[0, 1, .*\.\.\.; expected a whole number"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named_with_what_was_expected(wrong):
    values, message = WRONG[wrong]
    with pytest.raises(UdeansrError, match=f"^recipe.json: .*{message}") as caught:
        from_json(Recipe, values, "recipe.json", "mend it")
    assert "\n" not in str(caught.value)


def test_words_are_read_as_what_the_fields_are():
    words = {"count": "3", "share": "0.5", "on": "yes"}
    assert from_text(Recipe, words, "--set") == Recipe(3, 0.5, True)
    for wrong in ({"count": "3.5"}, {"count": "x"}, {"count": "1", "on": "perhaps"}, {"count": "1", "share": "nan"}):
        with pytest.raises(UdeansrError, match=f"^--set: '{list(wrong)[-1]}' is \"{list(wrong.values())[-1]}\""):
            from_text(Recipe, wrong, "--set")


def test_a_number_that_json_does_not_know_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json({"a": float("nan")}, tmp_path / "facts.json")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(UdeansrError, match=r"facts.json: there is no plan; .*udeansr_x -d 1$"):
        read_json(tmp_path / "facts.json", "plan", "udeansr_x -d 1")


def test_no_json_says_where(tmp_path):
    path = tmp_path / "facts.json"
    path.write_text('{\n"a": }')
    with pytest.raises(UdeansrError, match=r"facts.json: no JSON \(.*line 2.*a command"):
        read_json(path, "facts", "a command")


@pytest.mark.parametrize("command", ["train", "predict", "plan_and_preprocess", "models"])
def test_help_waits_for_no_heavy_import(command):
    program = (
        f"import json, sys; from udeansr.cli.{command} import main\nsys.argv = ['udeansr_{command}', '-h']\n"
        "try:\n    main()\nfinally:\n    print(json.dumps(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules))))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert json.loads(said.splitlines()[-1]) == []


def test_differences_are_named_from_the_outside_in() -> None:
    former, now = {"a": 1, "b": {"c": 2, "d": [3]}}, {"b": {"c": 2, "d": [1, 2, 3, 4]}, "e": None, "f": 5}
    found = differences(former, now)
    assert [(one.name, one.former, one.now) for one in found] == [
        ("a", 1, None), ("b.d", [3], [1, 2, 3, 4]), ("f", None, 5),
    ]  # fmt: skip
    assert [str(one) for one in found] == ["a 1 -> None", "b.d", "f None -> 5"]
    assert differences(now, now) == []


@pytest.mark.parametrize("words", ["\x1b[31mred", "a\rb", "\x9b2J", "\u202eabc", "\ud800", "\x00"])
@pytest.mark.parametrize("place", ["value", "key"])
def test_text_that_commands_a_terminal_is_refused_harmlessly(words, place) -> None:
    values = {"words": {words: 1}} if place == "key" else {"words": {"a": words}}
    with pytest.raises(UdeansrError, match="holds signs that command a terminal") as error:
        from_json(Anything, values, "a.json")
    assert str(error.value).isprintable()


def test_a_number_that_is_not_finite_is_refused_where_any_value_may_be() -> None:
    with pytest.raises(UdeansrError, match=r"a\.json: a number is not finite; expected finite numbers"):
        from_json(Anything, {"words": {"a": [1e999]}}, "a.json")


def test_what_lies_too_deep_is_refused(tmp_path) -> None:
    (tmp_path / "a.json").write_text("[" * 200_000 + "]" * 200_000)
    with pytest.raises(UdeansrError, match="lie too deep in each other; make it again: make"):
        read_json(tmp_path / "a.json", "thing", "make")


@dataclass(frozen=True)
class Anything:
    words: dict[str, Any]


def test_a_key_of_several_lines_is_told_in_one():
    with pytest.raises(UdeansrError, match=r"^here: unknown key 'co\\nunt'; known are count") as told:
        from_json(Recipe, {"count": 1, "co\nunt": 2}, "here")
    assert "\n" not in str(told.value)
