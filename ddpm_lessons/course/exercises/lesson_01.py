"""The exercises of lesson 01: drawing, averaging, Bayes, logarithms and KL, with what the likely mistakes answer."""

import torch

from ..exercise import Exercise


def _uniform(rng, low, high, *shape):
    return low + (high - low) * torch.rand(shape, generator=rng)


def _pair(rng):
    n = int(torch.randint(3, 9, (), generator=rng))
    return torch.randn(n, generator=rng), torch.randn(n, generator=rng), _uniform(rng, 0.3, 0.9)


def _seen(rng):
    n = int(torch.randint(3, 9, (), generator=rng))
    mean, var, a, w = (_uniform(rng, low, high) for low, high in ((-2, 2), (0.3, 0.8), (1.3, 2.2), (0.2, 0.7)))
    return _uniform(rng, -1, 4, n), mean, var, a, w


def _fused(y, mean, var, a, w, prior=1.0, root=1.0, power=2):
    v = 1 / (prior / var + len(y) * a**power / w**root)
    return v * (prior * mean / var + a ** (power - 1) * y.sum() / w**root), v


def _fused_as_one(y, mean, var, a, w):
    return _fused(y.mean()[None], mean, var, a, w)


def _centres(rng):
    K, D = (int(torch.randint(low, high, (), generator=rng)) for low, high in ((3, 7), (3000, 4000)))
    middle = _uniform(rng, -1, 1, D).double()
    centres = middle + 0.035 * torch.randn(K, D, generator=rng).double()
    var = _uniform(rng, 1.3, 1.9).double()
    return middle + var.sqrt() * torch.randn(D, generator=rng).double(), centres, var


def _log(y, centres, var):
    return -((y - centres) ** 2).sum(1) / (2 * var)


def _densities(y, centres, var):
    return _log(y, centres, var).exp() / (2 * torch.pi * var) ** (len(y) / 2)


def _naive(y, centres, var):
    p = _densities(y, centres, var)
    return p / p.sum()


def _shots(rng):
    height, width = (int(torch.randint(60, 90, (), generator=rng)) for _ in range(2))
    clean = _uniform(rng, -1, 1, 3, height, width).double()
    noise = torch.randn(2, 3, height, width, generator=rng).double()
    noise[1] -= (noise[1] - noise[0]).mean()  # so that it makes no difference whether the mean is taken off
    one, two = clean + _uniform(rng, 0.15, 0.6) * noise
    return one, two


def _humps(rng):
    x = torch.linspace(-9, 9, int(torch.randint(1500, 2500, (), generator=rng))).double()
    share, *rest = (
        _uniform(rng, low, high) for low, high in ((0.2, 0.4), (-3, -1.5), (1, 2.5), (0.4, 0.9), (1.1, 1.4))
    )
    one, two = (torch.exp(-((x - m) ** 2) / (2 * s**2)) / s for m, s in zip(rest[:2], rest[2:]))
    q = share * one + (1 - share) * two
    return x, q / torch.trapezoid(q, x)


def _moments(x, q, around=None):
    mean = torch.trapezoid(x * q, x)
    return mean, torch.trapezoid((x - (mean if around is None else around)) ** 2 * q, x)


