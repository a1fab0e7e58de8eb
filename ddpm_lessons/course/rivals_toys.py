"""Lesson 13's toys: eight lumps in a ring, which a generator may find or not, and networks small enough for them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..losses import diffusion_loss
from ..networks.mlp import MLP
from ..predict import V, denoiser
from ..samplers import ddim, times
from ..schedules import cosine

MODES, RADIUS, STD = 8, 2.0, 0.08


def centres(modes: int = MODES) -> Tensor:
    """Where the lumps lie.  -> (modes, 2)"""
    angle = 2 * math.pi * torch.arange(modes) / modes
    return RADIUS * torch.stack([angle.cos(), angle.sin()], dim=1)


def ring(n: int, rng: torch.Generator | None = None, modes: int = MODES) -> Tensor:
    """n points of the mixture of narrow Gaussians on a circle, each as likely as the others, (n, 2)."""
    which = torch.randint(modes, (n,), generator=rng)
    return centres(modes)[which] + STD * torch.randn(n, 2, generator=rng)


def found(x: Tensor, modes: int = MODES) -> tuple[int, float]:
    """How many lumps points have found, and the share of points that lie in any.  x: (N, 2)

    A point lies in a lump within three standard deviations of its middle; a lump is found by 1 % of the points.
    """
    apart, which = torch.cdist(x, centres(modes)).min(1)
    inside = apart < 3 * STD
    counts = which[inside].bincount(minlength=modes)
    return int((counts >= 0.01 * len(x)).sum()), float(inside.double().mean())


def mlp(into: int, out: int, width: int = 64) -> nn.Sequential:
    """Three layers, (B, into) -> (B, out): wide enough for points, and for pictures of a few pixels."""
    return nn.Sequential(
        nn.Linear(into, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, out)
    )


def diffused(draw: Callable[[int, torch.Generator], Tensor], n: int = 1000, steps: int = 1500) -> Tensor:
    """n samples of a small diffusion model of points, trained on what `draw(batch, rng)` gives, as in lesson 03."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MLP(2, 64, 40)
    rng, schedule = torch.Generator().manual_seed(0), cosine(40)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(steps):
        loss = diffusion_loss(net, schedule, V, draw(256, rng), rng=rng)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        *_, last = ddim(denoiser(net, schedule, V), schedule, torch.randn(n, 2, generator=rng), times(40, 20))
    return last.x
