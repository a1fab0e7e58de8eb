"""Whole systems, each a function that names its data, network, schedule and training; weights remember their recipe."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import data
from .conditions import Cond, classes
from .forward import gauss
from .guidance import clipped, guided
from .losses import diffusion_loss
from .predict import Predict, V, denoiser
from .samplers import Step, ddim, times
from .schedules import Schedule, cosine
from .train import Run, fit, load, save
from .unet import UNet


@dataclass(frozen=True)
class Recipe:
    """One system, whole.  pictures: folder or None -> Pictures, a little larger than `size` for random crops.

    net: the arguments of UNet;  drop: how often the class is hidden while training;  scale: guidance when sampling;
    weight: of the loss, as a function of the SNR;  fall: the step from which the learning rate falls;
    minutes: of training on two CPU cores before the samples are worth a look.
    """

    name: str
    about: str
    pictures: Callable[[str | Path | None], data.Pictures]
    classes: tuple[str, ...]
    size: int
    net: dict[str, Any]
    schedule: Schedule = cosine(1000)
    predict: Predict = V
    weight: Callable[[Tensor], Tensor] | None = None
    flip: bool = True
    batch: int = 64
    lr: float = 5e-4
    fall: float = math.inf
    decay: float = 0.9995
    drop: float = 0.1
    scale: float = 2.0
    minutes: float = 60

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey."""
        return self.net["channels"]

    def build(self) -> UNet:
        """A new, untrained network."""
        return UNet(**self.net, cond=len(self.classes))

    def run(self, seed: int = 0) -> Run:
        """A new training run; the seed fixes the network's first weights as well."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Run(self.build(), self.lr, self.decay, seed, self.fall)

    def loss(self, net: nn.Module, x0: Tensor, cond: Cond, rng: torch.Generator) -> Tensor:
        """The simple loss with the condition hidden now and then, as `train` calls it.  x0: (B, C, H, W) -> ()"""
        return diffusion_loss(net, self.schedule, self.predict, x0, cond.drop(self.drop, rng), self.weight, rng=rng)

    def sample(
        self, net: nn.Module, labels: Tensor, steps: int = 50, scale: float | None = None, seed: int = 0
    ) -> Iterator[Step]:
        """Pictures of the given classes, step by step (DDIM, guided, clipped).  labels: (N,) -> Steps of (N, C, H, W)

        Raises ValueError for a label that is no class and for steps outside 1..T.
        """
        net.eval()
        device = next(net.parameters()).device
        x = torch.empty(len(labels), self.channels, self.size, self.size, device=device)
        d = guided(denoiser(net, self.schedule, self.predict), self.scale if scale is None else scale)
        x_T = gauss(x, torch.Generator().manual_seed(seed))
        cond = classes(labels, len(self.classes)).to(device)
        return ddim(clipped(d), self.schedule, x_T, times(self.schedule.T, steps), cond)


def flowers() -> Recipe:
    """Photographs of five flowers at 32 px, told which flower."""
    net = dict(channels=3, widths=(96, 160, 192), blocks=1, attend=1, patch=2)
    return Recipe(
        "flowers",
        "photographs of five flowers",
        lambda d: data.flowers(36, d),
        data.FLOWERS,
        32,
        net,
        batch=32,
        lr=1e-3,
        fall=500,
        minutes=90,
    )


def digits() -> Recipe:
    """MNIST at 32 px, told which digit."""
    net = dict(channels=1, widths=(48, 96), blocks=1, attend=1, patch=2)
    about = "handwritten digits (MNIST)"
    return Recipe(
        "digits",
        about,
        lambda d: data.digits(34, d),
        tuple("0123456789"),
        32,
        net,
        flip=False,
        lr=1e-3,
        minutes=10,
    )


def drawn() -> Recipe:
    """Flowers that we draw, at 32 px: no download, captions that are always true."""
    net = dict(channels=3, widths=(64, 128), blocks=1, attend=1, patch=2)
    about = "five flowers, drawn by formulas"
    pictures = lambda d: data.drawn(2000, 34, torch.Generator().manual_seed(0))  # noqa: E731
    return Recipe("drawn", about, pictures, data.FLOWERS, 32, net, lr=1e-3, minutes=20)


RECIPES: dict[str, Callable[[], Recipe]] = {f.__name__: f for f in (flowers, digits, drawn)}


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises ValueError, with the names there are, for another."""
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]()


def save_weights(path: str | Path, recipe: Recipe, net: nn.Module, step: int) -> None:
    """Write a trained network in half precision, with its recipe's name: a few MB. Raises OSError like `save`."""
    save(path, {k: v.half() for k, v in net.state_dict().items()}, {"recipe": recipe.name, "step": step})


def open_weights(path: str | Path) -> tuple[Recipe, UNet]:
    """Read what `save_weights` wrote -> (recipe, network). Raises FileNotFoundError or ValueError like `load`."""
    tensors, info = load(path)
    if "recipe" not in info:
        raise ValueError(f"{path} holds no finished network; sample from the file without .run in its name")
    found = recipe(info["recipe"])
    net = found.build()
    fit(net, tensors, path)
    return found, net.eval()


def bundled(name: str) -> tuple[Recipe, UNet]:
    """The weights that come with the course. Raises ValueError for another name, FileNotFoundError where none lie."""
    return open_weights(data.bundled(f"{recipe(name).name}.safetensors"))
