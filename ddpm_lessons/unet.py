"""The network: a U-Net that knows the time step and, if told, what the picture should show."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .conditions import Cond


class Sinusoidal(nn.Module):
    """Time as waves, the longest near 2 pi 10,000 steps (arXiv 1706.03762, section 3.5).  t: (B,) -> (B, D)  (5.1)"""

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
    """Halve H and W without losing a number: pixels become channels, then a 1x1 convolution mixes them.  (5.3)"""

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
    """Group norm with 8 groups, or one where 8 do not divide the channels (arXiv 1803.08494).  (5.2)"""
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

    x: (B, c_in, H, W), e: (B, E) -> (B, c_out, H, W)
    """

    def __init__(self, c_in: int, c_out: int, e_dim: int, dropout: float, parts: Parts):
        super().__init__()
        self.first = nn.Sequential(parts.norm(c_in), parts.act(), nn.Conv2d(c_in, c_out, 3, padding=1))
        self.film = nn.Linear(e_dim, 2 * c_out)
        self.norm = parts.norm(c_out)
        last = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.second = nn.Sequential(parts.act(), nn.Dropout(dropout), last)
        self.around, self.keep = None, parts.keep
        if parts.residual:
            zero_(last)  # at the start the block does nothing, and deep nets train from the first step
            self.around = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        scale, shift = rearrange(self.film(e), "b (two c) -> two b c 1 1", two=2)
        h = self.second(self.norm(self.first(x)) * (1 + scale) + shift)
        return h if self.around is None else self.keep * (self.around(x) + h)


