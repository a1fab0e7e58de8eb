"""The exercises of lesson 10: what is right, and what each likely mistake would answer."""

import torch

from ..exercise import Exercise


def _whole(rng, low, high):
    return int(torch.randint(low, high + 1, (), generator=rng))


# 10.2: the Fréchet distance of two normal densities without correlations
def _diagonal(m, v, o, w, means=torch.square, product=torch.sqrt, cross=2.0):
    return (means(m - o) + v + w - cross * product(v * w)).sum()


def _two_normals(rng):
    d = _whole(rng, 3, 6)
    return tuple(f(torch.randn(d, generator=rng)) for f in (torch.clone, torch.exp, torch.clone, torch.exp))


_DIAGONAL = {
    "a root is missing: the last term is 2 times the product of the standard deviations, not of the variances": (
        lambda *a: _diagonal(*a, product=torch.clone)
    ),
    "variances are given, and their roots are compared": lambda m, v, o, w: ((m - o) ** 2 + (v - w) ** 2).sum(),
    "the difference of the means is squared as well": lambda *a: _diagonal(*a, means=torch.abs),
    "the term with both variances is missing: the best coupling makes x and y move together": lambda *a: _diagonal(
        *a, cross=0.0
    ),
    "the term with both variances counts twice": lambda *a: _diagonal(*a, cross=1.0),
    "the term with both variances is subtracted: the more x and y move together, the nearer they are": lambda *a: (
        _diagonal(*a, cross=-2.0)
    ),
    "the squared distance is wanted, without a root at the end": lambda *a: _diagonal(*a).sqrt(),
    "sum over the dimensions; you took their mean": lambda m, *a: _diagonal(m, *a) / len(m),
    "one number is wanted: sum over the dimensions": lambda m, v, o, w: (m - o) ** 2 + (v.sqrt() - w.sqrt()) ** 2,
    "the means' part is missing": lambda m, v, o, w: _diagonal(m, v, m, w),
    "only the means are compared: the variances are missing": lambda m, v, o, w: ((m - o) ** 2).sum(),
    "the difference of the standard deviations is squared as well": lambda m, v, o, w: (
        (m - o) ** 2 + (v.sqrt() - w.sqrt()).abs()
    ).sum(),
    "the squared length of the means' difference is wanted, not its length": lambda m, v, o, w: (
        (m - o).norm() + _diagonal(m, v, m, w)
    ),
    "take the roots dimension by dimension, not of the summed variances": lambda m, v, o, w: (
        ((m - o) ** 2).sum() + (v.sum().sqrt() - w.sum().sqrt()) ** 2
    ),
}


# 10.4: the kernel distance with k(x, y) = x . y
def _means(a, b, sign=-1.0, n=None, m=None, correction=1):
    n, m = n or len(a), m or len(b)
    spread = a.var(0, correction=correction).sum() / n, b.var(0, correction=correction).sum() / m
    return (a.mean(0) - b.mean(0)).square().sum() + sign * sum(spread)


def _clouds(rng):
    """Drawn until the answer is negative, or for about every other draw above 1."""
    n, m, d, apart = _whole(rng, 4, 6), _whole(rng, 8, 11), _whole(rng, 3, 5), _whole(rng, 0, 1)
    while True:
        a, b = torch.randn(n, d, generator=rng), 1.5 * torch.randn(m, d, generator=rng) + apart
        if float(_means(a, b)) > 1 if apart else float(_means(a, b)) < -0.1:
            return a, b


