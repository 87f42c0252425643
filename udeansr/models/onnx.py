"""The network that prediction runs, as ONNX for other programs."""

from __future__ import annotations

import copy
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

import udeansr
from udeansr.errors import UdeansrError
from udeansr.files import write_whole
from udeansr.image.normalization import PERCENTILE
from udeansr.methods import Method
from udeansr.models.model import Model
from udeansr.networks.rcan import STEPS, ChannelAttention

LR, HR = "lr", "sr"
"""Names of the input and the output."""

OLDEST_TORCH = (2, 6)
"""Whose exporter takes sizes that are not known."""


def export_onnx(trained: Model, path: Path) -> dict[str, str]:
    """Write the network of a model as ONNX, whole or not at all, in float32; any batch size, rows and columns.

    Its input is (B, slices, Y, X) of normalised LR, its output (B, output slices * sz, Y * sy, X * sx) in the same
    unit. What lies around it, the slabs and the normalisation, stands in the metadata and left to who runs it.

    Args:
        trained: a trained model.
        path: the file; an existing one is replaced.
    Returns: the metadata, which the file holds as well.
    Raises:
        UdeansrError: if the packages are missing, the model has no network, or the file cannot be written.
    """
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise UdeansrError(f"ONNX needs {' and '.join(missing)}; pip install 'udeansr[onnx]'")
    if tuple(map(int, torch.__version__.split(".")[:2])) < OLDEST_TORCH:
        raise UdeansrError(f"torch {torch.__version__} cannot export such a network; install torch 2.6 or newer")
    if trained.method.is_zero_shot or not trained.method.players or trained.method.slab_slices is None:
        raise UdeansrError(
            f"{trained.method.name} has no network of slabs that is ready; expected a model that was trained on cohorts"
        )
    from onnx import checker, helper

    network = _Deployed(trained.method).eval()
    dynamic = {axis: torch.export.Dim.DYNAMIC for axis in (0, 2, 3)}
    example = torch.zeros(2, network.channels, 20, 24)
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=(dynamic,),
            input_names=[LR],
            output_names=[HR],
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for noted in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        noted.ClearField("metadata_props")  # the exporter's notes on our source, with paths of this machine
    metadata = _metadata(trained)
    helper.set_model_props(model, metadata)
    checker.check_model(model, full_check=True)
    write_whole(path, model.SerializeToString())
    return metadata


def _metadata(trained: Model) -> dict[str, str]:
    """What someone has to know to run the network on an image."""
    method, plan, configuration = trained.method, trained.plan, trained.configuration
    assert plan is not None and configuration is not None, "a trained model has a plan"
    facts = {
        "model": trained.name,
        "udeansr": udeansr.__version__,
        "scale_zyx": method.scale.zyx,
        "slab_axes": configuration.task.slab_axes,
        "slices": configuration.task.slab_slices,
        "output_slices": method.output_slices,
        "margin_slices": method.margin_slices,
        "channels": ("restored slices", "slices") if configuration.task.deconvolves else ("slices",),
        "orientation_zyx": plan.orientation,
        "lr_spacing_mm_zyx": configuration.task.lr_spacing_mm,
        "normalization": "divide by the percentile of the foreground (above a tenth of the 99.9th) times lr_gain",
        "percentile": PERCENTILE,
        "lr_gain": plan.lr_gain,
    }
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}


class _Deployed(nn.Module):
    """A method as a network: an LR slab in, the HR slices that are used out."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.channels = method.configuration.task.input_slices
        self.method = copy.deepcopy(method).float().cpu()
        for module in list(self.method.modules()):
            for name, child in module.named_children():
                if isinstance(child, ChannelAttention):
                    setattr(module, name, _AnySizeAttention(child))

    def forward(self, lr: Tensor) -> Tensor:
        """(B, channels, Y, X) -> (B, output slices * sz, Y * sy, X * sx)."""
        return self.method.crop_margin(self.method.super_resolve(lr))


class _AnySizeAttention(nn.Module):
    """Channel attention by matrices, which one graph can hold for all sizes: as it is, it branches by the size."""

    def __init__(self, attention: ChannelAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, Y, X) -> the same, as :class:`ChannelAttention` has it."""
        (mean_y, spread_y), (mean_x, spread_x) = (
            _pooling(side, window) for side, window in zip(x.shape[2:], self.attention.window, strict=True)
        )
        means = mean_y @ x @ mean_x.T
        weights = torch.sigmoid(self.attention.excite(torch.relu(self.attention.squeeze(means))))
        return x * (spread_y @ weights @ spread_x.T)


def _pooling(side: int, window: int) -> tuple[Tensor, Tensor]:
    """Along one axis, ``window_means`` and ``upsample_scores`` of the network as matrices.

    Args:
        side: pixels; may be a symbol.
        window: pixels.
    Returns: (windows, side) and (side, windows); windows beyond the last are 0.
    """
    step = max(1, window // STEPS)
    pixel, first = torch.arange(side)[None], (torch.arange(side // step + 1) * step)[:, None]
    inside = ((pixel >= first) & (pixel < first + window)).float()
    mean = inside / inside.sum(1, keepdim=True).clamp(min=1)
    last = torch.ceil((pixel[0, -1].float() + 1 - window) / step).clamp(min=0)
    before = (window - step) // 2
    place = torch.minimum(((pixel.T - before + 0.5) / step - 0.5).clamp(min=0), last)
    return mean, (1 - (place - first.T / step).abs()).clamp(min=0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter has to say of itself, and of packages it could do without, from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