class Attention(nn.Module):
    """Every place of the picture looks at every other (arXiv 1706.03762, eq. 1).  (B, C, H, W) -> same  (5.5)"""

    def __init__(self, c: int, parts: Parts, head: int = 32):
        super().__init__()
        self.keep = parts.keep
        self.heads = next(g for g in range(max(1, c // head), 0, -1) if c % g == 0)
        self.norm, self.qkv, self.out = parts.norm(c), nn.Conv2d(c, 3 * c, 1), zero_(nn.Conv2d(c, c, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.qkv(self.norm(x))
        q, k, v = rearrange(h, "b (three g d) h w -> three b g (h w) d", three=3, g=self.heads)
        h = F.scaled_dot_product_attention(q, k, v)
        return self.keep * (x + self.out(rearrange(h, "b g (h w) d -> b (g d) h w", h=x.shape[2])))


class CrossAttention(nn.Module):
    """Every place of the picture looks at every word (arXiv 2112.10752, section 3.3).  (B, C, H, W) -> same  (12.2)

    words: (B, L, E);  mask: (B, L) bool, False for words that nobody may look at.
    """

    def __init__(self, c: int, e: int, parts: Parts, head: int = 32):
        super().__init__()
        self.keep = parts.keep
        self.heads = next(g for g in range(max(1, c // head), 0, -1) if c % g == 0)
        self.norm, self.q, self.kv = parts.norm(c), nn.Conv2d(c, c, 1), nn.Linear(e, 2 * c)
        self.out = zero_(nn.Conv2d(c, c, 1))

    def forward(self, x: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.asked(x, words)
        h = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        return self.keep * (x + self.out(rearrange(h, "b g (h w) d -> b (g d) h w", h=x.shape[2])))

    def asked(self, x: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Questions of the places, keys and values of the words.  (B, heads, places or L, C / heads) each"""
        q = rearrange(self.q(self.norm(x)), "b (g d) h w -> b g (h w) d", g=self.heads)
        k, v = rearrange(self.kv(words), "b l (two g d) -> two b g l d", two=2, g=self.heads)
        return q, k, v

    def looks(self, x: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """How much each place looks at each word, the mean over the heads.  -> (B, L, H, W), over L it sums to 1"""
        q, k, _ = self.asked(x, words)
        score = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask[:, None, None], -torch.inf)
        return rearrange(score.softmax(-1).mean(1), "b (h w) l -> b l h w", h=x.shape[2])


def zero_(layer: nn.Module) -> nn.Module:
    """Set a layer to zero, in place, so that what it feeds starts as the identity."""
    for p in layer.parameters():
        nn.init.zeros_(p)
    return layer


class UNet(nn.Module):
    """Down, middle and up again, with a bridge at every size.  x: (B, C, H, W), t: (B,), cond: Cond or None -> like x

    channels: C;  widths: channels at each size, from the finest;  blocks: blocks a size on the way down;
    attend: self-attention from this level on (0 = everywhere, the number of widths = in the middle only);
    cond: D of the condition's vector (0 = none);  tokens: E of its sequence (0 = none), with cross-attention to it
    from the level `cross` on, where there is self-attention if that is None;
    patch: side of the pixel squares that become channels first (patch 2: a quarter of the work);  dropout: in blocks.
    forward raises ValueError when H or W is not a multiple of patch * 2^(levels - 1), or the condition has another D
    or E.
    """

    def __init__(
        self,
        channels: int = 3,
        widths: tuple[int, ...] = (64, 128, 256),
        blocks: int = 1,
        attend: int = 2,
        cond: int = 0,
        tokens: int = 0,
        cross: int | None = None,
        patch: int = 1,
        dropout: float = 0.0,
        parts: Parts = Parts(),
    ):
        super().__init__()
        self.channels, self.patch, self.cond, self.tokens = channels, patch, cond, tokens
        if widths[0] % 2:
            raise ValueError(f"the first width should be even, for the sines and cosines of the time, got {widths[0]}")
        self.multiple = patch * 2 ** (len(widths) - 1)
        e = 4 * widths[0]
        self.time = nn.Sequential(parts.time(widths[0]), nn.Linear(widths[0], e), parts.act(), nn.Linear(e, e))
        self.told = nn.Linear(cond, e) if cond else None
        self.act = parts.act()
        if tokens:  # a word that is always there, so that an empty text leaves something to look at
            self.no_word, self.norm_words = nn.Parameter(torch.zeros(1, 1, tokens)), nn.LayerNorm(tokens)

        def block(c_in, c_out, level):
            layers = [Block(c_in, c_out, e, dropout, parts)]
            if parts.attention and level >= attend:
                layers.append(Attention(c_out, parts))
            if tokens and level >= (attend if cross is None else cross):
                layers.append(CrossAttention(c_out, tokens, parts))
            return nn.ModuleList(layers)

        self.first = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.downs, self.ups, bridges, c = nn.ModuleList(), nn.ModuleList(), [widths[0]], widths[0]
        for level, width in enumerate(widths):
            if level:
                self.downs.append(nn.ModuleList([parts.down(c, width)]))
                bridges.append(c := width)
            for _ in range(blocks):
                self.downs.append(block(c, width, level))
                bridges.append(c := width)
        self.middle = nn.ModuleList([*block(c, c, len(widths)), Block(c, c, e, dropout, parts)])
        for level, width in reversed(list(enumerate(widths))):
            for i in range(blocks + 1):
                stage = block(c + bridges.pop(), width, level)
                if level and i == blocks:
                    stage.append(parts.up(width, widths[level - 1]))
                self.ups.append(stage)
                c = width
            c = widths[max(level - 1, 0)]
        self.last = nn.Sequential(parts.norm(c), parts.act(), zero_(nn.Conv2d(c, channels * patch**2, 3, padding=1)))

    def forward(self, x: Tensor, t: Tensor, cond: Cond | None = None) -> Tensor:
        self._check(x, cond)
        e = self.time(t.to(x.device))
        if self.told is not None:  # no condition is the null condition: all zeros leave the bias
            e = e + (self.told.bias if cond is None else self.told(cond.vec.to(x)))
        e, words = self.act(e), self._words(len(x), cond)
        p = self.patch
        h = rearrange(x, "b c (h p1) (w p2) -> b (c p1 p2) h w", p1=p, p2=p)
        # channels last: the memory order in which CPUs and tensor cores convolve fastest
        h = self.first(h.contiguous(memory_format=torch.channels_last))
        bridges = [h]
        for stage in self.downs:
            h = through(stage, h, e, words)
            bridges.append(h)
        h = through(self.middle, h, e, words)
        for stage in self.ups:
            h = through(stage, torch.cat([h, bridges.pop()], dim=1), e, words)
        return rearrange(self.last(h), "b (c p1 p2) h w -> b c (h p1) (w p2)", p1=p, p2=p)

    def _check(self, x: Tensor, cond: Cond | None) -> None:
        m = self.multiple
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(f"this net takes pictures (B, {self.channels}, H, W), got {tuple(x.shape)}")
        if x.shape[2] % m or x.shape[3] % m:
            raise ValueError(f"this net halves H and W down to 1/{m}: {tuple(x.shape[2:])} are not multiples of {m}")
        if cond is None:
            return
        if self.cond and cond.vec.shape != (len(x), self.cond):
            raise ValueError(f"this net takes conditions {(len(x), self.cond)}, got {tuple(cond.vec.shape)}")
        if self.tokens and (cond.seq is None or cond.mask is None or cond.seq.shape[::2] != (len(x), self.tokens)):
            got = None if cond.seq is None else tuple(cond.seq.shape)
            raise ValueError(f"this net takes sequences ({len(x)}, L, {self.tokens}) with a mask, got {got}")

    def _words(self, n: int, cond: Cond | None) -> tuple[Tensor, ...]:
        """What cross-attention sees: the word that is always there, then the text's; () for a net without."""
        if not self.tokens:
            return ()
        first = self.no_word.expand(n, -1, -1)
        always = torch.ones(n, 1, dtype=torch.bool, device=first.device)
        if cond is None:
            return first, always
        words = self.norm_words(cond.seq.to(first))
        return torch.cat([first, words.to(first)], dim=1), torch.cat([always, cond.mask.to(first.device)], dim=1)


def through(stage: nn.ModuleList, h: Tensor, e: Tensor, words: tuple[Tensor, ...] = ()) -> Tensor:
    """Pass h through a stage's layers: blocks are told the time and the condition, e, cross-attention the words."""
    told = {Block: (e,), CrossAttention: words}
    for layer in stage:
        h = layer(h, *told.get(type(layer), ()))
    return h


def parameters(net: nn.Module) -> int:
    """How many numbers the net learns."""
    return sum(p.numel() for p in net.parameters())
