"""Whole systems, each a function that names its data, network, schedule and training; weights remember their recipe."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import data
from .captions import COLOURS, caption, names, prompts
from .conditions import Cond, classes
from .forward import gauss
from .guidance import clipped, dynamic_threshold, guided
from .losses import diffusion_loss, snr_plus_1
from .predict import EPS, X0, Denoise, Predict, V, denoiser
from .samplers import Step, beta, ddim, ddpm, times
from .schedules import Schedule, cosine, linear
from .text import ClipRecipe, load_clip, told_captions, told_names, told_pictures
from .train import Batch, Run, fit, load, save
from .unet import LearnedTime, MaxDown, Parts, StrideDown, TransposedUp, UNet


@dataclass(frozen=True)
class Recipe:
    """One system, whole.  load: (size, folder or None) -> Pictures;  margin: pixels more, to crop from at random.

    net: the arguments of UNet;  drop: how often the class is hidden while training;  weight: of the loss, as a function
    of the SNR;  fall: the step from which the learning rate falls;  average_from: the step at which the average begins;
    encode: prompts -> Cond, and tell: Pictures -> what they show (`data.Tell`), where texts take the classes' place;
    texts: all that it may have been told;
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
    texts: tuple[str, ...] = ()
    limit: Callable[[Denoise], Denoise] = clipped
    sampler: Callable[..., Iterator[Step]] = ddim
    steps: int = 20
    scale: float = 2.0
    minutes: float = 60

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey."""
        return self.net["channels"]

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
    ) -> Iterator[Step]:
        """Pictures of the given classes or prompts, step by step, guided and kept in bounds.  (N,) -> (N, C, H, W) each

        Raises ValueError for a label that is no class, an empty prompt, and for steps outside 1..T.
        """
        net.eval()
        device = next(net.parameters()).device
        cond = self.condition(what).to(device)
        x = torch.empty(len(what), self.channels, self.size, self.size, device=device)
        d = guided(denoiser(net, self.schedule, self.predict), self.scale if scale is None else scale)
        rng = torch.Generator().manual_seed(seed)
        ts = times(self.schedule.T, self.steps if steps is None else steps)
        return self.sampler(self.limit(d), self.schedule, gauss(x, rng), ts, cond, rng)


def flowers() -> Recipe:
    """Photographs of five flowers at 32 px, told which flower."""
    net = dict(channels=3, widths=(96, 160, 192), blocks=1, attend=1, patch=2)
    return Recipe(
        "flowers",
        "photographs of five flowers",
        data.flowers,
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
    return Recipe(
        "digits",
        "handwritten digits (MNIST)",
        data.digits,
        tuple("0123456789"),
        32,
        net,
        margin=2,
        flip=False,
        lr=1e-3,
        minutes=10,
    )


def drawn() -> Recipe:
    """Flowers that we draw, at 32 px: no download, captions that are always true."""
    net = dict(channels=3, widths=(64, 128), blocks=1, attend=1, patch=2)
    about = "five flowers, drawn by formulas"
    load = lambda size, folder: data.drawn(2000, size, torch.Generator().manual_seed(0))  # noqa: E731
    return Recipe("drawn", about, load, data.FLOWERS, 32, net, margin=2, lr=1e-3, minutes=20)


def cifar10() -> Recipe:
    """System B as published: cosine, eps, depth 3, dropout 0.1, an average from step 2000, dynamic thresholding.

    Ancestral sampling with sigma_t^2 = beta_t. Its 400 epochs are 156,250 steps. The widths are ours: none are given.
    """
    return Recipe(
        "cifar10",
        "small pictures of ten things (CIFAR-10), system B at full size",
        data.cifar10,
        data.CIFAR10,
        32,
        dict(channels=3, widths=(128, 256, 256), blocks=2, attend=1, dropout=0.1),
        predict=EPS,
        margin=0,
        batch=128,
        lr=3e-4,
        average_from=2000,
        limit=dynamic_threshold,
        sampler=partial(ddpm, variance=beta),
        steps=1000,
        minutes=60 * 24 * 36,
    )


def cifar10_small() -> Recipe:
    """System B's choices in a network for two CPU cores: a quarter of the work a picture, x0 for eps, larger steps."""
    return replace(
        cifar10(),
        name="cifar10_small",
        about="the same with a small network",
        net=dict(channels=3, widths=(64, 128, 160), blocks=1, attend=1, patch=2, dropout=0.1),
        predict=X0,
        weight=snr_plus_1(),
        batch=32,
        lr=1e-3,
        fall=500,
        sampler=ddim,
        steps=20,
        minutes=120,
    )


def stl10() -> Recipe:
    """System B on STL-10, shrunk to 32 px: 13,000 pictures, so that crops are drawn from 36."""
    about = "pictures of ten things (STL-10 at 32 px), system B at full size"
    return replace(cifar10(), name="stl10", about=about, load=data.stl10, classes=data.STL10, margin=4)


