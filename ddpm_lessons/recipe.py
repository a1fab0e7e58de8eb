"""One system, whole: its data, network, schedule, training and sampling as one value."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import data
from .captions import caption
from .conditions import Cond, classes
from .forward import gauss
from .guidance import clipped, guided
from .losses import diffusion_loss
from .predict import Denoise, Predict, V, denoiser
from .samplers import Step, ddim, times
from .schedules import Schedule, cosine
from .train import Batch, Run
from .unet import UNet


@dataclass(frozen=True)
class Recipe:
    """One system, whole.  load: (size, folder or None) -> Pictures;  margin: pixels more, to crop from at random.

    net: the arguments of UNet;  drop: how often the class is hidden while training;  weight: of the loss, as a function
    of the SNR;  fall: the step from which the learning rate falls;  average_from: the step at which the average begins;
    encode: prompts -> Cond, and tell: Pictures -> what they show (`data.Tell`), where texts take the classes' place;
    say: class -> all the texts that its pictures may come with;
    limit: what keeps guesses of x0 in bounds;  sampler, steps, scale (guidance): how pictures are made;
    minutes: of training on two CPU cores before the samples are worth a look.
    """

    name: str
    about: str
    load: Callable[[int, str | Path | None], data.Pictures]
    classes: tuple[str, ...]
    size: int
    net: dict[str, Any]
    schedule: Schedule = cosine(1000)
    predict: Predict = V
    weight: Callable[[Tensor], Tensor] | None = None
    margin: int = 4
    flip: bool = True
    batch: int = 64
    lr: float = 5e-4
    fall: float = math.inf
    decay: float = 0.9995
    average_from: int = 0
    drop: float = 0.1
    encode: Callable[[list[str]], Cond] | None = None
    tell: Callable[[data.Pictures], data.Tell] | None = None
    say: Callable[[str], list[str]] | None = None
    limit: Callable[[Denoise], Denoise] = clipped
    sampler: Callable[..., Iterator[Step]] = ddim
    steps: int = 20
    scale: float = 2.0
    minutes: float = 60

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey."""
        return self.net["channels"]

    @property
    def texts(self) -> list[str]:
        """All that the network may have been told; [] where that is not known."""
        return [] if self.say is None else [text for name in self.classes for text in self.say(name)]

    def pictures(self, folder: str | Path | None = None, size: int | None = None) -> data.Pictures:
        """The pictures to train on, with their margin, or those of another size.  Raises like `data.flowers`."""
        return self.load(self.size + self.margin if size is None else size, folder)

    def batches(self, pictures: data.Pictures) -> Batch:
        """rng -> (x0, cond), as `train` wants them."""
        return data.batches(pictures, self.batch, self.size, self.flip, self.tell and self.tell(pictures))

    def build(self) -> UNet:
        """A new, untrained network."""
        return UNet(**{"cond": len(self.classes)} | self.net)

    def run(self, seed: int = 0) -> Run:
        """A new training run; the seed fixes the network's first weights as well."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Run(self.build(), self.lr, self.decay, seed, self.fall, self.average_from)

    def condition(self, what: Tensor | list[str]) -> Cond:
        """What the network is told: labels (N,), or prompts where it was trained on texts.  Raises ValueError."""
        if self.encode is None and not isinstance(what, Tensor):
            raise ValueError(f"{self.name} knows no prompts, only the classes {', '.join(self.classes)}")
        if self.encode is None:
            return classes(what, len(self.classes))
        if isinstance(what, Tensor):
            classes(what, len(self.classes))  # raises for those that are none
            what = [caption("", self.classes[k]) for k in what.tolist()]
        with torch.autocast("cpu", enabled=False):  # as precise as when the network was trained
            return self.encode(what)

    def loss(self, net: nn.Module, x0: Tensor, cond: Cond, rng: torch.Generator) -> Tensor:
        """The simple loss with the condition hidden now and then, as `train` calls it.  x0: (B, C, H, W) -> ()"""
        return diffusion_loss(net, self.schedule, self.predict, x0, cond.drop(self.drop, rng), self.weight, rng=rng)

    def sample(
        self,
        net: nn.Module,
        what: Tensor | list[str],
        steps: int | None = None,
        scale: float | None = None,
        seed: int = 0,
        x_T: Tensor | None = None,
    ) -> Iterator[Step]:
        """Pictures of the given classes or prompts, step by step, guided and kept in bounds.  (N,) -> (N, C, H, W) each

        x_T: the noise to begin with, (N, C, H, W), in place of the seed's. Raises ValueError for noise of another
        shape, a label that is no class, an empty prompt, and for steps outside 1..T.
        """
        net.eval()
        device = next(net.parameters()).device
        cond = self.condition(what).to(device)
        like = torch.empty(len(what), self.channels, self.size, self.size, device=device)
        d = guided(denoiser(net, self.schedule, self.predict), self.scale if scale is None else scale)
        rng = torch.Generator().manual_seed(seed)
        ts = times(self.schedule.T, self.steps if steps is None else steps)
        x_T = gauss(like, rng) if x_T is None else x_T.to(device)
        if x_T.shape != like.shape:
            raise ValueError(f"x_T should have the samples' shape, {tuple(like.shape)}, got {tuple(x_T.shape)}")
        return self.sampler(self.limit(d), self.schedule, x_T, ts, cond, rng)
