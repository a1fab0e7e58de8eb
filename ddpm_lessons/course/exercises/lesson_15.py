"""The exercises of lesson 15: what is right, and what each likely mistake would answer."""

import torch
import torch.nn.functional as F

from ...losses import min_snr, p2
from ..exercise import Exercise


def _whole(rng, low, high):
    return int(torch.randint(low, high, (), generator=rng))


def _uniform(rng, low, high):
    return low + (high - low) * float(torch.rand((), generator=rng))


# 15.1: one block of texts of several lengths
def _texts(rng):
    texts = [torch.randn(_whole(rng, 2, 8), 5, generator=rng) for _ in range(4)] + [torch.randn(9, 5, generator=rng)]
    texts[1][0] = 0.0  # a real token may be all zeros
    return (texts,)


def _padded(texts, change=lambda seq, mask: (seq, mask)):
    longest = max(map(len, texts))
    seq = torch.stack([F.pad(one, (0, 0, 0, longest - len(one))) for one in texts])
    return change(seq, torch.arange(longest) < torch.tensor([[len(one)] for one in texts]))


def _padded_left(texts):
    longest = max(map(len, texts))
    seq = torch.stack([F.pad(one, (0, 0, longest - len(one), 0)) for one in texts])
    return seq, torch.arange(longest) >= longest - torch.tensor([[len(one)] for one in texts])


def _padded_by_the_last(texts):
    longest = max(map(len, texts))
    seq = torch.stack([one[torch.arange(longest).clamp(max=len(one) - 1)] for one in texts])
    return seq, _padded(texts)[1]


def _cut(texts):
    shortest = min(map(len, texts))
    return torch.stack([one[:shortest] for one in texts]), torch.ones(len(texts), shortest, dtype=torch.bool)


# 15.4: who pays below an SNR of 1
def _levels(rng):
    log_snr = torch.linspace(-8, 8, 60, dtype=torch.float64) + _uniform(rng, -1, 1)
    error = torch.sigmoid(-log_snr + _uniform(rng, -2, 2)) * (0.2 + torch.rand(60, generator=rng))
    m = _uniform(rng, 2, 8)
    weight = (p2, lambda snr: min_snr(snr, m))[_whole(rng, 0, 2)]
    return weight, log_snr.exp(), error


def _share(weight, snr, error):
    paid = weight(snr) * error
    return paid[snr < 1].sum() / paid.sum()


# 15.6: mistakes that are large, and ones that are small
def _mistakes(rng):
    s = _uniform(rng, 0.5, 1.5)
    return s, s * (_uniform(rng, 0.8, 2) if torch.rand((), generator=rng) > 0.33 else _uniform(rng, 0.3, 0.6))


