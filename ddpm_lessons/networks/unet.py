"""The network: a U-Net that is given the time step and, where there is one, a condition."""

import torch
from einops import rearrange
from torch import Tensor, nn

from ..conditions import Cond
from .layers import Attention, Block, CrossAttention, Parts, zero_


class UNet(nn.Module):
    """Down, middle and up again, with a bridge at every size.  x: (B, C, H, W), t: (B,), cond: Cond or None -> like x

    channels: C;  out: channels of the answer (None = C);  widths: channels at each size, from the finest;
    blocks: blocks a size on the way down;  attend: self-attention from this level on (0 = everywhere, the number of
    widths = in the middle only);  cond_dim: D of the condition's vector (0 = none);
    token_dim: E of its sequence (0 = none), with cross-attention to it from the level `cross` on, where there is
    self-attention if that is None;  words: the width that the sequence is brought to first (0 = as it is);
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
        cond_dim: int = 0,
        token_dim: int = 0,
        cross: int | None = None,
        words: int = 0,
        patch: int = 1,
        dropout: float = 0.0,
        parts: Parts = Parts(),
        out: int | None = None,
    ):
        super().__init__()
        self.channels, self.patch, self.cond_dim, self.token_dim = channels, patch, cond_dim, token_dim
        if widths[0] % 2:
            raise ValueError(f"the first width should be even, for the sines and cosines of the time, got {widths[0]}")
        self.multiple = patch * 2 ** (len(widths) - 1)
        e = 4 * widths[0]
        self.time = nn.Sequential(parts.time(widths[0]), nn.Linear(widths[0], e), parts.act(), nn.Linear(e, e))
        self.from_cond = nn.Linear(cond_dim, e) if cond_dim else None
        self.act = parts.act()
        if token_dim:  # a word that is always there, so that an empty text leaves something to look at
            self.no_word, self.norm_words = nn.Parameter(torch.zeros(1, 1, token_dim)), nn.LayerNorm(token_dim)
        self.narrow = nn.Linear(token_dim, words) if words else None

        def block(c_in, c_out, level):
            layers = [Block(c_in, c_out, e, dropout, parts)]
            if parts.attention and level >= attend:
                layers.append(Attention(c_out, parts))
            if token_dim and level >= (attend if cross is None else cross):
                layers.append(CrossAttention(c_out, words or token_dim, parts))
            return nn.ModuleList(layers)

        self.first = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        c = widths[0]
        bridges = [c]  # the channels of what the way down hands over to the way up
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
        last = nn.Conv2d(c, (channels if out is None else out) * patch**2, 3, padding=1)
        self.last = nn.Sequential(parts.norm(c), parts.act(), zero_(last))

    def forward(self, x: Tensor, t: Tensor, cond: Cond | None = None) -> Tensor:
        self._check(x, cond)
        e = self.time(t.to(x.device))
        if self.from_cond is not None:  # no condition is the null condition: all zeros leave the bias
            e = e + (self.from_cond.bias if cond is None else self.from_cond(cond.vec.to(x)))
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
        if self.cond_dim and cond.vec.shape != (len(x), self.cond_dim):
            raise ValueError(f"this net takes conditions {(len(x), self.cond_dim)}, got {tuple(cond.vec.shape)}")
        if self.token_dim and (
            cond.seq is None or cond.mask is None or cond.seq.shape[::2] != (len(x), self.token_dim)
        ):
            got = None if cond.seq is None else tuple(cond.seq.shape)
            raise ValueError(f"this net takes sequences ({len(x)}, L, {self.token_dim}) with a mask, got {got}")

    def _words(self, n: int, cond: Cond | None) -> tuple[Tensor, ...]:
        """What cross-attention sees: the word that is always there, then the text's; () for a net without."""
        if not self.token_dim:
            return ()
        first = self.no_word.expand(n, -1, -1)
        always = torch.ones(n, 1, dtype=torch.bool, device=first.device)
        words, mask = first, always
        if cond is not None:
            words = torch.cat([first, self.norm_words(cond.seq.to(first)).to(first)], dim=1)
            mask = torch.cat([always, cond.mask.to(first.device)], dim=1)
        return words if self.narrow is None else self.narrow(words), mask


def through(stage: nn.ModuleList, h: Tensor, e: Tensor, words: tuple[Tensor, ...] = ()) -> Tensor:
    """Pass h through a stage's layers: blocks are told the time and the condition, e, cross-attention the words."""
    for layer in stage:
        more = (e,) if isinstance(layer, Block) else words if isinstance(layer, CrossAttention) else ()
        h = layer(h, *more)
    return h


def parameters(net: nn.Module) -> int:
    """How many numbers the net learns."""
    return sum(p.numel() for p in net.parameters())
