"""What the network is asked for - the noise, the picture, or the velocity - and the way back to the picture."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .schedules import Schedule

Denoise = Callable[..., Tensor]  # (x_t, t, cond) -> x0_hat, all that a sampler sees


@dataclass(frozen=True)
class Predict:
    """A parameterisation: what the network should answer, and the picture that an answer means.  (7.8) (7.9)

    target: (x0, eps, signal, noise) -> (B, ...);   x0: (out, x_t, signal, noise) -> (B, ...);
    gain: SNR -> how many times the squared error of the picture the squared error of the answer is.
    """

    name: str
    target: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    x0: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    gain: Callable[[Tensor], Tensor]


EPS = Predict(
    "eps",
    target=lambda x0, eps, signal, noise: eps,
    x0=lambda out, x_t, signal, noise: (x_t - noise * out) / signal,
    gain=lambda snr: snr,
)
X0 = Predict(
    "x0",
    target=lambda x0, eps, signal, noise: x0,
    x0=lambda out, x_t, signal, noise: out,
    gain=lambda snr: torch.ones_like(snr),
)
V = Predict(  # (7.8) and (7.9); arXiv 2202.00512, appendix D
    "v",
    target=lambda x0, eps, signal, noise: signal * eps - noise * x0,
    x0=lambda out, x_t, signal, noise: signal * x_t - noise * out,
    gain=lambda snr: snr + 1,
)


def denoiser(net: Callable[..., Tensor], schedule: Schedule, predict: Predict) -> Denoise:
    """Hide what the network predicts: (x_t, t, cond) -> x0_hat, shapes (B, ...), (B,), Cond -> (B, ...)  (3.13)"""

    def denoise(x_t, t, cond=None):
        signal, noise = schedule.scales(t, like=x_t)
        return predict.x0(net(x_t, t, cond).to(x_t.dtype), x_t, signal, noise)

    return denoise
