"""The exercises of lesson 01: drawing, adding, Bayes and KL, with what the likely mistakes answer."""

import torch

from ..exercise import Exercise


def _guess(m, x_hat, w_m, w_x):
    return (m * w_m + x_hat * w_x) / (w_m + w_x)


def _kl(m, s, n, r):
    return torch.log(r / s) + (s**2 + (m - n) ** 2) / (2 * r**2) - 0.5


LESSON_01: dict[str, Exercise] = {
    "1.1": Exercise(
        lambda mean, var, eps: mean + var**0.5 * eps,
        (torch.tensor([0.5, -1.0, 2.0]), 0.04, torch.tensor([1.2, -0.4, 0.7])),
        {
            "your draws have variance var^2: is a square root missing?": lambda m, v, e: m + v * e,
            "stretch the noise first, then shift: you stretch the mean too": lambda m, v, e: v**0.5 * (m + e),
            "the draws should lie around the mean: add it": lambda m, v, e: v**0.5 * e,
        },
    ),
    "1.2": Exercise(
        lambda a, s, b, r: ((a * s) ** 2 + (b * r) ** 2) ** 0.5,
        (2.0, 1.0, -1.0, 0.5),
        {
            "you add standard deviations, with sign; variances add": lambda a, s, b, r: a * s + b * r,
            "standard deviations do not add": lambda a, s, b, r: abs(a * s) + abs(b * r),
            "that is the variance: take its root": lambda a, s, b, r: (a * s) ** 2 + (b * r) ** 2,
            "a factor a changes the variance by a^2": lambda a, s, b, r: (a * s**2 + b * r**2) ** 0.5,
            "the factors a and b are missing": lambda a, s, b, r: (s**2 + r**2) ** 0.5,
            "variances add even when b is negative": lambda a, s, b, r: ((a * s) ** 2 - (b * r) ** 2) ** 0.5,
        },
    ),
    "1.3": Exercise(
        lambda x, m, s, a, r: _guess(m, x / a, 1 / s**2, a**2 / r**2),
        (torch.tensor([1.5, -0.2, 0.9]), 0.5, 0.7, 0.8, 0.6),
        {
            "that trusts x_t fully; weigh it against the prior": lambda x, m, s, a, r: x / a,
            "the weights are swapped": lambda x, m, s, a, r: _guess(m, x / a, a**2 / r**2, 1 / s**2),
            "variances are std^2 and noise^2": lambda x, m, s, a, r: _guess(m, x / a, 1 / s, a**2 / r),
            "x_t holds signal * x0, not x0": lambda x, m, s, a, r: _guess(m, x, 1 / s**2, 1 / r**2),
            "divide by the precision": lambda x, m, s, a, r: m / s**2 + a * x / r**2,
        },
    ),
    "1.4": Exercise(
        _kl,
        tuple(torch.tensor([0.3, 0.5, -0.4, 0.8])),
        {
            "the direction: that is KL(q || p)": lambda m, s, n, r: _kl(n, r, m, s),
            "square the standard deviations first": lambda m, s, n, r: _kl(m, s**0.5, n, r**0.5),
            "the factor 1/2 is missing": lambda m, s, n, r: 2 * _kl(m, s, n, r),
            "log(std_hat / std) wants no 1/2": lambda m, s, n, r: _kl(m, s, n, r) - torch.log(r / s) / 2,
            "equal bells should give 0: the - 1 is missing": lambda m, s, n, r: _kl(m, s, n, r) + 0.5,
        },
    ),
}