_MEANS = {
    "the formula is right, but do not cut it off at 0: an unbiased estimate of 0 has to be negative now and then": (
        lambda a, b: _means(a, b).clamp(min=0)
    ),
    "that is the plain squared difference of the means, which is too large on average by (10.8)": lambda a, b: _means(
        a, b, sign=0.0
    ),
    "the variances are subtracted: they are what makes the plain difference too large": lambda a, b: _means(
        a, b, sign=1.0
    ),
    "divide the sums of squares by n - 1 and m - 1 to get the variances: you divided by n and m": lambda a, b: _means(
        a, b, correction=0
    ),
    "each trace is divided by its number of pictures": lambda a, b: _means(a, b, n=1, m=1),
    "the two numbers of pictures are swapped": lambda a, b: _means(a, b, n=len(b), m=len(a)),
    "with the unbiased variance the trace is divided by n, not by n - 1 once more": lambda a, b: _means(
        a, b, n=len(a) - 1, m=len(b) - 1
    ),
    "the spread of b is missing": lambda a, b: _means(a, b, m=1e9),
    "the spread of a is missing": lambda a, b: _means(a, b, n=1e9),
    "the answer may be negative: leave its sign as it is": lambda a, b: _means(a, b).abs(),
    "the squared distance is wanted, without a root": lambda a, b: _means(a, b).clamp(min=0).sqrt(),
    "sum over the dimensions; you took their mean": lambda a, b: _means(a, b) / a.shape[1],
    "one number is wanted: sum over the dimensions": lambda a, b: (
        (a.mean(0) - b.mean(0)).square() - a.var(0) / len(a) - b.var(0) / len(b)
    ),
    "variances are subtracted, not standard deviations": lambda a, b: (
        (a.mean(0) - b.mean(0)).square().sum() - a.std(0).sum() / len(a) - b.std(0).sum() / len(b)
    ),
    "take the variance of each dimension, and sum them; you took one variance of all numbers": lambda a, b: (
        (a.mean(0) - b.mean(0)).square().sum() - a.var() / len(a) - b.var() / len(b)
    ),
    "each set has its own number of pictures: divide the two traces separately": lambda a, b: (
        (a.mean(0) - b.mean(0)).square().sum() - (a.var(0).sum() + b.var(0).sum()) / (len(a) + len(b))
    ),
    "that is the distance of the means; the squared one is wanted, and less their variances over n and m": (
        lambda a, b: (a.mean(0) - b.mean(0)).norm()
    ),
    "a picture compared with itself does not count: leave the diagonals out, and the cross term counts twice": (
        lambda a, b: (a @ a.T).mean() + (b @ b.T).mean() - (a @ b.T).mean()
    ),
}


# 10.5: coverage
def _held(rr, rf, k, radius=None):  # (n, m): is fake j in the ball around real i?
    return rf <= (rr.kthvalue(k + 1, dim=1).values if radius is None else radius)[:, None]


def _distances(rng):
    real = torch.randn(_whole(rng, 12, 16), 2, generator=rng)
    fake = 0.7 * torch.randn(_whole(rng, 18, 24), 2, generator=rng) + 0.4
    return torch.cdist(real, real), torch.cdist(real, fake), _whole(rng, 1, 3)


_COVERAGE = {
    "a picture's first neighbour is itself, at distance 0: take number k + 1": lambda rr, rf, k: (
        (_held(rr, rf, k - 1) if k > 1 else rf <= 0).any(1).double().mean()
    ),
    "that is precision, a share of the fakes; coverage is a share of the real pictures": lambda *a: (
        _held(*a).any(0).double().mean()
    ),
    "one fake in the ball is enough: any, not all": lambda *a: _held(*a).all(1).double().mean(),
    "that is the share of pairs; a ball counts once, however many fakes it holds": lambda *a: _held(*a).double().mean(),
    "that is a number of pictures: divide by how many there are": lambda *a: _held(*a).any(1).double().sum(),
    "that is the share of the balls that are empty": lambda *a: 1 - _held(*a).any(1).double().mean(),
    "each real picture has a radius of its own; you used the largest for all": lambda rr, rf, k: (
        _held(rr, rf, k, rr.kthvalue(k + 1, dim=1).values.max().expand(len(rr))).any(1).double().mean()
    ),
    "each real picture has a radius of its own; you used their mean for all": lambda rr, rf, k: (
        _held(rr, rf, k, rr.kthvalue(k + 1, dim=1).values.mean().expand(len(rr))).any(1).double().mean()
    ),
    "your balls are too wide, each holds a fake: go to the k-th *nearest* of the *real* pictures": lambda rr, rf, k: (
        _held(rr, rf, k, rf.kthvalue(k, dim=1).values).any(1).double().mean()
    ),
    "divide by the number of real pictures, not of fakes": lambda rr, rf, k: (
        _held(rr, rf, k).any(1).double().sum() / rf.shape[1]
    ),
    "you asked for the k-th nearest fake; one fake in the ball is enough": (
        lambda rr, rf, k: (rf.kthvalue(k, dim=1).values <= rr.kthvalue(k + 1, dim=1).values).double().mean()
    ),
}


# 10.6: copies of the picture with the widest ball
def _radii(real, k):
    return torch.cdist(real, real).kthvalue(k + 1, dim=1).values


def _off(real):
    return (real - real.mean(0)).norm(dim=1)


_PLACES = {
    "that is the picture with the narrowest ball": lambda real, k: _radii(real, k).argmin(),
    "a picture's first neighbour is itself: with kthvalue take number k + 1": lambda real, k: _radii(
        real, k - 1
    ).argmax(),
    "that is one neighbour too far: k + 1 already counts the picture itself": lambda real, k: _radii(
        real, k + 1
    ).argmax(),
    "that is the picture farthest from the mean, and its ball need not be the widest": lambda real, k: _off(
        real
    ).argmax(),
    "that is the picture nearest to the mean; balls are small where pictures are dense": lambda real, k: _off(
        real
    ).argmin(),
    "that picture has the farthest of all neighbours; the radius reaches to the k-th": lambda real, k: (
        torch.cdist(real, real).amax(1).argmax()
    ),
    "that is the first picture: look for the one with the largest radius": lambda real, k: torch.tensor(0),
}


