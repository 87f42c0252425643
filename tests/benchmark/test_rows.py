from dataclasses import replace

import pytest

from udeansr.benchmark.rows import GROUPS, ROWS, Row, choose_rows, parse_row, row_that_runs
from udeansr.degradation.kspace import SHIFTED, TRUNCATION
from udeansr.errors import UdeansrError
from udeansr.methods import METHODS, load_settings
from udeansr.methods.settings import without_effect


def test_a_row_of_ones_own_is_a_method_a_degradation_and_what_differs():
    row = parse_row("gentle=udean@truncation:beta=0.001, anchor=no,run.learning_rate=1e-3,run.augment=false")
    assert row == Row(
        "gentle", "gentle", "udean", "truncation", {"beta": 0.001, "anchor": False},
        {"learning_rate": 0.001, "augment": False},
        "udean@truncation:beta=0.001, anchor=no,run.learning_rate=1e-3,run.augment=false",
    )  # fmt: skip
    assert parse_row("plain=udean") == Row("plain", "plain", "udean", about="udean")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=udean@blur", "'@blur' is no degradation; expected measured, truncation, randomized, true"),
        ("a=magic", "there is no method 'magic'; expected udean"),
        ("a=udean:beat=1", "the settings of udean: unknown key 'beat'"),
        ("a=udean:beta=much", "'beta' is \"much\"; expected a number"),
        ("a=udean:run.rate=1", "a run has no 'rate'; expected epochs, .*learning_rate"),
        ("a=udean:run.learning_rate=fast", "run: 'learning_rate' is \"fast\"; expected a number"),
        ("a=udean:run.epochs=1.5", "run: 'epochs' is \"1.5\"; expected a whole number"),
        ("a=udean:run.augment=maybe", "run: 'augment' is \"maybe\"; expected true or false"),
    ],
)
def test_what_is_no_row_is_told(text, message):
    with pytest.raises(UdeansrError, match=message):
        parse_row(text)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_has_a_method_that_takes_its_settings_and_says_what_it_is_for(row):
    settings = load_settings(row.method, row.settings)
    assert {name: getattr(settings, name) for name in row.settings} == row.settings
    assert row.source_degradation in ("measured", "truncation", "true") and row.about
    assert METHODS[row.method].players or not row.run


def test_groups_are_of_rows_and_no_row_is_twice_in_the_table():
    assert all(name in ROWS for names in GROUPS.values() for name in names)
    assert len({row.title for row in ROWS.values()}) == len(ROWS)
    assert not set(GROUPS) & set(ROWS)


def test_the_papers_table_1_is_image_space_feature_space_and_both():
    adapted = [
        (settings.image_adaptation, settings.feature_adaptation)
        for settings in (load_settings(row.method, row.settings) for row in choose_rows("paper_ablation", []))
    ]
    assert sorted(adapted) == [(False, True), (True, False), (True, True), (True, True)]  # the last to the letter


def test_the_papers_tables_have_their_rows_and_no_more_is_in_both_than_has_to_be():
    first, second = (choose_rows(name, []) for name in ("table1", "table2"))
    assert [row.name for row in first if row.needs_pairs] == ["supervised_paired", "supervised_registered"]
    assert not any(row.needs_pairs for row in second)
    assert {row.method for row in second} >= {"tricubic", "zssr", "dasr", "pseudosr", "blindsr", "udean"}
    both = {row.name for row in first} & {row.name for row in second}
    assert both == {"udean_paper", "udean", "supervised_measured", "oracle"}


def test_every_setting_of_a_row_acts():
    for row in ROWS.values():
        assert not set(row.settings) & set(without_effect(load_settings(row.method, row.settings))), row.name


def test_rows_are_chosen_by_names_and_groups_each_once_in_the_order_named():
    chosen = choose_rows("udean, default,paper_ablation", ["mine=udean"])
    names = [row.name for row in chosen]
    assert names[0] == "udean" and names[-1] == "mine" and len(names) == len(set(names))
    assert set(names) == {*GROUPS["default"], *GROUPS["paper_ablation"], "mine"}
    assert choose_rows("mine", ["mine=udean"]) == choose_rows("", ["mine=udean"])


@pytest.mark.parametrize(
    ("words", "added", "message"),
    [
        ("udaen", [], "there is no row 'udaen'; rows: tricubic, sinc, .+; groups: default, table1, table2"),
        (
            "",
            ["udean"],
            r"--row 'udean' is no row; expected NAME=METHOD\[@DEGRADATION\]\[:SETTING=VALUE,...\], s",
        ),
        ("", ["a/b=udean"], "--row 'a/b=udean' is no row; expected NAME="),
        ("", ["udean=udean"], "--row udean=...: the name udean is taken; choose another"),
        ("", ["default=udean"], "the name default is taken; choose another"),
        ("", ["a=udean", "a=sinc"], "two of --row have one name; expected a name for each"),
    ],
)
def test_what_is_no_row_is_told_rows(words, added, message):
    with pytest.raises(UdeansrError, match=message):
        choose_rows(words, added)


def test_under_truncation_the_oracle_is_what_is_trained_on_truncation():
    oracle = ROWS["oracle"]
    assert row_that_runs(oracle, TRUNCATION).name == "supervised_truncation"
    assert row_that_runs(oracle, SHIFTED) is oracle


@pytest.mark.parametrize("degradation", [TRUNCATION, SHIFTED])
def test_a_row_that_does_the_same_is_not_run_twice_and_one_that_differs_is(degradation):
    own = parse_row("again=udean@measured")
    assert row_that_runs(own, degradation).name == "udean"
    for other in (replace(own, run={"seed": 1}), replace(own, settings={"beta": 1.0})):
        assert row_that_runs(other, degradation) is other
    assert [name for name, row in ROWS.items() if row_that_runs(row, SHIFTED).name != name] == []
