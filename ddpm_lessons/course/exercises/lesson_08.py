"""The exercises of lesson 08: what is right, and what each likely mistake would answer."""

import torch

from ..exercise import Exercise


def _step(x_t, eps, a_t, a_s, sigma, z, clip=True, again=True, keep=2, drawn=1, old=False):
    b_t, b_s = (1 - a_t**2) ** 0.5, (1 - a_s**2) ** 0.5
    x0 = (x_t - b_t * eps) / a_t
    x0 = x0.clamp(-1, 1) if clip else x0
    eps = (x_t - a_t * x0) / b_t if again else eps
    kept = sigma if keep == 0 else (b_s**2 - sigma**2) ** 0.5 if keep == 2 else b_s
    return a_s * x0 + (b_t if old else kept) * eps + sigma**drawn * z


def _ahead(x0_before, x0, lam_before, lam_t, lam_s, part=0.5, turn=False, back=1):
    h, h_before = lam_s - lam_t, lam_t - lam_before
    return x0 + back * part * (h_before / h if turn else h / h_before) * (x0 - x0_before)


def _arc(a, b, w, lengths=True, swap=False):
    angle = (a @ b / (a.norm() * b.norm() if lengths else 1)).acos()
    w = 1 - w if swap else w
    return (((1 - w) * angle).sin() * a + (w * angle).sin() * b) / angle.sin()


_rng = torch.Generator().manual_seed(8)
_x_t, _eps, _z = torch.randn(3, 2, 3, 4, 4, generator=_rng)
_before, _now = torch.randn(2, 2, 3, 4, 4, generator=_rng)
_a, _b = torch.randn(12, generator=_rng), 1.5 * torch.randn(12, generator=_rng)

LESSON_08: dict[str, Exercise] = {
    "8.1": Exercise(
        _step,
        (_x_t, _eps, 0.5, 0.8, 0.3, _z),
        {
            "x0 is clipped, but eps was not derived again from it": lambda *a: _step(*a, again=False),
            "eps is multiplied by sigma, not by sqrt(b_s^2 - sigma^2)": lambda *a: _step(*a, keep=0),
            "too much noise in all: take sigma^2 out of b_s^2": lambda *a: _step(*a, keep=1),
            "eps is scaled with the noise of t; x_s has the noise of s": lambda *a: _step(*a, old=True),
            "sigma is a standard deviation: multiply z by it, not by its square": lambda *a: _step(*a, drawn=2),
            "right but for the clipping of x0": lambda *a: _step(*a, clip=False),
        },
    ),
    "8.2": Exercise(
        _ahead,
        (_before, _now, -1.0, -0.2, 0.3),
        {
            "that is the line's value at the end of the step; take it half-way": lambda *a: _ahead(*a, part=1),
            "the ratio is upside down: the step to come, over the step before": lambda *a: _ahead(*a, turn=True),
            "that runs back: the slope is now minus before": lambda *a: _ahead(*a, back=-1),
            "that is half-way between the guesses: behind, not ahead": lambda before, now, *lam: (before + now) / 2,
            "the steps differ in length: use the three lambda": lambda before, now, *lam: now + (now - before) / 2,
            "that is the guess of DDIM": lambda before, now, *lam: now,
        },
    ),
    "8.3": Exercise(
        _arc,
        (_a, _b, 0.3),
        {
            "that is the straight line, which cuts through the inside": lambda a, b, w: (1 - w) * a + w * b,
            "a and b are swapped: w = 0 is a": lambda *a: _arc(*a, swap=True),
            "the cosine is a @ b over both lengths; without them acos gives NaN": lambda *a: _arc(*a, lengths=False),
            "roots keep the length only of orthogonal vectors": lambda a, b, w: (1 - w) ** 0.5 * a + w**0.5 * b,
        },
    ),
}
