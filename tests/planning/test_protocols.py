import numpy as np
import pytest

from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.protocols import split_by_protocol
from udeansr.planning.raw_dataset import load_raw_dataset


@pytest.fixture
def raw(tmp_path):
    """A dataset of images of spacings, by group and name."""

    def make(**groups):
        for group, spacings_mm in groups.items():
            for name, mm in spacings_mm.items():
                voxels = np.random.default_rng(len(name)).integers(1, 900, (6, 20, 20)).astype(np.int16)
                write_volume(
                    Volume(voxels, Geometry(voxels.shape, mm)), tmp_path / f"Dataset001_A/{group}/{name}.nii.gz"
                )
        return load_raw_dataset(tmp_path / "Dataset001_A")

    return make


def split(raw, group="targetLR"):
    parts, aside = split_by_protocol(raw)
    return [[case.name for case in part.groups[group]] for part in parts], aside


HR = {"h1": (1.0, 1.0, 1.0), "h2": (1.0, 1.0, 1.0)}


def test_lr_of_one_spacing_within_a_tenth_is_of_one_protocol(raw):
    dataset = raw(sourceHR=HR, targetLR={"a": (4.0, 1.0, 1.0), "b": (4.0, 1.0, 1.0), "c": (4.38, 1.0, 0.95)})
    assert split_by_protocol(dataset) == ([dataset], [])


def test_others_are_protocols_of_their_own_the_largest_first(raw):
    thick = dict.fromkeys(("a", "b"), (5.0, 1.0, 1.0))
    thin = dict.fromkeys(("c", "d", "e"), (3.0, 1.0, 1.0))
    assert split(raw(sourceHR=HR, targetLR=thick | thin)) == ([["c", "d", "e"], ["a", "b"]], [])


def test_contrasts_that_are_told_are_protocols_and_one_that_is_not_goes_with_any(raw):
    names = ("a_FLAIR", "b_FLAIR", "c_T2w", "d_T2w", "e")
    parts, aside = split(raw(sourceHR=HR, targetLR=dict.fromkeys(names, (4.0, 1.0, 1.0))))
    assert aside == [] and sorted(map(len, parts)) == [2, 3] and sorted(parts[0] + parts[1]) == sorted(names)


def test_a_single_odd_image_is_set_aside_unless_all_are_single(raw):
    parts, (line,) = split(
        raw(sourceHR=HR, targetLR={"a": (4.0, 1.0, 1.0), "b": (4.0, 1.0, 1.0), "odd": (6.0, 1.0, 1.0)})
    )
    assert parts == [["a", "b"]]
    assert "odd.nii.gz: set aside, as no other target LR is of its protocol: 6 x 1 x 1 mm" in line


def test_single_images_of_different_protocols_are_kept(raw):
    assert split(raw(sourceHR=HR, targetLR={"a": (4.0, 1.0, 1.0), "b": (6.0, 1.0, 1.0)})) == ([["a"], ["b"]], [])


def test_where_hr_is_coarser_only_its_spacing_counts(raw):
    lr = {"a": (3.0, 0.7, 0.7), "b": (3.0, 0.5, 0.5), "c": (3.0, 0.85, 0.85)}
    assert split(raw(sourceHR=HR, targetLR=lr)) == ([["a", "b", "c"]], [])


def test_hr_goes_with_the_protocols_that_it_is_finer_than(raw):
    dataset = raw(
        sourceHR={"fine": (1.0, 1.0, 1.0), "coarse": (2.0, 1.0, 1.0), "fine2": (1.0, 1.0, 1.0)},
        targetLR={"a": (5.0, 1.0, 1.0), "b": (5.0, 1.0, 1.0), "c": (2.0, 1.0, 1.0), "d": (2.0, 1.0, 1.0)},
    )
    assert split(dataset) == ([["c", "d"], ["a", "b"]], [])
    assert split(dataset, "sourceHR") == ([["fine", "fine2"], ["coarse", "fine", "fine2"]], [])


def test_a_protocol_that_no_hr_is_finer_than_is_set_aside(raw):
    dataset = raw(
        sourceHR=HR, targetLR={"a": (4.0, 1.0, 1.0), "b": (4.0, 1.0, 1.0), "c": (1.0, 1.0, 1.2), "d": (1.0, 1.0, 1.2)}
    )
    parts, aside = split(dataset)
    assert parts == [["a", "b"]]
    assert [line.split("; ")[0].split("set aside, as ")[1].split(":")[0] for line in aside] == [
        "no source HR is finer by half"
    ] * 2


def test_pairs_go_with_the_protocol_of_their_lr(raw):
    dataset = raw(
        sourceHR=HR,
        targetLR=dict.fromkeys("ab", (4.0, 1.0, 1.0)) | dict.fromkeys("cd", (6.0, 1.0, 1.0)),
        testLR={"v": (6.0, 1.0, 1.0), "w": (4.0, 1.0, 1.0)},
        testHR={"v": (1.0, 1.0, 1.0), "w": (1.0, 1.0, 1.0)},
    )
    assert split(dataset, "testHR")[0] == split(dataset, "testLR")[0] == [["w"], ["v"]]
