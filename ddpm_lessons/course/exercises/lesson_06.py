"""Lesson 06's exercises: data, averages, and how to tell that a network learns."""

import math

import torch

from ..exercise import Exercise


def _photo(rng):
    height, width = (int(n) for n in torch.randint(3, 7, (2,), generator=rng))
    return (torch.randint(0, 256, (height, width + 4, 3), generator=rng, dtype=torch.uint8),)


def _to_network(p):
    return p.permute(2, 0, 1).float() / 127.5 - 1


def _debiased(values, decay):
    average = 0.0
    for value in values:
        average = decay * average + (1 - decay) * value
    return average / (1 - decay ** len(values))


def _from_first(values, decay):
    average = values[0]
    for value in values[1:]:
        average = decay * average + (1 - decay) * value
    return average


def _swapped(values, decay):
    average = 0.0
    for value in values:
        average = (1 - decay) * average + decay * value
    return average / (1 - (1 - decay) ** len(values))


def _divided_each_time(values, decay):
    average = 0.0
    for n, value in enumerate(values, 1):
        average = (decay * average + (1 - decay) * value) / (1 - decay**n)
    return average


def _numbers(rng):
    n = int(torch.randint(3, 9, (), generator=rng))
    values = (2 + 3 * torch.randn(n, generator=rng, dtype=torch.float64)).tolist()
    return values, 0.6 + 0.3 * float(torch.rand((), generator=rng))


def _one_minus_mse(a, b):
    return 1 - (a - b).square().mean()


def _x0(x_t, eps_hat, a):
    return (x_t - (1 - a) ** 0.5 * eps_hat) / a**0.5


def _noisy_batch(rng):
    x0, eps, eps_hat = torch.randn(3, 2, 3, 4, 4, generator=rng, dtype=torch.float64)
    a = 0.2 + 0.2 * float(torch.rand((), generator=rng))
    return a**0.5 * x0 + (1 - a) ** 0.5 * eps, eps_hat, a, x0


def _logged(rng):
    n = int(torch.randint(60, 140, (), generator=rng))
    spread = 0.05 + 0.1 * float(torch.rand((), generator=rng))
    losses = 0.2 + spread * torch.randn(n, generator=rng, dtype=torch.float64)
    return losses.clamp(min=0.01).tolist(), 0.03 + 0.03 * float(torch.rand((), generator=rng))


def _steps(factor, power=1.0, whole=math.ceil):
    def steps(losses, fall):
        x = torch.as_tensor(losses, dtype=torch.float64)
        return whole(factor * (x.std().item() / (fall * x.mean().item())) ** (2 * power))

    return steps


def _absolute(losses, fall):
    return math.ceil(8 * (torch.as_tensor(losses, dtype=torch.float64).std().item() / fall) ** 2)


def _variance(losses, fall):
    x = torch.as_tensor(losses, dtype=torch.float64)
    return math.ceil(8 * (x.var().item() / (fall * x.mean().item())) ** 2)


