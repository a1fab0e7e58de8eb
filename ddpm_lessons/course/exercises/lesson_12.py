"""The exercises of lesson 12: what is right, and what each likely mistake would answer."""

import math

import torch

from ..exercise import Exercise


def _attend(q, k, v, mask, power=0.5, axis=1, hidden=-math.inf):
    return (q @ k.T / q.shape[1] ** power).masked_fill(~mask, hidden).softmax(axis) @ v


def _chosen(scores, right, n, choose=torch.argmax):
    return right.view(-1, n).gather(1, choose(scores.view(-1, n), dim=1, keepdim=True)).float().mean()


_rng = torch.Generator().manual_seed(12)
_q, _k, _v = (torch.randn(n, d, generator=_rng) for n, d in ((5, 6), (4, 6), (4, 3)))
_mask = torch.tensor([True, True, True, False])
_vec, _seq = torch.randn(4, 4, generator=_rng), torch.randn(4, 3, 4, generator=_rng)  # B = D = E: no broadcasting error
_u = torch.tensor([0.9, 0.05, 0.5, 0.02])
_right = torch.rand(240, generator=_rng) < 0.3
_scores = torch.rand(240, generator=_rng) + 0.3 * _right
_own = torch.rand(40, generator=_rng)
_others = _own + 0.1 + 0.2 * torch.rand(40, generator=_rng)

LESSON_12: dict[str, Exercise] = {
    "12.1": Exercise(
        _attend,
        (_q, _k, _v, _mask),
        {
            "the scores are not divided by the root of d": lambda *a: _attend(*a, power=0.0),
            "divided by d: the root is missing": lambda *a: _attend(*a, power=1.0),
            "softmax over the places: each place should share its looks among the words": lambda q, k, v, m: (
                (q @ k.T / q.shape[1] ** 0.5).softmax(0) * m @ v
            ),
            "the mask is ignored": lambda q, k, v, m: _attend(q, k, v, torch.ones_like(m)),
            "a score of 0 is no mask, as exp(0) = 1: it takes minus infinity": lambda *a: _attend(*a, hidden=0.0),
            "masked after the softmax, the weights no longer sum to 1": lambda q, k, v, m: (
                (q @ k.T / q.shape[1] ** 0.5).softmax(1) * m @ v
            ),
        },
    ),
    "12.2": Exercise(
        lambda vec, seq, p, u: (vec * (u >= p)[:, None], seq * (u >= p)[:, None, None]),
        (_vec, _seq, 0.1, _u),
        {
            "features are dropped, not samples: u needs more axes": lambda vec, seq, p, u: (
                vec * (u >= p),
                seq * (u >= p),
            ),
            "kept and dropped are swapped: drop where u < p": lambda vec, seq, p, u: (
                vec * (u < p)[:, None],
                seq * (u < p)[:, None, None],
            ),
            "the words still tell all: drop seq as well": lambda vec, seq, p, u: (vec * (u >= p)[:, None], seq),
            "the vector still tells all: drop vec as well": lambda vec, seq, p, u: (vec, seq * (u >= p)[:, None, None]),
            "nothing is scaled up: that is dropout": lambda vec, seq, p, u: (
                vec * (u >= p)[:, None] / (1 - p),
                seq * (u >= p)[:, None, None] / (1 - p),
            ),
        },
    ),
    "12.3": Exercise(
        _chosen,
        (_scores, _right, 4),
        {
            "any right one counts: that is a perfect judge": lambda s, r, n: r.view(-1, n).any(1).float().mean(),
            "the lowest score was kept": lambda s, r, n: _chosen(s, r, n, torch.argmin),
            "nothing was chosen: that is the share of all": lambda s, r, n: r.float().mean(),
            "groups are n samples one after the other: view(-1, n)": lambda s, r, n: (
                r.view(n, -1).gather(0, s.view(n, -1).argmax(0, keepdim=True)).float().mean()
            ),
            "that is the best score itself, not whether it is right": lambda s, r, n: s.view(-1, n).amax(1).mean(),
        },
    ),
    "12.4": Exercise(
        lambda own, others: ((others - own).mean(), (others - own).std() / len(own) ** 0.5),
        (_own, _others),
        {
            "the pictures' own differences are in the error: subtract pair by pair": lambda own, others: (
                others.mean() - own.mean(),
                ((own.var() + others.var()) / len(own)) ** 0.5,
            ),
            "that is the spread of one difference: the mean's is smaller by the root of B": lambda own, others: (
                (others - own).mean(),
                (others - own).std(),
            ),
            "divided by B: the root is missing": lambda own, others: (
                (others - own).mean(),
                (others - own).std() / len(own),
            ),
            "how much it rises: others less own": lambda own, others: (
                (own - others).mean(),
                (others - own).std() / len(own) ** 0.5,
            ),
        },
    ),
}
