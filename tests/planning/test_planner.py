import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from udeansr.errors import UdeansrError
from udeansr.planning.case_facts import CaseFacts
from udeansr.planning.configuration import SIZE_KEYS, TASK_KEYS, Configuration
from udeansr.planning.plan import Plan
from udeansr.planning.planner import make_plan

DECIDED = {*TASK_KEYS, *SIZE_KEYS}

fingerprints = st.fixed_dictionaries(
    {
        "lr_spacing_mm": st.tuples(*[st.floats(1.5, 8)] * 3),
        "hr_spacing_mm": st.tuples(*[st.floats(0.3, 1.4)] * 3),
        "smallest": st.tuples(st.integers(3, 90), st.integers(16, 300), st.integers(16, 300)),
        "blur_x": st.floats(0, 1),
        "level_gain": st.floats(0.5, 3),
    }
)
fixtures_are_pure = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def only(plan: Plan) -> Configuration:
    (configuration,) = plan.configurations.values()
    return configuration


@fixtures_are_pure
@given(fingerprints, st.floats(8, 100) | st.none())
def test_any_plan_is_whole_reasoned_deterministic_and_goes_through_json(make_fingerprint, values, memory):
    fingerprint = make_fingerprint(**values)
    try:
        plan = make_plan(fingerprint, memory)
    except UdeansrError as error:
        assert max(fingerprint.grid.scale.zyx) in {1, *range(9, 99)} or "takes" in str(error)
        return
    made = only(plan)
    assert made.name == made.task.scale == str(fingerprint.grid.scale)
    assert set(made.reasons) == DECIDED | {"orientation", "lr_gain"}
    assert all(len(reason) > 8 for reason in made.reasons.values())
    assert 1 <= made.task.slab_slices <= fingerprint.smallest_lr_voxels[0]
    assert made.task.hr_spacing_mm == fingerprint.grid.sr_spacing_mm
    assert plan.lr_gain == values["level_gain"]
    assert make_plan(fingerprint, memory) == plan
    assert Plan.from_dict(plan.as_dict()) == plan


@pytest.mark.parametrize(
    ("p", "made_by", "why"),
    [
        (0.0286, "measured", "by more than subjects do (p = 0.029)"),
        (0.05, "truncation", "no more than subjects do (p = 0.05)"),
        (None, "measured", "too few to tell"),
    ],
)
def test_a_degradation_that_may_be_chance_is_not_learnt(make_fingerprint, p, made_by, why):
    plan = make_plan(make_fingerprint(degradation_p=p), None)
    assert only(plan).task.source_degradation == made_by
    assert why in only(plan).reasons["source_degradation"]
    assert plan.degradation is not None  # it is told, whatever is learnt from


@pytest.mark.parametrize(
    ("lr_mm", "hr_mm", "scale"),
    [
        ((2.0, 1.736, 1.736), (2.0, 0.868, 0.868), "x2x2x1"),
        ((5.0, 1.5, 1.5), (1.0, 1.0, 1.0), "x2x2x5"),
        ((2.0, 2.66, 2.66), (1.0, 1.33, 1.33), "x2x2x2"),
        ((4.0, 1.0, 1.0), (1.0, 1.0, 1.05), "x1x1x4"),
    ],
)
def test_the_scale_comes_from_the_spacings(make_fingerprint, lr_mm, hr_mm, scale):
    plan = make_plan(make_fingerprint(lr_spacing_mm=lr_mm, hr_spacing_mm=hr_mm), None)
    assert list(plan.configurations) == [scale]
    for lr, hr, factor in zip(lr_mm, only(plan).task.hr_spacing_mm, only(plan).task.factors.zyx, strict=True):
        assert hr == pytest.approx(lr / factor)


@pytest.mark.parametrize(
    ("hr_mm", "trouble"),
    [
        ((2.0, 1.9, 2.0), "give x1x1x1: they are of one resolution"),
        ((2.0, 0.2, 2.0), "give x1x10x1: a factor is above 8"),
    ],
)
def test_a_scale_that_cannot_be_trained_is_refused(make_fingerprint, hr_mm, trouble):
    with pytest.raises(
        UdeansrError, match=f"^Dataset001_Tiny: LR of 2 x 2 x 2 mm and HR of .* along SPL {trouble}; expected"
    ):
        make_plan(make_fingerprint(hr_spacing_mm=hr_mm), None)


