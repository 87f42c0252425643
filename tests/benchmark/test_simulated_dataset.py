from dataclasses import replace

from udeansr.benchmark.simulated_dataset import read_dataset, with_variants
from udeansr.degradation.kspace import SHIFTED, TRUNCATION
from udeansr.planning.plan import Plan


def test_each_source_degradation_has_a_configuration_that_differs_in_it_alone(planned):
    dataset = planned("shifted")
    base = dataset.configuration("measured")
    for word, value in (("measured", "measured"), ("truncation", "truncation"), ("true", SHIFTED)):
        own = dataset.configuration(word)
        assert own.source_degradation == value
        plain = replace(own, name=base.name, inherits_from=None, source_degradation="measured", reasons=base.reasons)
        assert plain == base


def test_of_plain_truncation_there_is_one_variant(planned):
    dataset = planned("truncation")
    assert list(dataset.plan.configurations) == ["x2x2x1", "x2x2x1_truncation", "x2x2x1_variety"]
    assert dataset.configuration("true") is dataset.configuration("truncation")


def test_a_variant_that_was_edited_is_kept(planned):
    dataset = planned("shifted")
    edited = replace(dataset.configuration("truncation"), features=99)
    plan = replace(dataset.plan, configurations=dataset.plan.configurations | {edited.name: edited})
    assert with_variants(plan, SHIFTED).configuration(edited.name).features == 99


def test_it_is_read_as_it_lies_there_and_is_none_before_it_is_planned(planned, folder):
    dataset = planned("shifted")
    assert read_dataset(folder, dataset.scenario) == dataset
    assert read_dataset(folder, replace(dataset.scenario, pairing="misaligned")) is None


def test_a_plan_without_variants_gets_them_when_it_is_read(planned, folder):
    dataset = planned("truncation")
    path = dataset.preprocessed / "plans.json"
    bare = replace(dataset.plan, configurations={"x2x2x1": dataset.configuration("measured")})
    bare.save(path)
    found = read_dataset(folder, dataset.scenario)
    assert found and found.configuration("truncation").source_degradation == "truncation"
    assert list(Plan.load(path).configurations) == ["x2x2x1"]
    assert with_variants(bare, TRUNCATION).configuration("x2x2x1") == bare.configuration("x2x2x1")
