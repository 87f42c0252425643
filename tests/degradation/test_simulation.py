import json
import logging

import numpy as np
import pytest

from udeansr.degradation.kspace import SHIFTED
from udeansr.degradation.simulated_scan import Recipe
from udeansr.degradation.simulation import simulate
from udeansr.degradation.subjects import Counts
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Geometry, Volume

RECIPE = Recipe(Scale(1, 2, 2), SHIFTED, seed=3)
COUNTS = Counts(2, 1, 1, 1)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def contents(folder):
    """Every voxel and every byte of JSON; compressed files carry a time of their own."""
    found = {}
    for name in files(folder):
        path = folder / name
        found[name] = path.read_bytes() if path.suffix == ".json" else read_volume(path).voxels.tobytes()
    return found


def test_a_dataset_holds_its_subjects_once_and_records_what_was_done(hr_folder, tmp_path):
    dataset = tmp_path / "raw" / "Dataset007_Tiny"
    groups = simulate(hr_folder, dataset, RECIPE, COUNTS, {"licence": "CC0"})
    simulation = json.loads((dataset / "simulation.json").read_text())
    assert simulation["subjects"] == {name: list(names) for name, names in groups.items()}
    assert simulation["degradation"]["apodization"] == 0.4
    assert simulation["scale"] == "x2x2x1" and simulation["seed"] == 3
    assert json.loads((dataset / "dataset.json").read_text()) == {"name": "Tiny", "licence": "CC0"}
    scans = {group: [p.name for p in sorted((dataset / group).iterdir())] for group in ("sourceHR", "targetLR")}
    assert {name.split("_")[0] for name in scans["sourceHR"]} == set(groups["source"])
    assert {name.split("_")[0] for name in scans["targetLR"]} == set(groups["target"])
    for pair in ("validation", "test"):
        lr, hr = (sorted(p.name for p in (dataset / f"{pair}{kind}").iterdir()) for kind in ("LR", "HR"))
        assert lr == hr and {name.split("_")[0] for name in lr} == set(groups[pair])
    assert sum(len(done) for done in simulation["scans"].values()) == 6
    lr = [done for group in ("target", "validation", "test") for done in simulation["scans"][group].values()]
    assert min(done["noise_sigma"] for done in lr) > 0
    assert str(tmp_path) not in (dataset / "simulation.json").read_text()
    assert [path.name for path in dataset.parent.iterdir()] == [dataset.name], "something was left behind"


@pytest.mark.parametrize("processes", [1, 2])
def test_the_seed_decides_whatever_the_processes(hr_folder, tmp_path, processes):
    one, other = tmp_path / "a" / "Dataset001_X", tmp_path / "b" / "Dataset001_X"
    simulate(hr_folder, one, RECIPE, COUNTS)
    simulate(hr_folder, other, RECIPE, COUNTS, processes=processes)
    assert contents(one) == contents(other)
    simulate(hr_folder, other, Recipe(Scale(1, 2, 2), SHIFTED, seed=4), COUNTS, overwrite=True)
    assert contents(one) != contents(other)


def test_misaligned_source_and_target_are_the_same_subjects(hr_folder, tmp_path):
    dataset = tmp_path / "Dataset001_X"
    recipe = Recipe(Scale(1, 2, 2), pairing="misaligned", seed=3)
    groups = simulate(hr_folder, dataset, recipe, Counts(target=2, validation=1, test=1))
    assert groups["source"] == groups["target"]
    simulation = json.loads((dataset / "simulation.json").read_text())
    assert all("misalignment" in done for done in simulation["scans"]["source"].values())
    assert not any("misalignment" in done for done in simulation["scans"]["target"].values())
    motions = [tuple(done["misalignment"].values()) for done in simulation["scans"]["source"].values()]
    assert len(set(motions)) == len(motions) > 1, "each scan has its own"


def test_of_one_seed_both_pairings_have_the_same_lr(hr_folder, tmp_path):
    made = {}
    for pairing in ("unpaired", "misaligned"):
        dataset = tmp_path / pairing / "Dataset001_X"
        simulate(
            hr_folder, dataset, Recipe(Scale(1, 2, 2), SHIFTED, pairing, 3), Counts(target=2, validation=1, test=1)
        )
        made[pairing] = {name: voxels for name, voxels in contents(dataset).items() if not name.startswith("sourceHR")}
    groups = ("targetLR", "validationLR", "validationHR", "testLR", "testHR")
    images = [name for name in made["unpaired"] if name.startswith(groups)]
    assert {name.split("/")[0] for name in images} == set(groups)
    assert all(made["misaligned"][name] == made["unpaired"][name] for name in images)


def test_no_validation_and_no_test(hr_folder, tmp_path):
    dataset = tmp_path / "Dataset001_X"
    simulate(hr_folder, dataset, RECIPE, Counts(1, 1, 0, 0))
    assert sorted(p.name for p in dataset.iterdir()) == ["dataset.json", "simulation.json", "sourceHR", "targetLR"]


def test_nothing_is_left_where_a_scan_fails(hr_folder, tmp_path):
    broken = hr_folder / "sub-5_T1w.nii.gz"
    write_volume(Volume(np.zeros((8, 8, 8), np.uint16), Geometry((8, 8, 8), (1.0, 1.0, 1.0))), broken)
    dataset = tmp_path / "raw" / "Dataset001_X"
    with pytest.raises(UdeansrError, match=r"sub-5_T1w\.nii\.gz: no voxel is above 0"):
        simulate(hr_folder, dataset, RECIPE, Counts(1, 2, 1, 1))
    assert list(dataset.parent.iterdir()) == []


def test_what_is_there_is_not_replaced_unasked(hr_folder, tmp_path):
    dataset = tmp_path / "Dataset001_X"
    simulate(hr_folder, dataset, RECIPE, COUNTS)
    with pytest.raises(UdeansrError, match=r"Dataset001_X: .*--overwrite"):
        simulate(hr_folder, dataset, RECIPE, COUNTS)
    with pytest.raises(UdeansrError, match=r"sourceHR: lies in .*Dataset001_X"):
        simulate(dataset / "sourceHR", dataset, RECIPE, COUNTS, overwrite=True)
    (dataset / "simulation.json").unlink()
    with pytest.raises(UdeansrError, match=r"Dataset001_X: has no simulation\.json"):
        simulate(hr_folder, dataset, RECIPE, COUNTS, overwrite=True)


def test_two_scans_of_one_name_are_refused(hr_folder, tmp_path):
    twin = hr_folder / "sub-1_T1w.nrrd"
    write_volume(read_volume(hr_folder / "sub-1_T1w.nii.gz"), twin)
    with pytest.raises(UdeansrError, match=r"sub-1_T1w\.nrrd: has the name of sub-1_T1w\.nii\.gz"):
        simulate(hr_folder, tmp_path / "Dataset001_X", RECIPE, COUNTS)


def test_the_folder_has_to_be_named_as_a_dataset(hr_folder, tmp_path):
    with pytest.raises(UdeansrError, match="'Brain'"):
        simulate(hr_folder, tmp_path / "Brain", RECIPE, COUNTS)


def test_it_is_said_where_planning_will_see_another_slab_axis(hr_folder, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        simulate(hr_folder, tmp_path / "Dataset001_X", RECIPE, COUNTS)
    assert "x2x2x1" in caplog.text and "2 x 2 x 2.5 mm" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        simulate(hr_folder, tmp_path / "Dataset002_X", Recipe(Scale(2, 2, 2)), COUNTS)
    assert not caplog.text
