"""A network for points of the plane, where a U-Net has nothing to look at."""

import math

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """A small network for points: x: (B, D), t: (B,) -> (B, D). Time comes in as the waves of the U-Net do."""

    def __init__(self, dim: int = 2, width: int = 128, T: int = 40):
        super().__init__()
        self.T = T
        self.layers = nn.Sequential(
            nn.Linear(dim + 16, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, dim),
        )  # fmt: skip

    def forward(self, x: Tensor, t: Tensor, cond=None) -> Tensor:
        angle = t[:, None].to(x) / self.T * math.pi / 2 * torch.arange(1, 9).to(x)
        return self.layers(torch.cat([x, angle.sin(), angle.cos()], dim=1))
