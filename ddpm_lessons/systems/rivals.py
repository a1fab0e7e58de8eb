"""The rivals of diffusion, a variational autoencoder and a generative adversarial network, on the same photographs.

Both paint in one step, from a few numbers, and both are unconditional: they know no classes and no prompts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..conditions import Cond
from ..data import Pictures
from ..data.sets import PICTURE, photographs
from ..forward import gauss
from ..networks.gan import GAN
from ..networks.vae import VAE
from ..samplers import Step
from ..training.loop import Batch, Loss
from ..training.run import Run
from .base import seeded_run
from .sampling import grid


@dataclass(frozen=True)
class Painter:
    """What the two rivals share: their data, and pictures in one step.  latent: how many numbers a picture is made of.

    margin: pixels more, to crop from at random;  decay: of the average of the weights;  minutes: of training on two CPU
    cores before the samples are worth a look.
    """

    name: str
    about: str
    classes: tuple[str, ...] = PICTURE
    size: int = 64
    margin: int = 6
    flip: bool = True
    latent: int = 64
    batch: int = 32
    lr: float = 1e-3
    fall: float = 500
    decay: float = 0.999
    minutes: float = 10
    steps = 1
    scale = 1.0

    def pictures(self, folder: str | Path | None = None, size: int | None = None) -> Pictures:
        """The photographs of flowers, or all pictures of a folder.  Raises like `data.flowers`."""
        return photographs(self.size + self.margin if size is None else size, folder)

    def fitting(self, pictures: Pictures) -> "Painter":
        """This system: it takes pictures of anything."""
        return self

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (x0, cond), as `train` wants them."""
        return data.batches(pictures, self.batch, self.size, self.flip)

    def run(self, seed: int = 0) -> Run:
        """A new training run; the seed fixes the network's first weights as well."""
        return seeded_run(self, seed, lr=self.lr, decay=self.decay, fall=self.fall, **self.optimisers)

    @property
    def optimisers(self) -> dict[str, Any]:
        """What `Run` is told of the optimisers."""
        return {}

    def paint(self, net: nn.Module, z: Tensor) -> Tensor:
        """The pictures that latents stand for.  (N, latent) -> (N, 3, H, W)"""
        return net.decoder(z)

    def sample(
        self,
        net: nn.Module,
        what: Tensor | list[str],
        steps: int | None = None,
        scale: float | None = None,
        seed: int = 0,
        rng: torch.Generator | None = None,
        x_T: Tensor | None = None,
    ) -> Iterator[Step]:
        """As many pictures as there are labels, in one step; what the labels say makes no difference.  -> (N, 3, H, W)

        x_T: the latents to paint, (N, latent), in place of drawn ones.  Raises ValueError for prompts, for more than
        one step, for a guidance scale other than 1 and for latents of another shape.
        """
        if not isinstance(what, Tensor):
            raise ValueError(f"{self.name} knows no prompts: it paints what it likes; leave --prompt out")
        if steps not in (None, 1) or scale not in (None, 1.0):
            raise ValueError(f"{self.name} paints in one step, without guidance: leave --steps and --scale out")
        like = torch.empty(len(what), self.latent, device=next(net.parameters()).device)
        z = gauss(like, rng or torch.Generator().manual_seed(seed)) if x_T is None else x_T.to(like)
        if z.shape != like.shape:
            raise ValueError(f"x_T should be latents, {tuple(like.shape)}, got {tuple(z.shape)}")
        with torch.no_grad():
            x = self.paint(net.eval(), z).float().clamp(-1, 1)
        return iter([Step(0, x, x)])

    def decode(self, net: nn.Module, x: Tensor) -> Tensor:
        """The pictures themselves."""
        return x

    def notes(self, prompt: str) -> list[str]:
        """Raises ValueError: there are no prompts."""
        raise ValueError(f"{self.name} knows no prompts: it paints what it likes; leave --prompt out")

    def report(self, net: nn.Module, pictures: Pictures, out: Path) -> str:
        """Sixteen samples."""
        file = out / f"{self.name}.png"
        grid(self, net, torch.zeros(16, dtype=torch.long), file, 4)
        return f"look at {file}"


# a variational autoencoder


