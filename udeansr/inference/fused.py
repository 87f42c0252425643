"""Trained networks fused for prediction: the same numbers, fewer passes over memory.

On a processor that multiplies matrices of bfloat16 a convolution takes hardly longer than copying its output. So what
stands between the convolutions counts, and here there is less of it. Nothing of this can be trained.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udeansr.device import without_autocast
from udeansr.networks.anchor import AnchoredDecoder, AnchoredEncoder, shrink, stretch
from udeansr.networks.decoder import Decoder, PixelShuffle
from udeansr.networks.encoder import Encoder
from udeansr.networks.rcan import (
    ChannelAttention,
    RcanBody,
    ResidualBlock,
    ResidualGroup,
    upsample_scores,
    window_means,
    window_step,
)

AnyModule = TypeVar("AnyModule", bound=nn.Module)

_POINTWISE = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
"""A convolution that applies a function to each number before it goes to memory; what torch.compile makes use of."""

_PACK = getattr(torch.ops.mkldnn, "_reorder_convolution_weight", None)
"""Weights in the order that the convolution wants them in, which else is made anew in each call."""


def fused(module: AnyModule, half: torch.dtype | None = None) -> AnyModule:
    """A copy of a module for prediction alone.

    Args:
        module: any that holds networks of ours, on the device where it will compute.
        half: the type of the weights, cast once; None leaves them. Where it is given, run the copy under autocast to
            this type. The interpolated copy of the image stays in float32.
    """
    made = _leaned(copy.deepcopy(module).requires_grad_(False))
    made = made.to(dtype=half, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for part in made.modules():
        if isinstance(part, _Convolution):
            part.pack()
    return made


def _leaned(module: nn.Module) -> nn.Module:
    """The module, with each part that has a lean form in that form."""
    for kind, form in _FORMS.items():
        if type(module) is kind:
            return form(module)
    for name, child in module.named_children():
        module.register_module(name, _leaned(child))
    return module


class _Convolution(nn.Module):
    """A convolution, and an activation or a sum in the same walk, where the device can."""

    def __init__(self, convolution: nn.Conv2d, negative_slope: float | None = None) -> None:
        super().__init__()
        self.convolution, self.negative_slope = convolution, negative_slope
        self._packed: Tensor | None = None

    def pack(self) -> None:
        """Order the weights for the device, where it orders them."""
        conv = self.convolution
        if _PACK is not None and _POINTWISE is not None and _fuses(conv.weight.device.type, conv.weight.dtype):
            self._packed = _PACK(conv.weight, *_geometry(conv), [1, conv.in_channels, 64, 64])

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """The activation of the convolution of x, or what is added plus the convolution of x."""
        conv, slope = self.convolution, self.negative_slope
        x = x.to(conv.weight.dtype)
        if self._packed is None:
            y = conv(x) if slope is None else F.leaky_relu(conv(x), slope, inplace=True)
            return y if added is None else added + y
        assert _POINTWISE is not None
        if added is not None:
            return _POINTWISE.binary(x, added, self._packed, conv.bias, *_geometry(conv), "add", 1.0, None, [], None)
        name, numbers = ("none", []) if slope is None else ("leaky_relu", [slope]) if slope else ("relu", [])
        return _POINTWISE(x, self._packed, conv.bias, *_geometry(conv), name, numbers, "")


class _LongSkip(nn.Module):
    """What a residual group or the body adds to what goes in: the convolution at the end adds in the same walk."""

    def __init__(self, inside: nn.Module, last: nn.Conv2d, head: nn.Conv2d | None = None) -> None:
        super().__init__()
        self.head = nn.Identity() if head is None else _Convolution(head)
        self.inside, self.last = _leaned(inside), _Convolution(last)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        return self.last(self.inside(x), added=x)


def _geometry(conv: nn.Conv2d) -> tuple[list[int], list[int], list[int], int]:
    assert isinstance(conv.padding, tuple), "convolutions of ours say their padding in numbers"
    return list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups


@lru_cache
def _fuses(device: str, dtype: torch.dtype) -> bool:
    if device != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


class _LeanBlock(nn.Module):
    """A residual block: convolution and ReLU, convolution, and the weighted sum, one walk each."""

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        self.first, self.second = _Convolution(block.first, 0.0), _Convolution(block.second)
        self.attention = block.attention

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        return torch.addcmul(x, y, _weights(self.attention, y), out=y)


def _weights(attention: ChannelAttention, y: Tensor) -> Tensor:
    """What channel attention weighs each pixel with, or one number a channel for a patch."""
    squeeze, excite = attention.squeeze, attention.excite
    means = _window_means(y, attention.window).permute(0, 2, 3, 1)
    # A 1 x 1 convolution of few pixels is a product of small matrices.
    hidden = F.relu(F.linear(means, squeeze.weight.flatten(1), squeeze.bias))
    weights = torch.sigmoid(F.linear(hidden, excite.weight.flatten(1), excite.bias))
    return _upsample_scores(weights, attention.window, (y.shape[2], y.shape[3])).permute(0, 3, 1, 2)


def _window_means(x: Tensor, window: tuple[int, int]) -> Tensor:
    """As :func:`window_means`, by sums over cells as long as a step: a pixel is read once, not eight times."""
    steps = [window_step(w) for w in window]
    sides = (x.shape[2], x.shape[3])
    if any(side > w and w % step for side, w, step in zip(sides, window, steps, strict=True)):
        return window_means(x, window)
    cell = [step if side > w else side for side, w, step in zip(sides, window, steps, strict=True)]
    cells = [w // step if side > w else 1 for side, w, step in zip(sides, window, steps, strict=True)]
    # Means at once, not sums: half precision would hold no sum of a large window.
    means = F.avg_pool2d(x, cell, ceil_mode=True, divisor_override=cell[0] * cell[1])
    means = F.avg_pool2d(means, cells, 1, divisor_override=cells[0] * cells[1])
    return means * _outside(window, sides, (means.shape[2], means.shape[3]), x.dtype, x.device)


@lru_cache(maxsize=64)
def _outside(
    window: tuple[int, int], sides: tuple[int, int], counts: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """(windows, windows): pixels of each over those that lie in the slice; what the last reaches out does not count."""
    starts = (torch.arange(n, device=device) * window_step(w) for n, w in zip(counts, window, strict=True))
    lengths = [min(w, side) for side, w in zip(sides, window, strict=True)]
    y, x = ((side - start).clamp(max=w) for start, side, w in zip(starts, sides, window, strict=True))
    return (lengths[0] * lengths[1] / (y[:, None] * x)).to(dtype)


def _upsample_scores(values: Tensor, window: tuple[int, int], sides: tuple[int, int]) -> Tensor:
    """As :func:`upsample_scores`, channels last, by two products with matrices, which matrix units do at no cost."""
    batch, rows, columns, channels = values.shape
    if sides[0] > window[0]:
        across = _places(window[0], sides[0], rows, values.dtype, values.device)
        values = (across @ values.reshape(batch, rows, -1)).view(batch, sides[0], columns, channels)
    if sides[1] > window[1]:
        values = _places(window[1], sides[1], columns, values.dtype, values.device) @ values
    return values


@lru_cache(maxsize=64)
def _places(window: int, side: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(side, count): the part that each window has in each pixel."""
    each_alone = torch.eye(count, device=device)[None, :, :, None]
    return upsample_scores(each_alone, (window, 1), (side, 1))[0, :, :, 0].T.contiguous().to(dtype)