def test_images_below_the_smallest_patch_are_the_callers_mistake(make_fingerprint):
    with pytest.raises(ValueError, match="smallest foreground"):
        make_plan(make_fingerprint(smallest=(3, 15, 40)), None)


@pytest.mark.parametrize(
    ("values", "rotate90", "why"),
    [
        ({"blur_x": 0.69}, True, "agrees within 0.09"),
        ({"blur_x": 0.75}, False, "differs by up to 0.15: turning would mix two different blurs"),
        ({"lr_spacing_mm": (2.0, 2.0, 2.1)}, False, "the voxels are 2 x 2.1 mm in the plane"),
        ({"hr_spacing_mm": (1.0, 1.0, 2.0)}, False, r"the factors in the plane differ \(x1x2x2\)"),
    ],
)
def test_patches_are_turned_only_if_they_look_the_same_afterwards(make_fingerprint, values, rotate90, why):
    made = only(make_plan(make_fingerprint(**values), None))
    assert made.task.rotate90 is rotate90
    assert re.search(why, made.reasons["rotate90"])


def test_hr_off_the_ratio_is_resampled_and_the_plan_says_so(make_fingerprint):
    def case(name, spacing_mm):
        return CaseFacts(
            "sourceHR", name, "SPL", (9, 9, 9), spacing_mm, "int16", (1.0, 2.0, 3.0), 0.5, (0, 0, 0), (9, 9, 9), name
        )

    on, off = case("on", (1.0, 1.0, 1.01)), case("off", (1.0, 1.0, 1.1))
    why = only(make_plan(make_fingerprint(cases=(on, off)), None)).reasons["hr_spacing_mm"]
    assert "1 of 2 HR images are off it by more than 2 % and are resampled, as LR is not" in why
    assert "nothing is resampled" in only(make_plan(make_fingerprint(cases=(on,)), None)).reasons["hr_spacing_mm"]


def test_memory_changes_sizes_and_nothing_that_the_data_decide(make_fingerprint):
    fingerprint = make_fingerprint()
    large, cpu = only(make_plan(fingerprint, 24.0)), only(make_plan(fingerprint, None))
    assert large.size.features > cpu.size.features
    for key in ("scale", "lr_spacing_mm", "hr_spacing_mm", "slab_slices", "rotate90"):
        assert large.values()[key] == cpu.values()[key]
        assert large.reasons[key] == cpu.reasons[key]


@pytest.mark.parametrize(
    ("lr_mm", "smallest", "slab_axes", "why"),
    [
        ((1.0, 2.0, 2.0), (40, 96, 96), "Z", "no axis has a smaller factor"),
        ((2.0, 2.0, 2.0), (40, 96, 96), "Z", "no axis has a smaller factor"),
        ((3.0, 1.0, 1.0), (40, 96, 96), "YX", "in planes of both orientations"),
        ((4.0, 2.0, 2.0), (40, 96, 96), "YX", "in planes of both orientations"),
        ((4.0, 1.0, 2.0), (40, 96, 96), "Y", "the factor is least along Y"),
        ((4.0, 2.0, 1.0), (40, 96, 96), "X", "the factor is least along X"),
        ((3.0, 1.0, 1.0), (15, 96, 96), "Z", "the smallest foreground has 15 slices and a patch needs 16"),
    ],
)
def test_slabs_are_cut_along_the_axis_of_the_least_factor(make_fingerprint, lr_mm, smallest, slab_axes, why):
    made = only(make_plan(make_fingerprint(lr_mm, (1.0, 1.0, 1.0), smallest), None))
    assert made.task.slab_axes == slab_axes
    assert why in made.reasons["slab_axes"]
    if slab_axes == "YX":
        assert not made.task.rotate90 and made.size.patch_size == (32, 32)
