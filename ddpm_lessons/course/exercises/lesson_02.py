"""Lesson 02's exercises: the forward process."""

from collections.abc import Callable

import torch
from torch import Tensor

from ... import schedules
from ..exercise import Exercise


def _uniform(rng: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=rng)


def _size(rng: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=rng))


def _walk(rng: torch.Generator) -> tuple:
    """A batch, the betas of a few steps, and a noise."""
    shape = _size(rng, 1, 3), 3, _size(rng, 2, 4), 5
    x = _uniform(rng, -1, 1, *shape)
    return x, _uniform(rng, 0.05, 0.25, _size(rng, 2, 4)), torch.randn(shape, generator=rng)


def _by_steps(x: Tensor, betas: Tensor, eps: Callable[[], Tensor]) -> Tensor:
    for beta in betas:
        x = (1 - beta) ** 0.5 * x + beta**0.5 * eps()
    return x


def _mix(x: Tensor, a: Tensor, eps: Tensor, signal: float = 0.5, noise: float = 0.5) -> Tensor:
    """a^signal x + (1 - a)^noise eps; the powers are 0.5 when the roots are right."""
    return a**signal * x + (1 - a) ** noise * eps


def _batch(rng: torch.Generator) -> tuple:
    """B = C = H = W: a wrong broadcast raises no error, as it may in life."""
    n = _size(rng, 2, 6)
    return _uniform(rng, -1, 1, n, n, n, n), _uniform(rng, 0.1, 0.9, n), torch.randn(n, n, n, n, generator=rng)


def _column(a: Tensor) -> Tensor:
    return a.view(-1, 1, 1, 1)


def _noisy_one(rng: torch.Generator) -> tuple:
    x = 2 * torch.randn(2, 3, _size(rng, 2, 5), 4, generator=rng)
    return x, _uniform(rng, 0.2, 0.8), torch.randn(x.shape, generator=rng)


def _spread(betas: Tensor, std: float, shrink=lambda b: 1 - b, grow=lambda b: b**2) -> Tensor:
    """The standard deviation after steps in which the variance is multiplied by shrink and grows by grow."""
    var = torch.as_tensor(std) ** 2
    for b in betas:
        var = shrink(b) * var + grow(b)
    return var**0.5


def _std_by_std(betas: Tensor, std: float) -> float:
    for b in betas:
        std = (1 - b) ** 0.5 * std + b
    return std


def _chain(rng: torch.Generator) -> tuple:
    pick = [float(_uniform(rng, *between)) for between in ((1e-4, 1e-3), (0.03, 0.06), (0.02, 0.1))]
    return tuple(pick)


def _shortest(start: float, end: float, left: float, power: float = 0.5) -> int:
    T = 2
    while schedules.linear(T, start, end).alpha_bar[-1] ** power >= left:
        T += 1
    return T


def _along_a_long_chain(start: float, end: float, left: float) -> Tensor:
    return (schedules.linear(1000, start, end).alpha_bar.sqrt() < left).int().argmax()


def _log_approximation(start: float, end: float, left: float) -> Tensor:
    return torch.ceil(-4 * torch.tensor(left, dtype=torch.float64).log() / (start + end))


def _moments(rng: torch.Generator) -> tuple:
    return _uniform(rng, 0.6, 0.9), _uniform(rng, 0.1, 0.5)


one = torch.ones(1)

