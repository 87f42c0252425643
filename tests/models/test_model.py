import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import safetensors.torch
import torch

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc, tricubic
from udeansr.methods import build_method, load_settings, parse_settings
from udeansr.models.model import interpolator, load_model
from udeansr.models.model_file import DESCRIPTION, LIMITS_BYTES, WEIGHTS, read_archive, write_archive
from udeansr.models.registry import find_models
from udeansr.paths import Root
from udeansr.planning.domain import Domain
from udeansr.prediction.predictor import Predictor
from udeansr.strict_json import as_json
from udeansr.training.checkpoint import checkpoint_file, load_checkpoint, save_checkpoint


def test_a_model_predicts_with_the_averaged_weights(tiny_checkpoint, tmp_path):
    path = tiny_checkpoint(tmp_path / "best.pt")
    state = load_checkpoint(path)
    weights = load_model(path).method.state_dict()
    assert set(weights) == {name for name in state["weights"] if name.startswith("generators.")} and state["averaged"]
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, state["averaged"].get(name, state["weights"][name]))


def test_a_model_is_ready_to_predict_and_not_to_learn(tiny_checkpoint, tmp_path):
    resolver = load_model(tiny_checkpoint(tmp_path / "best.pt"))
    assert not resolver.method.training
    assert not any(parameter.requires_grad for parameter in resolver.method.parameters())
    assert resolver.scale == Scale(2, 2, 2)
    assert resolver.plan is not None and resolver.plan.dataset == "Dataset007_Tiny"


def test_models_are_found_by_the_names_of_their_folders(tiny_checkpoint, tmp_path):
    root = Root(tmp_path, "--results")
    assert find_models(root) == []
    for place in ("Dataset002_B/x2x2x2/udean", "Dataset001_A/x2x2x2/udean", "Dataset001_A/x2x2x1/udean", "notes/a/b"):
        tiny_checkpoint(tmp_path / place / "best.pt")
    (tmp_path / "Dataset001_A" / "x2x2x2" / "sinc").mkdir()
    tiny_checkpoint(tmp_path / "Dataset001_A" / "x2x2x2" / "udean" / "latest.pt")
    assert [str(model) for model in find_models(root)] == [
        "-d Dataset001_A -c x2x2x1 --name udean",
        "-d Dataset001_A -c x2x2x2 --name udean",
        "-d Dataset002_B -c x2x2x2 --name udean",
    ]
    assert [model.path for model in find_models(root, "latest")] == [tmp_path / "Dataset001_A/x2x2x2/udean/latest.pt"]


def test_a_found_model_tells_its_plan(tiny_checkpoint, tmp_path):
    tiny_checkpoint(tmp_path / "Dataset001_A/x2x2x2/udean/best.pt", spacing_mm=(5.0, 3.0, 3.0))
    plan, configuration = find_models(Root(tmp_path, "--results"))[0].plan()
    assert plan.orientation == "SPL" and configuration.task.lr_spacing_mm == (5.0, 3.0, 3.0)


def test_a_model_of_a_method_or_setting_that_is_not_here_is_refused(tiny_checkpoint, tmp_path):
    path = tiny_checkpoint(tmp_path / "best.pt", method="cyclegan")
    with pytest.raises(
        UdeansrError, match=r"best.pt: made by another version of udeansr \(.*'cyclegan'.*\); install that"
    ):
        load_model(path)
    path = tiny_checkpoint(tmp_path / "best.pt", settings={"gamma": 1.0})
    with pytest.raises(UdeansrError, match=r"best.pt: made by another version of udeansr \(.*'gamma'"):
        load_model(path)


def test_a_model_of_other_weights_is_refused_in_one_line(tiny_checkpoint, tmp_path):
    path = tiny_checkpoint(tmp_path / "best.pt")
    state = {key: value for key, value in load_checkpoint(path).items() if key not in ("format", "version")}
    _, weight = state["weights"].popitem()
    save_checkpoint(path, {**state, "weights": {**state["weights"], "of.before": weight}})
    with pytest.raises(
        UdeansrError, match=r"best.pt: holds other weights than .* \(2 of them, first .*\); it was made"
    ):
        load_model(path)


def test_networks_that_only_training_needs_are_neither_loaded_nor_exported(
    tiny_checkpoint, tiny_model_file, tiny_plan, tmp_path
):
    settings = asdict(parse_settings("udean", []))
    plan = tiny_plan((4.0, 2.0, 2.0), "SPL", "x2x2x2")
    method = build_method("udean", plan.configuration("x2x2x2"), load_settings("udean", settings))
    path = tiny_checkpoint(tmp_path / "best.pt", settings=settings, weights=method.state_dict())
    assert any(name.startswith("discriminators.") for name in load_checkpoint(path)["weights"])
    loaded = set(load_model(path).method.state_dict())
    assert loaded and all(name.startswith("generators.") for name in loaded)
    deployed = set(load_model(tiny_model_file(settings=settings, weights=method.state_dict())).method.state_dict())
    assert {name.split(".")[1] for name in deployed} == {"lr_encoder", "sr_decoder"}


@pytest.mark.parametrize("half", [True, False])
def test_a_model_file_predicts_what_its_training_does(tiny_checkpoint, tiny_model_file, tmp_path, lr, half):
    expected = Predictor(load_model(tiny_checkpoint(tmp_path / "best.pt")))(lr).voxels.astype(float)
    resolver = load_model(tiny_model_file(half=half))
    assert resolver.plan is not None and resolver.plan.dataset == "Dataset007_Tiny"
    assert not resolver.method.training and next(resolver.method.parameters()).dtype == torch.float32
    np.testing.assert_allclose(Predictor(resolver)(lr).voxels, expected, atol=2 if half else 0)