def _fused_encoder(encoder: Encoder, before: int = 0) -> nn.Module:
    """Convolutions that apply the LeakyReLU after them.

    Args:
        encoder: whose form this is.
        before: channels of zeros to put before the features; the convolutions all get as many more.
    """
    convolutions = [layer for layer in encoder.layers if isinstance(layer, nn.Conv2d)]
    slopes = [layer.negative_slope for layer in encoder.layers if isinstance(layer, nn.LeakyReLU)]
    for number, conv in enumerate(convolutions):
        _widen(conv, before if number else 0, before)
    return nn.Sequential(*(_Convolution(conv, slope) for conv, slope in zip_longest(convolutions, slopes)))


def _widen(conv: nn.Conv2d, before_in: int, before_out: int) -> None:
    """Put so many channels of zeros before those that go into a convolution and those that come out."""
    assert conv.bias is not None, "convolutions of an encoder have a bias"
    conv.in_channels, conv.out_channels = conv.in_channels + before_in, conv.out_channels + before_out
    conv.weight = nn.Parameter(F.pad(conv.weight, (0, 0, 0, 0, before_in, 0, before_out, 0)), requires_grad=False)
    conv.bias = nn.Parameter(F.pad(conv.bias, (before_out, 0)), requires_grad=False)


class _Features(NamedTuple):
    """Features whose first channels are the image: as they are, and the image in float32."""

    all: Tensor
    image: Tensor


