"""A cascade: a small network decides what is where, a second one is told its picture and paints the fine things.

The idea is Imagen's (arXiv 2205.11487, section 2.3); noise on the small picture is from arXiv 2106.15282.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..conditions import Cond
from ..data import Pictures, bundled, cropped
from ..forward import gauss, noisy
from ..guidance import guided
from ..losses import diffusion_loss
from ..predict import Denoise, denoiser
from ..samplers import Step, ddim, times
from ..training.loop import Batch
from .autoencoder import bundled_autoencoder
from .latent import LatentDiffusion, LatentNet, flowers_latent, latents

COLOURS = 3  # channels of the small picture


@dataclass(frozen=True)
class Cascade(LatentDiffusion):
    """A latent diffusion system that is told a small picture, a quarter as wide, with some noise added to it.

    first, first_scale: the bundled system that makes the small picture from the same prompt, and its guidance;
    noised: in training the small picture gets the noise of a step in 0..noised, and the network is told how much, so
    that it need not believe every pixel;  believe: the step whose noise it gets when sampling;  steps, scale: of this
    network alone.
    """

    first: str = "flowers_text"
    first_scale: float = 4.0
    noised: int = 400
    believe: int = 100

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the latents."""
        return self.net["out"], self.size // 4, self.size // 4

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (latents beside the small pictures, (B, C + 3, h, w), cond): cut from both at the same place."""
        z = latents(bundled_autoencoder(), pictures.x)  # (N, 2, C, h, w)
        small = torch.cat([F.interpolate(x, scale_factor=0.25, mode="area") for x in pictures.x.split(500)])
        tell, one, side = self.text.tell(pictures), torch.arange(self.batch), self.size // 4

        def batch(rng):
            i = torch.randint(len(z), (self.batch,), generator=rng)
            mirrored = torch.randint(1 + self.flip, (self.batch,), generator=rng)
            low = torch.where(mirrored.view(-1, 1, 1, 1) == 1, small[i].flip(-1), small[i])
            both = torch.cat([z[i, mirrored].float(), low], 1)
            return cropped(both, one, side, False, rng), tell(i, rng)

        return batch

    def loss(self, net: nn.Module, x0: Tensor, cond: Cond, rng: torch.Generator) -> Tensor:
        """The simple loss of the latents, told the small pictures.  x0: (B, C + 3, h, w) -> ()"""
        z, small = x0[:, :-COLOURS], x0[:, -COLOURS:]
        s = torch.randint(self.noised + 1, (len(x0),), generator=rng)
        told = telling_apart(net, self.seen(small, s, gauss(small, rng)))
        cond = cond.drop(self.drop, rng)
        return diffusion_loss(told, self.schedule, self.predict, z, cond, self.weight, rng=rng)

    def seen(self, small: Tensor, s: Tensor, eps: Tensor) -> Tensor:
        """What the network is told: the small picture with the noise of step s, and how much that is, as a fourth map.

        small, eps: (B, 3, h, w), s: (B,) -> (B, 4, h, w)
        """
        noise = self.schedule.scales(s, like=small)[1]
        return torch.cat([noisy(self.schedule, small, s, eps), noise.expand(-1, 1, *small.shape[2:])], 1)

    def sample(
        self,
        net: LatentNet,
        what: Tensor | list[str],
        steps: int | None = None,
        scale: float | None = None,
        seed: int = 0,
        rng: torch.Generator | None = None,
        x_T: Tensor | None = None,
    ) -> Iterator[Step]:
        """As `Diffusion.sample`, after the first system has made its small picture with its own choices."""
        rng = torch.Generator().manual_seed(seed) if rng is None else rng
        small = self.small(what, rng, next(net.parameters()).device)
        yield from self.enlarge(net, small, what, steps, scale, rng, x_T)

    def enlarge(
        self,
        net: LatentNet,
        small: Tensor,
        what: Tensor | list[str],
        steps: int | None = None,
        scale: float | None = None,
        rng: torch.Generator | None = None,
        x_T: Tensor | None = None,
    ) -> Iterator[Step]:
        """As `sample`, from small pictures that are there already.  small: (N, 3, h, w) in [-1, 1]"""
        rng, device = torch.Generator().manual_seed(0) if rng is None else rng, next(net.parameters()).device
        small = small.to(device)
        s = torch.full((len(small),), self.believe)
        told = telling_apart(net.eval(), self.seen(small, s, gauss(small, rng)))
        cond = self.condition(what).to(device)
        d: Denoise = guided(denoiser(told, self.schedule, self.predict), self.scale if scale is None else scale)
        x_T = gauss(torch.empty(len(what), *self.shape, device=device), rng) if x_T is None else x_T.to(device)
        ts = times(self.schedule.T, self.steps if steps is None else steps)
        yield from self.sampler(self.limit(d), self.schedule, x_T, ts, cond, rng)

    def small(self, what: Tensor | list[str], rng: torch.Generator, device: torch.device) -> Tensor:
        """The first system's pictures.  (N,) -> (N, 3, h, w)"""
        system, net = first(self.first)
        *_, last = system.sample(net.to(device), what, scale=self.first_scale, rng=rng)
        return last.x.float().clamp(-1, 1)


def telling_apart(net: nn.Module, told: Tensor):
    """A network that sees `told` beside each x_t; guidance asks it for twice as many."""
    return lambda x, t, cond: net(torch.cat([x, told.to(x).repeat(len(x) // len(told), 1, 1, 1)], 1), t, cond)


@cache
def first(name: str):
    """The bundled system and its network that make the small picture."""
    from .registry import open_weights

    return open_weights(bundled(f"{name}.safetensors"))


def flowers_cascade() -> Cascade:
    """Photographs of five flowers at 128 px, from a prompt: lesson 12's picture, painted finer through latents."""
    of = flowers_latent()
    choices = {k: getattr(of, k) for k in of.__dataclass_fields__}
    return replace(
        Cascade(**choices),
        name="flowers_cascade",
        about="photographs of five flowers at 128 px, from a prompt, through a picture of 32 px and latents",
        net=of.net | dict(channels=of.net["channels"] + COLOURS + 1, out=of.net["channels"]),
        sampler=ddim,  # ancestral steps leave a grain that a short training does not paint over
        steps=5,  # the small picture has decided already: more steps only add to its faults (data/README.md)
        scale=3.0,
        minutes=120,
    )
