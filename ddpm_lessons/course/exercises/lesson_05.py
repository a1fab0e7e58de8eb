"""Lesson 05's exercises: the parts of the U-Net."""

import torch
import torch.nn.functional as F
from einops import rearrange

from ..exercise import Exercise


def _quarters(rng):
    """(B, 4 C, h, w), another shape at every draw."""
    b, c, h, w = (int(torch.randint(low, low + 3, (), generator=rng)) for low in (2, 2, 2, 5))
    return (torch.randn(b, 4 * c, h, w, generator=rng),)


def _shuffled(names, back="(h p1) (w p2)"):
    return lambda y: rearrange(y, f"b ({names}) h w -> b c {back}", p1=2, p2=2)


def _projected(rng):
    heads = int(torch.randint(2, 4, (), generator=rng))
    return (*torch.randn(3, 2, 5, 4 * heads, generator=rng), heads)


def _heads(scale=lambda d, c: d**-0.5, split="(g d)", join="(g d)", dim=-1, after=1.0, order=(0, 1, 2)):
    """Attention with heads, or with one thing changed; scale: (d, C) -> what q k is multiplied by."""

    def attend(q, k, v, heads):
        q, k, v = (rearrange(x, f"b n {split} -> b g n d", g=heads) for x in [(q, k, v)[i] for i in order])
        weight = (q @ k.mT * scale(q.shape[-1], q.shape[-1] * heads)).softmax(dim)
        return rearrange(after * weight @ v, f"b g n d -> b n {join}")

    return attend


def _no_softmax(q, k, v, heads):
    q, k, v = (rearrange(x, "b n (g d) -> b g n d", g=heads) for x in (q, k, v))
    return rearrange(q @ k.mT / q.shape[-1] ** 0.5 @ v, "b g n d -> b n (g d)")


def _scaled_late(q, k, v, heads):
    return _heads(lambda d, c: 1.0, after=(q.shape[-1] / heads) ** -0.5)(q, k, v, heads)


def _viewed(q, k, v, heads):
    """The heads cut off with a view that does not move the axis of places."""
    b, n, c = q.shape
    q, k, v = (x.reshape(b, heads, n, c // heads) for x in (q, k, v))
    return ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).reshape(b, n, c)


def _not_moved_back(q, k, v, heads):
    q, k, v = (rearrange(x, "b n (g d) -> b g n d", g=heads) for x in (q, k, v))
    return ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).reshape(len(q), q.shape[2], -1)


def _one_head(q, k, v, heads):
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


def _gaps(rng):
    dim = 2 * int(torch.randint(3, 9, (), generator=rng))
    return torch.rand(3, generator=rng) * 40, dim


def _freqs(dim, below=0):
    half = dim // 2
    return 10_000.0 ** -(torch.arange(half) / (half - below))


def _cosines(gap, freqs):
    return (gap[:, None] * freqs).cos().sum(1)


def _queries(rng):
    n, d = (int(torch.randint(low, low + 4, (), generator=rng)) for low in (4, 9))
    return tuple(torch.randn(2, n, d, generator=rng) * 0.8)


def _paired(rng):
    n = int(torch.randint(3, 7, (), generator=rng))
    base = 0.8 + 0.3 * torch.randn(n, generator=rng)
    return base + 0.5 + 0.2 * torch.randn(n, generator=rng), base


def _t(a, b, unbiased=True):
    return (a - b).mean() / ((a - b).std(unbiased=unbiased) / len(a) ** 0.5)


