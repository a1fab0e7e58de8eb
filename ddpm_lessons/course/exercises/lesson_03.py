"""The exercises of lesson 03, the reverse process."""

import torch

from ..exercise import Exercise


def _uniform(rng, *shape, low=0.0, high=1.0):
    return low + (high - low) * torch.rand(shape, generator=rng)


def _alpha_bars(rng, *shape):
    """alpha_bar_t and alpha_bar_{t-1}, which is larger."""
    t = _uniform(rng, *shape, low=0.2, high=0.5)
    return t, t + (1 - t) * _uniform(rng, *shape, low=0.2, high=0.7)


def _mean(x0, x, t, s):
    return (s**0.5 * (1 - t / s) * x0 + (t / s) ** 0.5 * (1 - s) * x) / (1 - t)


def _var(t, s):
    return (1 - t / s) * (1 - s) / (1 - t)


def _guess(x, e, t):
    return (x - (1 - t) ** 0.5 * e) / t**0.5


def _back(x, e, t, s, z, clip=1.0, guess=_guess, mean=_mean, scale=lambda t, s: _var(t, s) ** 0.5):
    return mean(guess(x, e, t).clamp(-clip, clip), x, t, s) + scale(t, s) * z


def _back_inputs(rng):
    t, s = _alpha_bars(rng, 3, 1, 1, 1)
    s[2] = 1.0  # the third picture takes its last step
    x, e, z = torch.randn(3, 3, 2, 5, 4, generator=rng)
    return x, e, t, s, z


def _wrong_mean(mean):
    return lambda *given: _back(*given, mean=mean)


def _variance(s, t, v):
    """Of x_(t-1), a jump from the ideal guess: x_t has the variance v."""
    return s * t * v + 1 - s


def _width(a, step=_variance, skip=0):
    v = torch.ones(())
    for s, t in reversed([*zip(a[:-1], a[1:])][skip:]):
        v = step(s, t, v)
    return v**0.5


def _alpha_bar_inputs(rng):
    T = int(torch.randint(4, 8, (), generator=rng))
    return (torch.cat([torch.ones(1), (1 - _uniform(rng, T, low=0.1, high=0.5)).cumprod(0)]),)


def _nearest(x, points, axis=1):
    return torch.cdist(x, points).min(axis).values


def _points_inputs(rng):
    train, fresh = torch.randn(2, 30, 2, generator=rng)
    n = int(torch.randint(40, 60, (), generator=rng))
    return train[torch.randint(20, (n,), generator=rng)] + 0.3 * torch.randn(n, 2, generator=rng), train, fresh


def _step_variance(x, m, w, t, s, v=None, root=0.5, square=2, first=_var, spread=1.0):
    v = 1 - t if v is None else v
    p = (w.log() - (x[:, None] - t**root * m) ** 2 / (2 * v)).softmax(1)
    var = (p * m**2).sum(1) - spread * (p * m).sum(1) ** 2
    return first(t, s) + (s**0.5 * (1 - t / s) / (1 - t)) ** square * var


def _variance_inputs(rng):
    k = int(torch.randint(3, 6, (), generator=rng))
    w = _uniform(rng, k, low=0.2)
    t, s = _alpha_bars(rng)
    return torch.randn(7, generator=rng), 1.5 * torch.randn(k, generator=rng), w / w.sum(), t, s


