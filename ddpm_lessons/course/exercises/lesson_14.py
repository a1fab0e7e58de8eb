"""The exercises of lesson 14: what is right, and what each likely mistake would answer."""

import torch
import torch.nn.functional as F
from einops import rearrange

from ... import data
from ...systems.autoencoder import bundled_autoencoder, psnr
from ..exercise import Exercise


def _whole(rng, low, high):
    return int(torch.randint(low, high, (), generator=rng))


def _uniform(rng, low, high):
    return low + (high - low) * float(torch.rand((), generator=rng))


# 14.1: four times as wide
def _cost(conv=4**2, attention=4**4):
    return lambda: 4.78 * conv + 0.906 * attention


# 14.2: which places of a latent may be kept
def _known(rng):
    f, h, w = _whole(rng, 3, 6), _whole(rng, 5, 8), _whole(rng, 5, 8)
    squares = torch.rand(2, 1, h, w, generator=rng)  # whole squares painted over, some in part, some untouched
    pixels = torch.rand(2, 1, f * h, f * w, generator=rng)
    over = F.interpolate(squares, scale_factor=f, mode="nearest")
    return ~((over < 0.25) | ((over > 0.6) & (pixels < 0.4))), f


def _squares(known, f):
    return rearrange(known, "b c (h p1) (w p2) -> b c h w (p1 p2)", p1=f, p2=f)


def _large(known, f):  # in the size of the picture
    small = _squares(known, f).all(-1)
    return small.repeat_interleave(f, 2).repeat_interleave(f, 3)


# 14.3: clipped latents
def _photographs(rng):
    x = data.picture(data.bundled("dahlia.jpg"), 128)[None]
    top, left = _whole(rng, 0, 65), _whole(rng, 0, 65)
    return x[..., top : top + 64, left : left + 64], _uniform(rng, 0.3, 0.9)


@torch.no_grad()
def _clipped(x, limit, change=lambda z, limit: z.clamp(-limit, limit), score=psnr, back=lambda net, z: net.pictures(z)):
    net = bundled_autoencoder()
    return score(x, back(net, change(net.latents(x), limit)))


@torch.no_grad()
def _clipped_means(x, limit):
    net = bundled_autoencoder()
    return psnr(x, net.decode(net.encode(x)[0].clamp(-limit, limit)).clamp(-1, 1))


# 14.4: without one channel
@torch.no_grad()
def _without(change=lambda z, k: z * (1 - k), score=lambda x, back: psnr(x, back)):
    net, x = bundled_autoencoder(), data.picture(data.bundled("dahlia.jpg"), 128)[None]
    return tuple(float(score(x, net.pictures(change(net.latents(x), k)))) for k in torch.eye(4).view(4, 4, 1, 1))


@torch.no_grad()
def _without_raw():  # zero before the scale
    net, x = bundled_autoencoder(), data.picture(data.bundled("dahlia.jpg"), 128)[None]
    z = net.encode(x)[0]
    return tuple(psnr(x, net.decode(z * (1 - k)).clamp(-1, 1)) for k in torch.eye(4).view(4, 4, 1, 1))


# 14.5: the schedule that does what a scale does
def _bar(a, c):
    return c * a / (c * a + 1 - a)


