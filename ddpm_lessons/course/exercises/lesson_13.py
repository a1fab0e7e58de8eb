"""The exercises of lesson 13: what is right, and what each likely mistake would answer."""

import math

import torch

from ... import data
from ...systems import registry
from ...systems.rivals import latent_kl
from ..exercise import Exercise


def _uniform(rng, low, high):
    return low + (high - low) * float(torch.rand((), generator=rng))


# 13.2: the divergence of two tables of probabilities
def _tables(rng):
    q, p = torch.rand(2, 6, generator=rng)
    q[int(torch.randint(3, (), generator=rng))] = 0  # each has a place of its own, where the other has nothing
    p[3 + int(torch.randint(3, (), generator=rng))] = 0
    return q / q.sum(), p / p.sum()


def _kl(a, b):
    return (torch.xlogy(a, a) - torch.xlogy(a, b)).sum()


def _js(q, p):
    m = (q + p) / 2
    return (_kl(q, m) + _kl(p, m)) / 2


# 13.3: what a mean in place of a sum does to beta
def _sizes(rng):
    return int(torch.randint(500, 5000, (), generator=rng)), int(torch.randint(8, 200, (), generator=rng))


# 13.4: what an encoder tells
def _some_flowers(rng):
    return (data.drawn(24, 64, rng).x,)


@torch.no_grad()
def _told(x):
    return latent_kl(*registry.bundled("vae")[1].encode(x))


@torch.no_grad()
def _moments(x):
    return registry.bundled("vae")[1].encode(x)


# 13.5: another share of real pictures
def _densities(rng):
    return _uniform(rng, 0.1, 0.45) if rng.initial_seed() % 2 else _uniform(rng, 0.55, 0.9), *torch.rand(
        2, 5, generator=rng
    ) + 0.1


# 13.6: the bound over several draws
def _logs(rng):
    return (-900 + 3 * torch.randn(5, 3, generator=rng, dtype=torch.float64),)


