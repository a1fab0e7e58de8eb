"""Lesson 07's exercises: a schedule from its log SNR, from eps to v, weights, sizes, a division that explodes."""

import torch

from ..exercise import Exercise


def _between(rng, low, high):
    return low + (high - low) * torch.rand(1, generator=rng).item()


def _even_inputs(rng):
    return int(torch.randint(5, 13, (1,), generator=rng)), _between(rng, 3, 7), -_between(rng, 4, 8)


def _even(T, high, low, clean=True, of=torch.sigmoid):
    levels = torch.linspace(high, low, T, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), of(levels)]) if clean else of(levels)


def _even_too_long(T, high, low, clean):
    a = torch.linspace(high, low, T + 1, dtype=torch.float64).sigmoid()
    if clean:
        a[0] = 1
    return a


def _even_in_alpha_bar(T, high, low):
    ends = torch.tensor([high, low], dtype=torch.float64).sigmoid()
    return torch.cat([torch.ones(1, dtype=torch.float64), torch.linspace(*ends.tolist(), T, dtype=torch.float64)])


def _answer_inputs(rng):
    shape = [int(n) for n in torch.randint(2, 6, (4,), generator=rng)]
    x_t, eps = torch.randn(2, *shape, generator=rng)
    return x_t, eps, _between(rng, 0.2, 0.4)


def _x0(x_t, eps, a):
    return (x_t - (1 - a) ** 0.5 * eps) / a**0.5


def _snr_inputs(rng):
    n = int(torch.randint(4, 9, (1,), generator=rng))
    return ((4 * torch.rand(n, generator=rng, dtype=torch.float64) - 2).exp() * 1.1,)


def _chain_inputs(rng):
    T = int(torch.randint(60, 90, (1,), generator=rng))
    log_snr = torch.linspace(_between(rng, 5, 7), -_between(rng, 13, 16), T, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), log_snr.sigmoid()]), _between(rng, 0.02, 0.7)


def _first(alpha_bar, delta, limit=1.0, power=0.5, start=0):
    """The first index at which an error of delta in eps has become larger than the limit in x0."""
    factor = ((1 - alpha_bar[start:]) / alpha_bar[start:]) ** power
    return int((delta * factor > limit).nonzero()[0])


def _first_upside_down(alpha_bar, delta):
    return int((delta * (alpha_bar[1:] / (1 - alpha_bar[1:])) ** 0.5 < 1).nonzero()[0]) + 1


def _no_inputs(rng):
    return ()


