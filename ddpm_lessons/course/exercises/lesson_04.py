"""The exercises of lesson 04: what is right, and what each likely mistake would answer."""

from math import log, pi

import torch
import torch.nn.functional as F
from torch.special import ndtr

from ..exercise import Exercise


def _net(x, t):
    return 0.5 * x + 0.01 * t.view(-1, 1, 1, 1)


def _loss(net, alpha_bar, x0, t, eps, target=None, late=0, root=0.5):
    a = alpha_bar[t - late].view(-1, 1, 1, 1)
    return F.mse_loss(net(a**0.5 * x0 + (1 - a) ** root * eps, t), eps if target is None else target)


def _mass(x0, mean, std, half=1 / 255, tails=True):
    low, high = ndtr((x0 - half - mean) / std), ndtr((x0 + half - mean) / std)
    if tails:
        low, high = torch.where(x0 < -0.999, 0.0, low), torch.where(x0 > 0.999, 1.0, high)
    return high - low


_rng = torch.Generator().manual_seed(4)
_x, _eps = torch.rand(4, 3, 4, 4, generator=_rng) * 2 - 1, torch.randn(4, 3, 4, 4, generator=_rng)
_levels, _means = torch.tensor([-255, -253, 1, 253, 255]) / 255, torch.tensor([-0.98, -0.98, 0.0, 0.98, 0.98])

LESSON_04: dict[str, Exercise] = {
    "4.1": Exercise(
        lambda t, s: 0.5 * (s / (1 - s) - t / (1 - t)),
        (0.6, 0.8),
        {
            "the KL of two Gaussians has a factor 1/2 in front": lambda t, s: s / (1 - s) - t / (1 - t),
            "your weight is negative: the SNR falls with t": lambda t, s: 0.5 * (t / (1 - t) - s / (1 - s)),
            "that is the drop of alpha_bar, not of alpha_bar / (1 - alpha_bar)": lambda t, s: 0.5 * (s - t),
            "that is the weight on the error in eps": lambda t, s: 0.5 * (s / (1 - s) * (1 - t) / t - 1),
        },
    ),
    "4.2": Exercise(
        lambda n, x: n.mean() / (x[0].numel() * log(2)),
        (torch.tensor([100.0, 130.0, 90.0, 120.0]), _x),
        {
            "these are still nats: divide by log 2": lambda n, x: n.mean() / x[0].numel(),
            "a nat is more than a bit: divide by log 2": lambda n, x: n.mean() / x[0].numel() * log(2),
            "bits per picture: divide by the number of values too": lambda n, x: n.mean() / log(2),
            "the colours are dimensions too, C * H * W": lambda n, x: n.mean() / (x[0, 0].numel() * log(2)),
            "the batch is divided out twice: take x0[0]": lambda n, x: n.mean() / (x.numel() * log(2)),
        },
    ),
    "4.3": Exercise(
        _mass,
        (_levels, _means, torch.tensor(0.02)),
        {
            "right inside, but the outermost levels own the tails": lambda *a: _mass(*a, tails=False),
            "2/255 is the whole width: half of it goes to either side": lambda *a: _mass(*a, half=2 / 255),
            "256 levels leave 255 gaps between them": lambda *a: _mass(*a, half=1 / 256),
            "that is density times width: integrate it, with ndtr": lambda x, m, s: (
                2 / 255 * torch.exp(-((x - m) ** 2) / (2 * s**2)) / (s * (2 * pi) ** 0.5)
            ),
        },
    ),
    "4.4": Exercise(
        _loss,
        (_net, torch.tensor([1.0, 0.9, 0.7, 0.4, 0.1]), _x, torch.tensor([1, 4, 2, 3]), _eps),
        {
            "you compare with x0, but this network predicts eps": lambda *a: _loss(*a, target=_x),
            "you took alpha_bar[t - 1], but index 0 is the clean picture": lambda *a: _loss(*a, late=1),
            "a square root is missing on the noise": lambda *a: _loss(*a, root=1),
            "the network should see x_t, not x0": lambda net, a, x, t, eps: F.mse_loss(net(x, t), eps),
            "that is the sum; take the mean": lambda *a: _loss(*a) * _x.numel(),
        },
    ),
}
