"""Latent diffusion: the network of text to flowers, unchanged, on an autoencoder's latents (arXiv 2112.10752)."""

from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from .. import data
from ..conditions import Cond
from ..data import Pictures, cropped
from ..guidance import clipped
from ..losses import snr_plus_1
from ..networks.autoencoder import Autoencoder
from ..networks.unet import UNet
from ..predict import X0
from ..samplers import ddpm
from ..text.cache import cached
from ..text.captioning import WORDINGS
from ..training.device import device
from ..training.loop import Batch
from ..training.run import Run
from .autoencoder import bundled_autoencoder
from .base import seeded_run
from .diffusion import Diffusion


class LatentNet(nn.Module):
    """A U-Net for latents together with the autoencoder that made them: the one is of no use without the other.

    It answers as the U-Net does; the autoencoder is not trained.
    """

    def __init__(self, unet: UNet, autoencoder: Autoencoder):
        super().__init__()
        self.unet, self.autoencoder = unet, autoencoder.requires_grad_(False)

    def forward(self, x: Tensor, t: Tensor, cond: Cond | None = None) -> Tensor:
        return self.unet(x, t, cond)


@dataclass(frozen=True)
class LatentDiffusion(Diffusion):
    """A diffusion system whose x_0 is not the picture but its latent.  size, margin: of the pictures

    The autoencoder is the bundled one when a run begins; weights and runs carry it along.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the latents: a quarter as high and wide as the pictures."""
        return self.channels, self.size // 4, self.size // 4

    def build(self) -> LatentNet:
        """A new, untrained network beside the bundled autoencoder."""
        return LatentNet(super().build(), deepcopy(bundled_autoencoder()))

    def run(self, seed: int = 0) -> Run:
        """A new training run, of the U-Net alone."""
        how = dict(lr=self.lr, decay=self.decay, fall=self.fall, average_from=self.average_from)
        return seeded_run(self, seed, parts=("unet",), **how)

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (latents, cond): cut from the latents of whole pictures and of their mirror images, computed once."""
        z = latents(bundled_autoencoder(), pictures.x)  # (N, 2, C, h, w)
        tell, one, side = self.text.tell(pictures), torch.arange(self.batch), self.size // 4

        def batch(rng):
            i = torch.randint(len(z), (self.batch,), generator=rng)
            mirrored = torch.randint(1 + self.flip, (self.batch,), generator=rng)
            return cropped(z[i, mirrored].float(), one, side, False, rng), tell(i, rng)

        return batch

    def decode(self, net: LatentNet, x: Tensor) -> Tensor:
        """The pictures that latents stand for.  (N, C, h, w) -> (N, 3, H, W)"""
        return net.autoencoder.pictures(x)


def latents(autoencoder: Autoencoder, x: Tensor) -> Tensor:
    """Latents of pictures and of their mirror images, computed once and kept in the cache folder, in half precision.

    x: (N, 3, H, W) -> (N, 2, C, h, w)
    """

    @torch.no_grad()
    def compute():
        there = device()  # two minutes of two cores, seconds of a card
        net = deepcopy(autoencoder).to(there)
        parts = (p.to(there) for p in tqdm(x.split(50), desc="latents", leave=False, disable=len(x) <= 500))
        both = [torch.stack([net.latents(p), net.latents(p.flip(-1))], 1).half().cpu() for p in parts]
        return {"z": torch.cat(both)}

    return cached("autoencoder", autoencoder, x, compute)["z"]


def flowers_latent() -> LatentDiffusion:
    """Photographs of five flowers at 128 px, from a prompt: lesson 12's network on latents of 32 x 32 x 4."""
    return LatentDiffusion(
        "flowers_latent",
        "photographs of five flowers at 128 px, from a prompt, through latents",
        data.flowers,
        data.FLOWERS,
        128,
        dict(channels=4, widths=(64, 128, 192), blocks=1, attend=1, patch=2, cond_dim=128, token_dim=64),
        predict=X0,
        weight=snr_plus_1,
        margin=16,
        batch=32,
        lr=1e-3,
        fall=2000,
        text=WORDINGS,
        limit=partial(clipped, limit=2.5),  # five standard deviations
        sampler=ddpm,
        scale=3.0,
        minutes=600,
    )
