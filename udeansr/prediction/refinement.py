"""SR made better after the network: median over moved copies, back-projection. Knows arrays; knows no network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc
from udeansr.methods.moves import all_moves


def median_of_moves(super_resolve: Callable[[np.ndarray], np.ndarray], lr: np.ndarray, turns: bool) -> np.ndarray:
    """Super-resolve a volume flipped and turned in its plane, move the answers back, and take their median.

    Args:
        super_resolve: (Z, Y, X) -> (Z * sz, Y * sy, X * sx).
        lr: (Z, Y, X).
        turns: the eight flips and turns by right angles in the plane; else the four flips.
    Returns: (Z * sz, Y * sy, X * sx).
    Source: the geometric self-ensemble of Shocher et al., CVPR 2018.
    """
    moves = [move for move in all_moves(turns) if 0 not in move.mirrored]
    shown = torch.from_numpy(np.ascontiguousarray(lr))
    answers = [move.back(torch.from_numpy(super_resolve(move.there(shown).numpy()))).numpy() for move in moves]
    return np.median(answers, axis=0)


def back_projected(sr: np.ndarray, lr: np.ndarray, scale: Scale, times: int) -> np.ndarray:
    """Add to SR, again and again, what its own LR misses of the LR.

    SR is degraded by k-space truncation and the rest goes up by zero filling, which is the way back from it: the
    centre of k-space becomes that of the LR, what SR adds outside stays. One time does nearly all; only the
    highest lines of even sides, which truncation halves, take more.

    Args:
        sr: (Z * sz, Y * sy, X * sx).
        lr: (Z, Y, X), same unit.
        scale: between the two.
        times: how often; 0 changes nothing.
    Returns: (Z * sz, Y * sy, X * sx) float32.
    Source: Irani and Peleg, CVGIP 53(3), 1991, as Shocher et al., CVPR 2018, apply it.
    """
    for _ in range(times):
        sr = sr + sinc(lr - truncate_kspace(sr, scale), scale)
    return sr
