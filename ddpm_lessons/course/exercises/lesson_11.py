"""The exercises of lesson 11: what is right, and what each likely mistake would answer."""

import math

import torch
import torch.nn.functional as F

from ..exercise import Exercise


def _whole(rng, low, high):
    return int(torch.randint(low, high, (), generator=rng))


# 11.2: a contrastive loss to which doubles are right
def _way(s, fits, against):
    """-log of the probability of all that fit, among all that it is compared with."""
    off = -torch.inf
    return s.masked_fill(~against, off).logsumexp(1) - s.masked_fill(~fits, off).logsumexp(1)


def _doubles(image, text, scale, group, ways=(0, 1), together=torch.mean, fits=None, against=None):
    s = scale * image @ text.T
    same = group[:, None] == group
    fits = same if fits is None else fits(same)
    against = torch.ones_like(same) if against is None else against(same)
    return sum(together(_way(s.T if way else s, fits, against)) for way in ways) / len(ways)


def _eye(same):
    return torch.eye(len(same), dtype=torch.bool)


def _log_first(image, text, scale, group):  # a sum of logarithms in place of a logarithm of a sum
    s, same = scale * image @ text.T, group[:, None] == group
    return -sum((v.log_softmax(1) * same).sum(1).mean() for v in (s, s.T)) / 2


def _no_log(image, text, scale, group):
    s, same = scale * image @ text.T, group[:, None] == group
    return sum(1 - (v.softmax(1) * same).sum(1).mean() for v in (s, s.T)) / 2


def _log_last(image, text, scale, group):
    s, same = scale * image @ text.T, group[:, None] == group
    return -sum((v.softmax(1) * same).sum(1).mean().log() for v in (s, s.T)) / 2


def _scores_first(image, text, scale, group):
    s, same = scale * image @ text.T, group[:, None] == group
    return -sum(((v * same).sum(1) - v.logsumexp(1)).mean() for v in (s, s.T)) / 2


def _batch(rng):
    n, d = _whole(rng, 9, 13), _whole(rng, 4, 8)
    image, text = (F.normalize(torch.randn(n, d, generator=rng), dim=1) for _ in range(2))
    group = torch.randint(4, (n,), generator=rng)
    group[:6] = torch.tensor([0, 1, 0, 1, 0, 2])  # at least one caption stands there three times
    return image, text[group], 2.0 + 4 * float(torch.rand((), generator=rng)), group


# 11.3: the picture that every search finds
def _hub(texts, of=lambda t: t.mean(0)):
    return F.normalize(of(texts), dim=0)


def _texts(rng):
    shape = (_whole(rng, 5, 9), _whole(rng, 10, 14))
    return (F.normalize(torch.randn(shape, generator=rng) + 0.6 * torch.randn(shape[1], generator=rng), dim=1),)


# 11.4: recall@k from text to picture
def _found(s, k, dim=0):  # is the own one among the k best?
    own = torch.arange(len(s))
    return s.topk(k, dim=dim).indices == (own if dim == 0 else own[:, None])


def _scores(rng):
    n = _whole(rng, 27, 36)
    return torch.randn(n, n, generator=rng) + torch.eye(n), _whole(rng, 3, 6)


def _recall(s, k):
    return _found(s, k).any(0).double().mean()


def _lengths(rng):
    return _whole(rng, 3, 9), 0.15 + 0.7 * float(torch.rand((), generator=rng))


