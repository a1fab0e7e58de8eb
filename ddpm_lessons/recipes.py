"""The systems of the course, each a function that returns its recipe; weights remember theirs by name."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from . import data
from .captions import COLOURS, names, prompts
from .conditions import Cond
from .guidance import dynamic_threshold
from .layers import LearnedTime, MaxDown, Parts, StrideDown, TransposedUp
from .losses import snr_plus_1
from .predict import EPS, X0
from .recipe import Recipe
from .samplers import beta, ddim, ddpm
from .schedules import linear
from .text import ClipRecipe, load_clip, told_captions, told_names, told_pictures
from .train import fit, load, save
from .unet import UNet


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
        scale=3.0,
        minutes=130,
    )


def stl10() -> Recipe:
    """System B on STL-10, shrunk to 32 px: 13,000 pictures, so that crops are drawn from 36."""
    about = "pictures of ten things (STL-10 at 32 px), system B at full size"
    return replace(cifar10(), name="stl10", about=about, load=data.stl10, classes=data.STL10, margin=4)


def flowers_text() -> Recipe:
    """The same photographs at 32 px, told in words: the text's vector, and cross-attention to each of its words.

    Half the network of `flowers`, and the answer x0: what learned fastest in tests/benchmarks/README.md. Samples are
    ancestral; data/text.json has DDIM's figures beside theirs.
    """
    return replace(
        flowers(),
        name="flowers_text",
        about="photographs of five flowers, from a prompt",
        net=dict(channels=3, widths=(64, 96, 128), blocks=1, attend=1, patch=2, cond=128, tokens=64),
        predict=X0,
        weight=snr_plus_1(),
        encode=lambda prompts: load_clip().words(prompts),
        tell=lambda pictures: told_captions(load_clip(), pictures),
        say=lambda kind: [p for colour in ("", *COLOURS) for p in prompts(colour, kind)[:6]],
        sampler=ddpm,
        scale=4.0,
        minutes=140,
    )


def flowers_clip() -> Recipe:
    """System A as published: told CLIP ViT-B/32's vector of the picture itself, and of a text when sampling.

    T = 400, linear, eps, no attention, GELU. Its 100 epochs of TF-Flowers are 2,900 steps of 128. Its w from -2 to 2 is
    our scale from -1 to 3. It had 44.9 M parameters, ours 52.2 M: its blocks and time embedding are not told.
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
        minutes=60 * 11,
    )


def flowers_text_simple() -> Recipe:
    """System E's first network: learned time, the text's vector added to it, max pooling, repeated pixels, two levels.

    56 px, T = 1000, batch 128, 2e-4; 45 epochs of TF-Flowers are 1,300 steps. The vectors are our CLIP's, 128 numbers
    in place of 512.
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
        say=names,
        sampler=ddpm,
        steps=1000,
        minutes=110,
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
        minutes=280,
    )


def mnist_text() -> Recipe:
    """System E's digits, "draw a six", in the small network of `digits` with both ways to the text, answering x0."""
    spelled = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return replace(
        digits(),
        name="mnist_text",
        about="handwritten digits (MNIST), from a prompt",
        load=lambda size, folder: data.digits(size, folder)._replace(classes=spelled),
        classes=spelled,
        net=digits().net | dict(cond=128, tokens=64),
        predict=X0,
        weight=snr_plus_1(),
        batch=32,
        fall=500,
        encode=lambda prompts: load_clip().words(prompts),
        tell=lambda pictures: told_names(load_clip(), pictures),
        say=names,
        scale=3.0,
        minutes=15,
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
    info = {"recipe": recipe.name, "step": step, "classes": recipe.classes}
    save(path, {k: v.half() for k, v in net.state_dict().items()}, info)


def told_of(recipe: Recipe | ClipRecipe, info: dict) -> Recipe | ClipRecipe:
    """A recipe that is told texts, with the classes that its weights or run were trained on; another as it is."""
    if isinstance(recipe, Recipe) and recipe.encode is not None and "classes" in info:
        return replace(recipe, classes=tuple(info["classes"]))
    return recipe


def open_weights(path: str | Path) -> tuple[Recipe | ClipRecipe, nn.Module]:
    """Read what `save_weights` wrote -> (recipe, network). Raises FileNotFoundError or ValueError like `load`."""
    tensors, info = load(path)
    if "recipe" not in info:
        raise ValueError(f"{path} holds no finished network; sample from the file without .run in its name")
    found = told_of(recipe(info["recipe"]), info)
    net = found.build()
    fit(net, tensors, path)
    return found, net.eval()


def bundled(name: str) -> tuple[Recipe, UNet]:
    """The weights that come with the course. Raises ValueError for another name, FileNotFoundError where none lie."""
    return open_weights(data.bundled(f"{recipe(name).name}.safetensors"))
