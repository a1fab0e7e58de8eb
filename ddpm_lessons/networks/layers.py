"""The layers of the U-Net: time, down and up, blocks, attention; and which of them are chosen."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class Sinusoidal(nn.Module):
    """Time as waves, the longest near 2 pi 10,000 steps (arXiv 1706.03762, section 3.5).  t: (B,) -> (B, D)  (5.3)"""

    def __init__(self, dim: int, longest: float = 10_000.0):
        super().__init__()
        self.register_buffer("freqs", longest ** -(torch.arange(dim // 2) / (dim // 2)), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None].float() * self.freqs
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class LearnedTime(nn.Module):
    """Time through two learned layers, t / 1000 going in.  t: (B,) -> (B, D)"""

    def __init__(self, dim: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, t: Tensor) -> Tensor:
        return self.layers(t[:, None].float() / 1000)


class RearrangeDown(nn.Module):
    """Halve H and W without losing a number: pixels become channels, then a 1x1 convolution mixes them.  (5.2)"""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.mix = nn.Conv2d(4 * c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(rearrange(x, "b c (h p1) (w p2) -> b (c p1 p2) h w", p1=2, p2=2))


class MaxDown(nn.Module):
    """Halve H and W by keeping the largest of four numbers, then a 1x1 convolution."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.mix = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(F.max_pool2d(x, 2))


class StrideDown(nn.Conv2d):
    """Halve H and W with a 3x3 convolution that moves two pixels at a time."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__(c_in, c_out, 3, stride=2, padding=1)


class Up(nn.Module):
    """Double H and W: repeat pixels, then a convolution; repeating first leaves no checkerboard."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class TransposedUp(nn.ConvTranspose2d):
    """Double H and W with a transposed convolution, 4x4, so that each new pixel is made of as many old ones."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__(c_in, c_out, 4, stride=2, padding=1)


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm with 8 groups, or one where 8 do not divide the channels (arXiv 1803.08494).  (5.1)"""
    return nn.GroupNorm(8 if channels % 8 == 0 else 1, channels)


@dataclass(frozen=True)
class Parts:
    """The choices inside a U-Net that lesson 05 exchanges one by one; each is a class or a bool.

    keep: what a residual sum is multiplied by; 1/sqrt 2 keeps its variance where both parts have the same.
    """

    norm: Callable[[int], nn.Module] = group_norm
    act: Callable[[], nn.Module] = nn.SiLU
    down: Callable[[int, int], nn.Module] = RearrangeDown
    up: Callable[[int, int], nn.Module] = Up
    time: Callable[[int], nn.Module] = Sinusoidal
    residual: bool = True
    attention: bool = True
    keep: float = 1.0


class Block(nn.Module):
    """Two convolutions, told the time in between by a scale and a shift, and a way round them.  (5.4)

    x: (B, c_in, H, W), e: (B, e_dim), or None where e_dim is 0 -> (B, c_out, H, W)
    """

    def __init__(self, c_in: int, c_out: int, e_dim: int, dropout: float, parts: Parts):
        super().__init__()
        self.first = nn.Sequential(parts.norm(c_in), parts.act(), nn.Conv2d(c_in, c_out, 3, padding=1))
        self.film = nn.Linear(e_dim, 2 * c_out) if e_dim else None
        self.norm = parts.norm(c_out)
        last = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.second = nn.Sequential(parts.act(), nn.Dropout(dropout), last)
        self.around, self.keep = None, parts.keep
        if parts.residual:
            zero_(last)  # at the start the block does nothing, and deep nets train from the first step
            self.around = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor, e: Tensor | None = None) -> Tensor:
        h = self.norm(self.first(x))
        if self.film is not None:
            scale, shift = rearrange(self.film(e), "b (two c) -> two b c 1 1", two=2)
            h = h * (1 + scale) + shift
        h = self.second(h)
        return h if self.around is None else self.keep * (self.around(x) + h)


def heads_of(c: int, head: int) -> int:
    """Into how many heads of about `head` channels c channels can be split evenly."""
    return next(g for g in range(max(1, c // head), 0, -1) if c % g == 0)


class Attention(nn.Module):
    """Every place of the picture looks at every other (arXiv 1706.03762, eq. 1).  (B, C, H, W) -> same  (5.5)"""

    def __init__(self, c: int, parts: Parts, head: int = 32):
        super().__init__()
        self.keep = parts.keep
        self.heads = heads_of(c, head)
        self.norm, self.qkv, self.out = parts.norm(c), nn.Conv2d(c, 3 * c, 1), zero_(nn.Conv2d(c, c, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.qkv(self.norm(x))
        q, k, v = rearrange(h, "b (three g d) h w -> three b g (h w) d", three=3, g=self.heads)
        h = F.scaled_dot_product_attention(q, k, v)
        return self.keep * (x + self.out(rearrange(h, "b g (h w) d -> b (g d) h w", h=x.shape[2])))


class CrossAttention(nn.Module):
    """Every place of the picture looks at every word (arXiv 2112.10752, section 3.3).  (B, C, H, W) -> same  (12.2)

    words: (B, L, E);  mask: (B, L) bool, False for padding, which no place may look at.
    """

    def __init__(self, c: int, e: int, parts: Parts, head: int = 32):
        super().__init__()
        self.keep = parts.keep
        self.heads = heads_of(c, head)
        self.norm, self.q, self.kv = parts.norm(c), nn.Conv2d(c, c, 1), nn.Linear(e, 2 * c)
        self.out = zero_(nn.Conv2d(c, c, 1))

    def forward(self, x: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.queries_keys_values(x, words)
        h = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        return self.keep * (x + self.out(rearrange(h, "b g (h w) d -> b (g d) h w", h=x.shape[2])))

    def queries_keys_values(self, x: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of the places, keys and values of the words.  (B, heads, places or L, C / heads) each"""
        q = rearrange(self.q(self.norm(x)), "b (g d) h w -> b g (h w) d", g=self.heads)
        k, v = rearrange(self.kv(words), "b l (two g d) -> two b g l d", two=2, g=self.heads)
        return q, k, v

    def weights(self, x: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """How much each place looks at each word, the mean over the heads.  -> (B, L, H, W), over L it sums to 1"""
        q, k, _ = self.queries_keys_values(x, words)
        score = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask[:, None, None], -torch.inf)
        return rearrange(score.softmax(-1).mean(1), "b (h w) l -> b l h w", h=x.shape[2])


def zero_(layer: nn.Module) -> nn.Module:
    """Set a layer to zero, in place, so that what it feeds starts as the identity."""
    for p in layer.parameters():
        nn.init.zeros_(p)
    return layer
