import json
import math
from dataclasses import replace

import pytest

from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.rows import ROWS, parse_row
from udeansr.errors import UdeansrError


@pytest.mark.parametrize("training", [True, False])
def test_a_result_goes_to_a_file_and_comes_back(result, tmp_path, training):
    made = result(parse_row("mine=udean:beta=0.1,run.learning_rate=1e-3"), training=training)
    made.save(tmp_path / "rows" / "mine.json")
    assert RowResult.load(tmp_path / "rows" / "mine.json") == made


def test_what_is_no_number_is_null_in_the_file_and_no_number_again(result, tmp_path):
    result(gain=math.nan).save(tmp_path / "row.json")
    assert json.loads((tmp_path / "row.json").read_text())["cases"]["sub-4"]["gain"] is None
    assert math.isnan(RowResult.load(tmp_path / "row.json").scores.mean("gain"))


def test_shown_by_another_row_it_says_whose_run_it_is(result):
    made = result("supervised_truncation")
    shown = made.reported_as(ROWS["oracle"])
    assert shown.row.name == "oracle" and shown.same_as == "supervised_truncation"
    assert replace(shown, row=made.row, same_as=None) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON .+; mend it"),
        ("{}", "the key '.+' is missing"),
        (None, "unknown key 'row.tilte'.+; .*remove it and run"),
    ],
)
def test_a_broken_file_is_told(result, tmp_path, text, message):
    path = tmp_path / "row.json"
    result().save(path)
    path.write_text(text or path.read_text().replace('"title"', '"tilte"'))
    with pytest.raises(UdeansrError, match=message):
        RowResult.load(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda values: values["cases"]["sub-4"].pop("gain"), "a case has no gain"),
        (lambda values: values["cases"]["sub-4"].update(other=1.0), "cases of other scores"),
        (lambda values: values["cases"].clear(), "has no case"),
        (lambda values: values["cases"]["sub-4"].update(gain=1e308), "a score beyond 1e"),
        (lambda values: values["identity"]["subjects"].update(test=[]), "a group without subjects"),
    ],
)
def test_a_row_that_no_table_can_show_is_refused(result, tmp_path, spoil, message):
    path = tmp_path / "row.json"
    result().save(path)
    values = json.loads(path.read_text())
    spoil(values)
    path.write_text(json.dumps(values))
    with pytest.raises(UdeansrError, match=message):
        RowResult.load(path)