LESSON_11: dict[str, Exercise] = {
    "11.1": Exercise(
        lambda: math.log(3),
        lambda rng: (),
        {
            "the loss cannot reach 0: it counts two of the three equal captions as wrong, and no score can tell them "
            "from the right one": lambda: 0.0,
            "that is the loss of a model that scores all 60 captions alike; this one tells 20 captions apart": (
                lambda: math.log(60)
            ),
            "that is what the model has gained, log 60 - L; the question is what it still pays": lambda: math.log(20),
            "the own caption competes with two doubles, but it is itself one of the three": lambda: math.log(2),
            "that is the probability of the own caption; the loss is minus its logarithm": lambda: 1 / 3,
            "that is the logarithm to base 2; the loss is counted with the natural one": lambda: math.log2(3),
            "that is the logarithm to base 10; the loss is counted with the natural one": lambda: math.log10(3),
            "that is the number of equal captions; the loss is a logarithm of it": lambda: 3.0,
            "a loss of this kind is never negative: check the sign of the logarithm": lambda: -math.log(3),
            "both halves cost the same, and the loss is their mean, not their sum": lambda: 2 * math.log(3),
            "both halves pay: a picture has three captions that fit, and a caption three pictures": (
                lambda: math.log(3) / 2
            ),
            "the sum over the batch is divided by N: one picture's share is asked for": lambda: 60 * math.log(3),
            "the 60 captions are alike three by three: 20 different ones, and three that fit each picture": (
                lambda: math.log(3) / 60
            ),
            "that is the probability that goes to the doubles; the loss is minus the logarithm of the own one's": (
                lambda: 2 / 3
            ),
        },
    ),
    "11.2": Exercise(
        _doubles,
        _batch,
        {
            "that is the loss of the lesson: doubles still cost something. (Spreading the target evenly over equal "
            "captions gives the very same number)": lambda i, t, k, g: _doubles(i, t, k, g, fits=_eye),
            "that is a sum of logarithms: add the probabilities of all that fit first, then take the logarithm": (
                _log_first
            ),
            "the logarithm is missing": _no_log,
            "you left the doubles out of the comparison; here they stay in it and count as right": (
                lambda i, t, k, g: _doubles(i, t, k, g, fits=_eye, against=lambda same: ~same | _eye(same))
            ),
            "you left those that fit out of the sum over all: a probability has all captions below the line": (
                lambda i, t, k, g: _doubles(i, t, k, g, against=lambda same: ~same)
            ),
            "pictures pick captions here; captions should pick pictures too": lambda i, t, k, g: _doubles(
                i, t, k, g, ways=(0,)
            ),
            "captions pick pictures here; pictures should pick captions too": lambda i, t, k, g: _doubles(
                i, t, k, g, ways=(1,)
            ),
            "the scale is missing": lambda i, t, k, g: _doubles(i, t, 1.0, g),
            "multiply by the scale; one divides by a temperature": lambda i, t, k, g: _doubles(i, t, 1 / k, g),
            "the mean of the two halves is wanted, not their sum": lambda i, t, k, g: 2 * _doubles(i, t, k, g),
            "a mean over the batch is wanted, not a sum": lambda i, t, k, g: _doubles(i, t, k, g, together=torch.sum),
            "the sign is the other way round: a loss is minus a logarithm": lambda i, t, k, g: -_doubles(i, t, k, g),
            "that is the mean probability of those that fit; their probabilities add up": (
                lambda i, t, k, g: _doubles(i, t, k, g) + (g[:, None] == g).sum(1).double().log().mean()
            ),
            "take the logarithm picture by picture, then the mean; you took the mean first": _log_last,
            "you added the scores of those that fit; their probabilities should be added": _scores_first,
            "the scale is given as it is. CLIP learns its logarithm, but here there is nothing to raise to a power": (
                lambda i, t, k, g: _doubles(i, t, math.exp(k), g)
            ),
            "that is minus the mean probability of those that fit: take its logarithm, picture by picture": (
                lambda *a: _no_log(*a) - 1
            ),
        },
    ),
    "11.3": Exercise(
        _hub,
        _texts,
        {
            "the mean of unit vectors is shorter than 1; a picture's vector has length 1": lambda t: t.mean(0),
            "the sum of unit vectors does not have length 1; a picture's vector has": lambda t: t.sum(0),
            "that one is as far from all texts as possible: the sign is the other way round": lambda t: -_hub(t),
            "that picture fits one text alone; it should do well in all the searches": lambda t: t[0],
            "that is the text which does best among the texts. A picture may lie anywhere on the sphere": (
                lambda t: t[(t @ t.T).sum(1).argmax()]
            ),
            "that is the direction in which the texts spread most; the question is where they lie on average": (
                lambda t: torch.linalg.svd(t - t.mean(0), full_matrices=False)[2][0]
            ),
            "that is the first singular vector. It makes the mean of the squared cosines largest; here the plain mean "
            "counts": lambda t: torch.linalg.svd(t, full_matrices=False)[2][0],
            "take the mean over the texts, dim=0: one number for each of the D coordinates": lambda t: F.normalize(
                t.mean(1), dim=0
            ),
            "the median is not the mean: which vector makes the sum of the dot products largest?": lambda t: _hub(
                t, lambda v: v.median(0).values
            ),
            "divide by the length, the root of the sum of squares; you divided by the sum": (
                lambda t: t.mean(0) / t.mean(0).sum()
            ),
            "you made the columns unit vectors (dim=0) and took their mean; take the mean first, then its direction": (
                lambda t: F.normalize(t, dim=0).mean(0)
            ),
            "that looks in no direction in particular; the texts have one that they share": (
                lambda t: torch.ones(t.shape[1]) / t.shape[1] ** 0.5
            ),
        },
    ),
    "11.4": Exercise(
        _recall,
        _scores,
        {
            "texts are the columns: these are pictures that look for a text": lambda s, k: (
                _found(s, k, 1).any(1).double().mean()
            ),
            "you looked at the k + 1 best: does an index or a comparison reach one too far?": lambda s, k: _recall(
                s, k + 1
            ),
            "you looked at the k - 1 best: fewer than k others may be better than the own one": lambda s, k: _recall(
                s, k - 1
            ),
            "the k largest are the best, not the smallest": lambda s, k: _recall(-s, k),
            "the k best count, not the best alone": lambda s, k: _recall(s, 1),
            "a share is wanted, not a number": lambda s, k: _found(s, k).sum().double(),
            "a text counts once, not k times": lambda s, k: _found(s, k).double().mean(),
            "that is the share of texts that fail": lambda s, k: 1 - _recall(s, k),
            "a share lies between 0 and 1; that is in percent": lambda s, k: 100 * _recall(s, k),
            "that asks both ways and takes the mean; only the texts are asked here": lambda s, k: (
                (_recall(s, k) + _recall(s.T, k)) / 2
            ),
            "compare each text's own score with its other pictures'; you compared the own scores with each other": (
                lambda s, k: (s.diagonal() >= s.diagonal().topk(k).values[-1]).double().mean()
            ),
        },
    ),
    "11.5": Exercise(
        lambda: (1, 5),
        lambda rng: (),
        {
            "the order is wrong: first the tiny CLIP, then the one of many words": lambda: (5, 1),
            "these are the kinds that are read rightly; here the colours count": lambda: (4, 5),
            "the numbers of prompts are wanted, not their shares": lambda: (0.2, 1.0),
            "the nearest text has the largest cosine, not the smallest": lambda: (1, 0),
            "the tiny CLIP never saw “ivory” or “lilac” in a caption, so it cannot read them all. Was the CLIP of many "
            "words asked twice?": lambda: (5, 5),
            "the CLIP of many words reads more than that. Was the tiny CLIP asked twice?": lambda: (1, 1),
            "one of the five is read rightly by the tiny CLIP, if only because it says “red” to almost everything": (
                lambda: (0, 5)
            ),
            "run both over the five words and count: the tiny one reads fewer, the one of many words more": (
                lambda: (2, 4)
            ),
            "the tiny CLIP is right; count the other one again": (lambda: (1, 4)),
            "the tiny CLIP is right; count the other one's five prompts again": (lambda: (1, 3)),
            "the CLIP of many words is right; count the tiny one again": (lambda: (2, 5)),
        },
    ),
    "11.6": Exercise(
        lambda M, r: math.sqrt((1 + (M - 1) * r) / M),
        _lengths,
        {
            "that is the square of the length: a root is missing": lambda M, r: (1 + (M - 1) * r) / M,
            "only the M products of a vector with itself are counted; the others are r each": lambda M, r: M**-0.5,
            "the M products of a vector with itself are 1, not r": lambda M, r: math.sqrt(r),
            "there are M (M - 1) products of two different vectors, not M squared": lambda M, r: math.sqrt(
                (1 + M * r) / M
            ),
            "each pair stands twice in the double sum, as m, l and as l, m": lambda M, r: math.sqrt(
                (1 + (M - 1) * r / 2) / M
            ),
            "that is the length of the sum; the mean is shorter by a factor of M": lambda M, r: math.sqrt(
                M * (1 + (M - 1) * r)
            ),
            "that is the squared length of the sum: divide by M squared and take the root": lambda M, r: (
                M * (1 + (M - 1) * r)
            ),
            "the mean is the sum over M, so its squared length is the double sum over M squared, not over M": (
                lambda M, r: math.sqrt(1 + (M - 1) * r)
            ),
            "the mean of unit vectors is shorter than 1, unless they are all equal": lambda M, r: 1.0,
            "the M products of a vector with itself, 1 each, are missing": (lambda M, r: math.sqrt((M - 1) / M * r)),
            "the double sum has M times 1 and M (M - 1) times r; you left a factor M out": (
                lambda M, r: math.sqrt((1 + (M - 1) * r) / M**2)
            ),
            "r is the cosine already; nothing squares it": (lambda M, r: math.sqrt((1 + (M - 1) * r**2) / M)),
        },
    ),
}
