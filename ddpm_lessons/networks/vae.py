"""A variational autoencoder of 64 px pictures: into a few numbers, and back (arXiv 1312.6114)."""

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .layers import group_norm


class Encoder(nn.Module):
    """Pictures of 64 px into `out` numbers: five convolutions, each but the first halves the sides.

    x: (B, 3, 64, 64) -> (B, out).  Pixels become channels by twos first, as in the course's U-Net with patch 2.
    """

    def __init__(self, out: int, widths: tuple[int, ...] = (48, 64, 96, 128, 128)):
        super().__init__()
        self.first = nn.Conv2d(12, widths[0], 3, padding=1)
        pairs = zip(widths, widths[1:])
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairs)
        self.last = nn.Linear(widths[-1] * 2 * 2, out)
        for conv in (self.first, *self.downs):  # so that what comes out of them is as large as what goes in
            nn.init.kaiming_normal_(conv.weight, a=0.2)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.first(rearrange(x, "b c (h p1) (w p2) -> b (c p1 p2) h w", p1=2, p2=2)), 0.2)
        for down in self.downs:  # 32 px, 16, 8, 4, 2
            h = F.leaky_relu(down(h), 0.2)
        return self.last(h.flatten(1))


class Decoder(nn.Module):
    """A few numbers into a picture of 64 px: a layer that makes 4 x 4 places, then convolutions and doubled sides.

    z: (B, latent) -> (B, 3, 64, 64)
    """

    def __init__(self, latent: int, widths: tuple[int, ...] = (96, 96, 96, 64)):
        super().__init__()
        self.first = nn.Linear(latent, widths[0] * 4 * 4)
        pairs = zip(widths, widths[1:])
        self.convs = nn.ModuleList(nn.Sequential(nn.Conv2d(a, b, 3, padding=1), group_norm(b)) for a, b in pairs)
        self.last = nn.Conv2d(widths[-1], 12, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = F.silu(self.first(z).unflatten(1, (-1, 4, 4)))
        for conv in self.convs:  # to 8 px, 16, 32; repeating pixels leaves no checkerboard
            h = F.interpolate(F.silu(conv(h)), scale_factor=2, mode="nearest")
        return rearrange(self.last(h), "b (c p1 p2) h w -> b c (h p1) (w p2)", p1=2, p2=2)


class VAE(nn.Module):
    """An encoder that answers a normal density of latents, q(z | x), and a decoder.  x: (B, 3, 64, 64)"""

    def __init__(self, latent: int = 64):
        super().__init__()
        self.latent, self.encoder, self.decoder = latent, Encoder(2 * latent), Decoder(latent)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x).  (B, 3, 64, 64) -> (B, latent) twice"""
        mean, log_var = self.encoder(x).float().chunk(2, dim=1)
        return mean, log_var.clamp(-20, 10)

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """There and back through z = mean + std eps -> (x_hat, mean, log_var).  eps: (B, latent)  (13.3)"""
        mean, log_var = self.encode(x)
        return self.decoder(mean + (log_var / 2).exp() * eps), mean, log_var
