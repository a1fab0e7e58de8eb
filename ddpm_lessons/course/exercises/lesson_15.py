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


# 15.6: how much noise repairs a wave
def _waves(rng):
    rho = _uniform(rng, 0.05, 0.5)
    return _uniform(rng, 0.5, 2), rho, rho + (1 - rho) * _uniform(rng, 0.2, 0.8)


def _noise(s, g):
    return s**2 * (1 - g) / g


def _belief(rho, q):
    return ((1 - q) / (1 - rho)) ** 0.5


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
        lambda s, rho, q: _noise(s, _belief(rho, q)),
        _waves,
        {
            "g enters (15.9) as its square: a root is missing": lambda s, rho, q: _noise(s, _belief(rho, q) ** 2),
            "that is the belief g; the variance of the noise is asked for": lambda s, rho, q: _belief(rho, q),
            "that is the square of the belief; the variance of the noise is asked for": lambda s, rho, q: (
                _belief(rho, q) ** 2
            ),
            "that is the SNR; the variance of the noise is 1 over it": lambda s, rho, q: 1 / _noise(s, _belief(rho, q)),
            "the wave's own strength is missing: a strong wave needs more noise to be doubted": lambda s, rho, q: (
                _noise(1, _belief(rho, q))
            ),
            "s enters as its square": lambda s, rho, q: s * _noise(1, _belief(rho, q)),
            "g and 1 - g are swapped: more noise means less belief": lambda s, rho, q: (
                s**2 / _noise(1, _belief(rho, q))
            ),
            "the wave comes with the share rho of its power, so the denominator is 1 - rho": lambda s, rho, q: _noise(
                s, (1 - q) ** 0.5
            ),
            "that is the standard deviation of the noise; its variance is asked for": lambda s, rho, q: (
                _noise(s, _belief(rho, q)) ** 0.5
            ),
        },
    ),
}
