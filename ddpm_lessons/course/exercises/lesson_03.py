"""The exercises of lesson 03, the reverse process."""

import torch

from ..exercise import Exercise

_x0, _x_t, _z = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(7))
_a_t, _a_s = torch.tensor([[0.3], [0.5]]), torch.tensor([[0.6], [0.8]])
_last = torch.tensor([[0.6], [1.0]])  # the second row takes its last step


def _mean(x0, x, t, s):
    return (s**0.5 * (1 - t / s) * x0 + (t / s) ** 0.5 * (1 - s) * x) / (1 - t)


def _var(t, s):
    return (1 - t / s) * (1 - s) / (1 - t)


LESSON_03 = {
    "3.1": Exercise(
        _mean,
        (_x0, _x_t, _a_t, _a_s),
        {
            "alpha_bar_t and alpha_bar_(t-1) have changed places": lambda x0, x, t, s: _mean(x0, x, s, t),
            "the two weights have changed places": lambda x0, x, t, s: _mean(x, x0, t, s),
            "alpha_bar_(t-1) before x0 needs a square root": lambda x0, x, t, s: _mean(s**0.5 * x0, x, t, s),
            "alpha_t before x_t needs a square root": lambda x0, x, t, s: _mean(x0, (t / s) ** 0.5 * x, t, s),
            "divide both weights by 1 - alpha_bar_t": lambda x0, x, t, s: _mean(x0, x, t, s) * (1 - t),
        },
    ),
    "3.2": Exercise(
        _var,
        (_a_t, _a_s),
        {
            "that is beta_t, right for data that are pure noise": lambda t, s: 1 - t / s,
            "that is the standard deviation; the variance has no root": lambda t, s: _var(t, s) ** 0.5,
            "the fraction is upside down; beta_tilde < beta": lambda t, s: (1 - t / s) * (1 - t) / (1 - s),
            "beta_t is 1 - alpha_bar_t / alpha_bar_(t-1), not 1 - alpha_bar_t": lambda t, s: 1 - s,
        },
    ),
    "3.3": Exercise(
        lambda x, e, t, s: (x - (1 - t / s) / (1 - t) ** 0.5 * e) / (t / s) ** 0.5,
        (_x_t, _z, _a_t, _a_s),
        {
            "1 - alpha_bar_t needs a root": lambda x, e, t, s: (x - (1 - t / s) / (1 - t) * e) / (t / s) ** 0.5,
            "beta_t has no root": lambda x, e, t, s: (x - ((1 - t / s) / (1 - t)) ** 0.5 * e) / (t / s) ** 0.5,
            "that is x0_hat, with all the noise taken away": lambda x, e, t, s: (x - (1 - t) ** 0.5 * e) / t**0.5,
            "divide by sqrt(alpha_t)": lambda x, e, t, s: x - (1 - t / s) / (1 - t) ** 0.5 * e,
        },
    ),
    "3.4": Exercise(
        lambda x0, x, t, s, z: _mean(x0, x, t, s) + _var(t, s) ** 0.5 * z,
        (_x0, _x_t, _a_t, _last, _z),
        {
            "z wants the root of the variance": lambda x0, x, t, s, z: _mean(x0, x, t, s) + _var(t, s) * z,
            "noise of variance beta_t, even in the last step, which should land on x0_hat": lambda *a: (
                _mean(*a[:4]) + (1 - a[2] / a[3]) ** 0.5 * a[4]
            ),
            "that is the mean alone; the noise z is missing": lambda x0, x, t, s, z: _mean(x0, x, t, s),
        },
    ),
}
