"""The forward process q, which turns pictures into noise, and its posterior, which the reverse process imitates."""

import torch
from torch import Tensor

from .schedules import Schedule


def check_pictures(x0: Tensor) -> None:
    """Stop early, with what to do, when a batch is not pictures in [-1, 1].  x0: (B, C, H, W) float

    Raises ValueError for another shape, a whole-number type, a range of [0, 255], NaN, and for eight pictures or more
    without one pixel darker than mid-grey: that is [0, 1].
    """
    if x0.ndim != 4:
        raise ValueError(f"pictures should be (B, C, H, W), got {tuple(x0.shape)}; one picture needs x0[None]")
    check_floats(x0)
    low, high = x0.min().item(), x0.max().item()
    if not (low == low and high == high):
        raise ValueError("x0 holds NaN: look at the pictures before training on them")
    if high > 1.5 or low < -1.5:
        raise ValueError(
            f"x0 should lie in [-1, 1], got [{low:.3g}, {high:.3g}]; [0, 255]? divide by 127.5 and subtract 1"
        )
    if low >= 0 and len(x0) >= 8:  # a few bright pictures may well have no dark pixel
        raise ValueError(f"x0 should lie in [-1, 1], got [{low:.3g}, {high:.3g}]; [0, 1]? multiply by 2 and subtract 1")


def check_floats(x0: Tensor) -> None:
    """Raises ValueError when x0 holds whole numbers (uint8 pictures, mostly)."""
    if not x0.is_floating_point():
        raise ValueError(f"x0 should be float in [-1, 1], got {x0.dtype}; divide by 127.5 and subtract 1")


def gauss(like: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """N(0, I) in the shape of `like`, drawn on the CPU so that a seed means the same on every device."""
    return torch.randn(like.shape, generator=rng, dtype=like.dtype).to(like.device)


def step(schedule: Schedule, x_s: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
    """x_t ~ q(x_t | x_{t-1}), one step of the chain (DDPM, eq. 2).  x_s, eps: (B, ...) -> (B, ...)  (2.1)"""
    alpha = schedule.at(t, x_s) / schedule.at(torch.as_tensor(t) - 1, x_s)
    return alpha.sqrt().to(x_s) * x_s + (1 - alpha).sqrt().to(x_s) * eps


def noisy(schedule: Schedule, x0: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
    """x_t ~ q(x_t | x_0), in one jump (DDPM, eq. 4).  x0, eps: (B, ...), t: an int or (B,) -> (B, ...)  (2.8)

    Raises ValueError when eps has another shape, x0 is not float, or t leaves 0..T.
    """
    check_floats(x0)
    if x0.shape != eps.shape:
        raise ValueError(f"eps should have the shape of x0, {tuple(x0.shape)}, got {tuple(eps.shape)}")
    signal, noise = schedule.scales(t, like=x0)
    return signal * x0 + noise * eps


def posterior(schedule: Schedule, x0: Tensor, x_t: Tensor, t: int | Tensor, s: int | Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of q(x_s | x_t, x_0) for any s < t; s = t - 1 is DDPM, eq. 7.  (3.6) (3.7)

    x0, x_t: (B, ...), t, s: ints or (B,) -> mean (B, ...), var (B, 1, ...) or (1, 1, ...)
    """
    a_t, a_s = schedule.at(t, x_t), schedule.at(s, x_t)
    if (a_s <= a_t).any():
        raise ValueError(f"a step goes from t to an earlier s < t, got t = {t}, s = {s}")
    alpha = a_t / a_s  # of the whole step from s to t
    to_x0 = a_s.sqrt() * (1 - alpha) / (1 - a_t)
    to_x_t = alpha.sqrt() * (1 - a_s) / (1 - a_t)
    var = (1 - alpha) * (1 - a_s) / (1 - a_t)
    return to_x0.to(x_t) * x0 + to_x_t.to(x_t) * x_t, var.to(x_t)