LESSON_05: dict[str, Exercise] = {
    "5.1": Exercise(
        lambda: 13,
        lambda rng: (),
        {
            "windows do not multiply: each further layer adds one pixel on each side": lambda: 3**6,
            "the windows overlap: only the first is three wide, each further one adds two": lambda: 18,
            "you counted the pixels at both sides, but not the one in the middle": lambda: 12,
            "each layer sees one pixel further on both sides, left and right: that makes two a layer": lambda: 7,
            "six pixels is how far it sees to one side: asked is the whole width": lambda: 6,
            "that is one convolution alone; there are six in a row": lambda: 3,
            "that is the number of pixels in the square: asked is how wide it is": lambda: 169,
            "you counted five convolutions: first, two in each of the two blocks, and last make six": lambda: 11,
            "you counted four convolutions: a block has two of them, not one": lambda: 9,
            "you counted seven convolutions: the 1 x 1 in merge_fine sees one place only and adds nothing": lambda: 15,
            "that is the whole picture; without the deep part, and without norms, nothing sees so far": lambda: 32,
        },
    ),
    "5.2": Exercise(
        _shuffled("c p1 p2"),
        _quarters,
        {
            "the channels come in the order (c p1 p2), with c running slowest, not fastest": _shuffled("p1 p2 c"),
            "p1 and p2 are exchanged: p1 belongs to the rows and p2 to the columns": _shuffled("c p2 p1"),
            "p1 and p2 should run fastest inside the rows and columns: write (h p1), not (p1 h)": _shuffled(
                "c p1 p2", "(p1 h) (p2 w)"
            ),
            "rows and columns are exchanged: your picture lies on its side": _shuffled("c p1 p2", "(w p2) (h p1)"),
            "a plain view or reshape puts neighbours in memory together, not neighbours in the picture": lambda y: (
                y.reshape(len(y), -1, 2 * y.shape[2], 2 * y.shape[3])
            ),
            "you repeat one of the four channels: the other three numbers of each square are lost": lambda y: (
                F.interpolate(y[:, ::4], scale_factor=2)
            ),
            "you repeat pixels and keep all 4 C channels: the four should become the pixels of a square": lambda y: (
                F.interpolate(y, scale_factor=2)
            ),
            "you take the mean of the four channels: each should become a pixel of its own": lambda y: F.interpolate(
                rearrange(y, "b (c p) h w -> b c p h w", p=4).mean(2), scale_factor=2
            ),
        },
    ),
    "5.3": Exercise(
        _heads(),
        _projected,
        {
            "all channels are in one head: split them first, and then let each head attend": _one_head,
            "divide by the root of d, the channels of one head, not of all C": _heads(lambda d, c: c**-0.5),
            "divide by sqrt(d) before the softmax: it is missing": _heads(lambda d, c: 1.0),
            "divide by sqrt(d), not by d": _heads(lambda d, c: 1 / d),
            "you multiply by sqrt(d) where you should divide": _heads(lambda d, c: d**0.5),
            "sqrt(d) should divide before the softmax, not after it": _scaled_late,
            "the softmax is missing: the weights of a query should sum to 1": _no_softmax,
            "the softmax should run over the keys, the last axis": _heads(dim=-2),
            "the softmax runs over the heads; it should run over the keys, the last axis": _heads(dim=1),
            "a head takes neighbouring channels, (g d): yours takes every so-manieth one": _heads(
                split="(d g)", join="(d g)"
            ),
            "you split as (g d) and join as (d g): the channels come back in another order": _heads(join="(d g)"),
            "a view cannot split off the heads: move their axis in front of the places as well": _viewed,
            "move the axis of the heads behind the places again before you join the channels": _not_moved_back,
            "queries and keys are exchanged": _heads(order=(1, 0, 2)),
            "the values should be v: your weights are put on the keys": _heads(order=(0, 1, 1)),
            "let the places attend to each other, not the heads: move the heads' axis in front of the places first": (
                lambda q, k, v, heads: rearrange(
                    (
                        rearrange(q, "b n (g d) -> b n g d", g=heads)
                        @ rearrange(k, "b n (g d) -> b n d g", g=heads)
                        / (q.shape[-1] // heads) ** 0.5
                    ).softmax(-1)
                    @ rearrange(v, "b n (g d) -> b n g d", g=heads),
                    "b n g d -> b n (g d)",
                )
            ),
            "under the root stands d, the channels of one head, and not how many heads there are": (
                lambda q, k, v, heads: _heads(lambda d, c: heads**-0.5)(q, k, v, heads)
            ),
        },
    ),
    "5.4": Exercise(
        lambda gap, dim: _cosines(gap, _freqs(dim)),
        _gaps,
        {
            "that is the cosine similarity: the plain product is not divided by its largest value, D / 2": (
                lambda gap, dim: _cosines(gap, _freqs(dim)) / (dim // 2)
            ),
            "each wave counts once: sin sin + cos cos together make one cosine of the gap": lambda gap, dim: (
                2 * _cosines(gap, _freqs(dim))
            ),
            "the addition theorem gives the cosine of the gap, not its sine": lambda gap, dim: (
                (gap[:, None] * _freqs(dim)).sin().sum(1)
            ),
            "the exponent is i / (dim / 2), not i / dim": lambda gap, dim: _cosines(
                gap, 10_000.0 ** -(torch.arange(dim // 2) / dim)
            ),
            "the sum runs over dim / 2 waves, not over dim of them": lambda gap, dim: _cosines(
                gap, 10_000.0 ** -(torch.arange(dim) / (dim // 2))
            ),
            "the exponent ends just below 1: divide i by dim / 2, not by dim / 2 - 1": lambda gap, dim: _cosines(
                gap, _freqs(dim, 1)
            ),
            "the minus in the exponent is missing: the waves should become slower": lambda gap, dim: _cosines(
                gap, 1 / _freqs(dim)
            ),
            "the gap goes in as it is, not divided by T = 1000": lambda gap, dim: _cosines(gap / 1000, _freqs(dim)),
            "sum over the waves: asked is one number for each gap": lambda gap, dim: (gap[:, None] * _freqs(dim)).cos(),
            "that is e(gap) itself, summed; asked is e(t) e(t + gap)": lambda gap, dim: (
                (gap[:, None] * _freqs(dim)).sin().sum(1) + _cosines(gap, _freqs(dim))
            ),
        },
    ),
    "5.5": Exercise(
        lambda q, k: (q @ k.T).softmax(-1).max(-1).values.mean(),
        _queries,
        {
            "the root is still there: this exercise wants it left out": lambda q, k: (
                (q @ k.T / q.shape[1] ** 0.5).softmax(-1).max(-1).values.mean()
            ),
            "you divide by d: here nothing should divide": lambda q, k: (
                (q @ k.T / q.shape[1]).softmax(-1).max(-1).values.mean()
            ),
            "the softmax should run over the keys, the last axis": lambda q, k: (
                (q @ k.T).softmax(0).max(0).values.mean()
            ),
            "the softmax runs over the queries, and the largest is taken over the keys: both should be over the keys": (
                lambda q, k: (q @ k.T).softmax(0).max(-1).values.mean()
            ),
            "take the largest weight of each query (over the keys), not of each key": lambda q, k: (
                (q @ k.T).softmax(-1).max(0).values.mean()
            ),
            "that is the largest weight of all: take each query's largest, and then the mean": lambda q, k: (
                (q @ k.T).softmax(-1).max()
            ),
            "the mean of all weights is always 1 / N: take the largest of each query first": lambda q, k: (
                (q @ k.T).softmax(-1).mean()
            ),
            "the mean over the queries is missing": lambda q, k: (q @ k.T).softmax(-1).max(-1).values,
            "without the softmax these are not weights": lambda q, k: (q @ k.T).max(-1).values.mean(),
            "take the mean over the queries, not the sum": lambda q, k: (q @ k.T).softmax(-1).max(-1).values.sum(),
            "that is where the largest weight stands: asked is how large it is": lambda q, k: (
                (q @ k.T).argmax(-1).float().mean()
            ),
        },
    ),
    "5.6": Exercise(
        _t,
        _paired,
        {
            "the standard deviation has n - 1 below: unbiased=True, or ddof=1 in numpy": lambda a, b: _t(a, b, False),
            "the root of n is missing: the mean of n differences varies less than a single one": lambda a, b: (
                _t(a, b) / len(a) ** 0.5
            ),
            "divide s by the root of n, not by n": lambda a, b: _t(a, b) * len(a) ** 0.5,
            "the standard error is s / sqrt(n): you multiplied s by sqrt(n)": lambda a, b: _t(a, b) / len(a),
            "divide by the standard deviation, not by the variance": lambda a, b: _t(a, b) / (a - b).std(),
            "that treats the two nets as unrelated: take the differences seed by seed first": lambda a, b: (
                (a.mean() - b.mean()) / ((a.var() + b.var()) / len(a)) ** 0.5
            ),
            "the sign is the other way round: losses minus base": lambda a, b: _t(b, a),
            "that is the mean difference: divide it by its standard error": lambda a, b: (a - b).mean(),
            "that is the standard error: divide the mean difference by it": lambda a, b: (a - b).std() / len(a) ** 0.5,
            "the mean is missing: asked is one number for all seeds": lambda a, b: (
                (a - b) / ((a - b).std() / len(a) ** 0.5)
            ),
            "s is the spread of the differences, not of the losses themselves": lambda a, b: (
                (a - b).mean() / (a.std() / len(a) ** 0.5)
            ),
            "s is the spread of the differences, not of the base": lambda a, b: (
                (a - b).mean() / (b.std() / len(a) ** 0.5)
            ),
            "divide by the root of n; n - 1 stands in the standard deviation alone": (
                lambda a, b: (a - b).mean() / ((a - b).std() / (len(a) - 1) ** 0.5)
            ),
            "that is the ratio of the mean losses; t is a mean difference over its standard error": (
                lambda a, b: a.mean() / b.mean() - 1
            ),
            "the mean is divided by s / sqrt(n); you multiplied it by that": (
                lambda a, b: (a - b).mean() * (a - b).std() / len(a) ** 0.5
            ),
            "those are relative losses; the differences themselves are asked for": lambda a, b: _t(a / b, b / b),
        },
    ),
}
