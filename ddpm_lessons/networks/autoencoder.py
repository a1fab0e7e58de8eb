"""Pictures into latents, a quarter as wide and high, and back: the first stage of latent diffusion."""

import torch
from einops import rearrange
from torch import Tensor, nn

from .layers import Block, Parts, RearrangeDown, Up, group_norm

STD = 0.5  # of the latents that diffusion works on, like that of photographs in [-1, 1]


class Autoencoder(nn.Module):
    """An encoder and a decoder of residual blocks (arXiv 2112.10752, section 3.1).  x: (B, C, H, W) -> like x

    channels: C;  latent: channels of a latent;  widths: channels at each size, from the finest;  encoder, decoder:
    blocks at each size;  patch: side of the pixel squares that become channels first. H and W of the latent are those
    of the picture over patch * 2^(levels - 1), which they must be multiples of.
    """

    def __init__(
        self,
        channels: int = 3,
        latent: int = 4,
        widths: tuple[int, ...] = (64, 128),
        encoder: tuple[int, ...] = (1, 1),
        decoder: tuple[int, ...] = (1, 2),
        patch: int = 2,
    ):
        super().__init__()
        self.patch, self.latent, self.multiple = patch, latent, patch * 2 ** (len(widths) - 1)
        down: list[nn.Module] = [nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)]
        up: list[nn.Module] = [nn.Conv2d(latent, widths[-1], 3, padding=1)]
        for i, width in enumerate(widths):
            down += [RearrangeDown(widths[i - 1], width)] * bool(i)
            down += [block(width) for _ in range(encoder[i])]
        for i, width in reversed(list(enumerate(widths))):
            up += [block(width) for _ in range(decoder[i])]
            up += [Up(width, widths[i - 1])] * bool(i)
        self.encoder = nn.Sequential(*down, *last(widths[-1], 2 * latent))
        self.decoder = nn.Sequential(*up, *last(widths[0], channels * patch**2))
        # of the latents of the training pictures, a running mean: what the two functions at the end scale with
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("std", torch.ones(latent))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x).  (B, C, H, W) -> (B, latent, h, w) twice

        Raises ValueError for pictures that cannot be divided into latents.
        """
        if x.ndim != 4 or x.shape[2] % self.multiple or x.shape[3] % self.multiple:
            raise ValueError(f"pictures should be (B, C, H, W), multiples of {self.multiple}, got {tuple(x.shape)}")
        p = self.patch
        h = rearrange(x, "b c (h p1) (w p2) -> b (c p1 p2) h w", p1=p, p2=p)
        mean, log_var = self.encoder(h.contiguous(memory_format=torch.channels_last)).chunk(2, dim=1)
        return mean, log_var

    def decode(self, z: Tensor) -> Tensor:
        """The picture that a latent stands for.  (B, latent, h, w) -> (B, C, H, W)"""
        p = self.patch
        h = self.decoder(z.contiguous(memory_format=torch.channels_last))
        return rearrange(h, "b (c p1 p2) h w -> b c (h p1) (w p2)", p1=p, p2=p)

    def forward(self, x: Tensor) -> Tensor:
        """There and back, without noise."""
        return self.decode(self.encode(x)[0])

    def watch(self, z: Tensor, share: float = 0.01) -> None:
        """Let the running mean and standard deviation of each latent channel follow those of z."""
        with torch.no_grad():
            self.mean.lerp_(z.float().mean((0, 2, 3)), share)
            self.std.lerp_(z.float().std((0, 2, 3)), share)

    def latents(self, x: Tensor) -> Tensor:
        """What diffusion works on: the means, scaled to a mean of 0 and a standard deviation of 0.5 a channel."""
        z = self.encode(x)[0]
        return (z - self.mean.to(z).view(-1, 1, 1)) / self.std.to(z).view(-1, 1, 1) * STD

    def pictures(self, z: Tensor) -> Tensor:
        """The way back from `latents`, kept in [-1, 1]."""
        return self.decode(z / STD * self.std.to(z).view(-1, 1, 1) + self.mean.to(z).view(-1, 1, 1)).clamp(-1, 1)


def block(width: int) -> Block:
    """A residual block that is told nothing: no time, no condition."""
    return Block(width, width, 0, 0.0, Parts())


def last(width: int, channels: int) -> tuple[nn.Module, ...]:
    """From a width to what comes out."""
    return group_norm(width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1)


class StableDiffusions(nn.Module):
    """Stable Diffusion's own autoencoder by the same two functions: latents of 4 x H/8 x W/8, scaled as it takes them.

    name: where diffusers finds it, on its hub or in a folder. Raises ImportError without diffusers, and
    ConnectionError where it cannot be had.
    """

    def __init__(self, name: str = "stabilityai/sd-vae-ft-mse"):
        super().__init__()
        try:
            from diffusers import AutoencoderKL
        except ImportError as e:
            raise ImportError('Stable Diffusion\'s autoencoder comes with diffusers: pip install "diffusers"') from e
        try:
            self.net = AutoencoderKL.from_pretrained(name, use_safetensors=True).eval().requires_grad_(False)
        except OSError as e:
            raise ConnectionError(f"{name} cannot be had ({str(e).splitlines()[0]}); the bundled one is here") from e

    def latents(self, x: Tensor) -> Tensor:
        """The means, times the scale that gives them a standard deviation of about 1.  (B, 3, H, W) in [-1, 1]"""
        return self.net.encode(x).latent_dist.mean * self.net.config.scaling_factor

    def pictures(self, z: Tensor) -> Tensor:
        """The way back, kept in [-1, 1]."""
        return self.net.decode(z / self.net.config.scaling_factor).sample.clamp(-1, 1)
