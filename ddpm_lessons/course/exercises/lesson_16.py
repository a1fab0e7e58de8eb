"""The exercises of lesson 16: what is right, and what each likely mistake would answer."""

import torch
import torch.nn.functional as F

from ...samplers import slerp
from ..exercise import Exercise


def _uniform(rng, low, high):
    return low + (high - low) * float(torch.rand((), generator=rng))


def _whole(rng, low, high):
    return int(torch.randint(low, high + 1, (), generator=rng))


def _units(rng, *shape):
    return F.normalize(torch.randn(*shape, generator=rng), dim=-1)


# 16.1: the cosine of the best single answer
def _number(value):
    return lambda: value


# 16.2: of two samples the one that fits the text better
def _two(rng):
    n, d = _whole(rng, 5, 9), _whole(rng, 3, 4)
    return 3 * torch.randn(2, n, d, generator=rng), _units(rng, n, d)  # of different lengths


def _better(z, text, score=lambda z, text: F.cosine_similarity(z, text, dim=-1), pick=torch.argmax):
    best = pick(score(z, text.expand_as(z)), dim=0)  # (N,)
    return z[best, torch.arange(z.shape[1])]


# 16.3: unit vectors that nobody spread out
def _ratio(rng):
    return _uniform(rng, 0.2, 0.9), _whole(rng, 20, 200)


# 16.4: how far along the arc the nearest text changes
def _walk(rng):
    a, b = _units(rng, 2, 12)
    b = F.normalize(b - 0.6 * a, dim=0)
    low, high = F.normalize(a + 0.25 * torch.randn(12, generator=rng), dim=0), F.normalize(b + 0.3 * a, dim=0)
    return a, b, low, high


def _crossing(a, b, low, high, along=slerp, steps=101, last=False, first=True):
    ws = torch.linspace(0, 1, steps)
    nearer = torch.stack([(along(a[None], b[None], float(w))[0] * (high - low)).sum() for w in ws]) > 0
    where = nearer.nonzero()[:, 0] if not last else (~nearer).nonzero()[:, 0]
    return float(ws[where[0 if first else -1]])


def _straight(a, b, w):
    return (1 - w) * a + w * b


# 16.5: mean cosines
def _group(rng):
    n = _whole(rng, 4, 7)
    return (F.normalize(_units(rng, 1, 6) + 0.6 * torch.randn(n, 6, generator=rng), dim=1),)


def _pairs(z, keep=lambda n: ~torch.eye(n, dtype=torch.bool)):
    return (z @ z.T)[keep(len(z))].mean()


# 16.6: a constant shift in place of a prior
def _moved_sides(rng):
    n, m, d = _whole(rng, 4, 6), _whole(rng, 7, 9), 5
    return _units(rng, n, d), _units(rng, n + 1, d), _units(rng, m, d)


def _moved(new, texts, pictures, by=lambda t, p: p.mean(0) - t.mean(0), end=lambda v: F.normalize(v, dim=1)):
    return end(new + by(texts, pictures))


