from zipfile import ZipFile

import pytest

from udeansr.errors import UdeansrError
from udeansr.models import registry
from udeansr.models.model import load_model
from udeansr.models.model_file import read_card
from udeansr.models.registry import BUNDLED, find_named, import_model, model_path, named_models, remove_model
from udeansr.models.thick_slices import FACTORS, thick_slice_model
from udeansr.paths import models_root


def test_what_ships_with_the_package_is_whole():
    paths = sorted(BUNDLED.glob("*.zip"))
    brains, thick = ["brain-t1w-x2x2x1", "brain-t1w-x2x2x2"], [thick_slice_model(factor) for factor in FACTORS]
    assert [path.stem for path in paths] == [*brains, *thick]
    for path in paths:
        model = load_model(path)
        assert path.stem == registry.read_description(path).name
        assert model.plan is not None
        assert (model.domain is not None and model.calibration is not None) == (path.stem in brains)
        assert "never seen" in read_card(path) and "not said" not in read_card(path)
    assert sum(path.stat().st_size for path in paths) < 12e6


def test_models_are_found_by_name_the_bundled_first(tiny_model_file):
    assert named_models() == []
    tiny_model_file("c-t1w-x2x2x2", folder="imported")
    tiny_model_file("a-t1w-x2x2x2", folder="imported")
    tiny_model_file("b-t1w-x2x2x2")
    assert [(model.name, model.where) for model in named_models()] == [
        ("b-t1w-x2x2x2", "bundled"),
        ("a-t1w-x2x2x2", "imported"),
        ("c-t1w-x2x2x2", "imported"),
    ]
    assert find_named("a-t1w-x2x2x2") is not None and find_named("d") is None


def test_a_broken_file_among_them_is_told_of_and_does_not_stop_the_others(tiny_model_file, caplog):
    whole = tiny_model_file("b-t1w-x2x2x2")
    whole.with_name("a.zip").write_bytes(b"no zip")
    assert [model.name for model in named_models()] == ["b-t1w-x2x2x2"]
    assert len(caplog.messages) == 1 and "a.zip: no zip, or a broken one" in caplog.messages[0]


def test_a_path_is_a_path_and_a_word_is_a_name(tiny_model_file, tmp_path, monkeypatch):
    path = tiny_model_file("a-t1w-x2x2x2")
    assert model_path("a-t1w-x2x2x2") == path
    assert str(model_path("gone.pt")) == "gone.pt" and str(model_path("gone/best")) == "gone/best"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-t1w-x2x2x2").mkdir()
    assert str(model_path("a-t1w-x2x2x2")) == "a-t1w-x2x2x2"
    with pytest.raises(UdeansrError, match=r"^b: neither a file or folder, nor the name of a .*; there: a-t1w-x2x2x2$"):
        model_path("b")


def test_an_imported_model_has_a_name_until_it_is_removed(tiny_model_file, tmp_path):
    path = tiny_model_file("a-t1w-x2x2x2", folder="sent")
    model = import_model(path)
    assert model.path == tmp_path / "imported" / "a-t1w-x2x2x2.zip" and model.path.read_bytes() == path.read_bytes()
    assert [child.name for child in model.path.parent.iterdir()] == ["a-t1w-x2x2x2.zip"]
    with pytest.raises(UdeansrError, match=r"there is an imported model a-t1w-x2x2x2 already; give --force to replace"):
        import_model(path)
    import_model(path, replace=True)
    assert remove_model("a-t1w-x2x2x2") == model.path and named_models() == []
    with pytest.raises(UdeansrError, match=r"a-t1w-x2x2x2: neither .* there: none"):
        remove_model("a-t1w-x2x2x2")


def test_a_bundled_model_stays_what_it_is(tiny_model_file, tmp_path):
    path = tiny_model_file("a-t1w-x2x2x2")
    with pytest.raises(UdeansrError, match=r"a-t1w-x2x2x2: came with udeansr; only imported models can be removed"):
        remove_model("a-t1w-x2x2x2")
    with pytest.raises(UdeansrError, match=r"its name a-t1w-x2x2x2 is that of a bundled model; export it with another"):
        import_model(path, replace=True)


def test_what_is_no_model_is_not_imported(tiny_model_file, tiny_checkpoint, tmp_path):
    tiny_model_file("a-t1w-x2x2x2")
    with ZipFile(tmp_path / "foreign.zip", "w") as archive:
        archive.writestr("../../evil", "x")
    for path in (tiny_checkpoint(tmp_path / "best.pt"), tmp_path / "foreign.zip"):
        with pytest.raises(UdeansrError, match=r"expected a model that udeansr_models export wrote"):
            import_model(path)
    assert not (tmp_path / "imported").exists()


def test_a_folder_that_cannot_be_written_is_told(tiny_model_file, tmp_path):
    path = tiny_model_file("a-t1w-x2x2x2", folder="sent")
    (tmp_path / "imported").touch()
    with pytest.raises(UdeansrError, match=r"cannot be written \(.*\); set udeansr_models"):
        import_model(path)


def test_a_model_that_the_system_keeps_is_told(tiny_model_file, monkeypatch):
    tiny_model_file("a-t1w-x2x2x2", folder="imported")

    def refuse(path, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(UdeansrError, match=r"cannot be removed \(Permission denied\); remove it yourself"):
        remove_model("a-t1w-x2x2x2")
    assert models_root().folder.is_dir()
