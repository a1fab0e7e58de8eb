"""Lesson 02's exercises: the forward process."""

import torch

from ..exercise import Exercise


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


_x = torch.rand(4, 3, 4, 4, generator=_rng()) * 2 - 1  # B = W = 4: a wrong broadcast raises no error, as it may in life
_eps = torch.randn(4, 3, 4, 4, generator=_rng())
_a = torch.tensor([0.9, 0.6, 0.3, 0.1])
_a4 = _a.view(4, 1, 1, 1)

LESSON_02: dict[str, Exercise] = {
    "2.1": Exercise(
        lambda x, beta, eps: (1 - beta) ** 0.5 * x + beta**0.5 * eps,
        (_x, torch.tensor(0.04), _eps),
        {
            "your noise has variance beta^2: is a square root missing?": lambda x, b, e: (1 - b) ** 0.5 * x + b * e,
            "the picture shrinks by 1 - beta: is a square root missing there?": lambda x, b, e: (
                (1 - b) * x + b**0.5 * e
            ),
            "you add noise but do not shrink the picture, so the variance would grow": lambda x, b, e: x + b**0.5 * e,
            "both factors need a square root": lambda x, b, e: (1 - b) * x + b * e,
            "the two factors are swapped": lambda x, b, e: b**0.5 * x + (1 - b) ** 0.5 * e,
        },
    ),
    "2.2": Exercise(
        lambda betas: torch.cat([torch.ones(1), (1 - betas).cumprod(0)]),
        (torch.tensor([0.1, 0.2, 0.3]),),
        {
            "alpha_bar should begin with 1 for the clean picture: T + 1 numbers": lambda b: (1 - b).cumprod(0),
            "multiply all the alphas up to t: that is cumprod": lambda b: torch.cat([torch.ones(1), 1 - b]),
            "alphas multiply, they do not add up": lambda b: torch.cat([torch.ones(1), 1 - b.cumsum(0)]),
            "that is the product of the betas; take it of 1 - beta": lambda b: torch.cat([torch.ones(1), b.cumprod(0)]),
        },
    ),
    "2.3": Exercise(
        lambda x, a, e: a.view(-1, 1, 1, 1).sqrt() * x + (1 - a.view(-1, 1, 1, 1)).sqrt() * e,
        (_x, _a, _eps),
        {
            "alpha_bar runs along the width, not along the batch: give it the shape (B, 1, 1, 1)": lambda x, a, e: (
                a.sqrt() * x + (1 - a).sqrt() * e
            ),
            "the root of 1 - alpha_bar, not 1 minus the root": lambda x, a, e: _a4.sqrt() * x + (1 - _a4.sqrt()) * e,
            "signal and noise need square roots": lambda x, a, e: _a4 * x + (1 - _a4) * e,
            "your noise has variance (1 - alpha_bar)^2: is a square root missing?": lambda x, a, e: (
                _a4.sqrt() * x + (1 - _a4) * e
            ),
        },
    ),
    "2.4": Exercise(
        lambda x, a, e: (x - (1 - a) ** 0.5 * e) / a**0.5,
        (_x, torch.tensor(0.3), _eps),
        {
            "the noise must be divided too: where are the brackets?": lambda x, a, e: x - (1 - a) ** 0.5 * e / a**0.5,
            "your noise has variance (1 - alpha_bar)^2: is a square root missing?": lambda x, a, e: (
                (x - (1 - a) * e) / a**0.5
            ),
            "divide by sqrt(alpha_bar), not by alpha_bar": lambda x, a, e: (x - (1 - a) ** 0.5 * e) / a,
            "the noise was scaled by sqrt(1 - alpha_bar) before it was added": lambda x, a, e: (x - e) / a**0.5,
            "multiplied where it should be divided: signal times x0 gave x_t": lambda x, a, e: (
                (x - (1 - a) ** 0.5 * e) * a**0.5
            ),
        },
    ),
}