def _crowd(rng):
    """Drawn until all these pictures are different ones."""
    while True:
        real, k = torch.randn(_whole(rng, 16, 20), 2, generator=rng), _whole(rng, 2, 4)
        places = [int(f(real, k)) for f in _PLACES.values()] + [int(_radii(real, k).argmax())]
        if len(set(places)) == len(places):
            return real, _whole(rng, 4, 6), k


def _copies(place):
    return lambda real, n, k: real[place(real, k)].expand(n, -1)


LESSON_10: dict[str, Exercise] = {
    "10.1": Exercise(
        lambda: 6,
        lambda rng: (),
        {
            "sets 1 and 2 are made of the very drawings that we compare with, and nothing can be nearer": lambda: 1,
            "set 1 and set 2 are drawings of the same kind as the real ones; can photograph-like flowers be nearer "
            "than those?": lambda: 2,
            "set 3 is blurred, but it still has the drawings' shapes and colours. The samples have neither: the "
            "network learned from photographs": lambda: 3,
            "you trust your eyes, which know real flowers. The ruler knows only the drawings, and even a set of tulips "
            "alone is nearer to those": lambda: 4,
            "almost: even five drawings, copied 30 times each, are nearer to the other drawings": lambda: 5,
            "there is a set without any flower in it, and that one is farther still": lambda: 7,
        },
    ),
    "10.2": Exercise(lambda *a: _diagonal(*a), _two_normals, _DIAGONAL),
    "10.3": Exercise(
        lambda: 4,
        lambda rng: (),
        {
            "distances between points double, but (10.4) is a squared distance": lambda: 2,
            "nothing in (10.4) is a ratio: the differences of the means grow, and so do the covariances": lambda: 1,
            "that is the square of the right factor: A and B are multiplied by 4, and the root of AB by 4 as well, not "
            "by 16": lambda: 16,
            "the features have grown, so the distance grows too": lambda: 0.25,
            "the features have grown, so the distance cannot be smaller": lambda: 0.5,
            "the means' part grows by the square of 2, and the traces of the covariances do the same": lambda: 3,
            "twice the features means twice the distance, and (10.4) is its square; the dimension plays no part": (
                lambda: 8
            ),
            "the number of features is still 1280: only their size has changed": lambda: 2560,
            "distances between points double, and (10.4) is a squared distance: no root of 2 comes in": (
                lambda: 2**0.5
            ),
        },
    ),
    "10.4": Exercise(lambda a, b: _means(a, b), _clouds, _MEANS),
    "10.5": Exercise(lambda *a: _held(*a).any(1).double().mean(), _distances, _COVERAGE),
    "10.6": Exercise(
        _copies(lambda real, k: _radii(real, k).argmax()),
        _crowd,
        {hint: _copies(place) for hint, place in _PLACES.items()}
        | {
            "these are several pictures; n copies of a single one suffice": lambda real, n, k: real[
                _radii(real, k).topk(n).indices
            ],
            "the mean of all pictures is not one of them; copy the picture with the widest ball": lambda real, n, k: (
                real.mean(0).expand(n, -1)
            ),
            "n copies are wanted: repeat the picture": lambda real, n, k: real[_radii(real, k).argmax()],
            "that is the place of the right picture; return n copies of its features": lambda real, n, k: _radii(
                real, k
            ).argmax(),
        },
    ),
    "10.7": Exercise(
        lambda: 4,
        lambda rng: (),
        {
            "almost: at 3 pixels it is 2.23, and the blurred one has 2.27": lambda: 3,
            "at 2 pixels the blurred one is still farther, as the figure of section 7 says": lambda: 2,
            "one pixel gives 0.79 only; the blurred one has 2.27": lambda: 1,
            "that is far enough, but a smaller shift is, too": lambda: 5,
            "that is far enough, but a shift by 4 is, too": lambda: 6,
            "compare (10.13), not pixels: in pixels already one pixel of shift is farther than the blur": lambda: 0,
            "look for the first shift that is farther, not the last": lambda: 7,
            "at 8 pixels it is 3.90, far beyond the blurred one: look for the first shift beyond 2.27": lambda: 8,
            "10 pixels are more than enough: look for the first shift beyond 2.27": lambda: 10,
            "shift by whole pixels": lambda: 3.5,
            "the number of pixels is wanted, not the distance": lambda: 2.69,
            "that is far enough, but a smaller shift is, too: look for the first one": (lambda: 9),
        },
    ),
}
