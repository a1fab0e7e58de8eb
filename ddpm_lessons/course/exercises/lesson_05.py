"""Lesson 05's exercises: the parts of the U-Net."""

import torch
from einops import rearrange

from ..exercise import Exercise

_x = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(5)) + 1
_q, _k, _v = torch.randn(3, 2, 6, 4, generator=torch.Generator().manual_seed(6))
_t = torch.tensor([1.0, 7.0, 500.0])


def _waves(t, dim, exponents, order=(0, 1)):
    angle = t[:, None] * 10_000.0**-exponents
    both = angle.sin(), angle.cos()
    return torch.cat([both[order[0]], both[order[1]]], dim=1)


def _half(dim):
    return torch.arange(dim // 2) / (dim // 2)


def _scaled(x, dims):
    return (x - x.mean(dims, keepdim=True)) / x.var(dims, keepdim=True, unbiased=False).sqrt()


def _groups(x, g, std=True):
    y = rearrange(x, "b (g c) h w -> b g (c h w)", g=g)
    var = y.var(2, keepdim=True, unbiased=False)
    return ((y - y.mean(2, keepdim=True)) / (var.sqrt() if std else var)).view(x.shape)


def _attend(q, k, v, scale, dim=-1):
    return (q @ k.transpose(1, 2) * scale).softmax(dim) @ v


LESSON_05: dict[str, Exercise] = {
    "5.1": Exercise(
        lambda t, dim: _waves(t, dim, _half(dim)),
        (_t, 8),
        {
            "you divide t by T = 1000: then all times look alike": lambda t, d: _waves(t / 1000, d, _half(d)),
            "cosines stand before sines here": lambda t, d: _waves(t, d, _half(d), (1, 0)),
            "all sines first, then all cosines, not in turn": lambda t, d: (
                _waves(t, d, _half(d)).view(len(t), 2, -1).transpose(1, 2).flatten(1)
            ),
            "the exponent is i / (dim / 2), not i / dim: your longest wave is too short": lambda t, d: _waves(
                t, d, torch.arange(d // 2) / d
            ),
            "the exponent ends at 1: that is i / (dim / 2 - 1), as DDPM's code has it, not (5.1)": lambda t, d: _waves(
                t, d, torch.arange(d // 2) / (d // 2 - 1)
            ),
        },
    ),
    "5.2": Exercise(
        _groups,
        (_x, 2),
        {
            "your statistics run over the batch too: that is batch norm's weakness": lambda x, g: _scaled(x, (0, 2, 3)),
            "each channel is on its own: that is instance norm; a group has several": lambda x, g: _scaled(x, (2, 3)),
            "all channels are together: that is one group": lambda x, g: _scaled(x, (1, 2, 3)),
            "divide by n, not n - 1: unbiased=False": lambda x, g: _groups(x, g) * (1 - 1 / x[0].numel() * g) ** 0.5,
            "divide by the standard deviation: is a square root missing?": lambda x, g: _groups(x, g, std=False),
        },
    ),
    "5.3": Exercise(
        lambda x: rearrange(x, "b c (h p1) (w p2) -> b (c p1 p2) h w", p1=2, p2=2),
        (_x,),
        {
            "p1 should run fastest inside H: write (h p1), not (p1 h)": lambda x: rearrange(
                x, "b c (p1 h) (p2 w) -> b (c p1 p2) h w", p1=2, p2=2
            ),
            "the channels' order should be (c p1 p2)": lambda x: rearrange(
                x, "b c (h p1) (w p2) -> b (p1 p2 c) h w", p1=2, p2=2
            ),
            "p1 comes before p2: (c p1 p2)": lambda x: rearrange(x, "b c (h p1) (w p2) -> b (c p2 p1) h w", p1=2, p2=2),
            "that is max pooling: three numbers of four are gone": lambda x: torch.nn.functional.max_pool2d(x, 2),
        },
    ),
    "5.4": Exercise(
        lambda q, k, v: _attend(q, k, v, q.shape[-1] ** -0.5),
        (_q, _k, _v),
        {
            "divide by sqrt(d) before the softmax": lambda q, k, v: _attend(q, k, v, 1.0),
            "divide by sqrt(d), not by d": lambda q, k, v: _attend(q, k, v, 1 / q.shape[-1]),
            "the softmax should run over the keys, the last axis": lambda q, k, v: _attend(
                q, k, v, q.shape[-1] ** -0.5, 1
            ),
        },
    ),
}