class _LeanAnchoredEncoder(nn.Module):
    """The image goes beside the features in float32, so that these need not be float32 as well.

    The convolutions leave room for it, and so have a round number of channels.
    """

    def __init__(self, whole: AnchoredEncoder) -> None:
        super().__init__()
        self.slices, self.lr_slices, self.downscale = whole.slices, whole.lr_slices, whole.downscale
        self.learned = _fused_encoder(whole.learned, self.lr_slices)

    def forward(self, slab: Tensor) -> _Features:
        image = shrink(slab[:, : self.slices], self.lr_slices, self.downscale)
        features = self.learned(slab)
        features[:, : self.lr_slices] = image
        return _Features(features, image)


class _LeanAnchoredDecoder(nn.Module):
    """The sum is made in place."""

    def __init__(self, whole: AnchoredDecoder) -> None:
        super().__init__()
        self.slices, self.upscale = whole.slices, whole.upscale
        self.learned = _leaned(whole.learned)

    def forward(self, features: _Features) -> Tensor:
        learned = self.learned(features.all)
        return stretch(features.image, self.slices, self.upscale).add(learned)


class _LeanDecoder(nn.Module):
    """The last pixel shuffle comes after the tail: it then moves a few slices, not all features."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.body = _leaned(decoder.body)
        stages = [_Convolution(part) if isinstance(part, nn.Conv2d) else part for part in decoder.upsampler]
        tail, shuffle = decoder.tail, None
        if stages:
            shuffle = stages.pop()
            assert isinstance(shuffle, PixelShuffle), "a stage of the upsampler ends with its shuffle"
            tail = _before_shuffle(tail, shuffle)
        self.tail = _Convolution(tail)
        self.upsampler, self.shuffle = nn.Sequential(*stages), shuffle or nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        with without_autocast(features.device):  # all is cast already; to ask each time takes time
            return self.shuffle(self.tail(self.upsampler(self.body(features))))


def _before_shuffle(tail: nn.Conv2d, shuffle: PixelShuffle) -> nn.Conv2d:
    """The convolution that, before a pixel shuffle, does what a 3 x 3 convolution does after it."""
    y, x = shuffle.y, shuffle.x
    slices, features = tail.weight.shape[:2]
    weight = tail.weight.new_zeros(slices, y, x, features, y, x, 3, 3)
    for i in range(y):
        for j in range(x):
            for row in range(3):
                for column in range(3):  # a pixel beside the cell lies in the next cell, at the place beyond its edge
                    (down, a), (right, b) = divmod(i + row - 1, y), divmod(j + column - 1, x)
                    weight[:, i, j, :, a, b, down + 1, right + 1] = tail.weight[:, :, row, column]
    made = nn.Conv2d(features * y * x, slices * y * x, 3, padding=1, device="meta")
    made.weight = nn.Parameter(weight.reshape(slices * y * x, features * y * x, 3, 3), requires_grad=False)
    assert tail.bias is not None, "the tail of a decoder has a bias"
    made.bias = nn.Parameter(tail.bias.repeat_interleave(y * x), requires_grad=False)
    return made


_FORMS = {
    RcanBody: lambda body: _LongSkip(body.groups, body.last, body.head),
    ResidualGroup: lambda group: _LongSkip(group.blocks, group.last),
    ResidualBlock: _LeanBlock,
    Encoder: _fused_encoder,
    AnchoredEncoder: _LeanAnchoredEncoder,
    AnchoredDecoder: _LeanAnchoredDecoder,
    Decoder: _LeanDecoder,
}