LESSON_16: dict[str, Exercise] = {
    "16.1": Exercise(
        _number(0.8),
        lambda rng: (),
        {
            "0.64 is the cosine of two vectors of that text; the mean lies nearer to each of them": _number(0.64),
            "the cosine is the root, not the square: the mean vector is nearer to each than they are": _number(0.4096),
            "averaging does not make vectors equal, so the cosine stays below 1": _number(1.0),
            "that is half-way between 0.64 and 1; the rule is the root of 0.64": _number(0.82),
            "that is the length of what the mean leaves out; the mean's own length is asked for": _number(0.6),
            "that is the share of the spread, 1 - 0.64; the share of the mean is what counts": _number(0.36),
        },
    ),
    "16.2": Exercise(
        _better,
        _two,
        {
            "you took the worse of the two: the larger cosine wins": lambda z, t: _better(z, t, pick=torch.argmin),
            "a dot product favours the longer vector; compare cosines, or make them unit vectors first": (
                lambda z, t: _better(z, t, lambda z, t: (z * t).sum(-1))
            ),
            "that is always the first sample": lambda z, t: z[0],
            "that is always the second sample": lambda z, t: z[1],
            "that is the mean of the two; one of them should be taken as it is": lambda z, t: z.mean(0),
            "the vectors themselves are asked for, not their cosines": lambda z, t: F.cosine_similarity(
                z, t.expand_as(z), dim=-1
            ).amax(0),
            "that says which one is better; the vectors themselves are asked for": lambda z, t: F.cosine_similarity(
                z, t.expand_as(z), dim=-1
            ).argmax(0),
            "the distance decides wrongly, since the samples have different lengths; compare cosines": (
                lambda z, t: _better(z, t, lambda z, t: -(z - t).norm(dim=-1))
            ),
        },
    ),
    "16.3": Exercise(
        lambda a, d: a / ((1 - a) * d),
        _ratio,
        {
            "that is the ratio after spreading; a number of a unit vector has the mean square 1 / D": lambda a, d: (
                a / (1 - a)
            ),
            "a ratio of variances is wanted: D enters as it is, without a root": lambda a, d: a / ((1 - a) * d**0.5),
            "unit vectors have less signal than spread ones, not more: divide by D": lambda a, d: a * d / (1 - a),
            "that is the noise over the signal; the signal over the noise is asked for": lambda a, d: (1 - a) * d / a,
            "alpha_bar is already a variance's factor, so no root is needed": lambda a, d: (a / ((1 - a) * d)) ** 0.5,
            "the noise keeps its variance 1 - alpha_bar; only the signal is divided by D": lambda a, d: a / (d - a),
            "the denominator is the noise's variance alone, 1 - alpha_bar": lambda a, d: a / d,
        },
    ),
    "16.4": Exercise(
        _crossing,
        _walk,
        {
            "you walked along the straight line; its middle points lie inside the sphere, and w means another place": (
                lambda *x: _crossing(*x, along=_straight)
            ),
            "you walked from b to a": lambda a, b, low, high: _crossing(b, a, high, low),
            "that is the last place that is still nearer to the first text; the first one beyond is asked for": (
                lambda *x: _crossing(*x, last=True, first=False)
            ),
            "the weights run from 0 to 1 in steps of 0.01: yours are coarser": lambda *x: _crossing(*x, steps=11),
            "that is the number of the step; the weight w is asked for": lambda *x: round(100 * _crossing(*x)),
            "at the crossing the second text has the larger cosine; you asked for the first text's": lambda *x: (
                _crossing(*x[:2], x[3], x[2])
            ),
        },
    ),
    "16.5": Exercise(
        lambda z: ((len(z) * z.mean(0).norm()) ** 2 - len(z)) / (len(z) * (len(z) - 1)),
        _group,
        {
            "that counts each vector's cosine with itself, which is 1: leave those N pairs out": lambda z: (
                z.mean(0).norm() ** 2
            ),
            "that is the cosine with the mean; the cosine of two different ones is asked for": lambda z: z.mean(
                0
            ).norm(),
            "N of the N^2 pairs are a vector with itself: N (N - 1) pairs are left to divide by": lambda z: (
                ((len(z) * z.mean(0).norm()) ** 2 - len(z)) / len(z) ** 2
            ),
            "each pair counts twice in the square of the sum, and twice among N (N - 1): no half is needed": lambda z: (
                ((len(z) * z.mean(0).norm()) ** 2 - len(z)) / (2 * len(z) * (len(z) - 1))
            ),
            "the pairs of a vector with itself add N to the sum, not 1": lambda z: (
                ((len(z) * z.mean(0).norm()) ** 2 - 1) / (len(z) * (len(z) - 1))
            ),
            "that is the mean distance of two; the cosine is asked for": lambda z: (2 - 2 * _pairs(z)).sqrt(),
        },
    ),
    "16.6": Exercise(
        _moved,
        _moved_sides,
        {
            "that is the text's own vector: nothing was moved": lambda n, t, p: _moved(n, t, p, lambda t, p: 0 * t[0]),
            "you moved away from the pictures: add the pictures' mean and take the texts' away": lambda n, t, p: _moved(
                n, t, p, lambda t, p: t.mean(0) - p.mean(0)
            ),
            "the moved vectors have left the sphere: make them unit vectors again": lambda n, t, p: _moved(
                n, t, p, end=lambda v: v
            ),
            "all of them were put on the pictures' mean: add the difference of the means": lambda n, t, p: _moved(
                0 * n, t, p, lambda t, p: p.mean(0)
            ),
            "the difference of the means is added as it is; only the sum becomes a unit vector": lambda n, t, p: _moved(
                n, t, p, lambda t, p: F.normalize(p.mean(0) - t.mean(0), dim=0)
            ),
            "the pictures' mean was added, and the texts' not taken away": lambda n, t, p: _moved(
                n, t, p, lambda t, p: p.mean(0)
            ),
            "the means are those of the training texts; you took the new texts' own mean": lambda n, t, p: _moved(
                n, n, p
            ),
            "the vectors of all are scaled as one; each should have the length 1": lambda n, t, p: _moved(
                n, t, p, end=lambda v: v / v.norm()
            ),
        },
    ),
}
