"""Losses between generators and discriminators.

The forms: ``paper`` takes the equations as printed, ``code`` the squares that the authors' code family runs.
All are computed in float32.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Form = Literal["paper", "code"]

REAL, MADE, UNDECIDED = 1.0, 0.0, 0.5


def generator_loss(scores: Tensor, form: Form = "paper") -> Tensor:
    """L_adv, equation 3: what a generator pays while its images are not taken for real.

    Args:
        scores: (B, 1) of made images.
        form: ``paper`` |D - 1|, ``code`` (D - 1)^2.
    Returns: one number, at least 0.
    """
    return _distance(scores, REAL, form)


def confusion_loss(scores: Tensor, form: Form = "paper") -> Tensor:
    """One term of L_da or L_fa, equations 8 and 9: what generators pay while a discriminator can tell domains apart.

    Args:
        scores: (B, 1) of one domain.
        form: ``paper`` |D - 0.5|, ``code`` (D - 0.5)^2.
    Returns: one number, at least 0.
    """
    return _distance(scores, UNDECIDED, form)


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """What a discriminator pays while it does not tell real (1) from made (0): least squares, halved, in both forms.

    Args:
        real: (B, 1) scores of the real side.
        made: (B, 1) scores of the other.
    Returns: one number, at least 0.
    Source: Mao et al., 2016, arXiv:1611.04076, the paper's reference 35.
    """
    return (_distance(real, REAL, "code") + _distance(made, MADE, "code")) / 2


def _distance(scores: Tensor, target: float, form: Form) -> Tensor:
    """Mean distance of the scores from a target, as it is or squared."""
    difference = scores.float() - target
    return difference.abs().mean() if form == "paper" else difference.square().mean()
