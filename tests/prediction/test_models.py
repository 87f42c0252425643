import numpy as np
import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc, tricubic
from udeansr.paths import Root
from udeansr.prediction.models import find_models, interpolator, load_model
from udeansr.training.checkpoint import load_checkpoint, save_checkpoint


def test_a_model_predicts_with_the_averaged_weights(train, tmp_path):
    path = train(tmp_path / "best.pt")
    state = load_checkpoint(path)
    weights = load_model(path).method.state_dict()
    assert set(weights) == set(state["weights"]) and state["averaged"]
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, state["averaged"].get(name, state["weights"][name]))


def test_a_model_is_ready_to_predict_and_not_to_learn(train, tmp_path):
    resolver = load_model(train(tmp_path / "best.pt"))
    assert not resolver.method.training
    assert not any(parameter.requires_grad for parameter in resolver.method.parameters())
    assert resolver.scale == Scale(2, 2, 2)
    assert resolver.plan is not None and resolver.plan.dataset == "Dataset007_Tiny"


def test_models_are_found_by_the_names_of_their_folders(train, tmp_path):
    root = Root(tmp_path, "--results")
    assert find_models(root) == []
    for place in ("Dataset002_B/x2x2x2/udean", "Dataset001_A/x2x2x2/udean", "Dataset001_A/x2x2x1/udean", "notes/a/b"):
        train(tmp_path / place / "best.pt")
    (tmp_path / "Dataset001_A" / "x2x2x2" / "sinc").mkdir()
    train(tmp_path / "Dataset001_A" / "x2x2x2" / "udean" / "latest.pt")
    assert [str(model) for model in find_models(root)] == [
        "-d Dataset001_A -c x2x2x1 --method udean",
        "-d Dataset001_A -c x2x2x2 --method udean",
        "-d Dataset002_B -c x2x2x2 --method udean",
    ]
    assert [model.path for model in find_models(root, "latest")] == [tmp_path / "Dataset001_A/x2x2x2/udean/latest.pt"]


def test_a_found_model_tells_its_plan(train, tmp_path):
    train(tmp_path / "Dataset001_A/x2x2x2/udean/best.pt", spacing_mm=(5.0, 3.0, 3.0))
    plan, configuration = find_models(Root(tmp_path, "--results"))[0].plan()
    assert plan.orientation == "SPL" and configuration.lr_spacing_mm == (5.0, 3.0, 3.0)


def test_a_model_of_a_method_or_setting_that_is_not_here_is_refused(train, tmp_path):
    path = train(tmp_path / "best.pt", method="cyclegan")
    with pytest.raises(
        UdeansrError, match=r"best.pt: made by another version of udeansr \(.*'cyclegan'.*\); install that"
    ):
        load_model(path)
    path = train(tmp_path / "best.pt", settings={"gamma": 1.0})
    with pytest.raises(UdeansrError, match=r"best.pt: made by another version of udeansr \(.*'gamma'"):
        load_model(path)


def test_a_model_of_other_weights_is_refused_in_one_line(train, tmp_path):
    path = train(tmp_path / "best.pt")
    state = {key: value for key, value in load_checkpoint(path).items() if key not in ("format", "version")}
    _, weight = state["weights"].popitem()
    save_checkpoint(path, {**state, "weights": {**state["weights"], "of.before": weight}})
    with pytest.raises(
        UdeansrError, match=r"best.pt: holds other weights than .* \(2 of them, first .*\); it was made"
    ):
        load_model(path)


@pytest.mark.parametrize(("name", "function"), [("tricubic", tricubic), ("sinc", sinc)])
def test_an_interpolator_is_the_function_of_its_name_for_any_grid(name, function, lr):
    sr = interpolator(name, Scale(3, 1, 2))(lr)
    assert sr.voxels.shape == (18, 9, 16)
    expected = np.clip(np.rint(function(lr.voxels, Scale(3, 1, 2))), 0, None)
    np.testing.assert_allclose(sr.voxels, expected, atol=1)
