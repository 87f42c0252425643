from pathlib import Path

import pytest

from udeansr.errors import UdeansrError
from udeansr.image.files import write_volume
from udeansr.image.grid import Scale, reorient
from udeansr.image.volume import Geometry, Volume
from udeansr.models.choice import ModelQuery, choose_model
from udeansr.paths import Root
from udeansr.prediction.predictor import Predictor


@pytest.fixture(autouse=True)
def bare(tiny_model_file):
    """No model is bundled but those that a test writes."""


@pytest.fixture
def results(tmp_path) -> Root:
    return Root(tmp_path / "results", "--results")


@pytest.fixture
def image(tmp_path, lr):
    """An LR of 4 x 2 x 2 mm, stored in sagittal slices; its slabs are axial."""
    path = tmp_path / "lr" / "a.nii.gz"
    write_volume(reorient(lr, "LSP"), path)
    return path


def place(results: Root, dataset: str, configuration: str = "x2x2x2", method: str = "udean", checkpoint: str = "best"):
    return results.folder / dataset / configuration / method / f"{checkpoint}.pt"


def chosen(query: ModelQuery, *images) -> str:
    """The orientation and LR spacing of the chosen model, by which the tests tell models apart."""
    resolver = choose_model(query, images)
    assert resolver.plan is not None and resolver.configuration is not None
    return f"{resolver.plan.orientation} {resolver.configuration.task.lr_spacing_mm}"


def test_the_only_model_is_taken_and_told(tiny_checkpoint, results, image, caplog):
    tiny_checkpoint(place(results, "Dataset001_A"))
    with caplog.at_level("INFO"):
        assert chosen(ModelQuery(results), image) == "SPL (4.0, 2.0, 2.0)"
    assert caplog.messages == [f"model: {place(results, 'Dataset001_A')}"]


def test_of_several_models_the_one_that_fits_the_spacing_is_taken(tiny_checkpoint, results, image):
    tiny_checkpoint(place(results, "Dataset001_A"), spacing_mm=(3.0, 2.0, 2.0))
    tiny_checkpoint(place(results, "Dataset002_B"), spacing_mm=(4.0, 2.0, 2.0))
    tiny_checkpoint(place(results, "Dataset003_C"), spacing_mm=(4.0, 2.0, 2.0), orientation="LSP")
    assert chosen(ModelQuery(results), image) == "SPL (4.0, 2.0, 2.0)"


def test_of_models_that_all_fit_an_isotropic_image_its_slab_axis_decides(tiny_checkpoint, results, tmp_path, lr):
    tiny_checkpoint(place(results, "Dataset001_A"), spacing_mm=(2.0, 2.0, 2.0), orientation="SPL")
    tiny_checkpoint(place(results, "Dataset002_B"), spacing_mm=(2.0, 2.0, 2.0), orientation="LSP")
    isotropic = Volume(lr.voxels, Geometry(lr.geometry.shape, (2.0, 2.0, 2.0)))
    for stored in ("SPL", "LSP"):
        write_volume(reorient(isotropic, stored), tmp_path / f"{stored}.nii")
        assert chosen(ModelQuery(results), tmp_path / f"{stored}.nii").startswith(stored)


def test_an_image_that_cannot_be_read_does_not_choose(tiny_checkpoint, results, image):
    tiny_checkpoint(place(results, "Dataset001_A"), spacing_mm=(3.0, 2.0, 2.0))
    tiny_checkpoint(place(results, "Dataset002_B"))
    broken = image.with_name("0.nii.gz")
    broken.write_bytes(b"no image")
    assert chosen(ModelQuery(results), broken, image) == "SPL (4.0, 2.0, 2.0)"


def test_names_choose_and_a_number_is_a_name(tiny_checkpoint, results, image):
    tiny_checkpoint(place(results, "Dataset001_A"))
    tiny_checkpoint(place(results, "Dataset002_B"), orientation="LSP")
    tiny_checkpoint(place(results, "Dataset002_B", "fine"), orientation="PSL")
    assert chosen(ModelQuery(results, dataset="1"), image).startswith("SPL")
    assert chosen(ModelQuery(results, dataset="002", configuration="x2x2x2"), image).startswith("LSP")
    assert chosen(ModelQuery(results, configuration="fine"), image).startswith("PSL")


