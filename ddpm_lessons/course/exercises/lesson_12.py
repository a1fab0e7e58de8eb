"""The exercises of lesson 12: what is right, and what each likely mistake would answer."""

import math

import torch

from ..exercise import Exercise


def _uniform(rng, low, high):
    return low + (high - low) * float(torch.rand((), generator=rng))


def _whole(rng, low, high):
    return int(torch.randint(low, high + 1, (), generator=rng))


# 12.1: cross-attention in which one word is turned up
def _louder(q, k, v, mask, word, times, power=0.5, axis=1, hidden=-math.inf, again=True):
    score = q @ k.T / q.shape[1] ** power
    a = score.masked_fill(~mask, hidden).softmax(axis)
    a[:, word] *= times
    return (a / a.sum(1, keepdim=True) if again else a) @ v


def _added(q, k, v, mask, word, change):
    score = q @ k.T / q.shape[1] ** 0.5
    score[:, word] = change(score[:, word])
    return score.masked_fill(~mask, -math.inf).softmax(1) @ v


def _looking(rng):
    p, n, d, e = (_whole(rng, *ends) for ends in ((5, 8), (7, 10), (11, 16), (3, 4)))
    mask = torch.arange(n) < n - 2
    mask[_whole(rng, 0, 1)] = False  # hidden words stand at both ends
    q, k, v = (torch.randn(rows, columns, generator=rng) for rows, columns in ((p, d), (n, d), (n, e)))
    return q, k, v, mask, _whole(rng, 3, n - 4), _uniform(rng, 2.0, 5.0)


_LOUDER = {
    "the weights no longer sum to 1: divide by their new sum. (Multiplying the word's value comes to the same)": (
        lambda *a: _louder(*a, again=False)
    ),
    "that is plain cross-attention: no word is turned up. (Words are columns; a row would cancel)": lambda *a: _louder(
        *a[:5], 1.0
    ),
    "the weight should be multiplied, not the score: a negative score would become quieter": (
        lambda q, k, v, m, w, t: _added(q, k, v, m, w, lambda s: t * s)
    ),
    "added to the score, `times` multiplies the weight by exp(times): add its logarithm": (
        lambda q, k, v, m, w, t: _added(q, k, v, m, w, lambda s: s + t)
    ),
    "the word was turned down, or all others up: multiply its own weight": lambda q, k, v, m, w, t: _louder(
        q, k, v, m, w, 1 / t
    ),
    "the wrong word was turned up: they count from 0": lambda q, k, v, m, w, t: _louder(q, k, v, m, w - 1, t),
    "the next word was turned up: they count from 0": lambda q, k, v, m, w, t: _louder(q, k, v, m, w + 1, t),
    "the scores are not divided by the root of d": lambda *a: _louder(*a, power=0.0),
    "the scores are divided by d: the root is missing": lambda *a: _louder(*a, power=1.0),
    "the root is that of d, the length of a query, not that of the number of words": lambda q, *a: _louder(
        q, *a, power=math.log(len(a[0])) / math.log(q.shape[1]) / 2
    ),
    "the softmax runs over the places, and over hidden ones alone it is not even a number: each place should share "
    "its looks among the words": lambda *a: _louder(*a, axis=0),
    "the softmax runs over the places: each place should share its looks among the words": (
        lambda q, k, v, m, w, t: _louder(q, k, v, torch.ones_like(m), w, t, axis=0)
    ),
    "the mask is ignored": lambda q, k, v, m, w, t: _louder(q, k, v, torch.ones_like(m), w, t),
    "the mask is upside down: True is a real word": lambda q, k, v, m, w, t: _louder(q, k, v, ~m, w, t),
    "a score of 0 hides nothing, since exp(0) = 1: it takes minus infinity": lambda *a: _louder(*a, hidden=0.0),
    "words masked after the softmax have taken a share already: divide by the sum of what is left": (
        lambda q, k, v, m, w, t: _louder(q, k, v * m[:, None], torch.ones_like(m), w, t)
    ),
    "these are the weights: multiply them by the values": lambda q, k, v, m, w, t: _louder(
        q, k, torch.eye(len(k)), m, w, t
    ),
    "divide all the weights by their new sum; you kept the word's and shrunk the others alone": (
        lambda q, k, v, m, w, t: (
            lambda a: (
                torch.where(torch.arange(len(k)) == w, t * a[:, [w]], a * (1 - t * a[:, [w]]) / (1 - a[:, [w]])) @ v
            )
        )((q @ k.T / q.shape[1] ** 0.5).masked_fill(~m, -math.inf).softmax(1))
    ),
}


# 12.3: best of n
def _chosen(scores, right, n, choose=torch.argmax):
    return right.view(-1, n).gather(1, choose(scores.view(-1, n), dim=1, keepdim=True)).float().mean()


