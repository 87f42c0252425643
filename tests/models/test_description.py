import json
from dataclasses import replace

import pytest

from udeansr.errors import UdeansrError
from udeansr.models.calibration import Calibration
from udeansr.models.description import ModelDescription, one_configuration
from udeansr.planning.domain import Domain
from udeansr.planning.plan import Plan


@pytest.fixture
def described(tiny_configuration) -> ModelDescription:
    """All that a description can tell."""
    plan = Plan("Dataset001_BrainT1w", "SPL", 1.01, {"x2x2x2": tiny_configuration(source_degradation="randomized")})
    return ModelDescription(
        name="brain-t1w-x2x2x2",
        contrast="T1w",
        plan=plan,
        method="supervised",
        settings={"alpha": 0.5},
        run={"seed": 3},
        domain=Domain("T1w", 6, (((-1.5, -2.0), (-2.0, -3.0)),) * 2, 0.1, 0.02, (0.9, 0.8, 0.7)),
        calibration=Calibration((0.0, 0.1), (0.01, 0.2)),
    )


def test_a_description_comes_back_from_json(described):
    text = json.dumps(described.as_dict())
    assert ModelDescription.from_dict(json.loads(text), "a.zip") == described
    bare = replace(described, domain=None, calibration=None)
    assert ModelDescription.from_dict(json.loads(json.dumps(bare.as_dict())), "a.zip") == bare


def test_only_the_configuration_of_the_training_goes_along(tiny_configuration):
    parent = tiny_configuration()
    variant = parent.changed(name="mine", patch_size=(16, 16), inherits_from="x2x2x2")
    plan = one_configuration(Plan("Dataset001_A", "SPL", 1.0, {"x2x2x2": parent, "mine": variant}), "mine")
    assert plan.configurations == {"mine": replace(variant, inherits_from=None)}
    assert Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan
    with pytest.raises(UdeansrError, match=r"no configuration 'other'"):
        one_configuration(plan, "other")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "Brain", "a.zip", "-m", "a b", "a" * 65, "a\n"])
def test_what_cannot_be_the_name_of_a_file_is_no_name(described, name):
    with pytest.raises(UdeansrError, match=r"is no name of a model; expected small letters, digits, - and _"):
        replace(described, name=name)


@pytest.mark.parametrize("contrast", ["", "T1 w", "\x1b[31m"])
def test_what_is_no_word_is_no_contrast(described, contrast):
    with pytest.raises(UdeansrError, match=r"is no contrast; expected a word as in BIDS, such as T1w"):
        replace(described, contrast=contrast)


def test_a_model_has_one_configuration(described, tiny_configuration):
    plan = replace(described.plan, configurations={name: tiny_configuration() for name in ("a", "b")})
    with pytest.raises(ValueError, match=r"2 configurations"):
        replace(described, plan=plan)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"format": 3, "version": "9.1"},
            r"model format 3, written by udeansr 9.1; udeansr .* reads format 2. Install",
        ),
        ({"payload": "x"}, "unknown key 'payload'; known are"),
        ({"plan": None}, "'plan' is null; expected an object"),
        ({"name": 3}, "'name' is 3; expected text"),
        ({"name": "../../x"}, r"'\.\./\.\./x' is no name of a model"),
        ({"configuration": "x9"}, "no configuration 'x9'"),
        ({"plan": {}}, "the key 'dataset' is missing"),
        ({"domain": []}, "'domain' is .*; expected an object"),
        ({"calibration": {"std": [1, 0], "error": [0, 0]}}, "calibration: expected"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(described, changes, told):
    with pytest.raises(UdeansrError, match=f"^a.zip.*: .*{told}") as error:
        ModelDescription.from_dict(described.as_dict() | changes, "a.zip")
    assert "\n" not in str(error.value)


def test_what_is_no_object_or_lacks_a_key_is_refused(described):
    with pytest.raises(UdeansrError, match=r"a.zip: .*expected an object"):
        ModelDescription.from_dict([], "a.zip")
    values = described.as_dict()
    del values["format"]
    with pytest.raises(UdeansrError, match=r"a.zip: the key 'format' is missing"):
        ModelDescription.from_dict(values, "a.zip")
