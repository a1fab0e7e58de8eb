"""The exercises of lesson 09: what is right, and what each likely mistake would answer."""

import torch

from ..exercise import Exercise


def _uniform(rng, low, high):
    return low + (high - low) * float(torch.rand((), generator=rng))


# 9.1: guidance in an interval of t, with Ho and Salimans' w
def _interval(c, n, t, w, low, high, plus=1.0, null=None, inside=None, outside=None):
    inside = (t >= low) & (t <= high) if inside is None else inside
    inside = inside.view(-1, 1, 1, 1) if inside.ndim == 1 else inside
    guided = (plus + w) * c - (w + plus - 1 if null is None else null) * n
    return torch.where(inside, guided, c if outside is None else outside)


def _moments(rng):
    b = int(torch.randint(5, 9, (), generator=rng))
    c, n = torch.randn(2, b, 2, 3, b, generator=rng)  # as wide as the batch is long: no error in broadcasting
    low, high = int(torch.randint(20, 40, (), generator=rng)), int(torch.randint(60, 80, (), generator=rng))
    t = torch.tensor([low, high, low - 7, high + 9, 50, *range(90, 90 + b - 5)])
    return c, n, t[torch.randperm(b, generator=rng)], _uniform(rng, 1.5, 4.0), low, high


def _same_for_all(inside):
    return torch.full((1, 1, 1, 1), bool(inside))


_INTERVAL = {
    "that is Imagen's scale; Ho and Salimans' w is smaller by 1, so the weights are 1 + w and -w": lambda *a: _interval(
        *a, plus=0.0
    ),
    "outside the interval you answer without the condition. Guidance is off there, but the network is still told "
    "the class": lambda c, n, t, w, low, high: _interval(c, n, t, w, low, high, outside=n),
    "the interval is turned inside out: guide where low <= t <= high": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=(t < low) | (t > high)
    ),
    "both ends, t = low and t = high, belong to the interval": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=(t > low) & (t < high)
    ),
    "the end t = high belongs to the interval": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=(t >= low) & (t < high)
    ),
    "the end t = low belongs to the interval": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=(t > low) & (t <= high)
    ),
    "(B,) was lined up with the last axis, the columns of the pictures: make it (B, 1, 1, 1)": (
        lambda c, n, t, w, low, high: torch.where((t >= low) & (t <= high), (1 + w) * c - w * n, c)
    ),
    "every sample is guided: compare each sample's own t with both ends": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=_same_for_all(True)
    ),
    "no sample is guided: does one sample's t decide for the whole batch?": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=_same_for_all(False)
    ),
    "the first sample's t decides for the whole batch": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=_same_for_all(low <= t[0] <= high)
    ),
    "you looked at the upper end only: t must be at least low as well": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=t <= high
    ),
    "you looked at the lower end only: t must be at most high as well": lambda c, n, t, w, low, high: _interval(
        c, n, t, w, low, high, inside=t >= low
    ),
    "eps_cond and eps_null are swapped: that leads away from the condition": lambda c, n, *a: _interval(n, c, *a),
    "eps_cond and eps_null are swapped inside the interval: that leads away from the condition": (
        lambda c, n, *a: _interval(n, c, *a, outside=c)
    ),
    "the two conventions are mixed: with 1 + w for eps_cond belongs -w for eps_null, since the weights sum to 1": (
        lambda c, n, t, w, *a: _interval(c, n, t, w, *a, null=w - 1)
    ),
    "the null part has the wrong sign: the weights 1 + w and -w sum to 1": lambda c, n, t, w, *a: _interval(
        c, n, t, w, *a, null=-w
    ),
    "inside the interval that is w times the difference alone: add it to eps_cond": (
        lambda c, n, t, w, low, high: _interval(w * (c - n), n, t, 0.0, low, high, outside=c)
    ),
    "outside the interval the answer is 0; it should be eps_cond": lambda c, *a: _interval(
        c, *a, outside=torch.zeros_like(c)
    ),
    "that is Imagen's scale with 0 outside, which drops the condition there: w = 0 is Ho and Salimans' off": (
        lambda c, n, t, w, low, high: _interval(c, n, t, w, low, high, plus=0.0, outside=n)
    ),
}


# 9.4: which share of the points is nearest to each centre
def _shares(x, means, near=None, of=None):
    near = torch.cdist(x, means).argmin(1) if near is None else near
    return torch.bincount(near, minlength=len(means)) / (len(x) if of is None else of)


def _crowd(rng):
    k, n = (int(torch.randint(low, low + 4, (), generator=rng)) for low in (3, 60))
    means = 2 * torch.randn(k, 2, generator=rng) + torch.tensor([0.7, -0.4])
    return means[torch.randint(k, (n,), generator=rng)] + torch.randn(n, 2, generator=rng), means


# 9.5: a power of one normal density times a power of another
def _tilted(m, s, S, w, wn=None, square=True):
    a, b = (s**2, S**2) if square else (s, S)
    precision = w / a + (1 - w if wn is None else wn) / b
    return w * m / a / precision, 1 / precision


def _normals(rng):
    return tuple(_uniform(rng, *ends) for ends in ((1.2, 2.0), (0.6, 0.9), (1.8, 2.6), (2.2, 4.0)))


def _swapped(*a):
    mean, var = _tilted(*a)
    return var, mean


