"""The exercises of lesson 04: what is right, and what each likely mistake would answer."""

from math import log, pi

import torch

from ..exercise import Exercise


def _pictures(rng):  # nats of five pictures, and the pictures: no two of B, C, H, W are equal
    c = int(torch.randint(2, 4, (), generator=rng))
    return 50 + 150 * torch.rand(5, generator=rng), torch.rand(5, c, 4, 6, generator=rng) * 2 - 1


def _three(rng):  # beta_tilde, the weight of x0, the mean squared error
    a, b, c = torch.rand(3, 3, generator=rng)
    small_and_large = torch.tensor([0.3, 0.9, 0.5])  # so that neither part of the variance is always the larger
    return 0.1 + 0.4 * a, small_and_large + 0.05 * b, 0.7 + 0.2 * c


def _one_step_each(rng):  # alpha_bar of T = 6 steps, a t in 2..5 for each of four pictures, eps and its guess
    alpha_bar = torch.cat([torch.ones(1), (0.55 + 0.4 * torch.rand(6, generator=rng)).cumprod(0)])
    t = torch.tensor([2, 3, 4, 5])[torch.randperm(4, generator=rng)]
    return alpha_bar, t, torch.randn(4, 3, 5, 4, generator=rng), torch.randn(4, 3, 5, 4, generator=rng)


def _middle(alpha_bar, t, eps, eps_hat, weight=None, times=None, unit=log(2), view=(-1, 1, 1, 1)):
    def snr(t):
        return alpha_bar[t] / (1 - alpha_bar[t])

    w = (0.5 * (snr(t - 1) / snr(t) - 1) if weight is None else weight(snr, t)).view(view)
    times = len(alpha_bar) - 2 if times is None else times
    return times * (w * (eps - eps_hat) ** 2).mean() / unit


def _for_beta(a, t):  # the weight on eps for sigma^2 = beta
    alpha = a[t] / a[t - 1]
    return (1 - alpha) / (2 * alpha * (1 - a[t]))


