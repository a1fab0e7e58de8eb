"""What training minimises: the simple loss, and weights for the picture's error at each level of noise."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .conditions import Cond
from .forward import gauss, noisy
from .predict import Predict
from .schedules import Schedule

Weight = Callable[[Tensor], Tensor]  # SNR (B,) -> the weight of the picture's squared error (B,)


def diffusion_loss(
    net: Callable[..., Tensor],
    schedule: Schedule,
    predict: Predict,
    x0: Tensor,
    cond: Cond | None = None,
    weight: Weight | None = None,
    distance: Callable[..., Tensor] = F.mse_loss,
    rng: torch.Generator | None = None,
) -> Tensor:
    """L_simple (DDPM, eq. 14 and algorithm 1) on a batch.  x0: (B, ...) -> (), t ~ U{1..T}, eps ~ N(0, I)  (4.11)

    distance: F.mse_loss, F.l1_loss or F.huber_loss, between the answer and its target;  weight: None, or what the
    squared error of the *picture* x0_hat is multiplied by, whatever the network answers. Raises ValueError for a weight
    with another distance than F.mse_loss: only squared errors of eps, x0 and v are multiples of each other.
    """
    if weight is not None and distance is not F.mse_loss:
        raise ValueError("a weight belongs to the squared error: leave distance at F.mse_loss, or weight out")
    t = torch.randint(1, schedule.T + 1, (len(x0),), generator=rng)
    eps = gauss(x0, rng)
    signal, noise = schedule.scales(t, like=x0)
    out = net(noisy(schedule, x0, t, eps), t.to(x0.device), cond)
    loss = distance(out.to(x0.dtype), predict.target(x0, eps, signal, noise), reduction="none")
    if weight is not None:
        snr = schedule.snr(t)
        loss = loss * (weight(snr) / predict.gain(snr)).to(x0).view_as(signal)
    return loss.mean()


def p2(snr: Tensor, k: float = 1.0, gamma: float = 1.0) -> Tensor:
    """P2 weighting: SNR, the weight of the picture's error in L_simple, over (k + SNR)^gamma (arXiv 2204.00227)."""
    return snr / (k + snr) ** gamma


def min_snr(snr: Tensor, gamma: float = 5.0) -> Tensor:
    """Min-SNR-gamma: the picture's error counts min(SNR, gamma) (arXiv 2303.09556, section 3.4)."""
    return snr.clamp(max=gamma)


def snr_plus_1(snr: Tensor, limit: float = 5.0) -> Tensor:
    """The weight that the picture's error has in that of v (arXiv 2202.00512, section 4), cut: min(SNR + 1, limit)."""
    return (snr + 1).clamp(max=limit)