def test_a_path_chooses_a_file_or_the_folder_of_a_training(tiny_checkpoint, results, tmp_path):
    tiny_checkpoint(tmp_path / "run" / "best.pt", orientation="LSP")
    tiny_checkpoint(tmp_path / "run" / "final.pt", orientation="PSL")
    assert chosen(ModelQuery(results, path=tmp_path / "run" / "final.pt")).startswith("PSL")
    assert chosen(ModelQuery(results, path=tmp_path / "run")).startswith("LSP")
    assert chosen(ModelQuery(results, path=tmp_path / "run", checkpoint="final")).startswith("PSL")
    with pytest.raises(UdeansrError, match=r"run: no latest.pt, but best.pt, final.pt; give a .pt file or choose with"):
        choose_model(ModelQuery(results, path=tmp_path / "run", checkpoint="latest"), [])
    with pytest.raises(UdeansrError, match="-m names a model already; leave out -d, -c, --method and --name"):
        choose_model(ModelQuery(results, path=tmp_path / "run", dataset="1"), [])


def test_interpolation_needs_no_model(results):
    resolver = choose_model(ModelQuery(results, method="sinc", scale=Scale(2, 1, 1)), [])
    assert resolver.plan is None and resolver.method.name == "sinc"


@pytest.mark.parametrize("method", [None, "udean", "bicubic"])
def test_a_scale_without_a_method_that_learns_nothing_is_refused(results, method):
    with pytest.raises(
        UdeansrError, match=r"--scale x2x2x2 goes with a --method that needs no model \(tricubic, sinc\)"
    ):
        choose_model(ModelQuery(results, method=method, scale=Scale(2, 2, 2)), [])


def test_an_interpolation_without_a_scale_is_told_to_give_one(results):
    with pytest.raises(
        UdeansrError, match=r"no trained model of --method sinc in .*needs none if it is given a --scale"
    ):
        choose_model(ModelQuery(results, method="sinc"), [])


def test_no_model_at_all_is_told_with_the_root_that_was_searched(tiny_checkpoint, results, image):
    with pytest.raises(UdeansrError) as told:
        choose_model(ModelQuery(results), [image])
    assert str(told.value) == (
        f"no trained model with best.pt in {results.folder} (--results); there: none. Train one: udeansr_train DATASET "
        "CONFIGURATION, or give its path: -m PATH, or its root: --results FOLDER"
    )
    tiny_checkpoint(place(results, "Dataset001_A"))
    with pytest.raises(
        UdeansrError, match=r"no trained model of -c x3x3x3 with .*there: -d Dataset001_A -c x2x2x2 --na"
    ):
        choose_model(ModelQuery(results, configuration="x3x3x3"), [image])


def test_several_that_fit_are_listed(tiny_checkpoint, results, image):
    tiny_checkpoint(place(results, "Dataset001_A"))
    tiny_checkpoint(place(results, "Dataset002_B"))
    with pytest.raises(UdeansrError) as told:
        choose_model(ModelQuery(results), [image])
    assert str(told.value) == (
        "2 trained models fit the spacing 2 x 4 x 2 mm; choose one: -d Dataset001_A -c x2x2x2 --name udean; "
        "-d Dataset002_B -c x2x2x2 --name udean"
    )


def test_several_of_which_none_fits_are_listed_with_their_spacings(tiny_checkpoint, results, image):
    tiny_checkpoint(place(results, "Dataset001_A"), spacing_mm=(3.0, 2.0, 2.0))
    tiny_checkpoint(place(results, "Dataset002_B"), spacing_mm=(1.0, 1.0, 1.0), orientation="LSP")
    with pytest.raises(UdeansrError) as told:
        choose_model(ModelQuery(results), [image])
    assert "no trained model fits the spacing 2 x 4 x 2 mm; there are -d Dataset001_A" in str(told.value)
    assert "-d Dataset002_B -c x2x2x2 --name udean (LR 1 x 1 x 1 mm as LSP)" in str(told.value)
    assert "--method tricubic --scale" in str(told.value)


def taken(query: ModelQuery, *images) -> str | None:
    """The name of the bundled or imported model that is chosen; None for a training."""
    return choose_model(query, images).name or None


def test_without_trained_models_a_bundled_one_is_taken_and_told(tiny_model_file, results, image, caplog):
    path = tiny_model_file()
    with caplog.at_level("INFO"):
        assert taken(ModelQuery(results), image) == "tiny-t1w-x2x2x2"
    assert caplog.messages == [
        "contrast unknown, taken for T1w, which tiny-t1w-x2x2x2 was made for: a.nii.gz",
        f"model: {path}",
    ]


def test_a_trained_model_that_fits_goes_before_a_bundled_one_and_one_that_does_not_fit_does_not(
    tiny_checkpoint, tiny_model_file, results, image
):
    tiny_model_file()
    tiny_checkpoint(place(results, "Dataset001_A"), spacing_mm=(3.0, 2.0, 2.0))
    assert taken(ModelQuery(results), image) == "tiny-t1w-x2x2x2"
    tiny_checkpoint(place(results, "Dataset002_B"))
    assert taken(ModelQuery(results), image) is None


