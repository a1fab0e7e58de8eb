"""From noise to pictures: each sampler is a generator of steps and sees nothing but a denoiser."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from .conditions import Cond
from .forward import gauss, posterior
from .predict import Denoise
from .schedules import Schedule


class Step(NamedTuple):
    """One moment of a sample.  t: where x now stands; x: (B, ...) x_t; x0: (B, ...) the guess that led here."""

    t: int
    x: Tensor
    x0: Tensor


def times(T: int, n: int) -> list[int]:
    """n + 1 times from T down to 0, as even as whole numbers allow.  Raises ValueError unless 1 <= n <= T."""
    if not 1 <= n <= T:
        raise ValueError(f"the number of sampling steps should lie in 1..{T} (T), got {n}")
    return [round(T * (n - i) / n) for i in range(n + 1)]


def beta(schedule: Schedule, t: int, s: int) -> float:
    """DDPM's larger choice of sigma_t^2: beta_t = 1 - alpha_bar_t / alpha_bar_s; 0 on the last step.  (3.12)"""
    return float(1 - schedule.alpha_bar[t] / schedule.alpha_bar[s]) if s > 0 else 0.0


def beta_tilde(schedule: Schedule, t: int, s: int) -> float:
    """The posterior's own variance, DDPM's smaller choice (DDPM, eq. 7).  (3.7)"""
    a_t, a_s = schedule.alpha_bar[t], schedule.alpha_bar[s]
    return float((1 - a_t / a_s) * (1 - a_s) / (1 - a_t))


@torch.no_grad()
def ddpm(
    denoise: Denoise,
    schedule: Schedule,
    x: Tensor,
    ts: list[int],
    cond: Cond | None = None,
    rng: torch.Generator | None = None,
    variance: Callable[[Schedule, int, int], float] = beta_tilde,
) -> Iterator[Step]:
    """Ancestral sampling (DDPM, algorithm 2).  x: (B, ...) is x_T; ts falls to 0  (3.15)

    variance: sigma_t^2 as (schedule, t, s) -> number, `beta_tilde` or `beta`. Raises ValueError when ts does not fall.
    """
    for t, s in pairwise(_falling(ts, schedule)):
        x0 = denoise(x, torch.full((len(x),), t), cond)
        mean, _ = posterior(schedule, x0, x, t, s)
        x = mean + variance(schedule, t, s) ** 0.5 * gauss(x, rng)
        yield Step(s, x, x0)


@torch.no_grad()
def ddim(
    denoise: Denoise,
    schedule: Schedule,
    x: Tensor,
    ts: list[int],
    cond: Cond | None = None,
    rng: torch.Generator | None = None,
    eta: float = 0.0,
) -> Iterator[Step]:
    """DDIM (arXiv 2010.02502, eq. 12): eta = 0 adds no noise, 1 is `ddpm`.  x: (B, ...) is x_T; ts falls to 0  (8.6)"""
    for t, s in pairwise(_falling(ts, schedule)):
        x0 = denoise(x, torch.full((len(x),), t), cond)
        eps = _eps(schedule, x, t, x0)
        var = eta**2 * beta_tilde(schedule, t, s)
        signal, noise = schedule.scales(s, like=x)
        x = signal * x0 + (noise**2 - var).clamp(min=0).sqrt() * eps
        if var > 0:
            x = x + var**0.5 * gauss(x, rng)
        yield Step(s, x, x0)


@torch.no_grad()
def dpmpp_2m(
    denoise: Denoise,
    schedule: Schedule,
    x: Tensor,
    ts: list[int],
    cond: Cond | None = None,
    rng: torch.Generator | None = None,
) -> Iterator[Step]:
    """DPM-Solver++(2M) (arXiv 2211.01095, algorithm 2): DDIM with a guess that runs ahead.  x: (B, ...) is x_T  (8.14)

    The last two guesses, a line through them in lambda = log(signal / noise), taken half-way along the coming step.
    rng is not used: nothing is drawn. Raises ValueError when ts does not fall.
    """
    log_snr = schedule.alpha_bar.logit()  # 2 lambda; infinite at t = 0
    x0_before, h_before = None, None
    for t, s in pairwise(_falling(ts, schedule)):
        x0 = denoise(x, torch.full((len(x),), t), cond)
        h = float(log_snr[s] - log_snr[t])
        ahead = x0
        if x0_before is not None and s > 0:  # the last step is infinitely long in lambda: no line reaches so far
            ahead = x0 + h / h_before / 2 * (x0 - x0_before)
        eps = _eps(schedule, x, t, ahead)
        signal, noise = schedule.scales(s, like=x)
        x = signal * ahead + noise * eps
        x0_before, h_before = x0, h
        yield Step(s, x, x0)


def slerp(a: Tensor, b: Tensor, w: float) -> Tensor:
    """From a (w = 0) to b (w = 1) along their arc, picture by picture (DDIM, eq. 67).  a, b: (B, ...)  (8.19)

    The straight line from one Gaussian noise to another has too small a norm half-way: no noise the net has seen.
    """
    flat_a, flat_b = a.flatten(1), b.flatten(1)
    angle = torch.cosine_similarity(flat_a, flat_b).clamp(-1, 1).acos().view(-1, *[1] * (a.ndim - 1))
    straight = angle.sin() < 1e-3  # a and b point the same way, or opposite ways: there is no one arc
    along = (((1 - w) * angle).sin() * a + (w * angle).sin() * b) / angle.sin()
    return torch.where(straight, (1 - w) * a + w * b, along)


def _eps(schedule: Schedule, x: Tensor, t: int, x0: Tensor) -> Tensor:
    """The noise that x_t holds if x0 is the picture: taken from x0, so that clipping x0 is felt here too."""
    signal, noise = schedule.scales(t, like=x)
    return (x - signal * x0) / noise


def _falling(ts: list[int], schedule: Schedule) -> list[int]:
    if len(ts) < 2 or any(t <= s for t, s in pairwise(ts)) or ts[0] > schedule.T or ts[-1] < 0:
        raise ValueError(
            f"ts should fall from {schedule.T} (T) to 0, as times(T, n) makes it, got {ts[:4]}...{ts[-1:]}"
        )
    return ts
