"""The prior's network: a small transformer that reads a text and a noisy vector and answers with a vector."""

import torch
from torch import Tensor, nn

from ..conditions import Cond
from .layers import Sinusoidal

OWN = 4  # tokens beside the words: the text's vector, the time, the noisy vector, the query


class VectorTransformer(nn.Module):
    """Tokens in, one vector out (arXiv 2204.06125, section 2.2).  x: (B, D), t: (B,), cond: Cond or None -> (B, D)

    The tokens are, in order, the text's words, its vector, the time, the noisy vector and a learned query; the answer
    is read off where the query stood. Every token sees every other; the paper's are causal, which is the same for the
    last one.

    dim: D;  cond_dim: of the text's vector;  token_dim: E of its words (0 = only the vector is read);  length: the most
    words;  width, layers, heads: of the transformer.
    forward raises ValueError when the vectors or the condition have another shape.
    """

    def __init__(
        self,
        dim: int = 128,
        cond_dim: int = 128,
        token_dim: int = 0,
        length: int = 23,
        width: int = 128,
        layers: int = 3,
        heads: int = 4,
    ):
        super().__init__()
        self.dim, self.cond_dim, self.token_dim, self.length = dim, cond_dim, token_dim, length
        self.from_words = nn.Sequential(nn.LayerNorm(token_dim), nn.Linear(token_dim, width)) if token_dim else None
        self.from_text, self.from_x = nn.Linear(cond_dim, width), nn.Linear(dim, width)
        self.time = nn.Sequential(Sinusoidal(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.places = nn.Parameter(0.02 * torch.randn(OWN + (length if token_dim else 0), width))  # the last: the query
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.last = nn.Linear(width, dim)

    def forward(self, x: Tensor, t: Tensor, cond: Cond | None = None) -> Tensor:
        cond = self._checked(x, cond)
        own = [self.from_text(cond.vec.to(x)), self.time(t.to(x.device)), self.from_x(x)]
        tokens = torch.stack([*own, torch.zeros_like(own[0])], 1)  # the query has nothing but its place
        hidden = torch.zeros(len(x), OWN, dtype=torch.bool, device=x.device)
        if self.from_words is not None:
            tokens = torch.cat([self.from_words(cond.seq.to(x)), tokens], 1)
            hidden = torch.cat([~cond.mask.to(x.device), hidden], 1)
        return self.last(self.layers(tokens + self.places, src_key_padding_mask=hidden)[:, -1])

    def _checked(self, x: Tensor, cond: Cond | None) -> Cond:
        n, words = len(x), (len(x), self.length, self.token_dim)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"this net takes vectors (B, {self.dim}), got {tuple(x.shape)}")
        if cond is None:  # no condition is the null condition
            return Cond(x.new_zeros(n, self.cond_dim), x.new_zeros(words), torch.zeros(words[:2], dtype=torch.bool))
        if cond.vec.shape != (n, self.cond_dim):
            raise ValueError(f"this net takes conditions {(n, self.cond_dim)}, got {tuple(cond.vec.shape)}")
        if self.token_dim and (cond.seq is None or cond.mask is None or cond.seq.shape != words):
            got = None if cond.seq is None else tuple(cond.seq.shape)
            raise ValueError(f"this net takes sequences {words} with a mask, got {got}")
        return cond