LESSON_15: dict[str, Exercise] = {
    "15.1": Exercise(
        _padded,
        _texts,
        {
            "True should mean a real token; yours marks the padding": lambda texts: _padded(
                texts, lambda seq, mask: (seq, ~mask)
            ),
            "here padding stands at the end of a text, and yours stands at its beginning": _padded_left,
            "padding should be zeros; yours repeats the last token": _padded_by_the_last,
            "the mask was read off the states, but a real token may be all zeros: use the lengths": lambda texts: (
                _padded(texts, lambda seq, mask: (seq, seq.any(-1)))
            ),
            "the long texts were cut to the shortest; the short ones should be filled up to the longest": _cut,
            "every token is marked as real, also the padding": lambda texts: _padded(
                texts, lambda seq, mask: (seq, torch.ones_like(mask))
            ),
            "the sequence and its mask stand in the wrong order": lambda texts: _padded(texts)[::-1],
        },
    ),
    "15.2": Exercise(
        lambda n, L: (L - n) / (L + 1),
        lambda rng: (_whole(rng, 3, 15), (32, 64, 128, 256)[_whole(rng, 0, 4)]),
        {
            "count the word that is always there as well: there are L + 1 things to look at": lambda n, L: (L - n) / L,
            "that is the share of the real tokens and of the word that is always there; the padding's is asked for": (
                lambda n, L: (n + 1) / (L + 1)
            ),
            "that is the real tokens' share, and the padding's is asked for": lambda n, L: n / (L + 1),
            "that is the real tokens' share without the word that is always there, and the padding's is asked for": (
                lambda n, L: n / L
            ),
            "the word that is always there is not padding": lambda n, L: (L + 1 - n) / (L + 1),
            "that is how many padded places there are; a share of the attention is asked for": lambda n, L: L - n,
            "with the mask forgotten, no place is left out: the share is not 0": lambda n, L: 0.0,
        },
    ),
    "15.3": Exercise(
        lambda: 2,
        lambda rng: (),
        {
            "a noisy picture shows which one it is, so the loss falls without any help from the text": lambda: 1,
            "for that the text would have to say which picture belongs to it, and it says something else each time": (
                lambda: 3
            ),
            "only the first guess is the mean; a little later x_t itself has begun to look like one of them": lambda: 4,
        },
    ),
    "15.4": Exercise(
        _share,
        _levels,
        {
            "the weight is missing: that is the share of the plain errors": lambda weight, snr, error: (
                error[snr < 1].sum() / error.sum()
            ),
            "the error is missing: that is the share of the weights alone": lambda weight, snr, error: (
                weight(snr)[snr < 1].sum() / weight(snr).sum()
            ),
            "that is the share above an SNR of 1; below it is asked for": lambda weight, snr, error: (
                1 - _share(weight, snr, error)
            ),
            "divide by the sum over all levels, not by the sum over the others": lambda weight, snr, error: (
                _share(weight, snr, error) / (1 - _share(weight, snr, error))
            ),
            "that is a ratio of two means; a share is a ratio of two sums": lambda weight, snr, error: (
                (weight(snr) * error)[snr < 1].mean() / (weight(snr) * error).mean()
            ),
            "that is how much is paid; a share of the whole is asked for": lambda weight, snr, error: (
                weight(snr) * error
            )[snr < 1].sum(),
            "the weight is a function of the SNR, not of its logarithm": lambda weight, snr, error: _share(
                lambda s: weight(s.log()), snr, error
            ),
        },
    ),
    "15.5": Exercise(
        lambda k, q: k * (1 - q) / q,
        lambda rng: (_uniform(rng, 0.5, 6), _uniform(rng, 0.6, 0.95)),
        {
            "that is the place above k; below k the smaller of the two is the SNR": lambda k, q: k * q / (1 - q),
            "the factor k is missing: the place moves along with k": lambda k, q: (1 - q) / q,
            "that is the place above k, without its factor k": lambda k, q: q / (1 - q),
            "solve k / (k + SNR) = q for the SNR: there should be a q in the denominator": lambda k, q: k * (1 - q),
            "the k of the denominator stayed on the wrong side: SNR = k / q - k": lambda k, q: k / q,
            "the sign is the other way round: SNR = k / q - k": lambda k, q: k * (q - 1) / q,
            "at SNR = k the ratio is exactly one half, whatever q is": lambda k, q: k,
        },
    ),
    "15.6": Exercise(
        lambda s, d: min(1.0, s**2 / (2 * d**2)),
        _mistakes,
        {
            "that is right while mistakes are large; a share of belief above 1 cannot be: limit it to 1": lambda s, d: (
                s**2 / (2 * d**2)
            ),
            "the 2 of the square's derivative is missing": lambda s, d: min(1.0, s**2 / d**2),
            "that would be the best factor if you divided without adding noise; (15.9) has the noise in it": (
                lambda s, d: s**2 / (s**2 + d**2)
            ),
            "s and d enter as squares": lambda s, d: min(1.0, s / (2 * d)),
            "the fraction is upside down: larger mistakes deserve less belief": lambda s, d: min(
                1.0, d**2 / (2 * s**2)
            ),
            "the larger the mistakes, the less to believe: noise does help here": lambda s, d: 1.0,
            "the 2 stands under the line": lambda s, d: min(1.0, 2 * s**2 / d**2),
            "that is the share of disbelief, 1 - g": lambda s, d: 1 - min(1.0, s**2 / (2 * d**2)),
        },
    ),
}
