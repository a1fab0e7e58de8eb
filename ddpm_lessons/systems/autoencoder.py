"""How the autoencoder of latent diffusion is trained: on crops of photographs, there and back."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.utils import save_image

from ..conditions import Cond
from ..data import FLOWERS, Pictures, bundled, cropped, flowers, held_out
from ..evaluation import Features, efficientnet, perceptual
from ..forward import gauss
from ..networks.autoencoder import Autoencoder
from ..samplers import Step
from ..training.files import load, load_weights
from ..training.loop import Batch, Loss
from ..training.run import Run
from .base import seeded_run
from .choices import from_json


@dataclass(frozen=True)
class AutoencoderTraining:
    """An autoencoder, its data and its training.  size: of the photographs;  margin: pixels more, to crop from.

    net: the arguments of Autoencoder;  crop: of the pictures that it is trained on: what it has to learn is local;
    look: the weight of the perceptual distance, 1 for L1;  kl: that of the latents' distance from N(0, I): light, it
    only keeps latents from growing and the decoder from minding a little noise.
    """

    name: str = "autoencoder"
    about: str = "photographs of five flowers at 128 px into latents of 32 x 32 x 4 and back"
    classes: tuple[str, ...] = FLOWERS
    size: int = 128
    margin: int = 16
    crop: int = 64
    net: dict[str, Any] = field(default_factory=lambda: dict(widths=(64, 128), encoder=(1, 1), decoder=(1, 2)))
    look: float = 0.3
    kl: float = 2e-4
    batch: int = 16
    lr: float = 1e-3
    fall: float = 2000
    decay: float = 0.999
    minutes: float = 60
    parallel = True
    steps = scale = 0

    def pictures(self, folder: str | Path | None = None, size: int | None = None) -> Pictures:
        """The photographs.  Raises like `data.flowers`."""
        return flowers(self.size + self.margin if size is None else size, folder)

    def fitting(self, pictures: Pictures) -> "AutoencoderTraining":
        """This system: it takes pictures of anything."""
        return self

    def build(self) -> Autoencoder:
        """A new, untrained network."""
        return Autoencoder(**self.net)

    def run(self, seed: int = 0) -> Run:
        """A new training run; the seed fixes the network's first weights as well."""
        return seeded_run(self, seed, lr=self.lr, decay=self.decay, fall=self.fall)

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (crops, None): of pictures that are not held out, mirrored half the time."""
        x = pictures.x[~held_out(pictures)]

        def batch(rng):
            i = torch.randint(len(x), (self.batch,), generator=rng)
            return cropped(x, i, self.crop, True, rng), None

        return batch

    def loss(self, net: nn.Module, x0: Tensor, cond: Cond | None, rng: torch.Generator) -> Tensor:
        """L1 + look x perceptual distance + kl x KL(q(z | x) || N(0, I)), each a mean.  x0: (B, 3, H, W) -> ()"""
        mean, log_var = (v.float() for v in net.encode(x0))
        log_var = log_var.clamp(-20, 10)
        net.watch(mean)
        x0_hat = net.decode(mean + (log_var / 2).exp() * gauss(mean, rng)).float()
        near = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).mean()
        return F.l1_loss(x0_hat, x0) + self.look * perceptual(x0_hat, x0, early()).mean() + self.kl * near

    @property
    def losses(self) -> Sequence[Loss]:
        """The one loss."""
        return (self.loss,)

    def sample(self, net, what, steps=None, scale=None, seed=0, rng=None, x_T=None) -> Iterator[Step]:
        """Raises ValueError: an autoencoder has no pictures of its own."""
        raise ValueError(f"{self.name} brings pictures into latents and back, and makes none; take another file")

    def decode(self, net: nn.Module, x: Tensor) -> Tensor:
        """The pictures themselves."""
        return x

    def notes(self, prompt: str) -> list[str]:
        """Raises ValueError: there are no prompts."""
        self.sample(None, [prompt])

    def report(self, net: nn.Module, pictures: Pictures, out: Path) -> str:
        """How faithful the round trip of held-out pictures is, and eight of them over what came back."""
        x, file = middle(pictures.x[held_out(pictures)], self.size), out / f"{self.name}.png"
        back = round_trip(net.eval(), x)
        save_image(torch.cat([x[:8], back[:8]]), file, nrow=min(8, len(x)), normalize=True, value_range=(-1, 1))
        return f"{psnr(x, back):.2f} dB on {len(x)} held-out pictures; look at {file}"


@cache
def bundled_autoencoder() -> Autoencoder:
    """The one that comes with the course. Raises FileNotFoundError or ValueError like `load`."""
    file = bundled("autoencoder.safetensors")
    tensors, info = load(file)
    with torch.device("cpu"):  # also where somebody wants shapes alone
        net = Autoencoder(**from_json(info["system"]["net"]))
    load_weights(net, tensors, file)
    return net.eval().requires_grad_(False)


@cache
def early() -> Features:
    """The first five blocks of EfficientNet-Lite0, on pictures as they are: edges, colours and textures."""
    return efficientnet(size=None, blocks=5)


def middle(x: Tensor, size: int) -> Tensor:
    """The middle of pictures.  (N, C, H, H) -> (N, C, size, size)"""
    m = (x.shape[-1] - size) // 2
    return x[..., m : m + size, m : m + size]


@torch.no_grad()
def round_trip(net: Autoencoder, x: Tensor) -> Tensor:
    """There and back, kept in [-1, 1], on the CPU.  (N, C, H, W) -> same"""
    device = next(net.parameters()).device
    return torch.cat([net(part.to(device)).float().clamp(-1, 1).cpu() for part in x.split(50)])


def psnr(x: Tensor, x_hat: Tensor) -> float:
    """Peak signal-to-noise ratio in decibels, the mean over pictures in [-1, 1]: 10 log10(2^2 / MSE)."""
    mse = (x - x_hat).square().flatten(1).mean(1)
    return float((10 * (math.log10(4) - mse.log10())).mean())