LESSON_07: dict[str, Exercise] = {
    "7.1": Exercise(
        _even,
        _even_inputs,
        {
            "Index 0 is missing: put the clean picture, alpha_bar = 1, in front.": lambda T, high, low: _even(
                T, high, low, clean=False
            ),
            "Index 0 should be exactly 1. The T even values belong to t = 1 to T, so make T of them and put the 1 "
            "in front.": lambda T, high, low: _even_too_long(T, high, low, False),
            "Step 1 should stand at `high`. You made T + 1 even values and then overwrote the first "
            "one.": lambda T, high, low: _even_too_long(T, high, low, True),
            "This is the SNR. Solve SNR = alpha_bar / (1 - alpha_bar) for alpha_bar.": lambda T, high, low: _even(
                T, high, low, of=torch.exp
            ),
            "This is 1 - alpha_bar, the variance of the noise.": lambda T, high, low: _even(
                T, high, low, of=lambda x: (-x).sigmoid()
            ),
            "This is the signal. It should be squared to be alpha_bar.": lambda T, high, low: _even(
                T, high, low, of=lambda x: x.sigmoid() ** 0.5
            ),
            "The SNR is of squares already, so its logarithm needs no factor 2.": lambda T, high, low: _even(
                T, high, low, of=lambda x: (2 * x).sigmoid()
            ),
            "The SNR is of squares already, and nothing is to be halved.": (
                lambda T, high, low: _even(T, high, low, of=lambda x: (x / 2).sigmoid())
            ),
            "The chain runs the wrong way: it should start at `high` and fall to `low`.": lambda T, high, low: _even(
                T, low, high
            ),
            "Here alpha_bar falls evenly. It is log SNR that should.": _even_in_alpha_bar,
            "The sign in the denominator: alpha_bar = SNR / (1 + SNR).": lambda T, high, low: _even(
                T, high, low, of=lambda x: x.exp() / (1 - x.exp())
            ),
            "Here the SNR falls evenly. It is its logarithm that should.": (
                lambda T, high, low: torch.cat(
                    [
                        torch.ones(1, dtype=torch.float64),
                        (lambda snr: snr / (1 + snr))(
                            torch.linspace(
                                float(torch.tensor(high).exp()), float(torch.tensor(low).exp()), T, dtype=torch.float64
                            )
                        ),
                    ]
                )
            ),
            "The logarithm of this course is the natural one; you raised another base, 2 or 10, to it.": (
                lambda T, high, low: _even(T, high, low, of=lambda x: 1 / (1 + 2.0**-x))
            ),
        },
    ),
    "7.2": Exercise(
        lambda x_t, eps, a: (eps - (1 - a) ** 0.5 * x_t) / a**0.5,
        _answer_inputs,
        {
            "This is (7.8) with x_t where x_0 should stand. Find x_0 from x_t and eps first.": lambda x_t, eps, a: (
                a**0.5 * eps - (1 - a) ** 0.5 * x_t
            ),
            "The division by the signal is missing.": lambda x_t, eps, a: eps - (1 - a) ** 0.5 * x_t,
            "The part of x_t is taken off, so its sign is a minus.": lambda x_t, eps, a: (
                (eps + (1 - a) ** 0.5 * x_t) / a**0.5
            ),
            "This is the picture that eps means. One more step leads from it to v.": _x0,
            "The factors should be the roots of alpha_bar and of 1 - alpha_bar.": lambda x_t, eps, a: (
                (eps - (1 - a) * x_t) / a
            ),
            "Divide by the signal, which is the root of alpha_bar.": lambda x_t, eps, a: (
                (eps - (1 - a) ** 0.5 * x_t) / a
            ),
            "Signal and noise have changed places.": lambda x_t, eps, a: (eps - a**0.5 * x_t) / (1 - a) ** 0.5,
            "Your v points backwards: it is minus the right one.": lambda x_t, eps, a: (
                ((1 - a) ** 0.5 * x_t - eps) / a**0.5
            ),
            "Your x_0 inside is not divided by the signal, see (7.9).": lambda x_t, eps, a: (
                a**0.5 * eps - (1 - a) ** 0.5 * a**0.5 * _x0(x_t, eps, a)
            ),
            "The picture enters v with a minus, see (7.8).": lambda x_t, eps, a: (
                a**0.5 * eps + (1 - a) ** 0.5 * _x0(x_t, eps, a)
            ),
            "In (7.8) the signal stands with eps and the noise with x_0.": lambda x_t, eps, a: (
                (1 - a) ** 0.5 * eps - a**0.5 * _x0(x_t, eps, a)
            ),
            "This is flow matching's u, eps - x_0, which section 7 builds.": lambda x_t, eps, a: eps - _x0(x_t, eps, a),
            "This would be right if you had been given v; you have turned eps as (7.9) turns v.": lambda x_t, eps, a: (
                (1 - a) ** 0.5 * x_t + a**0.5 * eps
            ),
            "Both terms are divided by the signal; the brackets should hold x_t as well.": (
                lambda x_t, eps, a: eps / a**0.5 - (1 - a) ** 0.5 * x_t
            ),
            "The signal multiplies v's eps; divide by it to get x_0, and keep the roots straight.": (
                lambda x_t, eps, a: a**0.5 * eps - (1 - a) ** 0.5 * a**0.5 * (x_t - (1 - a) ** 0.5 * eps)
            ),
            "You divided by the noise; it is the signal that stands below.": (
                lambda x_t, eps, a: (eps - (1 - a) ** 0.5 * x_t) / (1 - a) ** 0.5
            ),
            "Two steps in one: the picture is (x_t - noise eps) / signal, and v takes it times the noise, not the "
            "signal.": lambda x_t, eps, a: a**0.5 * _x0(x_t, eps, a) - (1 - a) ** 0.5 * eps,
        },
    ),
    "7.3": Exercise(
        lambda snr: snr / (1 + snr),
        _snr_inputs,
        {
            "It is upside down: the squared error of v is the larger one, so the weight is below 1.": lambda snr: (
                1 + 1 / snr
            ),
            "This weight makes it the error of x0.": lambda snr: 1 / (1 + snr),
            "This is the weight that v's loss puts on the error of x0.": lambda snr: 1 + snr,
            "This weight leads from the error of x0 to that of eps, but you start at the error of v.": lambda snr: (
                snr + 0.0
            ),
            "These are squared errors already, so there is no root.": lambda snr: (snr / (1 + snr)) ** 0.5,
            "One square too many: (7.11) is squared already.": lambda snr: (snr / (1 + snr)) ** 2,
            "Two steps, two factors: first divide by 1 + SNR, then multiply by SNR. You divided twice.": lambda snr: (
                1 / snr / (1 + snr)
            ),
            "Two steps, two factors: first divide by 1 + SNR, then multiply by SNR. You multiplied twice.": (
                lambda snr: snr * (1 + snr)
            ),
            "This leads from the error of eps to that of x0.": lambda snr: 1 / snr,
            "The sign in the denominator: it is 1 + SNR.": lambda snr: snr / (1 - snr),
            "The weight is not the same at every step: the two errors differ by a factor that depends on the SNR.": (
                lambda snr: torch.ones_like(snr)
            ),
        },
    ),
    "7.4": Exercise(
        lambda: 4,
        _no_inputs,
        {
            "Twice as wide is also twice as high, so there are more pixels than that.": lambda: 2,
            "That would hold from 32 to 128 pixels, where k = 4.": lambda: 16,
            "The noise of each pixel is the same, but there are more pixels, and each of them is evidence.": lambda: 1,
            "The other way round: the larger picture has more pixels and holds more evidence.": lambda: 0.25,
            "k is 2 here, and one exponent is enough: how many small pixels take the place of one?": lambda: 8,
            "Twice as high and twice as wide: how many small pixels take the place of one?": (lambda: 3),
        },
    ),
    "7.5": Exercise(
        _first,
        _chain_inputs,
        {
            "One step early: index 0 belongs to the clean picture, so index and t are the same.": lambda a, delta: (
                _first(a, delta, start=1)
            ),
            "One step late: index and t are the same.": lambda a, delta: _first(a, delta) + 1,
            "An error is no variance: (7.10) divides by the root of alpha_bar.": lambda a, delta: _first(
                a, delta, power=1
            ),
            "The factor is upside down: noise over signal.": _first_upside_down,
            "An error of 1, half of the range, is asked for; you have waited for 2.": lambda a, delta: _first(
                a, delta, limit=2.0
            ),
            "This is how many steps explode. The first of them is asked for.": lambda a, delta: (
                len(a) - _first(a, delta)
            ),
            "This is the step at which the noise outgrows the signal. The size of the error, delta, is missing.": (
                lambda a, delta: _first(a, 1.0)
            ),
            "This is the last step. The first one that explodes is asked for.": lambda a, delta: len(a) - 1,
            "The noise's own factor is missing: an error in eps is multiplied by noise over signal.": (
                lambda a, delta: int((delta / a**0.5 > 1).nonzero()[0])
            ),
            "The range from -1 to 1 is 2 wide, so that half of it is 1; you waited for 0.5.": (
                lambda a, delta: _first(a, delta, limit=0.5)
            ),
            "You compared alpha_bar itself with the error; (7.10) has noise over signal.": (
                lambda a, delta: int((a < delta).nonzero()[0])
            ),
        },
    ),
    "7.6": Exercise(
        lambda: 5,
        _no_inputs,
        {
            "Close: at 4 it is 29 of 1000 steps, 2.9 %. Less than 2 % is asked for.": lambda: 4,
            "At 3 it is still 59 of 1000 steps.": lambda: 3,
            "At 2 it is still 102 of 1000 steps.": lambda: 2,
            "At 6 no step is wasted any more, but a smaller k will do.": lambda: 6,
            "k^2 multiplies the SNR; asked for is k itself.": lambda: 25,
            "Less is asked for: shift the other way, by 1 / k, and answer with k.": lambda: 0.2,
            "At 10 no step is wasted any more, but a much smaller k will do.": (lambda: 10),
            "That is no shift at all: at 1 far more than 2 % of the steps are wasted.": (lambda: 1),
            "At 8 no step is wasted any more, but a smaller k will do.": (lambda: 8),
        },
    ),
}