LESSON_03 = {
    "3.1": Exercise(
        _back,
        _back_inputs,
        {
            "nothing is clipped in your answer: clip x0_hat, then use it in (3.6); in (3.17) it has been cancelled": (
                lambda *a: _back(*a, clip=1e9)
            ),
            "you clip the result; clip the guess x0_hat instead, since x_(t-1) may well leave [-1, 1]": lambda *a: (
                _back(*a, clip=1e9).clamp(-1, 1)
            ),
            "you clip the guess and the result as well; a noisy x_(t-1) may leave [-1, 1]": lambda *a: _back(*a).clamp(
                -1, 1
            ),
            "after clipping, the old eps_hat no longer belongs to x0_hat; (3.6) needs only x0_hat and x_t": (
                lambda x, e, t, s, z: (
                    s**0.5 * _guess(x, e, t).clamp(-1, 1)
                    + (1 - s - _var(t, s)).clamp(min=0) ** 0.5 * e
                    + _var(t, s) ** 0.5 * z
                )
            ),
            "z is multiplied by the variance; multiply it by the standard deviation, its root": lambda *a: _back(
                *a, scale=_var
            ),
            "your noise has variance beta_t, and so the last step adds noise as well; beta_tilde is asked for": (
                lambda *a: _back(*a, scale=lambda t, s: (1 - t / s) ** 0.5)
            ),
            "your noise has variance beta_t^2: neither beta_tilde nor its root": lambda *a: _back(
                *a, scale=lambda t, s: 1 - t / s
            ),
            "that is the mean alone; the noise z is missing": lambda *a: _back(*a, scale=lambda t, s: 0.0),
            "in x0_hat, the root of alpha_bar_t below the fraction is missing": lambda *a: _back(
                *a, guess=lambda x, e, t: (x - (1 - t) ** 0.5 * e) / t
            ),
            "in x0_hat, the root of 1 - alpha_bar_t before eps_hat is missing": lambda *a: _back(
                *a, guess=lambda x, e, t: (x - (1 - t) * e) / t**0.5
            ),
            "in x0_hat, the noise has to be taken away, not added": lambda *a: _back(
                *a, guess=lambda x, e, t: (x + (1 - t) ** 0.5 * e) / t**0.5
            ),
            "in x0_hat, divide by sqrt(alpha_bar_t) as well": lambda *a: _back(
                *a, guess=lambda x, e, t: x - (1 - t) ** 0.5 * e
            ),
            "x_t is at step t, so x0_hat needs alpha_bar_t, not alpha_bar_(t-1)": lambda x, e, t, s, z: _back(
                x, e, t, s, z, guess=lambda x, e, _: _guess(x, e, s)
            ),
            "alpha_t is the ratio alpha_bar_t / alpha_bar_(t-1); you took alpha_bar_t itself for it": _wrong_mean(
                lambda x0, x, t, s: (s**0.5 * (1 - t) * x0 + t**0.5 * (1 - s) * x) / (1 - t)
            ),
            "before x0_hat stands the root of alpha_bar_(t-1), not that of alpha_bar_t": _wrong_mean(
                lambda x0, x, t, s: _mean((t / s) ** 0.5 * x0, x, t, s)
            ),
            "before x0_hat, alpha_bar_(t-1) needs a square root": _wrong_mean(
                lambda x0, x, t, s: _mean(s**0.5 * x0, x, t, s)
            ),
            "before x_t, alpha_t needs a square root": _wrong_mean(
                lambda x0, x, t, s: _mean(x0, (t / s) ** 0.5 * x, t, s)
            ),
            "in the weight of x_t stands 1 - alpha_bar_(t-1), not 1 - alpha_bar_t": _wrong_mean(
                lambda x0, x, t, s: (s**0.5 * (1 - t / s) * x0 + (t / s) ** 0.5 * (1 - t) * x) / (1 - t)
            ),
            "brackets: both terms of the mean are divided by 1 - alpha_bar_t": _wrong_mean(
                lambda x0, x, t, s: s**0.5 * (1 - t / s) * x0 + (t / s) ** 0.5 * (1 - s) * x / (1 - t)
            ),
            "neither weight of the mean is divided by 1 - alpha_bar_t": _wrong_mean(
                lambda x0, x, t, s: (1 - t) * _mean(x0, x, t, s)
            ),
            "the weights of x0_hat and x_t have changed places": _wrong_mean(lambda x0, x, t, s: _mean(x, x0, t, s)),
            "before x_t stands the root of alpha_t = alpha_bar_t / alpha_bar_(t-1); you took that of alpha_bar_t": (
                _wrong_mean(lambda x0, x, t, s: (s**0.5 * (1 - t / s) * x0 + t**0.5 * (1 - s) * x) / (1 - t))
            ),
            "pictures lie in [-1, 1] here, and you clipped the guess to [0, 1]": (
                lambda x, e, t, s, z: _back(x, e, t, s, z, guess=lambda *a: _guess(*a).clamp(0, 1))
            ),
            "that makes x_(t-1) from x0_hat by the forward process and forgets x_t; (3.6) keeps a part of it": (
                lambda x, e, t, s, z: s**0.5 * _guess(x, e, t).clamp(-1, 1) + (1 - s) ** 0.5 * z
            ),
            "in x0_hat, both square roots are missing": (
                lambda *a: _back(*a, guess=lambda x, e, t: (x - (1 - t) * e) / t)
            ),
        },
    ),
    "3.2": Exercise(
        lambda: 2,
        lambda rng: (),
        {
            "the guess at this moment is 0, but the next step adds noise, and a point that has left the middle gets "
            "a guess nearer to one of the two": lambda: 1,
            "at t = 0 only -1 and 1 are possible; a place between them is a place where no data are": lambda: 3,
            "nothing favours 1 over -1: at x_t = 0 both are equally likely, and the noise decides": lambda: 4,
        },
    ),
    "3.3": Exercise(
        lambda t, s: ((s / t) ** 0.5, (1 - t / s) * (s / t) ** 0.5),
        lambda rng: _alpha_bars(rng),
        {
            "the outer factor of (3.17), one over sqrt(alpha_t), belongs to the score as well": lambda t, s: (
                (s / t) ** 0.5,
                1 - t / s,
            ),
            "that is x0_hat, all the way back: alpha_t is the ratio of the two alpha-bars": lambda t, s: (
                t**-0.5,
                (1 - t) * t**-0.5,
            ),
            "the score points away from the noise: eps_hat = -sqrt(1 - alpha_bar_t) times the score, so both minus "
            "signs cancel": lambda t, s: ((s / t) ** 0.5, -(1 - t / s) * (s / t) ** 0.5),
            "that is the factor of eps_hat; put eps_hat = -sqrt(1 - alpha_bar_t) score into it": lambda t, s: (
                (s / t) ** 0.5,
                -(1 - t / s) / (1 - t) ** 0.5 * (s / t) ** 0.5,
            ),
            "the root of 1 - alpha_bar_t below beta_t cancels against the one in eps_hat": lambda t, s: (
                (s / t) ** 0.5,
                (1 - t / s) / (1 - t) ** 0.5 * (s / t) ** 0.5,
            ),
            "that is the approximation (3.9), with the slope of the density at t - 1; with the slope at x_t it "
            "becomes exact, and alpha_t gets a root": lambda t, s: ((s / t) ** 0.5, s / t - 1),
            "both factors are divided by alpha_t; it needs a square root": lambda t, s: (s / t, s / t - 1),
            "the forward step multiplied by sqrt(alpha_t), so the way back divides by it": lambda t, s: (
                (t / s) ** 0.5,
                (1 - t / s) * (t / s) ** 0.5,
            ),
            "half of beta_t is the step of the sampler without noise (lesson 08); here the whole of it": lambda t, s: (
                (s / t) ** 0.5,
                (1 - t / s) / 2 * (s / t) ** 0.5,
            ),
            "the outer factor of (3.17), one over sqrt(alpha_t), is missing from both": (
                lambda t, s: (torch.ones_like(t), 1 - t / s)
            ),
            "alpha_t is alpha_bar_t / alpha_bar_(t-1), which is below 1; yours is upside down": (
                lambda t, s: ((t / s) ** 0.5, (1 - s / t) * (t / s) ** 0.5)
            ),
            "the noise of one step has the variance 1 - alpha_t; yours is that of the whole way": lambda t, s: (
                (s / t) ** 0.5,
                (1 - t) * (s / t) ** 0.5,
            ),
        },
    ),
    "3.4": Exercise(
        _width,
        _alpha_bar_inputs,
        {
            "that is the variance; the width is its root": lambda a: _width(a) ** 2,
            "that is the healthy sampler, which keeps the width; this one does not": lambda a: torch.ones(()),
            "that is the guess alone; the noise z is missing": lambda a: _width(a, lambda s, t, v: s * t * v),
            "you add standard deviations; of independent numbers the variances add": lambda a: _width(
                a, lambda s, t, v: ((s * t * v) ** 0.5 + (1 - s) ** 0.5) ** 2
            ),
            "the guess is sqrt(alpha_bar_t) x_t, so its variance has the factor alpha_bar_t, not its root": lambda a: (
                _width(a, lambda s, t, v: _variance(s, t**0.5, v))
            ),
            "the guess is sqrt(alpha_bar_t) x_t, so its variance has the factor alpha_bar_t, not its square": (
                lambda a: _width(a, lambda s, t, v: _variance(s, t**2, v))
            ),
            "x_t divided by sqrt(alpha_bar_t) is not the guess: the mean of all x_0 behind x_t is nearer to 0": (
                lambda a: _width(a, lambda s, t, v: _variance(s, 1 / t, v))
            ),
            "the jump multiplies the guess by sqrt(alpha_bar_(t-1))": lambda a: _width(
                a, lambda s, t, v: t * v + 1 - s
            ),
            "the jump goes to t - 1, so its noise has variance 1 - alpha_bar_(t-1)": lambda a: _width(
                a, lambda s, t, v: s * t * v + 1 - t
            ),
            "sqrt(1 - alpha_bar_(t-1)) z has variance 1 - alpha_bar_(t-1); you squared once more": lambda a: _width(
                a, lambda s, t, v: s * t * v + (1 - s) ** 2
            ),
            "the sampler begins at t = T, so begin with the last alpha_bar": lambda a: _width(
                torch.cat([a[1:].flip(0), a[:1]])
            ),
            "that is the width at t = 1; the last step, to t = 0, is missing": lambda a: _width(a, skip=1),
            "that is the width after one step, at t = T - 1; go on to t = 0": lambda a: _width(a, skip=len(a) - 2),
        },
    ),
    "3.5": Exercise(
        lambda x, train, fresh: (_nearest(x, train) < _nearest(x, fresh)).float().mean(),
        _points_inputs,
        {
            "that is the share which is nearer to a fresh point; the other one is asked for": lambda x, train, fresh: (
                (_nearest(x, train) > _nearest(x, fresh)).float().mean()
            ),
            "for each sample, look for its nearest point; you looked for the nearest sample (other axis of cdist)": (
                lambda x, train, fresh: (_nearest(x, train, 0) < _nearest(x, fresh, 0)).float().mean()
            ),
            "that is how many they are; divide by the number of samples": lambda x, train, fresh: (
                (_nearest(x, train) < _nearest(x, fresh)).float().sum()
            ),
            "give a share between 0 and 1, not per cent": lambda x, train, fresh: (
                100 * (_nearest(x, train) < _nearest(x, fresh)).float().mean()
            ),
            "that says it for each sample; take the mean over them": lambda x, train, fresh: (
                _nearest(x, train) < _nearest(x, fresh)
            ).float(),
            "compare each sample's nearest point, not its mean distance to all": lambda x, train, fresh: (
                (torch.cdist(x, train).mean(1) < torch.cdist(x, fresh).mean(1)).float().mean()
            ),
            "that compares the mean distances; count the samples instead": lambda x, train, fresh: (
                _nearest(x, train).mean() / _nearest(x, fresh).mean()
            ),
            "you compared the distances pair by pair; take each sample's nearest point first (min along the points)": (
                lambda x, train, fresh: (torch.cdist(x, train) < torch.cdist(x, fresh)).float().mean()
            ),
        },
    ),
    "3.6": Exercise(
        _step_variance,
        _variance_inputs,
        {
            "the variance beta_tilde of the step itself is missing": lambda *a: _step_variance(
                *a, first=lambda t, s: 0
            ),
            "that is beta_tilde alone, as if x_0 were known": lambda x, m, w, t, s: _var(t, s) * torch.ones_like(x),
            "the weight of x_0 has to be squared, because variances are squares": lambda *a: _step_variance(
                *a, square=1
            ),
            "the points are not equally likely to begin with: their probabilities w belong into the softmax": (
                lambda x, m, w, t, s: _step_variance(x, m, torch.ones_like(w), t, s)
            ),
            "a variance is the mean of the squares minus the square of the mean; the second is missing": lambda *a: (
                _step_variance(*a, spread=0)
            ),
            "x_t lies around sqrt(alpha_bar_t) times a point; the factor is missing": lambda *a: _step_variance(
                *a, root=0
            ),
            "x_t lies around sqrt(alpha_bar_t) times a point; the root is missing": lambda *a: _step_variance(
                *a, root=1
            ),
            "in the softmax stands the squared distance over *twice* the variance": lambda x, m, w, t, s: (
                _step_variance(x, m, w, t, s, v=(1 - t) / 2)
            ),
            "in the softmax, divide by the variance 1 - alpha_bar_t, not by its root": lambda x, m, w, t, s: (
                _step_variance(x, m, w, t, s, v=(1 - t) ** 0.5)
            ),
            "in the softmax, the division by 1 - alpha_bar_t is missing": lambda x, m, w, t, s: _step_variance(
                x, m, w, t, s, v=1.0
            ),
            "that is the standard deviation; no root": lambda *a: _step_variance(*a) ** 0.5,
            "the first term is beta_tilde, not beta_t": lambda *a: _step_variance(*a, first=lambda t, s: 1 - t / s),
            "x_t has been seen: take the probabilities given x_t, not w alone": lambda x, m, w, t, s: _step_variance(
                x, m, w, t, s, v=1e9
            ),
        },
    ),
}
