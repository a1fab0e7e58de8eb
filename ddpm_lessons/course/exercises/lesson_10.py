"""The exercises of lesson 10: what is right, and what each likely mistake would answer."""

import torch

from ..exercise import Exercise


def _unbiased(k_aa, k_bb, k_ab):
    within = lambda k: (k.sum() - k.trace()) / (len(k) * (len(k) - 1))  # noqa: E731
    return within(k_aa) + within(k_bb) - 2 * k_ab.mean()


def _no_diagonal(k):
    return (k.sum() - k.trace()) / len(k) ** 2


def _ball(real_real, real_fake, k):  # (n, m): is fake j in the ball around real i?
    return real_fake <= real_real.kthvalue(k, dim=1).values[:, None]


def _kl(p, log=torch.log):
    return p * (log(p) - log(p.mean(0)))


_rng = torch.Generator().manual_seed(10)
_real, _fake = torch.randn(12, 2, generator=_rng), 0.9 * torch.randn(10, 2, generator=_rng) + 0.5
_cubic = lambda x, y: (x @ y.T / 2 + 1) ** 3  # noqa: E731
_p = (2 * torch.randn(6, 4, generator=_rng)).softmax(1)

LESSON_10: dict[str, Exercise] = {
    "10.1": Exercise(
        lambda m, v, o, w: (m - o) ** 2 + (v**0.5 - w**0.5) ** 2,
        (1.0, 4.0, -0.5, 0.25),
        {
            "variances are given: their roots are compared": lambda m, v, o, w: (m - o) ** 2 + (v - w) ** 2,
            "the means' difference is squared too": lambda m, v, o, w: abs(m - o) + (v**0.5 - w**0.5) ** 2,
            "the cross term is missing": lambda m, v, o, w: (m - o) ** 2 + v + w,
            "the squared distance is wanted": lambda m, v, o, w: ((m - o) ** 2 + (v**0.5 - w**0.5) ** 2) ** 0.5,
        },
    ),
    "10.2": Exercise(
        _unbiased,
        (_cubic(_real, _real), _cubic(_fake, _fake), _cubic(_real, _fake)),
        {
            "the diagonal is in it: no picture is its own pair": lambda a, b, c: a.mean() + b.mean() - 2 * c.mean(),
            "without the diagonal only n (n - 1) pairs are left": lambda a, b, c: (
                _no_diagonal(a) + _no_diagonal(b) - 2 * c.mean()
            ),
            "the pairs between the sets count twice": lambda a, b, c: _unbiased(a, b, c) + c.mean(),
            "the squared distance is wanted, and it may be negative": lambda a, b, c: _unbiased(a, b, c).abs().sqrt(),
        },
    ),
    "10.3": Exercise(
        lambda rr, rf, k: _ball(rr, rf, k + 1).any(0).double().mean(),
        (torch.cdist(_real, _real), torch.cdist(_real, _fake), 2),
        {
            "a picture's first neighbour is itself: take number k + 1": lambda *a: _ball(*a).any(0).double().mean(),
            "that counts real pictures: precision is a share of the fakes": lambda rr, rf, k: (
                _ball(rr, rf, k + 1).any(1).double().mean()
            ),
            "one ball is enough: any, not all": lambda rr, rf, k: _ball(rr, rf, k + 1).all(0).double().mean(),
            "that is the share of pairs: a fake needs only one ball": lambda rr, rf, k: (
                _ball(rr, rf, k + 1).double().mean()
            ),
        },
    ),
    "10.4": Exercise(
        lambda p: _kl(p).sum(1).mean().exp(),
        (_p,),
        {
            "exp is missing": lambda p: _kl(p).sum(1).mean(),
            "with log base 2 it would be 2 to the power": lambda p: _kl(p, torch.log2).sum(1).mean().exp(),
            "the entropy of the mean is missing": lambda p: (p * p.log()).sum(1).mean().exp(),
            "sum over the classes, mean over the pictures": lambda p: _kl(p).mean().exp(),
            "exp comes last, after the mean": lambda p: _kl(p).sum(1).exp().mean(),
        },
    ),
}
