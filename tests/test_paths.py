from pathlib import Path

import pytest

from udeansr.errors import UdeansrError
from udeansr.paths import Root, dataset_number, find_dataset, models_root, preprocessed_root, raw_root, results_root

ROOTS = {"raw": raw_root, "preprocessed": preprocessed_root, "results": results_root}


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
@pytest.mark.parametrize("name", ROOTS)
def test_flag_goes_before_environment_goes_before_default(name, spelling, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    variable = spelling(f"udeansr_{name}")
    assert ROOTS[name]() == Root(Path(f"udeansr_{name}"), "default")
    monkeypatch.setenv(variable, "/data")
    assert ROOTS[name]() == Root(Path("/data"), f"${variable}")
    assert ROOTS[name]().flag == ""
    assert ROOTS[name](Path("mine")) == Root(Path("mine"), f"--{name}")
    assert ROOTS[name](Path("my own")).flag == f" --{name} 'my own'"


@pytest.mark.parametrize("name", [*ROOTS, "models"])
def test_two_spellings_that_differ_and_a_third_one_are_refused(name, monkeypatch):
    root = ROOTS.get(name, models_root)
    lower, upper = f"udeansr_{name}", f"UDEANSR_{name.upper()}"
    monkeypatch.setenv(lower, "/data")
    monkeypatch.setenv(upper, "/data")
    assert root() == Root(Path("/data"), f"${lower}")
    monkeypatch.setenv(upper, "/other")
    with pytest.raises(UdeansrError, match=f"^{lower} is /data, but {upper} is /other; .*unset"):
        root()
    monkeypatch.delenv(lower)
    monkeypatch.setenv(f"UdeanSR_{name}", "/other")
    with pytest.raises(UdeansrError, match=f"UdeanSR_{name} is set.*{lower} or {upper}"):
        root()


def test_imported_models_lie_where_the_user_keeps_data(monkeypatch):
    for variable in ("UDEANSR_MODELS", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/anna")
    assert models_root() == Root(Path("/home/anna/.local/share/udeansr/models"), "default")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which the standard says to pass over
    assert models_root().folder == Path("/home/anna/.local/share/udeansr/models")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert models_root() == Root(Path("/data/udeansr/models"), "default")
    monkeypatch.setenv("UDEANSR_MODELS", "mine")
    assert models_root() == Root(Path("mine"), "$UDEANSR_MODELS")


def test_a_clone_without_raw_data_falls_back_on_the_example_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "udeansr_raw_example").mkdir()
    assert str(raw_root()) == "udeansr_raw_example (the example, as there is no ./udeansr_raw)"
    (tmp_path / "udeansr_raw").mkdir()
    assert raw_root() == Root(Path("udeansr_raw"), "default")


@pytest.mark.parametrize("given", ["7", "007", "Dataset007_Knee"])
def test_a_dataset_has_three_names(given, tmp_path):
    for name in ("Dataset007_Knee", "Dataset070_Head", "notes"):
        (tmp_path / name).mkdir()
    assert find_dataset(Root(tmp_path, "default"), given) == tmp_path / "Dataset007_Knee"


def test_a_dataset_that_is_not_there_is_told_with_what_is(tmp_path):
    root = Root(tmp_path, "--raw")
    with pytest.raises(UdeansrError, match=r"dataset 3: not in .+ \(--raw\), which has no dataset at all; expected"):
        find_dataset(root, "3")
    (tmp_path / "Dataset001_A").mkdir()
    (tmp_path / "Dataset001_B").mkdir()
    with pytest.raises(UdeansrError, match=r"which has Dataset001_A, Dataset001_B; expected a folder Dataset001_Name"):
        find_dataset(root, "Dataset002_C")
    with pytest.raises(UdeansrError, match=r"has 2 of that number: Dataset001_A, Dataset001_B; give the whole name"):
        find_dataset(root, "001")


def test_dataset_number():
    assert dataset_number("Dataset012_Brain-T1w") == 12
    with pytest.raises(UdeansrError, match="'Brain' is no name for a dataset; expected Dataset, three digits"):
        dataset_number("Brain")