def flowers_text() -> Recipe:
    """The same photographs at 32 px, told in words: the text's vector, and cross-attention to each of its words."""
    return replace(
        flowers(),
        name="flowers_text",
        about="photographs of five flowers, from a prompt",
        net=dict(channels=3, widths=(80, 128, 160), blocks=1, attend=1, patch=2, cond=128, tokens=64),
        encode=lambda prompts: load_clip().words(prompts),
        tell=lambda pictures: told_captions(load_clip(), pictures),
        texts=tuple(p for k in data.FLOWERS for colour in ("", *COLOURS) for p in prompts(colour, k)),
        scale=3.0,
    )


def flowers_clip() -> Recipe:
    """System A as published: told CLIP ViT-B/32's vector of the picture itself, and of a text when sampling.

    T = 400, linear, eps, no attention, GELU. Its 100 epochs are 3,400 steps of 128. w from -2 to 2 there is our scale
    from -1 to 3. It had 44.9 M parameters; how many blocks and how wide a time embedding is not told.
    """
    openais = lambda: load_clip("ViT-B-32", "openai")  # noqa: E731
    return Recipe(
        "flowers_clip",
        "photographs of five flowers, from a prompt, system A at full size",
        data.flowers,
        data.FLOWERS,
        32,
        dict(channels=3, widths=(256, 256, 512), cond=512, parts=Parts(act=nn.GELU, attention=False)),
        schedule=linear(400, 1e-4, 0.02),
        predict=EPS,
        batch=128,
        lr=1e-4,
        encode=lambda prompts: Cond(openais().texts(prompts)),
        tell=lambda pictures: told_pictures(openais(), pictures),
        sampler=ddpm,
        steps=400,
        scale=3.0,
        minutes=60 * 24,
    )


def flowers_text_simple() -> Recipe:
    """System E's first network: learned time, the text's vector added to it, max pooling, repeated pixels, two levels.

    56 px, T = 1000, batch 128, 2e-4; its 45 epochs are 1,300 steps. The vectors are our CLIP's, 128 wide for 512.
    """
    return Recipe(
        "flowers_text_simple",
        "photographs of five flowers at 56 px, from a prompt, system E's simple network",
        data.flowers,
        data.FLOWERS,
        56,
        dict(channels=3, widths=(64, 128), cond=128, parts=Parts(time=LearnedTime, down=MaxDown, attention=False)),
        schedule=linear(1000),
        predict=EPS,
        batch=128,
        lr=2e-4,
        encode=lambda prompts: load_clip().words(prompts),
        tell=lambda pictures: told_names(load_clip(), pictures),
        texts=tuple(p for k in data.FLOWERS for p in names(k)),
        sampler=ddpm,
        steps=1000,
        minutes=60 * 6,
    )


def flowers_text_guided() -> Recipe:
    """System E's second: cross-attention at each size, stride-2 and transposed convolutions, attention in the middle.

    Its text was one vector, to which attention has no choice; here it is the text's words.
    """
    parts = Parts(down=StrideDown, up=TransposedUp)
    return replace(
        flowers_text_simple(),
        name="flowers_text_guided",
        about="the same, system E's network that looks at the text",
        net=dict(channels=3, widths=(64, 128), blocks=2, attend=2, cond=0, tokens=64, cross=0, parts=parts),
    )


def mnist_text() -> Recipe:
    """System E's digits, "draw a six", in the small network of `digits` with both ways to the text."""
    spelled = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return replace(
        digits(),
        name="mnist_text",
        about="handwritten digits (MNIST), from a prompt",
        load=lambda size, folder: data.digits(size, folder)._replace(classes=spelled),
        classes=spelled,
        net=digits().net | dict(cond=128, tokens=64),
        encode=lambda prompts: load_clip().words(prompts),
        tell=lambda pictures: told_names(load_clip(), pictures),
        texts=tuple(p for k in spelled for p in names(k)),
    )


RECIPES: dict[str, Callable[[], Recipe | ClipRecipe]] = {
    f.__name__: f
    for f in (
        flowers,
        digits,
        drawn,
        cifar10,
        cifar10_small,
        stl10,
        flowers_text,
        flowers_clip,
        flowers_text_simple,
        flowers_text_guided,
        mnist_text,
    )
} | {"clip": ClipRecipe}


def recipe(name: str) -> Recipe | ClipRecipe:
    """The recipe of that name. Raises ValueError, with the names there are, for another."""
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]()


def save_weights(path: str | Path, recipe: Recipe | ClipRecipe, net: nn.Module, step: int) -> None:
    """Write a trained network in half precision, with its recipe's name: a few MB. Raises OSError like `save`."""
    save(path, {k: v.half() for k, v in net.state_dict().items()}, {"recipe": recipe.name, "step": step})


def open_weights(path: str | Path) -> tuple[Recipe | ClipRecipe, nn.Module]:
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
