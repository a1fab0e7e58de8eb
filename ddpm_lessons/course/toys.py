"""Data so small that the right answer is known: points in the plane, and mixtures with their ideal denoiser."""

import math

import torch
from torch import Tensor

from ..predict import Denoise
from ..schedules import Schedule


def swiss_roll(n: int, rng: torch.Generator | None = None) -> Tensor:
    """n points on a rolled-up line in the plane, (n, 2), about as wide as N(0, I)."""
    angle = 1.5 * math.pi * (1 + 2 * torch.rand(n, generator=rng))
    points = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1)
    return points / 8 + 0.03 * torch.randn(n, 2, generator=rng)


def ideal_denoiser(schedule: Schedule, means: Tensor, weights: Tensor | None = None, std: float = 0.0) -> Denoise:
    """E[x_0 | x_t] when the data are a mixture of K Gaussians: the best any network can answer (for MSE).  (3.11)

    means: (K, ...), weights: (K,) or None for equal ones, std: of each Gaussian; 0 makes the data K single points.
    """
    log_w = torch.zeros(len(means)) if weights is None else weights.log()

    def denoise(x_t, t, cond=None):
        signal, noise = schedule.scales(t, like=x_t)
        var = (signal * std) ** 2 + noise**2  # of x_t around the k-th mean
        off = x_t[:, None] - (signal * torch.ones_like(x_t))[:, None] * means.to(x_t)  # (B, K, ...)
        off = off.flatten(2)
        log_p = log_w.to(x_t) - (off**2).sum(2) / (2 * var.view(-1, 1))
        each = means.to(x_t).flatten(1) + (signal * std**2 / var).view(-1, 1, 1) * off
        return torch.einsum("bk,bkd->bd", log_p.softmax(1), each).view_as(x_t)

    return denoise