LESSON_04: dict[str, Exercise] = {
    "4.1": Exercise(
        lambda: 1.0,
        lambda rng: (),
        {
            "there are two terms now, but each has only its own share of the drop in SNR: add the two drops": lambda: (
                2.0
            ),
            "beta_tilde does become smaller, but (4.8) has no variance left in its last line: add the two drops of the "
            "SNR": lambda: 0.5,
            "that would be half of a half; write both drops of the SNR down and add them": lambda: 0.25,
            "the error stays as it is, so the terms cannot vanish: add the two drops of the SNR": lambda: 0.0,
            "nothing is squared here; write both drops of the SNR down and add them": lambda: 4.0,
            "the two drops share the whole drop among themselves: what is their sum?": (lambda: 0.75),
        },
    ),
    "4.2": Exercise(
        lambda n, x: n.mean() / (x[0].numel() * log(2)),
        _pictures,
        {
            "these are still nats: divide by log 2": lambda n, x: n.mean() / x[0].numel(),
            "you multiply by log 2, but a nat is 1.44 bits, so divide by it": lambda n, x: (
                n.mean() / x[0].numel() * log(2)
            ),
            "that is the logarithm to base 10, which gives decimal digits; bits have base 2": lambda n, x: (
                n.mean() / (x[0].numel() * log(10))
            ),
            "dividing by log 256 gives bytes; bits have log 2": lambda n, x: n.mean() / (x[0].numel() * log(256)),
            "these are bits for a whole picture: divide by its number of values too": lambda n, x: n.mean() / log(2),
            "that is the mean in nats of a whole picture: divide by log 2 and by the number of values": lambda n, x: (
                n.mean()
            ),
            "the colours are dimensions too: divide by C * H * W": lambda n, x: n.mean() / (x[0, 0].numel() * log(2)),
            "you divide by the number of pictures as well; x0[0] has the values of one": lambda n, x: (
                n.mean() / (x.numel() * log(2))
            ),
            "you divide by the number of pictures only; the values of one picture are wanted": lambda n, x: (
                n.mean() / (len(x) * log(2))
            ),
            "these are bits per dimension of each picture; the average over the pictures is wanted": lambda n, x: (
                n / (x[0].numel() * log(2))
            ),
            "you add up the pictures; take their mean": lambda n, x: n.sum() / (x[0].numel() * log(2)),
            "nats are logarithms already: divide by log 2, and take no second logarithm": lambda n, x: (
                n.log2().mean() / x[0].numel()
            ),
        },
    ),
    "4.3": Exercise(
        lambda: (2 * pi) ** -0.5,
        lambda rng: (),
        {
            "that is the variance: take its square root": lambda: 1 / (2 * pi),
            "that is upside down: the density at the mean is 1 / (std sqrt(2 pi)), and it should be 1": lambda: (
                (2 * pi) ** 0.5
            ),
            "at std 1 the density at the mean is 0.399, below 1, so the number of bits is positive": lambda: 1,
            "the 2 of 2 pi is missing under the root": lambda: pi**-0.5,
            "the pi of 2 pi is missing under the root": lambda: 2**-0.5,
            "nearly: give it to four digits": lambda: 0.4,
            "a density can be larger than 1, and is so at its mean long before std reaches 0": lambda: 0,
            "at std 0.5 the density at the mean is 0.798, still below 1": lambda: 0.5,
            "that is the width of a level; but a density does not know about levels": lambda: 2 / 255,
            "you compare the density with the width of a level; compare it with 1, whose logarithm is 0": lambda: (
                (2 * pi) ** -0.5 * 255 / 2
            ),
            "that is where the *average* number of bits is 0; here x is the mean itself, so the e drops out": (
                lambda: (2 * pi * 2.718281828) ** -0.5
            ),
        },
    ),
    "4.4": Exercise(
        lambda b, w, m: b + w**2 * m,
        _three,
        {
            "that is right only if the guess is always perfect, mse = 0": lambda b, w, m: b,
            "beta_tilde is missing: even with x0 known the step is uncertain": lambda b, w, m: w**2 * m,
            "an error in x0 moves the mean by to_x0 times it, so its square counts to_x0 squared": lambda b, w, m: (
                b + w * m
            ),
            "an error in x0_hat is not yet an error in the mean: (4.8) has the factor between them": lambda b, w, m: (
                b + m
            ),
            "mse is the mean of a square already": lambda b, w, m: b + w**2 * m**2,
            "that would be a square of a sum; variances add": lambda b, w, m: (b**0.5 + w * m**0.5) ** 2,
            "that is the standard deviation; the variance is wanted": lambda b, w, m: (b + w**2 * m) ** 0.5,
            "mse is a square, so do not take its root": lambda b, w, m: b + w * m**0.5,
            "the sign is wrong: errors make the step less certain, not more": lambda b, w, m: b - w**2 * m,
            "that is half of it: both summands of the derivative have the factor 1/2, which cancels": lambda b, w, m: (
                0.5 * (b + w**2 * m)
            ),
            "the factor 1/2 stands before both summands, so it cancels": lambda b, w, m: b + 0.5 * w**2 * m,
            "that is the precision; the variance is 1 over it": lambda b, w, m: 1 / (b + w**2 * m),
            "that is the larger of the two; the derivative asks for their sum": lambda b, w, m: torch.maximum(
                b, w**2 * m
            ),
            "the weight belongs to the error, not to beta_tilde": lambda b, w, m: w**2 * b + m,
        },
    ),
    "4.5": Exercise(
        _middle,
        _one_step_each,
        {
            "that is the average term; the sum has T - 1 of them, so it is T - 1 times as large": lambda *a: _middle(
                *a, times=1
            ),
            "t takes T - 1 values, 2 to T; you count T": lambda *a: _middle(*a, times=len(a[0]) - 1),
            "alpha_bar has T + 1 entries, so you count two terms too many": lambda *a: _middle(*a, times=len(a[0])),
            "these are nats: divide by log 2": lambda *a: _middle(*a, unit=1),
            "you multiply by log 2: a nat is 1.44 bits, so divide by it": lambda *a: _middle(*a, unit=1 / log(2)),
            "the factor 1/2 is missing": lambda *a: 2 * _middle(*a),
            "that is the weight of the error in x0; divide it by SNR(t) for the error in eps": lambda *a: _middle(
                *a, weight=lambda snr, t: 0.5 * (snr(t - 1) - snr(t))
            ),
            "you multiply by SNR(t) to get from x0 to eps; divide by it": lambda *a: _middle(
                *a, weight=lambda snr, t: 0.5 * (snr(t - 1) - snr(t)) * snr(t)
            ),
            "every weight is 1 here: that is L_simple": lambda *a: _middle(
                *a, weight=lambda snr, t: torch.ones(len(t))
            ),
            "you took t and t + 1; the step goes from t to t - 1": lambda *a: _middle(
                *a, weight=lambda snr, t: 0.5 * (snr(t) / snr(t + 1) - 1)
            ),
            "that is the fraction upside down, so it comes out negative": lambda *a: _middle(
                *a, weight=lambda snr, t: 0.5 * (snr(t) / snr(t - 1) - 1)
            ),
            "that is the ratio of two alpha_bar; take the ratio of two SNR, alpha_bar / (1 - alpha_bar)": lambda *a: (
                _middle(*a, weight=lambda snr, t: 0.5 * (a[0][t - 1] / a[0][t] - 1))
            ),
            "that is the weight for sigma^2 = beta; here it is beta_tilde": lambda *a: _middle(
                *a, weight=lambda snr, t: _for_beta(a[0], t)
            ),
            "the weights lack view(-1, 1, 1, 1), so they run along the width, not along the pictures": lambda *a: (
                _middle(*a, view=-1)
            ),
            "you add up the numbers of each picture; bits per dimension are their mean": lambda *a: (
                _middle(*a) * a[2][0].numel()
            ),
            "you add everything up; take the mean": lambda *a: _middle(*a) * a[2].numel(),
            "the error is not squared": lambda a, t, eps, eps_hat: _middle(
                a, t, (eps - eps_hat).abs().sqrt(), torch.zeros_like(eps)
            ),
            "the bound compares a step with the one before it, t - 1; you took t and t + 1 and no fraction": (
                lambda *a: _middle(*a, weight=lambda snr, t: 0.5 * (snr(t) - snr(t + 1)))
            ),
            "the SNRs are the wrong way up: SNR(t - 1) stands above SNR(t)": (
                lambda *a: _middle(*a, weight=lambda snr, t: 0.5 * (1 - snr(t) / snr(t - 1)))
            ),
        },
    ),
    "4.6": Exercise(
        lambda: (140, 40),
        lambda rng: (),
        {
            "the other way round: beta first": lambda: (40, 140),
            "with beta, T = 130 is still 0.1015 bits away": lambda: (130, 40),
            "with beta_tilde, T = 30 is still 0.163 bits away": lambda: (140, 30),
            "with beta_tilde, a shorter chain is enough too: try the multiples of 10 below 50": lambda: (140, 50),
            "these are the values of the table; try the multiples of 10 between them": lambda: (200, 50),
            "that is the next line of the table for beta; try the multiples of 10 between 100 and 200": lambda: (
                200,
                40,
            ),
            "T = 100 leaves 0.17 bits with beta, and T = 25 leaves 0.23 with beta_tilde": lambda: (100, 25),
            "with beta, T = 100 is still 0.167 bits away": lambda: (100, 50),
            "with beta, a shorter chain is enough too": lambda: (150, 40),
            "those are two lines of the table; try the multiples of 10 between its lines": (lambda: (50, 25)),
            "both are allowed their own length: with beta_tilde a far shorter chain is enough": (lambda: (200, 200)),
            "with beta the chain has to be longer than that, and with beta_tilde it may be shorter": (
                lambda: (60, 140)
            ),
        },
    ),
}