LESSON_13: dict[str, Exercise] = {
    "13.1": Exercise(
        lambda: 1 / 9,
        lambda rng: (),
        {
            "one half is right for a generator of all eight lumps; here it is eight times as dense in its one": (
                lambda: 0.5
            ),
            "that is the generator's share, 1 - D*; D* is the share of the real points": lambda: 8 / 9,
            "that is the ratio of the densities, q over p_G; D* is the share, q over q + p_G": lambda: 1 / 8,
            "the points are perfect, but the judge counts: among points like this one, few are real": lambda: 1.0,
            "a judge that is certain would be right only if no real point lay there; some do": lambda: 0.0,
        },
    ),
    "13.2": Exercise(
        _js,
        _tables,
        {
            "that is twice the divergence: each of the two KLs counts one half": lambda q, p: 2 * _js(q, p),
            "that is half of it: the mixture has a half already, and so has each KL, once": lambda q, p: _js(q, p) / 2,
            "that is one of the two KLs alone, the data's": lambda q, p: _kl(q, (q + p) / 2),
            "that is one of the two KLs alone, the generator's": lambda q, p: _kl(p, (q + p) / 2),
            "m is the mean of the two; with their sum in its place each logarithm is off by log 2": lambda q, p: (
                (_kl(q, q + p) + _kl(p, q + p)) / 2
            ),
            "0 log 0 counts as 0, and your sum is not a number; `torch.xlogy` knows that": lambda q, p: torch.tensor(
                math.nan
            ),
            "that is in bits, with the logarithm to base 2; nats are asked for": lambda q, p: _js(q, p) / math.log(2),
            "that is V(D*, G); solve (13.8) for JS": lambda q, p: 2 * _js(q, p) - math.log(4),
            "that is the KL of one to the other, without the mixture, and it is infinite where only one is 0": (
                lambda q, p: _kl(q, p)
            ),
        },
    ),
    "13.3": Exercise(
        lambda n, d: n / (2 * d),
        _sizes,
        {
            "the error in (13.4) has a factor of one half, and `F.mse_loss` has none": lambda n, d: n / d,
            "the factor of one half goes the other way: the error there is twice as large as in (13.4)": lambda n, d: (
                2 * n / d
            ),
            "the ratio is upside down: a mean over many pixels makes the error small, and the KL dear": lambda n, d: (
                2 * d / n
            ),
            "the ratio is upside down, and the error in (13.4) has a factor of one half": lambda n, d: d / n,
            "the mean over the latent's numbers matters too: the KL is divided by d": lambda n, d: n / 2,
            "the mean over the picture's numbers matters too: the error is divided by n": lambda n, d: 1 / (2 * d),
            "it only looks like 1: the two means divide by different numbers": lambda n, d: 1.0,
        },
    ),
    "13.4": Exercise(
        lambda x: float(_told(x).sum(1).mean() / math.log(2)),
        _some_flowers,
        {
            "that is in nats; a bit is log 2 nats": lambda x: float(_told(x).sum(1).mean()),
            "that multiplies by log 2; a nat is more than a bit, so divide": lambda x: float(
                _told(x).sum(1).mean() * math.log(2)
            ),
            "that is bits for one number of the latent; add up all 64": lambda x: float(_told(x).mean() / math.log(2)),
            "that is for all pictures together; average over them": lambda x: float(_told(x).sum() / math.log(2)),
            "that is bits for each number of the picture; the whole picture is asked for": lambda x: float(
                _told(x).sum(1).mean() / math.log(2) / x[0].numel()
            ),
            "that is what the means cost alone; the variance has a price as well": lambda x: float(
                (_moments(x)[0] ** 2 / 2).sum(1).mean() / math.log(2)
            ),
            "those are bytes; bits are asked for": lambda x: float(_told(x).sum(1).mean() / math.log(2) / 8),
        },
    ),
    "13.5": Exercise(
        lambda share, q, p: share * q / (share * q + (1 - share) * p),
        _densities,
        {
            "that is (13.7), for equal shares; the share weighs both densities": lambda share, q, p: q / (q + p),
            "the shares are swapped: pi belongs to the real pictures": lambda share, q, p: (
                (1 - share) * q / ((1 - share) * q + share * p)
            ),
            "that is the probability of a made picture": lambda share, q, p: (
                (1 - share) * p / (share * q + (1 - share) * p)
            ),
            "only the real pictures are weighed there; the made ones have the share 1 - pi": lambda share, q, p: (
                share * q / (share * q + p)
            ),
            "that is (13.7) times the share; the share belongs into the denominator as well": lambda share, q, p: (
                share * q / (q + p)
            ),
            "the denominator is right; the numerator has lost its share": lambda share, q, p: (
                q / (share * q + (1 - share) * p)
            ),
            "that is the ratio of real to made; the share of the real among all is asked for": lambda share, q, p: (
                share * q / ((1 - share) * p)
            ),
        },
    ),
    "13.6": Exercise(
        lambda log_w: math.log(len(log_w)) - log_w.logsumexp(0),
        _logs,
        {
            "that is the plain bound (13.1), averaged outside the logarithm": lambda log_w: -log_w.mean(0),
            "that is the logarithm of the sum; the average divides by K": lambda log_w: -log_w.logsumexp(0),
            "the sign is the other way round: the bounds are of -log p": lambda log_w: (
                log_w.logsumexp(0) - math.log(len(log_w))
            ),
            "log K has the wrong sign: dividing the sum by K makes -log larger": lambda log_w: (
                -math.log(len(log_w)) - log_w.logsumexp(0)
            ),
            "exp of -900 is 0 for a computer, and its logarithm is infinite: take `logsumexp`": lambda log_w: (
                -log_w.exp().mean(0).log()
            ),
            "that averages over the pictures; it should average over the K draws": lambda log_w: (
                math.log(log_w.shape[1]) - log_w.logsumexp(1)
            ),
            "that takes the best of the K draws; their average is asked for": lambda log_w: -log_w.max(0).values,
        },
    ),
}