def test_whoever_names_a_training_gets_no_bundled_model(tiny_checkpoint, tiny_model_file, results, image):
    tiny_model_file()
    with pytest.raises(UdeansrError, match=r"no trained model of -c x2x2x2 with best.pt"):
        choose_model(ModelQuery(results, configuration="x2x2x2"), [image])
    tiny_checkpoint(place(results, "Dataset001_A"), spacing_mm=(3.0, 2.0, 2.0))
    assert taken(ModelQuery(results, dataset="1"), image) is None


def test_a_trained_model_that_does_not_fit_is_taken_where_nothing_else_does(
    tiny_checkpoint, tiny_model_file, results, image
):
    tiny_model_file(spacing_mm=(9.0, 2.0, 2.0))
    tiny_checkpoint(place(results, "Dataset001_A"), spacing_mm=(3.0, 2.0, 2.0))
    assert taken(ModelQuery(results), image) is None


def test_a_bundled_model_can_be_named_and_is_used_at_any_spacing(tiny_model_file, results, image, lr, caplog):
    path = tiny_model_file(spacing_mm=(6.0, 3.0, 2.0))
    for words in ("tiny-t1w-x2x2x2", path):
        caplog.clear()
        resolver = choose_model(ModelQuery(results, path=Path(words)), [image])
        assert resolver.name == "tiny-t1w-x2x2x2" and caplog.messages[0].startswith("contrast unknown, taken for T1w")
        assert Predictor(resolver)(lr, name="a").voxels.shape == (12, 18, 16)
        assert caplog.messages[-1] == (
            "a: spacing 4 x 2 x 2 mm (as SPL) is 33 % off the 6 x 3 x 2 mm that tiny-t1w-x2x2x2 was made for: its SR "
            "is less certain"
        )
    with pytest.raises(UdeansrError, match=r"^other: neither a file or folder, .*; there: tiny-t1w-x2x2x2"):
        choose_model(ModelQuery(results, path=Path("other")), [image])
    with pytest.raises(UdeansrError, match=r"-m names a model already"):
        choose_model(ModelQuery(results, path=Path("tiny-t1w-x2x2x2"), method="udean"), [image])


def test_nobodys_choice_ends_at_15_percent_image_by_image(tiny_model_file, results, tmp_path, lr, caplog):
    tiny_model_file(spacing_mm=(4.4, 2.0, 2.0))
    write_volume(lr, tmp_path / "a_T1w.nii")
    resolver = choose_model(ModelQuery(results), [tmp_path / "a_T1w.nii"])
    assert Predictor(resolver)(lr).voxels.shape == (12, 18, 16)
    assert "is 9 % off" in caplog.messages[-1]
    with pytest.raises(UdeansrError, match=r"spacing 2 x 2 x 2 mm .* or use it all the same: -m tiny-t1w-x2x2x2$"):
        Predictor(resolver)(Volume(lr.voxels, Geometry(lr.geometry.shape, (2.0, 2.0, 2.0))))


def test_where_no_model_fits_the_nearest_is_told_in_one_line(tiny_model_file, results, image):
    tiny_model_file(spacing_mm=(9.0, 2.0, 2.0))
    with pytest.raises(UdeansrError, match=r"^no model fits a\.nii\.gz .*-m tiny-t1w-x2x2x2$") as told:
        choose_model(ModelQuery(results), [image])
    assert len(str(told.value)) < 300 and "\n" not in str(told.value)


def test_images_of_which_none_can_be_read_choose_nothing(tiny_model_file, results, image):
    tiny_model_file()
    image.write_bytes(b"no image")
    with pytest.raises(UdeansrError, match=r"a.nii.gz: "):
        choose_model(ModelQuery(results), [image])


def test_runs_of_one_method_are_told_apart_by_name(tiny_checkpoint, results, image):
    folder = results.folder / "Dataset001_A" / "x2x2x2"
    for name in ("supervised", "soft"):
        tiny_checkpoint(folder / name / "best.pt")
        (folder / name / "run.json").write_text('{"method": "supervised"}')
    with pytest.raises(UdeansrError, match=r"2 trained models fit .*--name soft; .*--name supervised$"):
        choose_model(ModelQuery(results, method="supervised"), [image])
    with pytest.raises(UdeansrError, match=r"there is no method .soft."):
        choose_model(ModelQuery(results, method="soft"), [image])
    assert choose_model(ModelQuery(results, name="soft"), [image]).file == folder / "soft" / "best.pt"
    with pytest.raises(UdeansrError, match=r"no trained model of --name hard"):
        choose_model(ModelQuery(results, name="hard"), [image])
