import json
import re
from dataclasses import replace

import pytest

from udeansr.degradation.kspace import Degradation
from udeansr.errors import UdeansrError
from udeansr.image.volume import Geometry
from udeansr.planning.configuration import SIZE_KEYS, TASK_KEYS, Configuration
from udeansr.planning.plan import Plan


@pytest.fixture
def plan() -> Plan:
    base = Configuration.of(
        "x2x2x1", scale="x2x2x1", lr_spacing_mm=(5.0, 2.0, 2.0), hr_spacing_mm=(5.0, 1.0, 1.0),
    slab_slices=3, patch_size=(64, 32), rotate90=False,
        batch_size=8, features=64, groups=5, blocks=5, discriminator_features=64, epochs=200,
        iterations_per_epoch=250, reasons={"features": "the paper's", "batch_size": "the paper's"},
    )  # fmt: skip
    return Plan("Dataset001_Tiny", "SPL", 1.02, {"x2x2x1": base})


def with_variant(plan: Plan, **values) -> dict:
    edited = plan.as_dict()
    edited["configurations"]["wide"] = {"inherits_from": "x2x2x1", **parts(values)}
    return edited


def parts(values: dict) -> dict:
    """Values as they stand in the file: those of task and size in objects of their own."""
    own = {key: value for key, value in values.items() if key not in (*TASK_KEYS, *SIZE_KEYS)}
    for part, keys in (("task", TASK_KEYS), ("size", SIZE_KEYS)):
        if found := {key: value for key, value in values.items() if key in keys}:
            own[part] = found
    return own


def test_json_and_back(plan, tmp_path):
    path = tmp_path / "plans.json"
    plan.save(path)
    assert Plan.load(path) == plan
    assert list(tmp_path.iterdir()) == [path]


def test_a_variant_has_its_own_values_and_otherwise_those_it_inherits(plan):
    read = Plan.from_dict(with_variant(plan, features=96, reasons={"features": "a wide one"}))
    wide, base = read.configuration("wide"), read.configuration("x2x2x1")
    assert wide.size.features == 96
    assert wide.reasons == {"features": "a wide one", "batch_size": "the paper's"}
    assert wide.changed(name=base.name, features=64, inherits_from=None, reasons=base.reasons) == base
    assert Plan.from_dict(read.as_dict()) == read


def test_a_reason_is_not_inherited_by_a_value_that_was_changed(plan):
    assert Plan.from_dict(with_variant(plan, features=96)).configuration("wide").reasons == {
        "batch_size": "the paper's"
    }


def test_a_variant_is_saved_as_what_differs(plan):
    saved = Plan.from_dict(with_variant(plan, features=96)).as_dict()["configurations"]["wide"]
    assert saved == {"size": {"features": 96}, "inherits_from": "x2x2x1", "reasons": {"batch_size": "the paper's"}}


def test_variants_of_variants_inherit_from_the_nearest(plan):
    edited = with_variant(plan, features=96, epochs=10)
    edited["configurations"]["wider"] = {"inherits_from": "wide", "size": {"features": 128}}
    wider = Plan.from_dict(edited).configuration("wider")
    assert (wider.size.features, wider.size.epochs, wider.size.groups) == (128, 10, 5)


def test_a_configuration_that_is_not_there_is_told_with_those_that_are(plan):
    with pytest.raises(UdeansrError, match="Dataset001_Tiny has no configuration 'x4x4x4'; its plan has x2x2x1"):
        plan.configuration("x4x4x4")


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"size": {"featurs": 96}}, "unknown key 'size.featurs'; known are patch_size"),
        ({"features": 0}, "'size.features' is 0; expected at least 1"),
        ({"features": 3}, "'features' is 3, and slabs have 3 slices; expected more features than slices"),
        ({"scale": "a\nb"}, r"scale 'a\\nb' is not a scale"),
        ({"features": 64.5}, "'size.features' is 64.5; expected a whole number"),
        ({"epochs": True}, "'size.epochs' is true; expected a whole number"),
        ({"rotate90": 1}, "'task.rotate90' is 1; expected true or false"),
        ({"patch_size": [64, 32.5]}, "'size.patch_size.1' is 32.5; expected a whole number"),
        ({"lr_spacing_mm": [5, 2]}, r"'task.lr_spacing_mm' is \[5, 2\]; expected a longer list"),
        ({"lr_spacing_mm": [5, 2, -2]}, "'task.lr_spacing_mm.2' is -2; expected at least 0.001"),
        ({"scale": "x2"}, "scale 'x2' is not a scale"),
        ({"scale": "x2x2x5"}, r"'hr_spacing_mm' is \[5.0, 1.0, 1.0\]; expected 'lr_spacing_mm' / x2x2x5"),
        ({"inherits_from": "none"}, "it inherits from 'none', which is not there; the plan has x2x2x1, wide"),
        ({"inherits_from": "wide"}, "it inherits from itself; the plan has x2x2x1, wide"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_configuration(plan, variant, message):
    with pytest.raises(UdeansrError, match=f"^plans.json, configuration 'wide': {message}"):
        Plan.from_dict(with_variant(plan, **variant))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"degradation": {}}, "plans.json: the key 'degradation.frequencies' is missing.+ plan again"),
        ({"configurations": {"x2x2x1": {"featurs": 9}}}, "unknown key 'configurations.x2x2x1.featurs'"),
        ({"configurations": {"x2x2x1": {"reasons": "none"}}}, "'configurations.x2x2x1.reasons' is"),
        ({"colour": 1}, "plans.json: unknown key 'colour'; known are dataset"),
        ({"configurations": {}}, "'configurations' holds none.* plan again"),
        ({"orientation": "SPR "}, "'orientation' is 'SPR '; expected three letters such as SPL"),
        ({"orientation": "SPI"}, "'orientation' is 'SPI'; expected three letters such as SPL"),
        ({"lr_gain": 0}, "'lr_gain' is 0; expected at least 0.0001"),
        ({"lr_gain": "high"}, "'lr_gain' is .*; expected a number"),
    ],
)
def test_a_wrong_plan_is_told(plan, change, message):
    with pytest.raises(UdeansrError, match=message):
        Plan.from_dict(plan.as_dict() | change)


