"""A diffusion system, whole: its data, network, schedule, training and sampling as one value."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..conditions import Cond, classes
from ..data import Pictures
from ..data.captions import caption
from ..forward import gauss
from ..guidance import clipped, guided
from ..losses import Weight, diffusion_loss
from ..networks.unet import UNet
from ..predict import Denoise, Predict, V, denoiser
from ..samplers import Step, ddim, times
from ..schedules import Schedule, cosine
from ..text import Text
from ..training.loop import Batch, Loss
from ..training.run import Run
from .base import seeded_run
from .sampling import grid


@dataclass(frozen=True)
class Diffusion:
    """One diffusion system.  load: (size, folder or None) -> Pictures;  margin: pixels more, to crop from at random.

    net: the arguments of UNet;  drop: how often the condition is hidden while training;  weight: of the picture's error
    in the loss;  distance: F.mse_loss or F.l1_loss, between the answer and its target;  fall: the step from which the
    learning rate falls;  average_from: the step at which the average begins;
    text: how words take the classes' place;  limit: what keeps guesses of x0 in bounds;  sampler, steps, scale
    (guidance): how pictures are made;  minutes: of training on two CPU cores before the samples are worth a look.
    """

    name: str
    about: str
    load: Callable[[int, str | Path | None], Pictures]
    classes: tuple[str, ...]
    size: int
    net: dict[str, Any]
    schedule: Schedule = cosine(1000)
    predict: Predict = V
    weight: Weight | None = None
    distance: Callable[..., Tensor] = F.mse_loss
    margin: int = 4
    flip: bool = True
    batch: int = 64
    lr: float = 5e-4
    fall: float = math.inf
    decay: float = 0.9995
    average_from: int = 0
    drop: float = 0.1
    text: Text | None = None
    limit: Callable[[Denoise], Denoise] = clipped
    sampler: Callable[..., Iterator[Step]] = ddim
    steps: int = 20
    scale: float = 2.0
    minutes: float = 60
    parallel = True

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey."""
        return self.net["channels"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of what the network works on."""
        return self.channels, self.size, self.size

    @property
    def texts(self) -> list[str]:
        """All that the network may have been told; [] where that is not known."""
        return [] if self.text is None else [text for name in self.classes for text in self.text.said(name)]

    def pictures(self, folder: str | Path | None = None, size: int | None = None) -> Pictures:
        """The pictures to train on, with their margin, or those of another size.  Raises like `data.flowers`."""
        return self.load(self.size + self.margin if size is None else size, folder)

    def fitting(self, pictures: Pictures) -> "Diffusion":
        """This system for these pictures: one that is told texts takes pictures of anything.

        Raises ValueError when one that is told classes would be shown others.
        """
        if self.text is not None:
            return replace(self, classes=pictures.classes)
        if pictures.classes != self.classes:
            shown = ", ".join(pictures.classes)
            raise ValueError(f"the data hold {shown}; {self.name} wants {', '.join(self.classes)}")
        return self

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (x0, cond), as `train` wants them."""
        tell = None if self.text is None else self.text.tell(pictures)
        return data.batches(pictures, self.batch, self.size, self.flip, tell)

    def build(self) -> UNet:
        """A new, untrained network."""
        return UNet(**{"cond_dim": len(self.classes)} | self.net)

    def run(self, seed: int = 0) -> Run:
        """A new training run; the seed fixes the network's first weights as well."""
        how = dict(lr=self.lr, decay=self.decay, fall=self.fall, average_from=self.average_from)
        return seeded_run(self, seed, **how)

    def condition(self, what: Tensor | list[str]) -> Cond:
        """What the network is told: labels (N,), or prompts where it was trained on texts.  Raises ValueError."""
        if self.text is None and not isinstance(what, Tensor):
            raise ValueError(f"{self.name} knows no prompts, only the classes {', '.join(self.classes)}")
        if self.text is None:
            return classes(what, len(self.classes))
        if isinstance(what, Tensor):
            classes(what, len(self.classes))  # raises for those that are none
            what = [caption("", self.classes[k]) for k in what.tolist()]
        with torch.autocast("cpu", enabled=False):  # as precise as when the network was trained
            return self.text.encode(what)

    def loss(self, net: nn.Module, x0: Tensor, cond: Cond, rng: torch.Generator) -> Tensor:
        """The simple loss with the condition hidden now and then, as `train` calls it.  x0: (B, C, H, W) -> ()"""
        return diffusion_loss(
            net, self.schedule, self.predict, x0, cond.drop(self.drop, rng), self.weight, self.distance, rng
        )

    @property
    def losses(self) -> Sequence[Loss]:
        """The one loss."""
        return (self.loss,)

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
        """Pictures of the given classes or prompts, step by step, guided and kept in bounds.  (N,) -> (N, C, H, W) each

        rng: draws all noise, in place of a source with the seed;  x_T: the noise to begin with, (N, C, H, W), in place
        of a drawn one. Raises ValueError for noise of another shape, a label that is no class, an empty prompt, and
        for steps outside 1..T.
        """
        net.eval()
        device = next(net.parameters()).device
        cond = self.condition(what).to(device)
        like = torch.empty(len(what), *self.shape, device=device)
        d = guided(denoiser(net, self.schedule, self.predict), self.scale if scale is None else scale)
        rng = torch.Generator().manual_seed(seed) if rng is None else rng
        ts = times(self.schedule.T, self.steps if steps is None else steps)
        x_T = gauss(like, rng) if x_T is None else x_T.to(device)
        if x_T.shape != like.shape:
            raise ValueError(f"x_T should have the samples' shape, {tuple(like.shape)}, got {tuple(x_T.shape)}")
        return self.sampler(self.limit(d), self.schedule, x_T, ts, cond, rng)

    def decode(self, net: nn.Module, x: Tensor) -> Tensor:
        """The pictures themselves."""
        return x

    def notes(self, prompt: str) -> list[str]:
        """Words of the prompt that no training text had, and whether it was cut. Raises ValueError for an empty one."""
        self.condition([prompt])
        return self.text.notes(prompt, self.texts)

    def report(self, net: nn.Module, pictures: Pictures, out: Path) -> str:
        """A picture with samples, a column for each class."""
        n, file = len(self.classes), out / f"{self.name}.png"
        quick = replace(self, sampler=ddim, steps=20)  # a look, where the system's own sampler may take an hour
        what = torch.arange(4 * n) % n
        if pictures.captions is not None and self.text is not None:  # the first sixteen pictures' own
            n, what = 4, [captions[0] for captions in pictures.captions[:16]]
        grid(quick, net, what, file, n)
        return f"look at {file}"
