"""Lesson 06's exercises: data, averages, and how to tell that a network learns."""

import torch

from ..exercise import Exercise

_bytes = torch.tensor([[0, 51, 102], [128, 204, 255]], dtype=torch.uint8)
_x0, _eps, _eps_hat = torch.randn(3, 2, 3, 4, 4, generator=torch.Generator().manual_seed(6))
_x_t = 0.3**0.5 * _x0 + 0.7**0.5 * _eps


def _one_minus_mse(a, b):
    return 1 - (a - b).square().mean()


LESSON_06: dict[str, Exercise] = {
    "6.1": Exercise(
        lambda p: p.float() / 127.5 - 1,
        (_bytes,),
        {
            "that is [0, 1]; the network wants [-1, 1]: times 2, minus 1": lambda p: p.float() / 255,
            "255 should become exactly 1: divide by 127.5, not 128": lambda p: p.float() / 128 - 1,
            "whole numbers cannot hold it: call .float() before dividing": lambda p: (p // 127).float() - 1,
            "that runs from -127.5 to 127.5: divide as well": lambda p: p.float() - 127.5,
        },
    ),
    "6.2": Exercise(
        lambda average, now, n, decay: (d := min(decay, (1 + n) / (10 + n))) * average + (1 - d) * now,
        lambda rng: (
            *torch.randn(2, generator=rng).tolist(),
            (5, 100_000)[int(torch.randint(2, (), generator=rng))],  # in the warm-up, and long after it
            0.999,
        ),
        {
            "long after the start the average forgets nothing: d should not grow past decay": lambda a, b, n, decay: (
                (1 + n) / (10 + n) * a + 9 / (10 + n) * b
            ),
            "the two weights are swapped: the average keeps d, the newest gets 1 - d": lambda a, b, n, decay: (
                (1 - (1 + n) / (10 + n)) * a + (1 + n) / (10 + n) * b
            ),
            "the warm-up is missing, or max for min: d = min(decay, (1 + n) / (10 + n))": lambda a, b, n, decay: (
                decay * a + (1 - decay) * b
            ),
            "that is the plain mean of all; old weights should fade": lambda a, b, n, decay: (n * a + b) / (n + 1),
        },
    ),
    "6.3": Exercise(
        lambda x_t, eps_hat, a, x0: _one_minus_mse((x_t - (1 - a) ** 0.5 * eps_hat) / a**0.5, x0),
        (_x_t, _eps_hat, torch.tensor(0.3), _x0),
        {
            "the noise is scaled by sqrt(1 - alpha_bar): is a square root missing?": lambda x_t, e, a, x0: (
                _one_minus_mse((x_t - (1 - a) * e) / a**0.5, x0)
            ),
            "that is the way back from v; this network predicts eps, see (2.6)": lambda x_t, e, a, x0: _one_minus_mse(
                a**0.5 * x_t - (1 - a) ** 0.5 * e, x0
            ),
            "divide by sqrt(alpha_bar) after taking the noise off": lambda x_t, e, a, x0: _one_minus_mse(
                x_t - (1 - a) ** 0.5 * e, x0
            ),
            "you compare x_t itself with x0: take the guessed noise off first": lambda x_t, e, a, x0: _one_minus_mse(
                x_t, x0
            ),
            "that is the MSE; turn it upside down: 1 - MSE": lambda x_t, e, a, x0: (
                ((x_t - (1 - a) ** 0.5 * e) / a**0.5 - x0).square().mean()
            ),
            "one number for the batch: take the mean over all": lambda x_t, e, a, x0: (
                1 - ((x_t - (1 - a) ** 0.5 * e) / a**0.5 - x0).square()
            ),
        },
    ),
}