def test_the_folder_of_a_training_is_its_best(tiny_checkpoint, tmp_path, lr):
    path = tiny_checkpoint(tmp_path / "run" / "best.pt")
    np.testing.assert_array_equal(Predictor(load_model(path.parent))(lr).voxels, Predictor(load_model(path))(lr).voxels)
    with pytest.raises(
        UdeansrError, match=r"run: no final.pt, but best.pt; give a .pt file or choose with --checkpoint"
    ):
        checkpoint_file(path.parent, "final")


def rewritten(path, weights=None, **values):
    """A model file, changed by somebody who knows how."""
    members = read_archive(path, LIMITS_BYTES)
    told = json.loads(members[DESCRIPTION])
    plan = told["plan"]["configurations"]["x2x2x2"]
    for key, value in values.items():
        next(part for part in (plan["task"], plan["size"], told) if key in part or part is told)[key] = value
    members[DESCRIPTION] = json.dumps(told).encode()
    if weights is not None:
        members[WEIGHTS] = safetensors.torch.save(weights(safetensors.torch.load(members[WEIGHTS])))
    write_archive(path, members)
    return path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"weights": lambda w: dict(list(w.items())[1:])},
            "holds other weights than udean has here .* it was made by an",
        ),
        ({"weights": lambda w: w | {"other": torch.zeros(1)}}, "holds other weights than udean has here"),
        ({"weights": lambda w: {name: x[None] for name, x in w.items()}}, "holds other weights than udean has here"),
        ({"features": 8}, "holds other weights than udean has here"),
        ({"weights": lambda w: {name: x * float("nan") for name, x in w.items()}}, "the weight .* is not finite"),
        (
            {"weights": lambda w: {name: x[None] for name, x in w.items()}},
            r".*first '[^']+': \(1, .*\); expected \(",
        ),
        ({"groups": 100}, "holds other weights than udean has here"),
        ({"groups": 10**9}, "'size.groups' is 1000000000; expected at most 100"),
        ({"features": 10**9}, "'size.features' is 1000000000; expected at most 1024"),
        ({"features": 1024, "groups": 2, "blocks": 5}, "its plan says more than 268435456 weights; get the file"),
        ({"slab_slices": 10_001}, "'task.slab_slices' is 10001; expected at most 255"),
        ({"version": "\x1b[31mred"}, r"'\\x1b\[31mred' holds signs that command a terminal"),
        ({"method": "os.system"}, "made by another version of udeansr .*'os.system'"),
        ({"method": "tricubic", "settings": {}}, "tricubic learns nothing; expected a model that was trained"),
        (
            {"method": "supervised", "settings": {}, "source_degradation": "randomized"},
            "holds other weights than supervised",
        ),
        ({"settings": {"gamma": 1.0}}, "made by another version of udeansr .*'gamma'"),
        ({"run": {"epochs": "many"}}, "'epochs' is .*expected a whole number"),
        ({"run": {"hook": 1}}, "unknown key 'hook'"),
    ],
)
def test_a_model_file_of_something_else_is_refused_in_one_line(tiny_model_file, change, told):
    path = rewritten(tiny_model_file(), **change)
    with pytest.raises(UdeansrError, match=f"{path.name}(, configuration 'x2x2x2')?: {told}") as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_a_model_that_restores_needs_its_domain(tiny_checkpoint, tiny_model_file, tiny_plan, tmp_path):
    plan = tiny_plan((4.0, 2.0, 2.0), "SPL", "x2x2x2")
    configuration = plan.configuration("x2x2x2").changed(source_degradation="randomized")
    method = build_method("supervised", configuration, parse_settings("supervised", []))
    domain = Domain("T1w", 6, (((-1.5, -2.0), (-2.0, -3.0)),) * 2, 0.1, 0.02, (0.9, 0.8, 0.7))
    state = {
        "plan": replace(plan, configurations={"x2x2x2": configuration}).as_dict(),
        "method": "supervised",
        "settings": {"network": "residual"},
        "weights": method.state_dict(),
        "averaged": {},
        "domain": as_json(domain),
    }
    assert load_model(tiny_checkpoint(tmp_path / "best.pt", **state)).method.domain == domain
    path = tiny_model_file(**state)
    assert load_model(path).method.domain == domain
    with pytest.raises(UdeansrError, match="it restores each LR and has no domain to do so by; export it again"):
        load_model(rewritten(path, domain=None))


@pytest.mark.parametrize(("name", "function"), [("tricubic", tricubic), ("sinc", sinc)])
def test_an_interpolator_is_the_function_of_its_name_for_any_grid(name, function, lr):
    sr = Predictor(interpolator(name, Scale(3, 1, 2)))(lr)
    assert sr.voxels.shape == (18, 9, 16)
    expected = np.clip(np.rint(function(lr.voxels, Scale(3, 1, 2))), 0, None)
    np.testing.assert_allclose(sr.voxels, expected, atol=1)


def test_averaged_weights_of_another_shape_or_name_are_refused(tiny_checkpoint, tmp_path):
    state = torch.load(tiny_checkpoint(tmp_path / "whole.pt"), weights_only=True)
    name = next(iter(state["averaged"]))
    for change in ({name: torch.zeros(3)}, {"x.y": torch.zeros(3)}):
        torch.save({**state, "averaged": {**state["averaged"], **change}}, tmp_path / "spoilt.pt")
        with pytest.raises(UdeansrError, match=r"spoilt.pt: holds other weights"):
            load_model(tmp_path / "spoilt.pt")