def latent_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, var) || N(0, 1)) in nats, for each latent number.  (B, d) twice -> (B, d)  (13.2)"""
    return 0.5 * (mean**2 + log_var.exp() - 1 - log_var)


def vae_loss(x0: Tensor, x0_hat: Tensor, mean: Tensor, log_var: Tensor, beta: float = 1.0) -> Tensor:
    """The negative bound, in nats a number of the picture, up to a constant: 1/2 |x0 - x0_hat|^2 + beta KL.  (13.4)

    The decoder is N(x0_hat, I).  beta 1 is the bound itself (arXiv 1312.6114), more a compromise in favour of N(0, I)
    (beta-VAE), 0 a plain autoencoder.  x0, x0_hat: (B, C, H, W), mean, log_var: (B, d) -> ()
    """
    error = 0.5 * (x0 - x0_hat).square().flatten(1).sum(1)
    return (error + beta * latent_kl(mean, log_var).sum(1)).mean() / x0[0].numel()


@dataclass(frozen=True)
class VaeTraining(Painter):
    """A variational autoencoder: lesson 04's bound with one step, whose encoder is learnt.  beta: the KL's weight."""

    name: str = "vae"
    about: str = "photographs of flowers at 64 px, by a variational autoencoder"
    beta: float = 1.0
    parallel = True

    def build(self) -> VAE:
        """A new, untrained network."""
        return VAE(self.latent)

    def loss(self, net: nn.Module, x0: Tensor, cond: Cond | None, rng: torch.Generator) -> Tensor:
        """The negative bound with one draw of z for each picture.  x0: (B, 3, H, W) -> ()"""
        x0_hat, mean, log_var = net(x0, gauss(x0.new_empty(len(x0), self.latent), rng))
        return vae_loss(x0, x0_hat.float(), mean, log_var, self.beta)

    @property
    def losses(self) -> Sequence[Loss]:
        """The one loss."""
        return (self.loss,)


# a generative adversarial network


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-V(D, G) = -E log D(x) - E log(1 - D(G(z))), D being the sigmoid of these logits.  (B,) twice -> ()  (13.6)"""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """-E log D(G(z)), in place of E log(1 - D(G(z))), which is flat where D is sure.  Logits (B,) -> ()  (13.9)"""
    return F.softplus(-fake).mean()


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """D*(x) = p_data(x) / (p_data(x) + p_g(x)), the best answer to a fixed generator.  Densities, any shape  (13.7)"""
    return p_data / (p_data + p_g)


def gradient_penalty(logits: Tensor, x: Tensor) -> Tensor:
    """R1: the mean of |dD/dx|^2 at photographs (arXiv 1801.04406, eq. 9).  (B,) of x: (B, C, H, W) -> ()  (13.10)

    x must have been given `requires_grad_()` before the logits were computed.
    """
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return slope.float().square().flatten(1).sum(1).mean()


def shaken(x: Tensor, rng: torch.Generator, most: int = 8) -> Tensor:
    """Pictures moved by up to `most` pixels and made lighter or darker, each by itself (arXiv 2006.10738).  As x

    The discriminator sees photographs and samples through it alike, so that it cannot learn the photographs by heart,
    and the generator learns through it: it is differentiable.
    """
    n, _, height, width = x.shape
    top, left = torch.randint(2 * most + 1, (2, n, 1), generator=rng).to(x.device)
    rows, columns = top + torch.arange(height, device=x.device), left + torch.arange(width, device=x.device)
    padded = F.pad(x, [most] * 4, mode="reflect").permute(0, 2, 3, 1)
    moved = padded[torch.arange(n, device=x.device)[:, None, None], rows[:, :, None], columns[:, None, :]]
    light = (torch.rand(n, 1, 1, 1, generator=rng) - 0.5).to(x)
    return moved.permute(0, 3, 1, 2) + light


@dataclass(frozen=True)
class GanTraining(Painter):
    """A generator and a discriminator that take turns.  penalty: R1's weight;  betas: AdamW's."""

    name: str = "gan"
    about: str = "photographs of flowers at 64 px, by a generative adversarial network"
    batch: int = 16
    lr: float = 2e-3
    penalty: float = 1.0
    betas: tuple[float, float] = (0.5, 0.99)
    parallel = False

    def build(self) -> GAN:
        """A new, untrained pair."""
        return GAN(self.latent)

    @property
    def optimisers(self) -> dict[str, Any]:
        """One for each player, with less momentum than usual, since the other player moves on."""
        return {"parts": ("discriminator", "generator"), "betas": self.betas}

    def paint(self, net: nn.Module, z: Tensor) -> Tensor:
        """The generator's pictures.  (N, latent) -> (N, 3, H, W)"""
        return net.generator(z)

    def judge(self, net: GAN, x0: Tensor, cond: Cond | None, rng: torch.Generator) -> Tensor:
        """The discriminator's loss on photographs and on as many samples.  x0: (B, 3, H, W) -> ()"""
        with torch.no_grad():
            painted = net.generator(gauss(x0.new_empty(len(x0), self.latent), rng)).float()
        x0 = x0.requires_grad_()
        real = net.discriminator(shaken(x0, rng))
        loss = discriminator_loss(real.float(), net.discriminator(shaken(painted, rng)).float())
        return loss + self.penalty / 2 * gradient_penalty(real, x0) if self.penalty else loss

    def fool(self, net: GAN, x0: Tensor, cond: Cond | None, rng: torch.Generator) -> Tensor:
        """The generator's loss on as many samples.  x0: (B, 3, H, W), only counted -> ()"""
        painted = net.generator(gauss(x0.new_empty(len(x0), self.latent), rng)).float()
        return generator_loss(net.discriminator(shaken(painted, rng)).float())

    @property
    def losses(self) -> Sequence[Loss]:
        """Two, which take turns."""
        return (self.judge, self.fool)