LESSON_14: dict[str, Exercise] = {
    "14.1": Exercise(
        _cost(),
        lambda rng: (),
        {
            "attention grows with the square of the pixels: 16 times as many cost 256 times as much": _cost(16, 16),
            "four times as wide is 16 times as many pixels: the convolutions' factor is 16, not 4": _cost(4, 256),
            "that is the cost at 256 px; 512 px are four times as wide, with 16 times as many pixels": _cost(4, 16),
            "nothing grows by the width alone: count the pixels, which are 16 times as many": _cost(4, 4),
            "the two are swapped: attention grows with the square, convolutions in proportion": _cost(256, 16),
            "a convolution grows in proportion to the pixels; the square belongs to attention alone": _cost(256, 256),
            "that is attention alone; the convolutions cost something, too": _cost(0, 256),
            "that is the convolutions alone; the attention has become the larger part": _cost(16, 0),
            "attention's factor is 16 squared, not 4 cubed: pixels enter it twice": _cost(16, 64),
        },
    ),
    "14.2": Exercise(
        lambda known, f: _squares(known, f).all(-1),
        _known,
        {
            "one known pixel is not enough: all of a square's pixels have to be known": lambda k, f: _squares(k, f).any(
                -1
            ),
            "that looks at the first pixel of each square only; the others may be painted over": lambda k, f: k[
                ..., ::f, ::f
            ],
            "that looks at the last pixel of each square only; the others may be painted over": lambda k, f: k[
                ..., f - 1 :: f, f - 1 :: f
            ],
            "that looks at the middle pixel of each square only; the others may be painted over": lambda k, f: k[
                ..., f // 2 :: f, f // 2 :: f
            ],
            "a square that is known for the most part is not known: ask for all of its pixels": lambda k, f: (
                _squares(k, f).double().mean(-1) > 0.5
            ),
            "that is the share of known pixels; a place may be kept or not, so bools are wanted": lambda k, f: (
                _squares(k, f).double().mean(-1)
            ),
            "that is the opposite: True should mean that a place is known": lambda k, f: ~_squares(k, f).all(-1),
            "that marks squares without any known pixel: True should mean known, all of it": lambda k, f: (
                ~_squares(k, f)
            ).all(-1),
            "that has the picture's size; the latent's is smaller by f each way": _large,
        },
    ),
    "14.3": Exercise(
        _clipped,
        _photographs,
        {
            "nothing was clipped": lambda x, v: _clipped(x, v, lambda z, _: z),
            "you clipped the means as the encoder made them; the sampler clips scaled latents, those of `latents`": (
                _clipped_means
            ),
            "the latents were clipped below 0 as well: the range is from -limit to limit": lambda x, v: _clipped(
                x, v, lambda z, v: z.clamp(0, v)
            ),
            "only large values were cut; those below -limit are to be cut as well": lambda x, v: _clipped(
                x, v, lambda z, v: z.clamp(max=v)
            ),
            "only small values were cut; those above limit are to be cut as well": lambda x, v: _clipped(
                x, v, lambda z, v: z.clamp(min=-v)
            ),
            "you clipped the picture; here the latents are to be clipped": lambda x, v: _clipped(
                x, v, lambda z, _: z, back=lambda net, z: net.pictures(z).clamp(-v, v)
            ),
            "`decode` takes latents as the encoder made them; scaled ones go back through `pictures`": (
                lambda x, v: _clipped(x, v, back=lambda net, z: net.decode(z).clamp(-1, 1))
            ),
            "that is the squared error; decibels are asked for, as `psnr` gives them": lambda x, v: _clipped(
                x, v, score=F.mse_loss
            ),
            "that divides by the limit as dynamic thresholding does; clipping alone is wanted": lambda x, v: _clipped(
                x, v, lambda z, v: z.clamp(-v, v) / v
            ),
        },
    ),
    "14.4": Exercise(
        _without,
        lambda rng: (),
        {
            "you kept one channel and set the other three to 0; it should be the other way round": lambda: _without(
                lambda z, k: z * k
            ),
            "you set the encoder's own numbers to 0; in the scaled latent 0 is a channel's average": _without_raw,
            "nothing was set to 0": lambda: _without(lambda z, k: z),
            "these are squared errors; decibels are asked for, as `psnr` gives them": lambda: _without(
                score=lambda x, back: (x - back).square().mean()
            ),
            "these are absolute errors; decibels are asked for, as `psnr` gives them": lambda: _without(
                score=lambda x, back: (x - back).abs().mean()
            ),
            "the channels are in the reverse order": lambda: _without()[::-1],
            "that is how much is lost; the decibels themselves are asked for": lambda: tuple(
                whole - v for whole, v in zip(_without(lambda z, k: z), _without())
            ),
            "you replaced a channel by 1; its mean is 0": lambda: _without(lambda z, k: z * (1 - k) + k),
            "you replaced a channel by the mean of this one photograph; 0 is asked for, the mean of all": lambda: (
                _without(lambda z, k: z * (1 - k) + k * z.mean((2, 3), keepdim=True))
            ),
        },
    ),
    "14.5": Exercise(
        lambda a, c: _bar(a, c**2),
        lambda rng: (_uniform(rng, 0.1, 0.9), _uniform(rng, 0.3, 0.8) if _whole(rng, 0, 2) else _uniform(rng, 1.5, 3)),
        {
            "a ratio of variances is wanted: c enters as its square": lambda a, c: _bar(a, c),
            "the ratio goes the other way: larger latents keep their signal for longer": lambda a, c: _bar(a, c**-2),
            "the ratio goes the other way, and c enters as its square": lambda a, c: _bar(a, 1 / c),
            "that is the ratio of signal to noise; solve it for alpha_bar'": lambda a, c: c**2 * a / (1 - a),
            "that is alpha_bar times c squared, which may be above 1; the noise part changes as well": lambda a, c: (
                c**2 * a
            ),
            "that is the share of the noise, 1 - alpha_bar'": lambda a, c: 1 - _bar(a, c**2),
            "the denominator should be signal plus noise, c^2 alpha_bar + 1 - alpha_bar": lambda a, c: (
                c**2 * a / (c**2 + 1 - a)
            ),
            "alpha_bar is a variance's factor, so no root is needed": lambda a, c: _bar(a, c**2) ** 0.5,
            "the schedule has to change, or the ratios differ by c squared": lambda a, c: a,
        },
    ),
}
