import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from udeansr.losses.image import l1, reconstruction_losses, ssim_loss, ssim_map


def slabs(count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(count, 3, 20, 17, generator=generator)
    return x, x + 0.2 * torch.randn(x.shape, generator=generator)


def test_l1_is_the_mean_absolute_difference():
    assert l1(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.5, 1.0, 1.0])).item() == pytest.approx(0.5)


def test_restoration_is_both_losses_by_name_the_structure_weighed():
    x, y = slabs()
    assert reconstruction_losses(x, y, 0.5, "code") == {"l1": l1(x, y), "ssim": 0.5 * ssim_loss(x, y, "code")}


def test_ssim_by_its_definition():
    x, y = slabs(1)

    def blur(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5, mode="constant", truncate=5 / 1.5)

    for slice_x, slice_y, found in zip(x[0].double().numpy(), y[0].double().numpy(), ssim_map(x, y)[0], strict=True):
        mean_x, mean_y = blur(slice_x), blur(slice_y)
        variance_x, variance_y = blur(slice_x**2) - mean_x**2, blur(slice_y**2) - mean_y**2
        covariance = blur(slice_x * slice_y) - mean_x * mean_y
        expected = (2 * mean_x * mean_y + 1e-4) * (2 * covariance + 9e-4)
        expected /= (mean_x**2 + mean_y**2 + 1e-4) * (variance_x + variance_y + 9e-4)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_ssim_is_one_for_equals_and_the_same_either_way():
    x, y = slabs()
    torch.testing.assert_close(ssim_map(x, x), torch.ones_like(x))
    torch.testing.assert_close(ssim_map(x, y), ssim_map(y, x))
    assert ssim_map(x, y).max() < 1


def test_slices_do_not_mix():
    x, y = slabs()
    order = [2, 0, 1]
    torch.testing.assert_close(ssim_map(x[:, order], y[:, order]), ssim_map(x, y)[:, order])


def test_the_two_forms_of_the_structural_loss():
    x, y = slabs()
    y[1] = x[1]  # one slab alike, one not: only so differs the square of a mean from the mean of squares
    one = ssim_map(x[:1], y[:1]).mean().item()
    assert 0.2 < one < 0.9
    assert ssim_loss(x, y, "paper").item() == pytest.approx((1 - one) ** 2 / 2, rel=1e-4)
    assert ssim_loss(x, y, "code").item() == pytest.approx(1 - (1 + one**2) / 2, rel=1e-4)
    assert ssim_loss(x, x, "paper").item() == pytest.approx(0, abs=1e-6)
    assert ssim_loss(x, x, "code").item() == pytest.approx(0, abs=1e-5)


def test_near_one_the_code_pulls_eleven_times_harder():
    # d/dS: 2 (1 - S) against 2 S; at S = .92 that is .16 against 1.84 (reference: the code family's note).
    x = slabs(1)[0]
    pulls, similarity = {}, 0.0
    for form in ("paper", "code"):
        noise = 0.06 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
        y = (x + noise).requires_grad_()
        similarity = ssim_map(x, y).mean().item()
        ssim_loss(y, x, form).backward()
        assert y.grad is not None
        pulls[form] = y.grad.norm().item()
    assert pulls["code"] / pulls["paper"] == pytest.approx(similarity / (1 - similarity), rel=1e-3)


def test_float32_under_autocast():
    x, y = slabs()
    expected = ssim_loss(x, y)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(ssim_loss(x, y), expected)
        assert l1(x.bfloat16(), y.bfloat16()).dtype == torch.float32


def test_memory_layout_does_not_matter():
    x, y = slabs()
    last = [image.contiguous(memory_format=torch.channels_last) for image in (x, y)]
    torch.testing.assert_close(ssim_map(*last), ssim_map(x, y))
