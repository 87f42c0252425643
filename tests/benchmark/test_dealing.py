from udeansr.benchmark.dealing import dealt, left_out, shared_runs
from udeansr.benchmark.row import parse_row
from udeansr.benchmark.rows import ROWS, choose_rows
from udeansr.benchmark.scenario import scenarios
from udeansr.parallel import Part

TRUNCATION, SHIFTED = scenarios(["x2x2x1"], ["unpaired"], ["truncation", "shifted"], ["1"])
(MISALIGNED,) = scenarios(["x2x2x1"], ["misaligned"], ["truncation"], ["1"])


def test_rows_that_show_one_run_are_done_once():
    rows = (ROWS["oracle"], ROWS["udean"], ROWS["supervised_truncation"])
    names = [(row.name, [other.name for other in shown]) for row, shown in shared_runs(rows, TRUNCATION)]
    assert names == [("supervised_truncation", ["oracle"]), ("udean", [])]
    assert [len(shown) for _, shown in shared_runs(rows, SHIFTED)] == [0, 0, 0]


def test_rows_that_need_pairs_run_where_there_are_some():
    rows = (ROWS["supervised_paired"], parse_row("moved=supervised:register=yes"), ROWS["udean"])
    assert [row.name for row, _ in shared_runs(rows, TRUNCATION)] == ["udean"]
    assert [row.name for row, _ in shared_runs(rows, MISALIGNED)] == ["supervised_paired", "moved", "udean"]
    assert left_out(rows, MISALIGNED) == ""
    assert left_out(rows, TRUNCATION) == (
        "supervised_paired, moved: left out, as LR and HR are of different people; --pairings misaligned has pairs"
    )


def test_parts_have_every_run_once_and_no_scenario_without_one():
    rows = choose_rows("table1,table2", [])
    wanted = (TRUNCATION, SHIFTED, MISALIGNED)
    whole = [(scenario, row.name) for scenario, runs in dealt(rows, wanted, Part()) for row, _ in runs]
    parts = [dealt(rows, wanted, Part(3, number)) for number in range(3)]
    pieces = [(scenario, row.name) for part in parts for scenario, runs in part for row, _ in runs]
    assert sorted(map(str, pieces)) == sorted(map(str, whole)) and len(set(map(str, whole))) == len(whole)
    lonely = dealt(choose_rows("udean", []), wanted, Part(3, 1))
    assert [scenario for scenario, _ in lonely] == [SHIFTED]
