"""Lesson 07's exercises: the cosine schedule, the way back from v, and what a parameterisation weighs."""

import math

import torch

from ..exercise import Exercise


def _cosine(T, s, power=2, norm=True, n=None, late=0, right_angle=math.pi / 2):
    t = (torch.arange(T + 1, dtype=torch.float64) - late).clamp(min=0)
    f = torch.cos((t / (n or T) + s) / (1 + s) * right_angle) ** power
    return f / f[0] if norm else f


_x_t, _v = torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(7))

LESSON_07: dict[str, Exercise] = {
    "7.1": Exercise(
        _cosine,
        (8, 0.1),
        {
            "f is the cosine squared: is the square missing?": lambda T, s: _cosine(T, s, power=1),
            "alpha_bar_0 should be 1: divide by f(0)": lambda T, s: _cosine(T, s, norm=False),
            "the offset s is missing": lambda T, s: _cosine(T, 0.0),
            "s stands below as well: divide by 1 + s, or the angle passes 90 degrees": lambda T, s: _cosine(
                T, s * (1 + s), right_angle=math.pi / 2 * (1 + s)
            ),
            "t / T, not t / (T + 1): at t = T the angle is 90 degrees": lambda T, s: _cosine(T, s, n=T + 1),
            "one step late: index 0 is t = 0, index 1 is t = 1": lambda T, s: _cosine(T, s, late=1),
            "T + 1 values: t = 0 and t = T both belong": lambda T, s: _cosine(T, s)[:-1],
            "t = 0 is missing in front": lambda T, s: _cosine(T, s)[1:],
            "the angle runs to 90 degrees, pi / 2, not to pi": lambda T, s: _cosine(T, s, right_angle=math.pi),
            "these are the betas; wanted is alpha_bar": lambda T, s: 1 - _cosine(T, s)[1:] / _cosine(T, s)[:-1],
        },
    ),
    "7.2": Exercise(
        lambda x_t, v, a: a**0.5 * x_t - (1 - a) ** 0.5 * v,
        (_x_t, _v, 0.3),
        {
            "turn back, not on: v is taken off, with a minus": lambda x_t, v, a: a**0.5 * x_t + (1 - a) ** 0.5 * v,
            "signal and noise are swapped: x_t keeps the signal": lambda x_t, v, a: (1 - a) ** 0.5 * x_t - a**0.5 * v,
            "that is eps; the picture is the other half of (7.6)": lambda x_t, v, a: (1 - a) ** 0.5 * x_t + a**0.5 * v,
            "the factors are the roots of alpha_bar and 1 - alpha_bar": lambda x_t, v, a: a * x_t - (1 - a) * v,
            "that is the way back from eps; v needs no division": lambda x_t, v, a: (x_t - (1 - a) ** 0.5 * v) / a**0.5,
        },
    ),
    "7.3": Exercise(
        lambda snr: snr / (1 + snr),
        (torch.tensor([0.1, 0.5, 2.0, 9.0]),),
        {
            "upside down: v's error is the larger one, so the weight is below 1": lambda snr: 1 + 1 / snr,
            "that makes it the error of x0: 1 / (1 + SNR)": lambda snr: 1 / (1 + snr),
            "that is the weight of v's loss on the error of x0": lambda snr: 1 + snr,
            "that leads from x0 to eps; you start at v": lambda snr: snr + 0.0,
            "no root: these are squared errors already": lambda snr: (snr / (1 + snr)) ** 0.5,
        },
    ),
}