LESSON_09: dict[str, Exercise] = {
    "9.1": Exercise(_interval, _moments, _INTERVAL),
    "9.2": Exercise(
        lambda: 0.5,
        lambda rng: (),
        {
            "guidance exaggerates a difference between two answers; here there is none to exaggerate": lambda: 1.0,
            "nothing drives the points away from the upper half either: the two answers are equal": lambda: 0.0,
            "a share lies between 0 and 1": lambda: 50.0,
            "that is the share of one of the three upper clouds among themselves; the network was told nothing": (
                lambda: 1 / 3
            ),
            "that is the share of a single cloud; three of the six lie in the upper half": lambda: 1 / 6,
            "the number w has no effect here: it multiplies a difference of 0": lambda: 8.0,
            "the class was guided with w = 8, but both answers are equal here: 8 times a difference of 0": (
                lambda: 8 / 9
            ),
            "nothing favours the upper half: both answers are equal, so guidance does not push at all": (lambda: 0.9),
            "the share is exact here: three of the six clouds lie in the upper half": (lambda: 0.6),
        },
    ),
    "9.3": Exercise(
        lambda: 2,
        lambda rng: (),
        {
            "at scale 2 s would be below 1 for most guesses, and dividing by it is not nothing: run it": lambda: 1,
            "dividing by an s below 1 makes numbers larger, so the contrast cannot shrink: run it": lambda: 3,
        },
    ),
    "9.4": Exercise(
        _shares,
        _crowd,
        {
            "these are numbers of points: divide by how many there are": lambda x, means: _shares(x, means, of=1),
            "divide by the number of points, not by the number of clouds": lambda x, means: _shares(
                x, means, of=len(means)
            ),
            "that is the farthest cloud: take the smallest distance": lambda x, means: _shares(
                x, means, torch.cdist(x, means).argmax(1)
            ),
            "a large scalar product is no small distance: it favours clouds far from the origin": (
                lambda x, means: _shares(x, means, (x @ means.T).argmax(1))
            ),
            "you compared the heights alone: a distance has two coordinates": lambda x, means: _shares(
                x, means, (x[:, 1:] - means[:, 1]).abs().argmin(1)
            ),
            "you compared the first coordinates alone: a distance has two": lambda x, means: _shares(
                x, means, (x[:, :1] - means[:, 0]).abs().argmin(1)
            ),
            "that adds the sizes of the two differences; the distance is the root of the sum of their squares": (
                lambda x, means: _shares(x, means, torch.cdist(x, means, p=1).argmin(1))
            ),
            "you asked which point is nearest to each cloud; ask which cloud is nearest to each point": (
                lambda x, means: torch.bincount(torch.cdist(means, x).argmin(1), minlength=len(x)) / len(x)
            ),
            "each point counts for one cloud alone, its nearest; your softmax shares it out among all": (
                lambda x, means: (-torch.cdist(x, means)).softmax(1).mean(0)
            ),
            "these are places of points: look for the nearest cloud of each point (argmin along dim 1), then count": (
                lambda x, means: torch.cdist(x, means).argmin(0).float()
            ),
            "you counted the points within a distance of 1; each point belongs to its nearest cloud, however far": (
                lambda x, means: (torch.cdist(x, means) < 1).float().mean(0)
            ),
        },
    ),
    "9.5": Exercise(
        _tilted,
        _normals,
        {
            "that is the standard deviation; the variance is wanted": lambda *a: (
                _tilted(*a)[0],
                _tilted(*a)[1] ** 0.5,
            ),
            "that is the precision, 1 / variance": lambda *a: (_tilted(*a)[0], 1 / _tilted(*a)[1]),
            "s and S are standard deviations: the exponents have their squares": lambda *a: _tilted(*a, square=False),
            "the exponents add precisions, 1 / variance, not variances": lambda m, s, S, w: (
                w * m,
                w * s**2 + (1 - w) * S**2,
            ),
            "the variance is right. The mean is not w m: complete the square, and divide by the precision": (
                lambda m, s, S, w: (w * m, _tilted(m, s, S, w)[1])
            ),
            "the variance is right, but the mean moves as well: complete the square": lambda m, s, S, w: (
                m,
                _tilted(m, s, S, w)[1],
            ),
            "the power of p(x) is 1 - w, which is negative above w = 1": lambda m, s, S, w: _tilted(
                m, s, S, w, wn=w - 1
            ),
            "the power of p(x) is 1 - w, not 1": lambda m, s, S, w: _tilted(m, s, S, w, wn=1.0),
            "that is the density of p(x | c)^w alone: p(x)^(1 - w) changes it as well": lambda m, s, S, w: (
                m,
                s**2 / w,
            ),
            "that is Ho and Salimans' convention; here the powers are w and 1 - w": lambda m, s, S, w: _tilted(
                m, s, S, w + 1
            ),
            "first the mean, then the variance": _swapped,
            "in the mean, m belongs to p(x | c) and is divided by its variance s^2": lambda m, s, S, w: (
                w * m * _tilted(m, s, S, w)[1],
                _tilted(m, s, S, w)[1],
            ),
            "s and S are swapped: s belongs to p(x | c), S to p(x)": (lambda m, s, S, w: _tilted(m, S, s, w)),
            "w m / s^2 is the sum of precision times mean; divide it by the sum of the precisions": (
                lambda m, s, S, w: (w * m / s**2, _tilted(m, s, S, w)[1])
            ),
            "the mean lacks w: the label's exponent counts w times": (
                lambda m, s, S, w: (_tilted(m, s, S, w)[0] / w, _tilted(m, s, S, w)[1])
            ),
        },
    ),
}