def test_every_missing_value_is_told(plan):
    for part, keys in (("task", TASK_KEYS), ("size", SIZE_KEYS)):
        for key in set(keys) - {"source_degradation", "slab_axes", "band_axes", "contrast"}:
            values = plan.as_dict()
            del values["configurations"]["x2x2x1"][part][key]
            with pytest.raises(UdeansrError, match=f"configuration 'x2x2x1': the key '{part}.{key}' is missing"):
                Plan.from_dict(values)


def test_a_plan_that_is_missing_or_no_json_is_told(tmp_path):
    path = tmp_path / "plans.json"
    with pytest.raises(UdeansrError, match="there is no plan; make one: udeansr_plan_and_preprocess -d DATASET"):
        Plan.load(path)
    path.write_text(json.dumps([1]))
    with pytest.raises(UdeansrError, match="expected an object"):
        Plan.load(path)


def test_a_known_degradation_may_stand_in_the_plan(plan, tmp_path):
    known = Degradation(apodization=0.3, partial_fourier=0.75, partial_fourier_axis="X", noise=0.02)
    base = plan.configurations["x2x2x1"]
    variant = base.changed(name="known", inherits_from="x2x2x1", source_degradation=known)
    replace(plan, configurations={**plan.configurations, "known": variant}).save(tmp_path / "plans.json")
    assert Plan.load(tmp_path / "plans.json").configurations["known"].task.source_degradation == known


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("blur", "expected 'measured', 'truncation' or 'randomized' or an object"),
        ({"blur": 1}, "unknown key 'task.source_degradation.blur'; known are apodization"),
        ({"noise": 2}, "noise is 2; expected a fraction of the foreground's mean from 0 to 1"),
    ],
)
def test_a_degradation_that_is_none_is_told(plan, value, message):
    values = plan.as_dict()
    values["configurations"]["x2x2x1"]["task"]["source_degradation"] = value
    with pytest.raises(UdeansrError, match=re.escape(message)):
        Plan.from_dict(values)


def test_two_axes_of_slabs_have_one_factor(plan):
    values = plan.as_dict()
    assert Plan.from_dict(values).configurations["x2x2x1"].task.slab_axes == "Z"
    values["configurations"]["x2x2x1"]["task"]["slab_axes"] = "YX"
    assert Plan.from_dict(values).configurations["x2x2x1"].task.slab_axes == "YX"
    task = values["configurations"]["x2x2x1"]["task"]
    z, y, x = task["lr_spacing_mm"]
    task |= {"scale": "x1x2x3", "hr_spacing_mm": [z / 3, y / 2, x]}
    with pytest.raises(UdeansrError, match="'slab_axes' is YX, and the factors along Y and X differ"):
        Plan.from_dict(values)
    task["slab_axes"] = "W"
    with pytest.raises(UdeansrError, match="slab_axes"):
        Plan.from_dict(values)


def mixed(plan: Plan) -> Plan:
    """A variant of a configuration of another protocol."""
    values = with_variant(plan, features=96)
    whole = values["configurations"]["x2x2x1"]
    own = {"images": {"targetLR": ["a"]}, "orientation": "LSP", "lr_gain": 0.9, "degradation": None}
    values["configurations"]["x2x2x1_t2w"] = {**whole, "protocol": own}
    values["configurations"]["wide"]["inherits_from"] = "x2x2x1_t2w"
    return Plan.from_dict(values)


def test_of_a_mixed_cohort_a_configuration_and_its_variants_have_what_is_their_protocols(plan):
    read = mixed(plan)
    assert Plan.from_dict(read.as_dict()) == read
    assert read.of("x2x2x1") == read and (read.orientation, read.lr_gain) == ("SPL", 1.02)
    for name in ("x2x2x1_t2w", "wide"):
        assert (read.of(name).orientation, read.of(name).lr_gain) == ("LSP", 0.9)


def test_the_orientation_of_a_protocol_is_one(plan):
    values = mixed(plan).as_dict()
    values["configurations"]["x2x2x1_t2w"]["protocol"]["orientation"] = "SSL"
    with pytest.raises(UdeansrError, match="configuration 'x2x2x1_t2w': 'orientation' is 'SSL'"):
        Plan.from_dict(values)


def test_along_the_band_axes_a_finer_lr_fits_and_a_coarser_one_does_not(plan):
    base = plan.configuration("x2x2x1")
    banded = base.changed(scale="x1x1x5", hr_spacing_mm=(1.0, 2.0, 2.0), band_axes="YX")
    finer, coarser = Geometry((9, 9, 9), (5.0, 0.7, 1.1)), Geometry((9, 9, 9), (5.0, 2.0, 2.2))
    assert plan.fits(finer, banded) and not plan.fits(finer, base)
    assert not plan.fits(coarser, banded) and plan.spacing_deviation(coarser, banded) == pytest.approx(0.1)
