"""The exercises of lesson 08: what is right, and what each likely mistake would answer."""

import math

import torch

from ..exercise import Exercise


def _between(rng, low, high):
    return low + (high - low) * torch.rand(1, generator=rng).item()


def _step_inputs(rng):
    shape = [int(n) for n in torch.randint(2, 6, (4,), generator=rng)]
    x_t, eps, z = 1.5 * torch.randn(3, *shape, generator=rng)
    a_t, a_s = _between(rng, 0.35, 0.55), _between(rng, 0.7, 0.85)
    return x_t, eps, a_t, a_s, _between(rng, 0.25, 0.4) * (1 - a_s**2) ** 0.5, z


def _step(
    x_t, eps, a_t, a_s, sigma, z, clip=True, again=True, kept="root", drawn=1, noise_of=lambda a: (1 - a**2) ** 0.5
):
    b_t, b_s = noise_of(a_t), noise_of(a_s)
    x0 = (x_t - b_t * eps) / a_t
    x0 = x0.clamp(-1, 1) if clip else x0
    eps = (x_t - a_t * x0) / b_t if again else eps
    keep = {
        "root": (b_s**2 - sigma**2) ** 0.5,
        "sigma": sigma,
        "all": b_s,
        "minus": b_s - sigma,
        "square": b_s**2 - sigma**2,
        "once": max(b_s**2 - sigma, 0) ** 0.5,
        "old": b_t,
        "old root": (b_t**2 - sigma**2) ** 0.5,
    }[kept]
    return a_s * x0 + keep * eps + sigma**drawn * z


def _step_eta(x_t, eps, a_t, a_s, sigma, z):
    beta_tilde = (1 - a_t**2 / a_s**2) * (1 - a_s**2) / (1 - a_t**2)
    return _step(x_t, eps, a_t, a_s, sigma * beta_tilde**0.5, z)


def _step_undivided(x_t, eps, a_t, a_s, sigma, z):
    b_t, b_s = (1 - a_t**2) ** 0.5, (1 - a_s**2) ** 0.5
    x0 = (x_t - b_t * eps).clamp(-1, 1)
    return a_s * x0 + (b_s**2 - sigma**2) ** 0.5 * (x_t - a_t * x0) / b_t + sigma * z


def _step_positive(x_t, eps, a_t, a_s, sigma, z):
    b_t, b_s = (1 - a_t**2) ** 0.5, (1 - a_s**2) ** 0.5
    x0 = ((x_t - b_t * eps) / a_t).clamp(0, 1)
    return a_s * x0 + (b_s**2 - sigma**2) ** 0.5 * (x_t - a_t * x0) / b_t + sigma * z


def _limit(a_t, a_s):
    return (1 - a_t**2) ** 0.5 / (1 - a_t**2 / a_s**2) ** 0.5


def _beta_tilde(a_t, a_s):
    return (1 - a_t**2 / a_s**2) * (1 - a_s**2) / (1 - a_t**2)


def _power_law(rng):
    ns = torch.tensor([8.0, 16, 32, 64, 128], dtype=torch.float64) * int(torch.randint(1, 4, (1,), generator=rng))
    scatter = (0.2 * torch.randn(5, generator=rng, dtype=torch.float64)).exp()  # no two points lie on the line
    return ns, _between(rng, 0.5, 3) * ns ** -_between(rng, 0.7, 2.6) * scatter


def _slope(x, y):
    x, y = torch.as_tensor(x).double(), torch.as_tensor(y).double()
    return ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()


