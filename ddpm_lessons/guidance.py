"""Wrappers around a denoiser: each takes one and gives one back, so that their order can be read."""

import torch

from .conditions import both
from .predict import Denoise


def guided(denoise: Denoise, scale: float) -> Denoise:
    """Classifier-free guidance (arXiv 2207.12598, eq. 6): 0 = no condition, 1 = plain condition, above 1 more.  (9.4)

    `scale` is Imagen's w; Ho and Salimans' w is scale - 1. The guess of x0 is affine in eps and in v, and the two
    weights sum to 1, so that guiding x0 is guiding eps or v (9.5). Raises ValueError when called without a condition.
    """

    def denoise_guided(x_t, t, cond=None):
        if cond is None:
            raise ValueError("guidance needs a condition: pass cond=classes(labels, n) to the sampler")
        if scale in (0, 1):  # one of the two guesses is all that counts
            return denoise(x_t, t, cond if scale == 1 else cond.null())
        x0 = denoise(torch.cat([x_t, x_t]), torch.cat([t, t]), both(cond, cond.null()))
        x0_cond, x0_null = x0.chunk(2)
        return x0_null + scale * (x0_cond - x0_null)

    return denoise_guided


def clipped(denoise: Denoise, limit: float = 1.0) -> Denoise:
    """Keep the guess of the clean picture in [-limit, limit], where pictures live."""

    def denoise_clipped(x_t, t, cond=None):
        return denoise(x_t, t, cond).clamp(-limit, limit)

    return denoise_clipped


def dynamic_threshold(denoise: Denoise, p: float = 0.995) -> Denoise:
    """Dynamic thresholding (arXiv 2205.11487): clip to the p-quantile s of |x0|, divide by it.  (9.10)

    Each picture has its own s, at least 1. It belongs outside `guided`: only there do guesses leave [-1, 1] by far.
    """

    def denoise_thresholded(x_t, t, cond=None):
        x0 = denoise(x_t, t, cond)
        s = x0.flatten(1).abs().quantile(p, dim=1).clamp(min=1).view(-1, *[1] * (x0.ndim - 1))
        return x0.clamp(-s, s) / s

    return denoise_thresholded