LESSON_01: dict[str, Exercise] = {
    "1.1": Exercise(
        lambda x, eps, rho: rho * x + (1 - rho**2) ** 0.5 * eps,
        _pair,
        {
            "your y has variance rho^2 + (1 - rho)^2. The variances should add up to 1, not the factors.": (
                lambda x, e, r: r * x + (1 - r) * e
            ),
            "1 - rho^2 is the variance that is left for the noise. What factor gives it that variance?": (
                lambda x, e, r: r * x + (1 - r**2) * e
            ),
            "your y has variance 1 + rho^2, so it is not standard normal: the noise has to shrink.": (
                lambda x, e, r: r * x + e
            ),
            "your y has covariance sqrt(rho) with x. The factor of x is the covariance itself.": (
                lambda x, e, r: r**0.5 * x + (1 - r) ** 0.5 * e
            ),
            "the two factors are swapped: your y has covariance rho with eps, not with x.": (
                lambda x, e, r: r * e + (1 - r**2) ** 0.5 * x
            ),
            "your y has covariance 1 with x and a variance above 1: x needs a factor as well.": (
                lambda x, e, r: x + (1 - r**2) ** 0.5 * e
            ),
            "rho * x alone has variance rho^2. Fill it up to 1 with noise.": lambda x, e, r: r * x,
            "the second factor should be the root of 1 - rho^2, not of 1 - rho.": (
                lambda x, e, r: r * x + (1 - r) ** 0.5 * e
            ),
            "your y has variance 2. Scaling both would help, but then the covariance is not rho either.": (
                lambda x, e, r: x + e
            ),
            "your y has the right distribution too. Let the noise enter with a plus, so that the check can compare.": (
                lambda x, e, r: r * x - (1 - r**2) ** 0.5 * e
            ),
            "rho * x is missing: your y does not know x at all.": (lambda x, e, r: (1 - r**2) ** 0.5 * e),
        },
    ),
    "1.2": Exercise(
        lambda: 0.1,
        lambda rng: (),
        {
            "that is the noise of a single shot. The noises are independent, so they partly cancel.": lambda: 0.4,
            "you divided the standard deviation by 16. The sum's is not 16 times as large: its variance is.": (
                lambda: 0.025
            ),
            "that is the variance of the average. Take its root.": lambda: 0.01,
            "that is the standard deviation of the sum. The average is the sum divided by 16.": lambda: 1.6,
            "that would be the standard deviation of the sum if standard deviations added. Variances do.": lambda: 6.4,
            "that is the variance of the sum. Divide by 16^2 for the average, then take the root.": lambda: 2.56,
            "that is the variance of a single shot. Averaging lowers it, and then take the root.": lambda: 0.16,
        },
    ),
    "1.3": Exercise(
        _fused,
        _seen,
        {
            "you treat the n values as one, but their average has less noise than each: its variance is w / n.": (
                _fused_as_one
            ),
            "you count the prior n times. Before looking you knew it once; only the observations are many.": (
                lambda y, *rest: _fused(y, *rest, prior=float(len(y)))
            ),
            "y holds a * x, not x. Where are the factors a?": lambda y, m, v, a, w: _fused(
                y, m, v, torch.tensor(1.0), w
            ),
            "in the precision a counts as a^2, because a factor a changes a variance by a^2.": (
                lambda y, m, v, a, w: (
                    (m / v + a * y.sum() / w) / (1 / v + len(y) * a / w),
                    1 / (1 / v + len(y) * a / w),
                )
            ),
            "w is a variance already: do not square it.": lambda *args: _fused(*args, root=2.0),
            "w is the variance of the noise: you take its root.": lambda *args: _fused(*args, root=0.5),
            "the second value should be the variance, and yours is the standard deviation.": (
                lambda *args: (_fused(*args)[0], _fused(*args)[1] ** 0.5)
            ),
            "the second value should be the variance, and yours is the precision, 1 over it.": (
                lambda *args: (_fused(*args)[0], 1 / _fused(*args)[1])
            ),
            "the mean is not an average yet: multiply by the posterior's variance.": (
                lambda *args: (_fused(*args)[0] / _fused(*args)[1], _fused(*args)[1])
            ),
            "you trust the observations fully. The prior's precision and mean belong in the sums as well.": (
                lambda *args: _fused(*args, prior=0.0)
            ),
            "each of the n values says something, so the precision grows n times; you added a^2 / w once.": (
                lambda y, m, v, a, w: (
                    (m / v + a * y.sum() / w) / (1 / v + a**2 / w),
                    1 / (1 / v + a**2 / w),
                )
            ),
            "in the mean y is weighted by a / w, and you forgot the a.": lambda y, m, v, a, w: (
                (m / v + y.sum() / w) / (1 / v + len(y) * a**2 / w),
                1 / (1 / v + len(y) * a**2 / w),
            ),
            "you use the first observation alone, and each of the n values says something.": (
                lambda y, m, v, a, w: _fused(y[:1], m, v, a, w)
            ),
        },
    ),
    "1.4": Exercise(
        lambda y, c, var: _log(y, c, var).softmax(0),
        _centres,
        {
            "that is 0 / 0: each density is too small for a float. Stay with logarithms until the end.": _naive,
            "a small number below hides the 0 / 0 but all weights are 0 now; they should add up to 1.": (
                lambda y, c, var: 0 * _log(y, c, var)
            ),
            "the factor 1/2 in the exponent is missing.": lambda y, c, var: (2 * _log(y, c, var)).softmax(0),
            "the exponent holds the squared distance, and yours is the distance.": (
                lambda y, c, var: (-(y - c).norm(dim=1) / (2 * var)).softmax(0)
            ),
            "the exponent holds the sum over all numbers, and yours is their mean.": (
                lambda y, c, var: (_log(y, c, var) / len(y)).softmax(0)
            ),
            "the sign: yours prefers the centre that is furthest away.": lambda y, c, var: (-_log(y, c, var)).softmax(
                0
            ),
            "those are the logarithms of the probabilities: exp is missing at the end.": (
                lambda y, c, var: _log(y, c, var).log_softmax(0)
            ),
            "var is a variance already: do not square it.": lambda y, c, var: _log(y, c, var**2).softmax(0),
            "var is the variance: you take its root.": lambda y, c, var: _log(y, c, var**0.5).softmax(0),
            "where is var? With more noise the weights should come closer together.": (
                lambda y, c, var: _log(y, c, 1.0).softmax(0)
            ),
            "that marks the likeliest centre. Return how likely each of them is.": (
                lambda y, c, var: torch.nn.functional.one_hot(_log(y, c, var).argmax(), len(c))
            ),
            "the shifted densities are fine now, but they should add up to 1: divide by their sum.": (
                lambda y, c, var: (_log(y, c, var) - _log(y, c, var).max()).exp()
            ),
            "those are log densities: subtract the largest, then exp, then divide by the sum.": (
                lambda y, c, var: _log(y, c, var)
            ),
            "those are whole log densities: subtract the largest, then exp, and divide by the sum.": (
                lambda y, c, var: _log(y, c, var) - len(y) / 2 * (2 * torch.pi * var).log()
            ),
        },
    ),
    "1.5": Exercise(
        lambda one, two: ((one - two) ** 2).mean().div(2).sqrt(),
        _shots,
        {
            "that is the noise of the difference. Both shots are noisy, and their variances add in it.": (
                lambda one, two: (one - two).std()
            ),
            "halve the variance of the difference, not its standard deviation.": lambda one, two: (one - two).std() / 2,
            "that is the variance of the noise. Take its root.": lambda one, two: (one - two).var() / 2,
            "that is the variance of the difference: halve it, then take the root.": lambda one, two: (one - two).var(),
            "that is the spread of a shot, which holds the scene's contrast too. What has noise and no scene?": (
                lambda one, two: one.std()
            ),
            "that is the spread of the other shot, the scene's contrast included. What has noise and no scene?": (
                lambda one, two: two.std()
            ),
            "the average of the shots still holds the scene. What has noise and no scene?": (
                lambda one, two: ((one + two) / 2).std()
            ),
            "that is the mean distance of the shots. Squares add up by the rule, distances do not.": (
                lambda one, two: (one - two).abs().mean()
            ),
            "you average absolute differences. A standard deviation is the root of an average of squares.": (
                lambda one, two: (one - two).abs().mean() / 2**0.5
            ),
            "positive and negative differences cancel: square them before you average.": (
                lambda one, two: (one - two).mean()
            ),
        },
    ),
    "1.6": Exercise(
        _moments,
        _humps,
        {
            "the second value should be the variance, and yours is its root.": (
                lambda x, q: (_moments(x, q)[0], _moments(x, q)[1] ** 0.5)
            ),
            "E[x^2] is not the variance yet: subtract the squared mean.": (
                lambda x, q: (_moments(x, q)[0], _moments(x, q, 0.0)[1])
            ),
            "that puts p on q's highest point. It is the mean that minimises KL(q || p).": (
                lambda x, q: (x[q.argmax()], _moments(x, q, x[q.argmax()])[1])
            ),
            "the mean is that of q, but q's highest point is not; measure the variance around the mean.": (
                lambda x, q: (_moments(x, q)[0], _moments(x, q, x[q.argmax()])[1])
            ),
            "the sum over the grid wants the width dx between its points (torch.trapezoid does that).": (
                lambda x, q: ((x * q).sum(), ((x - (x * q).sum()) ** 2 * q).sum())
            ),
            "every point of the grid counts alike in your averages. Weigh it by q.": lambda x, q: (x.mean(), x.var()),
            "the two values come in the other order: the mean first.": lambda x, q: _moments(x, q)[::-1],
            "you fit the density's values, not the draws: average x with q as its weight.": (
                lambda x, q: (q.mean(), q.var())
            ),
            "the variance is right; the first value should be the mean, not the place of the highest point.": (
                lambda x, q: (x[q.argmax()], _moments(x, q)[1])
            ),
        },
    ),
}
