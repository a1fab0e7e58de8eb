"""The prior's network: a small transformer that reads a text's vector and a noisy vector and answers with a vector."""

import torch
from torch import Tensor, nn

from ..conditions import Cond
from .layers import Sinusoidal

TOKENS = 4  # the text, the time, the noisy vector, the query


class VectorTransformer(nn.Module):
    """Tokens in, one vector out (arXiv 2204.06125, section 2.2).  x: (B, D), t: (B,), cond: Cond or None -> (B, D)

    The tokens are the text's vector, the time, the noisy vector and a learned query; the answer is read off where the
    query stood. Every token sees every other. (The paper's mask is causal, and its network reads the words as well.)

    dim: D;  cond_dim: of the text's vector;  width, layers, heads: of the transformer.
    forward raises ValueError when the vectors or the condition have another shape.
    """

    def __init__(self, dim: int = 128, cond_dim: int = 128, width: int = 128, layers: int = 3, heads: int = 4):
        super().__init__()
        self.dim, self.cond_dim = dim, cond_dim
        self.from_text, self.from_x = nn.Linear(cond_dim, width), nn.Linear(dim, width)
        self.time = nn.Sequential(Sinusoidal(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.places = nn.Parameter(0.02 * torch.randn(TOKENS, width))  # the last one is all that the query is
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.last = nn.Linear(width, dim)

    def forward(self, x: Tensor, t: Tensor, cond: Cond | None = None) -> Tensor:
        vec = x.new_zeros(len(x), self.cond_dim) if cond is None else cond.vec.to(x)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"this net takes vectors (B, {self.dim}), got {tuple(x.shape)}")
        if vec.shape != (len(x), self.cond_dim):
            raise ValueError(f"this net takes conditions {(len(x), self.cond_dim)}, got {tuple(vec.shape)}")
        tokens = [self.from_text(vec), self.time(t.to(x.device)), self.from_x(x)]
        tokens = torch.stack([*tokens, torch.zeros_like(tokens[0])], 1)  # (B, 4, width)
        return self.last(self.layers(tokens + self.places)[:, -1])