LESSON_06: dict[str, Exercise] = {
    "6.1": Exercise(
        _to_network,
        _photo,
        {
            "reshape (or view) only renames the places and mixes the colours up. Move the axis: permute(2, 0, 1)": (
                lambda p: p.reshape(p.shape[2], p.shape[0], p.shape[1]).float() / 127.5 - 1
            ),
            "PyTorch wants the channels first: move the last axis to the front with permute(2, 0, 1)": (
                lambda p: p.float() / 127.5 - 1
            ),
            "height and width have changed places, so the picture lies on its side: permute(2, 0, 1)": (
                lambda p: p.permute(2, 1, 0).float() / 127.5 - 1
            ),
            "that is [0, 1]; the network wants [-1, 1], so multiply by 2 and subtract 1": (
                lambda p: p.permute(2, 0, 1).float() / 255
            ),
            "that is [-0.5, 0.5], which is only half as wide as the network expects": (
                lambda p: p.permute(2, 0, 1).float() / 255 - 0.5
            ),
            "255 should become exactly 1: divide by 127.5, not by 128": lambda p: p.permute(2, 0, 1).float() / 128 - 1,
            "2 * picture is still uint8 and starts again at 0 after 255. Call .float() first": (
                lambda p: 2 * p.permute(2, 0, 1) / 255 - 1
            ),
            "whole numbers cannot hold the result: call .float() before you divide": (
                lambda p: (p.permute(2, 0, 1) // 127).float() - 1
            ),
            "that runs from -127.5 to 127.5: divide as well": lambda p: p.permute(2, 0, 1).float() - 127.5,
            "the colours have changed places (RGB became BGR): leave the order of the channels alone": (
                lambda p: _to_network(p).flip(0)
            ),
            "you subtract 255 in whole numbers, and uint8 starts again at 0. Call .float() first": (
                lambda p: (2 * p.permute(2, 0, 1) - 255).float() / 255
            ),
            "that is standardised by this picture's own mean and spread; every picture should get the same map": (
                lambda p: (p.permute(2, 0, 1).float() - p.float().mean()) / p.float().std()
            ),
            "you stretched by this picture's own smallest and largest value; the ends are 0 and 255 always": (
                lambda p: (p.permute(2, 0, 1).float() - p.min()) / (p.max().float() - p.min()) * 2 - 1
            ),
            "// cuts the fraction off, so that only whole numbers are left: divide with /": (
                lambda p: (p.permute(2, 0, 1) // 127.5).float() - 1
            ),
        },
    ),
    "6.2": Exercise(
        _debiased,
        _numbers,
        {
            "the zeros of the start still pull the average down: divide by 1 - decay^n at the end": (
                lambda v, d: _debiased(v, d) * (1 - d ** len(v))
            ),
            "that starts with a copy of the first value, as (6.2) does. Here the average starts at 0": _from_first,
            "the two weights are swapped: the average keeps the large share, decay": _swapped,
            "dividing by 1 - decay corrects one step alone; after n steps the weights sum to 1 - decay^n": (
                lambda v, d: _debiased(v, d) * (1 - d ** len(v)) / (1 - d)
            ),
            "divide once, at the end. If the corrected average is fed back, it is corrected again and again": (
                _divided_each_time
            ),
            "n counts all values, the first as well: the power of decay is one too small": (
                lambda v, d: _debiased(v, d) * (1 - d ** len(v)) / (1 - d ** (len(v) - 1))
            ),
            "n counts the values: the power of decay is one too large": (
                lambda v, d: _debiased(v, d) * (1 - d ** len(v)) / (1 - d ** (len(v) + 1))
            ),
            "that is the plain mean of all; old values should fade": lambda v, d: sum(v) / len(v),
            "that is the last value alone; the older ones should count as well": lambda v, d: v[-1],
            "the two weights are swapped, in the average and in the correction alike": (
                lambda v, d: _swapped(v, d) * (1 - (1 - d) ** len(v)) / (1 - d ** len(v))
            ),
            "the new value's weight, 1 - decay, is missing": (lambda v, d: _debiased(v, d) / (1 - d)),
            "the newest value should count most; your weights run the other way": (lambda v, d: _debiased(v[::-1], d)),
            "1 - decay^n is what the weights sum to: divide by it, do not multiply": (
                lambda v, d: _debiased(v, d) * (1 - d ** len(v)) ** 2
            ),
        },
    ),
    "6.3": Exercise(
        lambda x_t, eps_hat, a, x0: _one_minus_mse(_x0(x_t, eps_hat, a), x0),
        _noisy_batch,
        {
            "the noise is scaled by sqrt(1 - alpha_bar): is a square root missing?": lambda x_t, e, a, x0: (
                _one_minus_mse((x_t - (1 - a) * e) / a**0.5, x0)
            ),
            "you divide by alpha_bar itself; the picture is scaled by its square root": lambda x_t, e, a, x0: (
                _one_minus_mse((x_t - (1 - a) ** 0.5 * e) / a, x0)
            ),
            "two square roots are missing: the scales are sqrt(alpha_bar) and sqrt(1 - alpha_bar)": (
                lambda x_t, e, a, x0: _one_minus_mse((x_t - (1 - a) * e) / a, x0)
            ),
            "that is the way back from v, (6.3); this network predicts eps": lambda x_t, e, a, x0: _one_minus_mse(
                a**0.5 * x_t - (1 - a) ** 0.5 * e, x0
            ),
            "divide by sqrt(alpha_bar) after taking the noise off": lambda x_t, e, a, x0: _one_minus_mse(
                x_t - (1 - a) ** 0.5 * e, x0
            ),
            "you compare x_t itself with x0: take the guessed noise off first": lambda x_t, e, a, x0: _one_minus_mse(
                x_t, x0
            ),
            "you compare the guessed noise with the true noise. Compare the pictures": lambda x_t, e, a, x0: (
                _one_minus_mse(e, (x_t - a**0.5 * x0) / (1 - a) ** 0.5)
            ),
            "you compare the guessed noise with the picture: turn it into a guess of the picture first": (
                lambda x_t, e, a, x0: _one_minus_mse(e, x0)
            ),
            "do not clamp here: (6.3) is about the guess as it is, and these x0 are not all in [-1, 1]": (
                lambda x_t, e, a, x0: _one_minus_mse(_x0(x_t, e, a).clamp(-1, 1), x0)
            ),
            "that is the MSE; the pseudo-accuracy is 1 - MSE": lambda x_t, e, a, x0: (
                (_x0(x_t, e, a) - x0).square().mean()
            ),
            "that is the mean absolute error; MSE takes squares": lambda x_t, e, a, x0: (
                1 - (_x0(x_t, e, a) - x0).abs().mean()
            ),
            "that is the sum of the squares; take their mean": lambda x_t, e, a, x0: (
                1 - (_x0(x_t, e, a) - x0).square().sum()
            ),
            "one number for the batch: take the mean over everything": lambda x_t, e, a, x0: (
                1 - (_x0(x_t, e, a) - x0).square()
            ),
            "the noise has to be taken off x_t, and you added it": (
                lambda x_t, e, a, x0: _one_minus_mse((x_t + (1 - a) ** 0.5 * e) / a**0.5, x0)
            ),
            "that is 1 minus the root of the MSE; here the MSE itself": (
                lambda x_t, e, a, x0: 1 - (_x0(x_t, e, a) - x0).square().mean().sqrt()
            ),
        },
    ),
    "6.4": Exercise(
        lambda: (2, 3, 1),
        (),
        {
            "the noise is right. Now tell the clock from the mistaken answer: at t = 500 the clock happens to be"
            " right": lambda: (2, 1, 3),
            "the clock is right. Now the other two: at t = 1, v is almost eps, so there a mistake between the two costs"
            " nothing": lambda: (1, 3, 2),
            "the mistaken answer is right. Now the clock: at t = 500 it is right, so its curve must touch the"
            " healthy one there": lambda: (3, 2, 1),
            "none of the three yet. Begin with the clock: which curve touches the healthy one at t = 500 alone?": (
                lambda: (1, 2, 3)
            ),
            "none of the three yet. Begin with (c): at t = 1, v is almost eps, so its curve begins where the healthy"
            " one does, and leaves it later": lambda: (3, 1, 2),
        },
    ),
    "6.5": Exercise(
        lambda n, T: torch.full((n,), T),
        lambda rng: (
            int(torch.randint(3, 9, (), generator=rng)),
            (50, 101, 400, 1000)[int(torch.randint(4, (), generator=rng))],
        ),
        {
            "at t = 1 there is hardly any noise to be seen: x_t is the picture, not eps. That is the largest loss": (
                lambda n, T: torch.full((n,), 1)
            ),
            "t = 0 is the clean picture, which holds no noise at all": lambda n, T: torch.full((n,), 0),
            "half of the way the lazy network is half right; go on to where x_t is nothing but noise": (
                lambda n, T: torch.full((n,), T // 2)
            ),
            "the steps are counted 1..T: T - 1 is the last but one": lambda n, T: torch.full((n,), T - 1),
            "the steps are counted 1..T: there is no T + 1": lambda n, T: torch.full((n,), T + 1),
            "one t for each picture: the shape should be (n,)": lambda n, T: T,
            "that is the right way of drawing, or nearly; it is to be broken": (
                lambda n, T: torch.randint(1, T + 1, (n,))
            ),
            "these times are spread over the run; put all of them where the lazy answer is best": (
                lambda n, T: torch.linspace(1, T, n).round().long()
            ),
            "these times run over the last few steps; all of them should be the very last": (
                lambda n, T: torch.arange(T - n + 1, T + 1)
            ),
            "these times are spread evenly from 1; put all of them where the lazy answer is best": (
                lambda n, T: torch.linspace(1, T, n).long()
            ),
        },
    ),
    "6.6": Exercise(
        _steps(8),
        _logged,
        {
            "that is for one mean against a known number. Both means are noisy, so variances add: twice as many": (
                _steps(4)
            ),
            "that is for one standard error; the exercise asks for two": _steps(2),
            "that is for one standard error of a single mean: take two, and count the noise of both means": _steps(1),
            "solve for n, not for its root: square at the end": _steps(8**0.5, 0.5),
            "the fall is a share of the mean: compare with fall * mean": _absolute,
            "take the standard deviation (std), not the variance": _variance,
            "n is a whole number that is large enough: round up": _steps(8, whole=math.floor),
        },
    ),
    "6.7": Exercise(
        lambda alpha_bar, s: alpha_bar * s**2 / (alpha_bar * s**2 + 1 - alpha_bar),
        lambda rng: (
            0.15 + 0.3 * torch.rand((), generator=rng, dtype=torch.float64).item(),
            1.5 + torch.rand((), generator=rng, dtype=torch.float64).item(),
        ),
        {
            "that is (6.5), the best loss for v": lambda a, s: s**2 / (a * s**2 + 1 - a),
            "that is the best loss for x0: the variance of the picture, not of eps, once x_t is known": lambda a, s: (
                (1 - a) * s**2 / (a * s**2 + 1 - a)
            ),
            "that is what x_t explains of eps; what is left is 1 minus it": lambda a, s: (1 - a) / (a * s**2 + 1 - a),
            "s is a standard deviation: the variance of x_0 is s squared": lambda a, s: a * s / (a * s + 1 - a),
            "the scales are square roots; a variance takes their squares": lambda a, s: (
                a**0.5 * s**2 / (a**0.5 * s**2 + (1 - a) ** 0.5)
            ),
            "that is for s = 1 alone, where x_t has the variance 1": lambda a, s: a,
            "that is the signal-to-noise ratio of the pixels. Divide by the variance of all of x_t": lambda a, s: (
                a * s**2 / (1 - a)
            ),
            "that is without using x_t at all; the best guess does use it": lambda a, s: 1.0,
            "s belongs into the variance of x_t as well: it is alpha_bar s^2 + 1 - alpha_bar": (lambda a, s: a * s**2),
            "eps enters x_t with the root of 1 - alpha_bar, so the square of their covariance is 1 - alpha_bar": (
                lambda a, s: 1 - (1 - a) ** 2 / (a * s**2 + 1 - a)
            ),
            "the covariance has to be squared: what is left of a variance of 1 is 1 - cov^2 / var": (
                lambda a, s: 1 - (1 - a) ** 0.5 / (a * s**2 + 1 - a)
            ),
        },
    ),
}