def _judged(rng):
    n, groups = _whole(rng, 3, 7), _whole(rng, 40, 70)
    right = torch.rand(n * groups, generator=rng) < _uniform(rng, 0.25, 0.4)
    return torch.rand(n * groups, generator=rng) + 0.35 * right, right, n


_BEST = {
    "any right one in the group counts: that is a perfect judge, (12.10)": lambda s, r, n: (
        r.view(-1, n).any(1).float().mean()
    ),
    "the lowest score of each group was kept": lambda s, r, n: _chosen(s, r, n, torch.argmin),
    "nothing was chosen: that is the share of right ones among all samples": lambda s, r, n: r.float().mean(),
    "a group is n samples that stand one after the other: view(-1, n)": lambda s, r, n: (
        r.view(n, -1).gather(0, s.view(n, -1).argmax(0, keepdim=True)).float().mean()
    ),
    "you made n groups; make groups of n: view(-1, n)": lambda s, r, n: (
        r.view(n, -1).gather(1, s.view(n, -1).argmax(1, keepdim=True)).float().mean()
    ),
    "argmax gives places inside each group, 0 to n - 1: each group begins n further on": lambda s, r, n: (
        r[s.view(-1, n).argmax(1)].float().mean()
    ),
    "that is the mean of the best scores, not the share that is right": lambda s, r, n: s.view(-1, n).amax(1).mean(),
    "that says it of each group: take the mean over the groups": lambda s, r, n: (
        r.view(-1, n).gather(1, s.view(-1, n).argmax(1, keepdim=True))[:, 0].float()
    ),
    "that is how many of the kept ones are right: divide by the number of groups": lambda s, r, n: (
        _chosen(s, r, n) * (len(s) // n)
    ),
    "divide by the number of groups, not by the number of samples": lambda s, r, n: _chosen(s, r, n) / n,
    "you kept the best of all samples together: keep one in each group": lambda s, r, n: (
        r[s.topk(len(s) // n).indices].float().mean()
    ),
    "you kept the first of each group, without looking at the scores": (
        lambda s, r, n: r.view(-1, n)[:, 0].float().mean()
    ),
    "one sample of each group is kept; you weighed all of them by their scores": (
        lambda s, r, n: (s.softmax(0) * r).sum()
    ),
}


# 12.4: how much the loss rises, and how sure that is
def _rise(own, others, mean=torch.mean, error=lambda gap: gap.std() / len(gap) ** 0.5):
    return mean(others - own), error(others - own)


def _losses(rng):
    n = _whole(rng, 300, 400)  # so many that it does not matter whether std divides by n or by n - 1
    own = 2 * torch.rand(n, generator=rng)
    return own, own + 0.3 + 0.25 * torch.randn(n, generator=rng) + 0.1 * own


_RISE = {
    "the differences between pictures are in your error: subtract picture by picture first": lambda own, others: (
        others.mean() - own.mean(),
        ((own.var() + others.var()) / len(own)) ** 0.5,
    ),
    "that is the spread of one difference; that of a mean is smaller by the root of B": lambda own, others: _rise(
        own, others, error=torch.std
    ),
    "the spread is divided by B: the root is missing": lambda own, others: _rise(
        own, others, error=lambda gap: gap.std() / len(gap)
    ),
    "that is the square of the standard error: take the root": lambda own, others: _rise(
        own, others, error=lambda gap: gap.var() / len(gap)
    ),
    "the variance stands in the place of its root, the standard deviation": lambda own, others: _rise(
        own, others, error=lambda gap: gap.var() / len(gap) ** 0.5
    ),
    "the sign: how much it rises is others less own": lambda own, others: _rise(others, own),
    "first the rise, then its standard error": lambda own, others: _rise(own, others)[::-1],
    "that is a sum: take the mean rise": lambda own, others: _rise(own, others, mean=torch.sum),
    "that is the rise as a share of the own loss: leave it as it is": lambda own, others: (
        (others - own).mean() / own.mean(),
        (others - own).std() / len(own) ** 0.5,
    ),
    "the error is that of one of the two losses: it should be that of their difference": lambda own, others: (
        (others - own).mean(),
        others.std() / len(own) ** 0.5,
    ),
    "that is the error of the own loss: it should be that of the difference": lambda own, others: (
        (others - own).mean(),
        own.std() / len(own) ** 0.5,
    ),
    "that is the rise as a share, picture by picture; leave it as it is": (
        lambda own, others: _rise(torch.ones_like(own), others / own)
    ),
    "a text may also lower the loss: keep the sign of each difference": (
        lambda own, others: _rise(0 * own, (others - own).abs())
    ),
    "that is the sum and its error; the mean rise is wanted, and both are divided by B": (
        lambda own, others: ((others - own).sum(), (others - own).std() * len(own) ** 0.5)
    ),
}


# 12.6: how far a network follows its text
def _three_losses(rng):
    f, v, w = _uniform(rng, 0.2, 0.9), _uniform(rng, 0.5, 1.5), _uniform(rng, 1.0, 3.0)
    return w + (1 - f) ** 2 * v, w + v, w + v + f**2 * v


LESSON_12: dict[str, Exercise] = {
    "12.1": Exercise(_louder, _looking, _LOUDER),
    "12.2": Exercise(
        lambda p: (p**2, 2 * p * (1 - p)),
        lambda rng: (_uniform(rng, 0.05, 0.4),),
        {
            "that is what one draw for both would give: with two, both are dropped with probability p times p": (
                lambda p: (p, 0.0)
            ),
            "half a text comes about in two ways, without the vector or without the words": lambda p: (
                p**2,
                p * (1 - p),
            ),
            "among those who lose something, some lose both: they are the first share": lambda p: (
                p**2,
                1 - (1 - p) ** 2,
            ),
            "2 p counts those that lose both twice": lambda p: (p**2, 2 * p),
            "1 - p^2 counts those that lose nothing as well": lambda p: (p**2, 1 - p**2),
            "the order: first the share that loses both, then the share that loses one": lambda p: (
                2 * p * (1 - p),
                p**2,
            ),
            "that is the share that keeps both: the first number is the share that loses both": lambda p: (
                (1 - p) ** 2,
                2 * p * (1 - p),
            ),
            "two independent events happen together with the product of their probabilities, not the sum": lambda p: (
                2 * p,
                2 * p * (1 - p),
            ),
            "the two draws are independent: both fall below p with probability p times p, not p": lambda p: (
                p,
                2 * p * (1 - p),
            ),
            "the two draws are independent: both fall with p times p, one alone with 2 p (1 - p)": (lambda p: (p, p)),
            "that is the share that loses something; the first number is the share that loses both": (
                lambda p: (1 - (1 - p) ** 2, p**2)
            ),
            "the first number is the share that loses both, p times p; and 2 p counts those twice": (
                lambda p: (2 * p, p**2)
            ),
            "the second share keeps both; one alone is lost in the ways that are left": lambda p: (p**2, (1 - p) ** 2),
            "the second number is p for each draw; that it happens to one *alone* needs 2 p (1 - p)": lambda p: (
                p**2,
                p,
            ),
        },
    ),
    "12.3": Exercise(_chosen, _judged, _BEST),
    "12.4": Exercise(_rise, _losses, _RISE),
    "12.5": Exercise(
        lambda: 2,
        lambda rng: (),
        {
            "the batch is sorted, so the neighbour is a daisy as well: which text does each picture get?": lambda: 1,
            "the network is healthy, so it misses its text when there is none": lambda: 3,
            "the text of the neighbour is the same, word for word, so it cannot be any worse": lambda: 4,
        },
    ),
    "12.6": Exercise(
        lambda own, none, others: 2 * (others - none) / (others - own),
        _three_losses,
        {
            "that is f / 2: another's - none is f^2 V, and another's - own is 2 f V": lambda own, none, others: (
                (others - none) / (others - own)
            ),
            "that is 2 - f: the gap on the other side belongs on top": lambda own, none, others: (
                2 * (none - own) / (others - own)
            ),
            "that is 1 - f / 2": lambda own, none, others: (none - own) / (others - own),
            "that is f / (2 - f): divide by the whole gap, another's - own": lambda own, none, others: (
                (others - none) / (none - own)
            ),
            "that is 2 f / (2 - f): divide by the whole gap, another's - own": lambda own, none, others: (
                2 * (others - none) / (none - own)
            ),
            "that is (2 - f) / f, upside down and without the whole gap": lambda own, none, others: (
                (none - own) / (others - none)
            ),
            "that is 2 / f: the fraction is upside down": lambda own, none, others: (others - own) / (others - none),
            "that is 1 / f: the fraction is upside down": lambda own, none, others: (
                (others - own) / (others - none) / 2
            ),
            "divided by a loss, the answer depends on W, which has nothing to do with the text": (
                lambda own, none, others: (others - own) / own
            ),
            "divided by the loss without a text, the answer depends on W": lambda own, none, others: (
                (none - own) / none
            ),
            "no root: both gaps are proportional to V, so their ratio is free of squares of V": (
                lambda own, none, others: (2 * (others - none) / (others - own)) ** 0.5
            ),
            "the own loss and the one without a text have changed places": (
                lambda own, none, others: 2 * (others - own) / (others - none)
            ),
            "no root, and the whole gap, another's - own, stands below": (
                lambda own, none, others: ((others - none) / (none - own)) ** 0.5
            ),
        },
    ),
}