LESSON_08: dict[str, Exercise] = {
    "8.1": Exercise(
        _step,
        _step_inputs,
        {
            "you clipped x0 but kept the old noise; derive eps again, so that both together still make x_t": (
                lambda *a: _step(*a, again=False)
            ),
            "eps is multiplied by sigma, and should be by sqrt(b_s^2 - sigma^2)": lambda *a: _step(*a, kept="sigma"),
            "eps is multiplied by b_s, so with z there is too much noise: take sigma^2 out of b_s^2 first": (
                lambda *a: _step(*a, kept="all")
            ),
            "standard deviations do not subtract, variances do: take the root of b_s^2 - sigma^2, not b_s - sigma": (
                lambda *a: _step(*a, kept="minus")
            ),
            "b_s^2 - sigma^2 is a variance; eps should be multiplied by its root": lambda *a: _step(*a, kept="square"),
            "sigma is not squared under the root": lambda *a: _step(*a, kept="once"),
            "eps has the scale of the noise of t; the noise of x_s has another size, b_s": (
                lambda *a: _step(*a, kept="old")
            ),
            "under the root stands the noise of t, b_t; it should be b_s": lambda *a: _step(*a, kept="old root"),
            "sigma is a standard deviation: multiply z by it, not by its square": lambda *a: _step(*a, drawn=2),
            "the new noise z is missing": lambda *a: _step(*a, drawn=1) - a[4] * a[5],
            "x0 is not clipped yet": lambda *a: _step(*a, clip=False),
            "you clipped x_s, the result; clip the guess x0, because only clean pictures stay in [-1, 1]": (
                lambda *a: _step(*a, clip=False).clamp(-1, 1)
            ),
            "you clipped x_t; noisy pictures may leave [-1, 1], it is the guess x0 that should be clipped": (
                lambda x_t, *a: _step(x_t.clamp(-1, 1), *a, clip=False)
            ),
            "you clipped eps; noise may leave [-1, 1], it is the guess x0 that should be clipped": (
                lambda x_t, eps, *a: _step(x_t, eps.clamp(-1, 1), *a, clip=False)
            ),
            "x0 is clipped to [0, 1]; pictures lie in [-1, 1] here": _step_positive,
            "sigma is the new noise itself, no eta: it is not to be multiplied by DDPM's noise": _step_eta,
            "a_t and a_s are roots already: b^2 = 1 - a^2, not 1 - a": (
                lambda *a: _step(*a, noise_of=lambda a: (1 - a) ** 0.5)
            ),
            "b is the root of 1 - a^2; your root is missing": lambda *a: _step(*a, noise_of=lambda a: 1 - a**2),
            "the guess x0 is (x_t - b_t eps) divided by a_t; your division is missing": _step_undivided,
            "a_t and a_s are roots already; you took the root of them once more": (
                lambda x, e, a, s, sigma, z: _step(x, e, a**0.5, s**0.5, sigma, z)
            ),
            "a_t and a_s have changed places: the step begins at t": (
                lambda x, e, a, s, sigma, z: _step(x, e, s, a, sigma, z)
            ),
            "b is the root of 1 - a^2; both the square and the root are missing": (
                lambda *a: _step(*a, noise_of=lambda a: 1 - a)
            ),
            "the noise in x_t is what is left after a_t * x0 is taken off; you took off x0 itself": (
                lambda x, e, a, s, sigma, z: (
                    lambda x0: s * x0 + (1 - s**2 - sigma**2) ** 0.5 * (x - x0) / (1 - a**2) ** 0.5 + sigma * z
                )(((x - (1 - a**2) ** 0.5 * e) / a).clamp(-1, 1))
            ),
        },
    ),
    "8.2": Exercise(
        lambda: 1.0,
        lambda rng: (),
        {
            "0 would cut the noise into halves, and the two heaps of data are not of equal size: the order is kept": (
                lambda: 0.0
            ),
            "that is the share of the data at -1, and the question is where: which x_T has this share below it?": (
                lambda: 0.841
            ),
            "that is a share, rounded; the question is where: which x_T has 84.1 % of all noise below it?": lambda: 0.8,
            "that is the share of the data at +1, and the question is where: which x_T has this share above it?": (
                lambda: 0.159
            ),
            "that is a share, rounded; the question is where: which x_T has 15.9 % of all noise above it?": lambda: 0.2,
            "the sign is the other way round: the large heap is at -1, so most of the noise goes there": lambda: -1.0,
            "that is the mean of the data; the path depends on the rank of x_T among all noise": lambda: -0.7,
            "that is the mean of the data without its sign; the path depends on the rank of x_T among all noise": (
                lambda: 0.7
            ),
            "that is where the two heaps meet if they are mixed; the question is where the noise is cut": (lambda: 0.5),
            "about 92 % of all noise lies below that one; it should be 84.1 %": (lambda: 1.4),
            "about 98 % of all noise lies below that one; it should be 84.1 %": (lambda: 2.0),
        },
    ),
    "8.3": Exercise(
        _limit,
        lambda rng: (_between(rng, 0.3, 0.6), _between(rng, 0.7, 0.95)),
        {
            "1 is DDPM and not yet the limit: by (8.5) something is left under the root there": lambda a_t, a_s: 1.0,
            "b_s is the largest sigma; eta is sigma divided by the root of beta-tilde": (
                lambda a_t, a_s: (1 - a_s**2) ** 0.5
            ),
            "sigma is eta times the *root* of beta-tilde; you divided by beta-tilde itself": (
                lambda a_t, a_s: (1 - a_s**2) ** 0.5 / _beta_tilde(a_t, a_s)
            ),
            "that is the square of eta; take the root": lambda a_t, a_s: _limit(a_t, a_s) ** 2,
            "your fraction is upside down": lambda a_t, a_s: 1 / _limit(a_t, a_s),
            "that is the root of beta-tilde, the sigma of eta = 1; which multiple of it reaches b_s?": (
                lambda a_t, a_s: _beta_tilde(a_t, a_s) ** 0.5
            ),
            "a_t and a_s are roots already: they stand squared in (8.4)": lambda a_t, a_s: _limit(a_t**0.5, a_s**0.5),
            "eta multiplies the root of beta-tilde as a whole, which has a second factor, 1 - a_t^2 / a_s^2": (
                lambda a_t, a_s: ((1 - a_t**2) / (1 - a_s**2)) ** 0.5
            ),
            "beta_t stands below, and the root of 1 - a_t^2 belongs above": (
                lambda a_t, a_s: 1 / (1 - a_t**2 / a_s**2) ** 0.5
            ),
        },
    ),
    "8.4": Exercise(
        lambda ns, errors: -_slope(ns.log(), errors.log()),
        _power_law,
        {
            "the sign is the other way round: the error falls with n, and the order is a positive number": (
                lambda ns, errors: _slope(ns.log(), errors.log())
            ),
            "that is the slope of the errors themselves; a power of n is a line only between logarithms": (
                lambda ns, errors: -_slope(ns, errors)
            ),
            "the errors are in logarithms and n is not; both are needed": lambda ns, errors: -_slope(ns, errors.log()),
            "n is in logarithms and the errors are not; both are needed": lambda ns, errors: -_slope(ns.log(), errors),
            "that is by how much the error falls in all; divide its logarithm by that of the ratio of the n": (
                lambda ns, errors: (errors[0] / errors[-1]).log()
            ),
            "that is the ratio of two errors; the order is the exponent in it": lambda ns, errors: (
                errors[0] / errors[1]
            ),
            "your fraction is upside down: the logarithms of the errors go on top": (
                lambda ns, errors: -1 / _slope(ns.log(), errors.log())
            ),
            "the axes are exchanged: how the logarithm of the error falls with that of n is asked for": (
                lambda ns, errors: -_slope(errors.log(), ns.log())
            ),
            "you used the first and the last point; the line should lie as near as possible to all of them": (
                lambda ns, errors: (errors[0] / errors[-1]).log() / (ns[-1] / ns[0]).log()
            ),
            "your line goes through the origin; let it start where it likes (subtract both means)": (
                lambda ns, errors: -(ns.log() * errors.log()).sum() / (ns.log() ** 2).sum()
            ),
            "you used the first two points; the line should lie as near as possible to all of them": (
                lambda ns, errors: (errors[0] / errors[1]).log() / (ns[1] / ns[0]).log()
            ),
            "you used the last two points; the line should lie as near as possible to all of them": (
                lambda ns, errors: (errors[-2] / errors[-1]).log() / (ns[-1] / ns[-2]).log()
            ),
            "that is the correlation; the slope also holds how steep the line is": (
                lambda ns, errors: _slope(ns.log(), errors.log()).abs() * ns.log().std() / errors.log().std()
            ),
        },
    ),
    "8.5": Exercise(
        lambda w: 1 / math.sqrt((1 - w) ** 2 + w**2),
        lambda rng: (_between(rng, 0.05, 0.4),),
        {
            "that scales the variance; numbers are scaled by the root of it": lambda w: 1 / ((1 - w) ** 2 + w**2),
            "that is the standard deviation of the mixture; divide by it": lambda w: math.sqrt((1 - w) ** 2 + w**2),
            "that is the variance of the mixture; which factor makes it 1?": lambda w: (1 - w) ** 2 + w**2,
            "that is right half-way only, at w = 1/2": lambda w: math.sqrt(2),
            "the weights add up to 1, but it is their squares that add up to the variance": lambda w: 1.0,
            "the part of y adds its own variance, w^2; you have only that of x": lambda w: 1 / (1 - w),
            "the weights are (1 - w) and w: square each of them": lambda w: 1 / math.sqrt(1 - w + w**2),
            "the weights are 1 - w and w, not their roots; and it is their squares that add up": (
                lambda w: 1 / (math.sqrt(1 - w) + math.sqrt(w))
            ),
            "the variances add, (1 - w)^2 + w^2; you multiplied the weights": (lambda w: 1 / ((1 - w) * w)),
        },
    ),
}