LESSON_02: dict[str, Exercise] = {
    "2.1": Exercise(
        lambda x, betas, e: _mix(x, (1 - betas).prod(), e),
        _walk,
        {
            "your noise has the wrong variance: is a square root missing there?": lambda x, b, e: _mix(
                x, (1 - b).prod(), e, noise=1
            ),
            "the picture shrinks too much: is a square root missing there?": lambda x, b, e: _mix(
                x, (1 - b).prod(), e, signal=1
            ),
            "both factors need a square root": lambda x, b, e: _mix(x, (1 - b).prod(), e, 1, 1),
            "the two factors are swapped": lambda x, b, e: _mix(x, 1 - (1 - b).prod(), e),
            "you add noise but do not shrink the picture, so the variance would grow": lambda x, b, e: (
                x + (1 - (1 - b).prod()) ** 0.5 * e
            ),
            "the alphas, 1 - beta, multiply; you took 1 minus the sum of the betas": lambda x, b, e: _mix(
                x, 1 - b.sum(), e
            ),
            "that is the product of the betas; take the product of 1 - beta": lambda x, b, e: _mix(x, b.prod(), e),
            "that is 1 minus the product of the betas; take the product of 1 - beta": lambda x, b, e: _mix(
                x, 1 - b.prod(), e
            ),
            "only the last step was made; all the betas count": lambda x, b, e: _mix(x, 1 - b[-1], e),
            "only the first step was made; all the betas count": lambda x, b, e: _mix(x, 1 - b[0], e),
            "your variances add up to the sum of the betas, but the later steps shrink the earlier noises": (
                lambda x, b, e: (1 - b).prod() ** 0.5 * x + b.sum() ** 0.5 * e
            ),
            "your loop adds the same eps at every step; the noises of the steps are independent, and one draw "
            "stands for them all": lambda x, b, e: _by_steps(x, b, lambda: e),
            "you drew noises of your own; use the eps that is given": lambda x, b, e: _by_steps(
                x, b, lambda: torch.randn_like(x)
            ),
            "you gave back x_s itself: where are the shrinking and the noise?": lambda x, b, e: x,
            "the noise's variance is 1 minus the product of the alphas; yours is the product of the betas": (
                lambda x, b, e: (1 - b).prod() ** 0.5 * x + b.prod() ** 0.5 * e
            ),
            "one step with the average beta is not the chain: the alphas of all steps multiply": (
                lambda x, b, e: _mix(x, 1 - b.mean(), e)
            ),
            "the picture is right; the noise has the last step's variance alone, and not that of the earlier ones": (
                lambda x, b, e: (1 - b).prod() ** 0.5 * x + b[-1] ** 0.5 * e
            ),
            "the picture is right; for the noise you added standard deviations, and later steps shrink it besides": (
                lambda x, b, e: (1 - b).prod() ** 0.5 * x + (b**0.5).sum() * e
            ),
        },
    ),
    "2.2": Exercise(
        lambda betas: torch.cat([one, (1 - betas).cumprod(0)]),
        lambda rng: (_uniform(rng, 0.05, 0.4, _size(rng, 3, 6)),),
        {
            "alpha_bar should begin with 1 for the clean picture: T + 1 numbers": lambda b: (1 - b).cumprod(0),
            "the last step is missing: alpha_bar has T + 1 numbers, alpha_bar_T is one of them": lambda b: torch.cat(
                [one, (1 - b).cumprod(0)[:-1]]
            ),
            "the clean picture keeps all of its variance: alpha_bar_0 is 1, not 0": lambda b: torch.cat(
                [0 * one, (1 - b).cumprod(0)]
            ),
            "these are the alphas; multiply all of them up to t: that is cumprod": lambda b: torch.cat([one, 1 - b]),
            "these are the alphas, one for each step; multiply all of them up to t, with a 1 in front": lambda b: 1 - b,
            "that is the product over the whole chain; every t needs the product up to t": lambda b: (1 - b).prod(),
            "alphas multiply; you took 1 minus the sum of the betas": lambda b: torch.cat([one, 1 - b.cumsum(0)]),
            "alphas multiply; you added them up": lambda b: torch.cat([one, (1 - b).cumsum(0)]),
            "that is the product of the betas; take it of 1 - beta": lambda b: torch.cat([one, b.cumprod(0)]),
            "that is 1 minus the product of the betas; take the product of 1 - beta": lambda b: torch.cat(
                [one, 1 - b.cumprod(0)]
            ),
            "you took roots; alpha_bar is the product of the alphas, and its root comes only in (2.8)": (
                lambda b: torch.cat([one, (1 - b).sqrt().cumprod(0)])
            ),
            "that is 1 - alpha_bar, the variance of the noise": lambda b: torch.cat([0 * one, 1 - (1 - b).cumprod(0)]),
            "exp of minus the sum is close only for small betas; multiply the alphas": lambda b: torch.cat(
                [one, (-b.cumsum(0)).exp()]
            ),
            "the 1 belongs in front, at index 0, because the clean picture comes first": (
                lambda b: torch.cat([(1 - b).cumprod(0), one])
            ),
        },
    ),
    "2.3": Exercise(
        lambda x, a, e: _mix(x, _column(a), e),
        _batch,
        {
            "alpha_bar runs along the width, not along the batch: give it the shape (B, 1, 1, 1)": _mix,
            "alpha_bar runs along the height, not along the batch: give it the shape (B, 1, 1, 1)": lambda x, a, e: (
                _mix(x, a.view(-1, 1), e)
            ),
            "alpha_bar runs along the channels, not along the batch: give it the shape (B, 1, 1, 1)": lambda x, a, e: (
                _mix(x, a.view(-1, 1, 1), e)
            ),
            "two things: alpha_bar runs along the width, not along the batch, and the roots are missing": (
                lambda x, a, e: _mix(x, a, e, 1, 1)
            ),
            "all pictures got the first one's alpha_bar": lambda x, a, e: _mix(x, a[0], e),
            "the root of 1 - alpha_bar, not 1 minus the root": lambda x, a, e: (
                _column(a).sqrt() * x + (1 - _column(a).sqrt()) * e
            ),
            "signal and noise need square roots": lambda x, a, e: _mix(x, _column(a), e, 1, 1),
            "your noise has variance (1 - alpha_bar)^2: is a square root missing?": lambda x, a, e: _mix(
                x, _column(a), e, noise=1
            ),
            "the picture shrinks by alpha_bar: is a square root missing?": lambda x, a, e: _mix(
                x, _column(a), e, signal=1
            ),
            "signal and noise are swapped": lambda x, a, e: _mix(x, 1 - _column(a), e),
            "you add noise but do not shrink the picture": lambda x, a, e: x + (1 - _column(a)).sqrt() * e,
            "you moved the pictures from [-1, 1] to [0, 1]; leave them where they are": lambda x, a, e: _mix(
                (x + 1) / 2, _column(a), e
            ),
            "you drew a noise of your own; use the eps that is given": lambda x, a, e: _mix(
                x, _column(a), torch.randn_like(x)
            ),
            "every picture has an alpha_bar of its own, and you took their mean": (
                lambda x, a, e: _mix(x, a.mean(), e)
            ),
        },
    ),
    "2.4": Exercise(
        lambda x, a, e: (x - (1 - a) ** 0.5 * e) / a**0.5,
        _noisy_one,
        {
            "the noise must be divided too: where are the brackets?": lambda x, a, e: x - (1 - a) ** 0.5 * e / a**0.5,
            "your noise has variance (1 - alpha_bar)^2: is a square root missing?": lambda x, a, e: (
                (x - (1 - a) * e) / a**0.5
            ),
            "divide by sqrt(alpha_bar), not by alpha_bar": lambda x, a, e: (x - (1 - a) ** 0.5 * e) / a,
            "both roots are missing": lambda x, a, e: (x - (1 - a) * e) / a,
            "the noise was scaled by sqrt(1 - alpha_bar) before it was added": lambda x, a, e: (x - e) / a**0.5,
            "multiplied where it should be divided: signal times x0 gave x_t": lambda x, a, e: (
                (x - (1 - a) ** 0.5 * e) * a**0.5
            ),
            "you added the noise a second time; take it away": lambda x, a, e: (x + (1 - a) ** 0.5 * e) / a**0.5,
            "the noise is gone, but the picture is still shrunk: divide by the signal": lambda x, a, e: (
                x - (1 - a) ** 0.5 * e
            ),
            "signal and noise are swapped": lambda x, a, e: (x - a**0.5 * e) / (1 - a) ** 0.5,
            "that makes a noisy picture, (2.8); here x_t is given, and x_0 is wanted": lambda x, a, e: _mix(x, a, e),
            "right before you clipped it; an exact x_0 needs no clipping": lambda x, a, e: (
                (x - (1 - a) ** 0.5 * e) / a**0.5
            ).clamp(-1, 1),
            "only x_t is divided by the signal; the brackets should hold the noise as well": (
                lambda x, a, e: x / a**0.5 - (1 - a) ** 0.5 * e
            ),
        },
    ),
    "2.5": Exercise(
        lambda: 1,
        lambda rng: (),
        {
            "each single pixel is as noisy as before, that is true; but how many pixels show each petal?": lambda: 2,
            "more pixels bring more noise, but their noises are independent: what happens when the eye averages "
            "over a petal?": lambda: 3,
            "answer with 1, 2 or 3": lambda: 0,
        },
    ),
    "2.6": Exercise(
        _spread,
        lambda rng: (_uniform(rng, 0.02, 0.3, _size(rng, 3, 8)), float(_uniform(rng, 0.3, 0.5))),
        {
            "that is the variance; the standard deviation is its root": lambda b, std: _spread(b, std) ** 2,
            "that is the healthy chain: without its root, the noise beta * eps has variance beta^2": (
                lambda b, std: _spread(b, std, grow=lambda b: b)
            ),
            "the picture has to shrink at each step: its variance is multiplied by 1 - beta": lambda b, std: _spread(
                b, std, shrink=lambda b: 1
            ),
            "the picture is multiplied by sqrt(1 - beta), so its variance by 1 - beta, not by its square": (
                lambda b, std: _spread(b, std, shrink=lambda b: (1 - b) ** 2)
            ),
            "the picture is multiplied by sqrt(1 - beta), so its variance by 1 - beta, not by the root": (
                lambda b, std: _spread(b, std, shrink=lambda b: (1 - b) ** 0.5)
            ),
            "standard deviations do not add up, variances do": _std_by_std,
            "you began with the variance std0; it is std0 squared": lambda b, std: _spread(b, std**0.5),
            "that is the picture alone; the noise is missing": lambda b, std: _spread(b, std, grow=lambda b: 0),
            "that is the noise alone; the picture's own share is missing": lambda b, std: _spread(b, 0.0),
            "the later steps shrink the earlier noises as well: multiply the whole variance by 1 - beta, then add": (
                lambda b, std: ((1 - b).prod() * std**2 + (b**2).sum()) ** 0.5
            ),
            "that is the noise of the healthy chain, and its variance taken for a standard deviation": (
                lambda b, std: (((1 - b).prod() * std**2) + (1 - (1 - b).prod()) ** 2) ** 0.5
            ),
        },
    ),
    "2.7": Exercise(
        _shortest,
        _chain,
        {
            "you compared alpha_bar itself; the amplitude is its root": lambda *c: _shortest(*c, power=1.0),
            "one too few: with that T, there is still as much left as allowed, or more": lambda *c: _shortest(*c) - 1,
            "one too many: one step less is enough": lambda *c: _shortest(*c) + 1,
            "that is where one long chain of 1000 steps gets there; a chain of T steps has its betas squeezed "
            "into T steps": _along_a_long_chain,
            "log(1 - beta) is a little less than -beta, so your formula asks for too many steps; count, or take "
            "the exact product": _log_approximation,
            "the amplitude is the root of alpha_bar, and you squared it": (lambda *c: _shortest(*c, power=2.0)),
        },
    ),
    "2.8": Exercise(
        lambda a_s, a_t: (a_t * (1 - a_s) / (a_s * (1 - a_t))) ** 0.5,
        _moments,
        {
            "that is the square of the correlation: is a root missing?": lambda s, t: t * (1 - s) / (s * (1 - t)),
            "that is the covariance; divide it by both standard deviations": lambda s, t: (t / s) ** 0.5 * (1 - s),
            "that is the factor in front of x_s; x_s and x_t have different spreads, which belong to the "
            "correlation": lambda s, t: (t / s) ** 0.5,
            "a correlation is at most 1: s and t are swapped": lambda s, t: (s * (1 - t) / (t * (1 - s))) ** 0.5,
            "you divided by the two variances; a correlation has their roots below": lambda s, t: (
                (t / s) ** 0.5 / (1 - t)
            ),
            "you divided by the variance of x_t alone; a correlation has both standard deviations below": (
                lambda s, t: (t / s) ** 0.5 * (1 - s) / (1 - t)
            ),
            "that is the covariance of two walks with x_0 random and of variance 1; here x_0 is given, so only "
            "the noise varies": lambda s, t: (s * t) ** 0.5,
            "you left out the shrinking from s to t": lambda s, t: ((1 - s) / (1 - t)) ** 0.5,
            "1 would be right for one eps used at both steps; here they share only a part": lambda s, t: 1.0 + 0 * s,
            "0 would be right for two fresh jumps; a walk goes from x_s on": lambda s, t: 0.0 * s,
            "x_s has a standard deviation too: its variance 1 - alpha_bar_s belongs above the fraction and below it": (
                lambda s, t: (t / s) ** 0.5 * (1 - s) ** 0.5
            ),
        },
    ),
}
