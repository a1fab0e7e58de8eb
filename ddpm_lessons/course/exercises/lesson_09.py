"""The exercises of lesson 09: what is right, and what each likely mistake would answer."""

import torch

from ..exercise import Exercise


def _dynamic(x0, p, alone=True, least=1.0, cut=True, divide=True, size=True):
    a = x0.abs() if size else x0
    s = a.flatten(1).quantile(p, dim=1)[:, None, None, None] if alone else a.quantile(p)
    s = s.clamp(min=least)
    x0 = x0.clamp(-s, s) if cut else x0
    return x0 / s if divide else x0


_rng = torch.Generator().manual_seed(9)
_cond, _null = torch.randn(2, 2, 3, 4, 4, generator=_rng)
_vec, _u = (
    torch.randn(5, 5, generator=_rng),
    torch.tensor([0.9, 0.05, 0.5, 0.02, 0.3]),
)  # B = D: no error in broadcasting
_wild = (torch.randn(3, 3, 4, 4, generator=_rng) + 0.3) * torch.tensor([0.3, 1.0, 4.0]).view(3, 1, 1, 1)

LESSON_09: dict[str, Exercise] = {
    "9.1": Exercise(
        lambda c, n, w: (1 + w) * c - w * n,
        (_cond, _null, 3.0),
        {
            "that is Imagen's w, which is larger by 1": lambda c, n, w: w * c + (1 - w) * n,
            "the two are swapped: that leads away from the condition": lambda c, n, w: (1 + w) * n - w * c,
            "the weights must sum to 1: subtract the null part": lambda c, n, w: (1 + w) * c + w * n,
            "that is only the difference: add it to eps_cond": lambda c, n, w: w * (c - n),
        },
    ),
    "9.2": Exercise(
        lambda vec, p, u: vec * (u >= p)[:, None],
        (_vec, 0.1, _u),
        {
            "features are dropped, not samples: u needs the shape (B, 1)": lambda vec, p, u: vec * (u >= p),
            "kept and dropped are swapped: drop where u < p": lambda vec, p, u: vec * (u < p)[:, None],
            "nothing is scaled up: that is dropout": lambda vec, p, u: vec * (u >= p)[:, None] / (1 - p),
            "one sample's draw must not decide for the batch": lambda vec, p, u: vec * (u >= p).all(),
        },
    ),
    "9.3": Exercise(
        _dynamic,
        (_wild, 0.9),
        {
            "one s for the whole batch: each picture needs its own": lambda *a: _dynamic(*a, alone=False),
            "s must be at least 1, or tame pictures are blown up": lambda *a: _dynamic(*a, least=0.0),
            "divided by s, but not clipped first": lambda *a: _dynamic(*a, cut=False),
            "clipped to [-s, s], but not divided by s": lambda *a: _dynamic(*a, divide=False),
            "the quantile is that of |x0|: dark values stick out too": lambda *a: _dynamic(*a, size=False),
            "that is static thresholding": lambda x0, p: x0.clamp(-1, 1),
        },
    ),
    "9.4": Exercise(
        lambda c, n, a: a**0.5 / (1 - a) * (c - n),
        (_cond, _null, 0.3),
        {
            "it points away from the class: cond minus null": lambda c, n, a: a**0.5 / (1 - a) * (n - c),
            "divide by 1 - alpha_bar, the variance": lambda c, n, a: (a / (1 - a)) ** 0.5 * (c - n),
            "the signal is the root of alpha_bar": lambda c, n, a: a / (1 - a) * (c - n),
            "that is the formula for eps; these are pictures": lambda c, n, a: -(c - n) / (1 - a) ** 0.5,
        },
    ),
}
