"""The whole variational bound, step by step, in bits per dimension."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .conditions import Cond
from .forward import gauss, noisy, posterior
from .predict import Denoise
from .samplers import beta
from .schedules import Schedule


class Bound(NamedTuple):
    """The variational bound in bits per dimension, the mean over the batch.

    prior: () L_T;   steps: (T,) with steps[0] = L_0 and steps[t - 1] = L_{t-1}
    """

    prior: Tensor
    steps: Tensor

    @property
    def total(self) -> Tensor:
        """L_T + ... + L_0: no fewer bits than the model needs on average to store a value."""
        return self.prior + self.steps.sum()


@torch.no_grad()
def vlb(
    denoise: Denoise,
    schedule: Schedule,
    x0: Tensor,
    cond: Cond | None = None,
    rng: torch.Generator | None = None,
    variance: Callable[[Schedule, int, int], float] = beta,
    levels: int = 256,
) -> Bound:
    """The whole bound L = L_T + sum L_{t-1} + L_0 (DDPM, eq. 5), one draw of x_t a step.  x0: (B, ...)  (4.7)

    Step 1 has no variance of its own, so L_0 borrows step 2's, variance(schedule, 2, 1); T >= 2.
    (The code of arXiv 2102.09672 takes beta_tilde_2 there, whatever the other steps use.)
    Raises ValueError when x0 does not lie on the levels: the bound counts bits of stored values.
    """
    if schedule.T < 2:
        raise ValueError("the bound needs T of 2 or more: L_0 borrows its variance from step 2")
    on_level = (x0 + 1) / 2 * (levels - 1)
    if (on_level - on_level.round()).abs().max() > 1e-3 or x0.abs().max() > 1 + 1e-6:
        raise ValueError(f"the bound counts bits of pictures stored on {levels} levels in [-1, 1]; x0 is not on them")
    signal, noise = schedule.scales(schedule.T, like=x0)
    prior = normal_kl(signal * x0, noise**2, torch.zeros_like(x0), torch.ones_like(noise)).mean()
    steps = []
    for t in range(1, schedule.T + 1):
        x_t = noisy(schedule, x0, t, gauss(x0, rng))
        x0_hat = denoise(x_t, torch.full((len(x0),), t), cond)
        if t == 1:
            var = torch.tensor(variance(schedule, 2, 1), dtype=x0.dtype, device=x0.device)
            steps.append(-discretised(x0, x0_hat, var.sqrt(), levels).mean())
        else:
            mean, var = posterior(schedule, x0, x_t, t, t - 1)
            mean_hat, _ = posterior(schedule, x0_hat, x_t, t, t - 1)
            var_hat = torch.full_like(var, variance(schedule, t, t - 1))
            steps.append(normal_kl(mean, var, mean_hat, var_hat).mean())
    return Bound(prior / math.log(2), torch.stack(steps) / math.log(2))


def normal_kl(mean: Tensor, var: Tensor, mean_hat: Tensor, var_hat: Tensor) -> Tensor:
    """KL(N(mean, var) || N(mean_hat, var_hat)) in nats, for each number.  (1.14)"""
    return 0.5 * ((var_hat / var).log() + (var + (mean - mean_hat) ** 2) / var_hat - 1)


def discretised(x0: Tensor, mean: Tensor, std: Tensor, levels: int = 256) -> Tensor:
    """log of the mass of N(mean, std^2) on x0's level (DDPM, eq. 13), in nats; the outer levels own the tails.  (4.10)

    x0, mean: (B, ...), std: broadcast -> (B, ...)
    """
    half = 1 / (levels - 1)
    low = torch.where(x0 < -1 + half, -torch.inf, (x0 - half - mean) / std)
    high = torch.where(x0 > 1 - half, torch.inf, (x0 + half - mean) / std)
    # mirrored into the left tail, where the difference of two small numbers keeps its digits
    flip = low + high > 0
    low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
    high, low = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    return high + (-(low - high).exp()).log1p()
