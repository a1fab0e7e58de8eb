"""The command `sample`: prompts or classes into a picture file, with a bar, in the device's fastest precision."""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor
from torchvision.utils import save_image
from tqdm import tqdm

from . import recipes
from .data import bundled
from .recipe import Recipe
from .text import load_clip
from .train import fast_precision
from .unet import UNet


def here() -> torch.device:
    """The graphics card, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def grid(recipe: Recipe, net, what, file: Path, columns: int, steps=None, scale=None, seed: int = 0) -> None:
    """Sample one picture a label or prompt and write them as one file. Raises OSError when it cannot be written."""
    if file.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"} or file.is_dir():
        raise ValueError(f"{file} should be a picture file, such as grid.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    x = samples(recipe, net, what, steps, scale, seed)
    save_image(x, file, nrow=columns, normalize=True, value_range=(-1, 1))


def samples(recipe: Recipe, net, what: Tensor | list[str], steps=None, scale=None, seed: int = 0) -> Tensor:
    """One picture a label or prompt, with a bar, in the device's fastest precision.  (N,) -> (N, C, H, W)"""
    steps = recipe.steps if steps is None else steps
    device = next(net.parameters()).device
    precision, done = fast_precision(device), []
    with tqdm(total=steps * len(what), unit=" picture steps") as bar:
        for i in range(0, len(what), 64):  # so that any number fits into memory
            part = what[i : i + 64]
            with torch.autocast(device.type, dtype=precision, enabled=precision is not None):
                for step in recipe.sample(net, part, steps, scale, seed + i // 64):
                    bar.update(len(part))
            done.append(step.x.float().cpu())
    return torch.cat(done)


def opened(weights: str) -> tuple[Recipe, UNet]:
    """The recipe and the network in a file. Raises ValueError when it is none that makes pictures."""
    recipe, net = recipes.open_weights(weights)
    if not isinstance(recipe, Recipe):
        raise ValueError(f"{weights} holds CLIP, which compares pictures and makes none; take another file")
    return recipe, net


def sample_command(a: argparse.Namespace) -> None:
    """Sample from a weights file into a picture file, and say what took the time."""
    if a.n < 1:
        raise ValueError(f"-n should be at least 1, got {a.n}")
    begin = time.monotonic()
    recipe, net = opened(a.weights or bundled("flowers_text.safetensors"))
    names = recipe.classes
    if a.label is not None and a.label not in names:
        raise ValueError(f"there is no class {a.label!r} in {recipe.name}; there are {', '.join(names)}")
    if a.prompt is not None:
        what = [a.prompt] * a.n
        recipe.condition(what[:1])  # an empty prompt is said before anything else
        for note in load_clip().notes(a.prompt, recipe.texts) if recipe.texts else ():
            print("note:", note)
    else:
        what = torch.arange(a.n) % len(names) if a.label is None else torch.full((a.n,), names.index(a.label))
    columns = len(names) if a.prompt is None and a.label is None else round(a.n**0.5)
    net.to(here())
    loaded = time.monotonic()
    grid(recipe, net, what, Path(a.out), columns, a.steps, a.scale, a.seed)
    sampled = time.monotonic()
    steps = recipe.steps if a.steps is None else a.steps
    print(f"{a.n} pictures in {a.out}: {loaded - begin:.1f} s to load, {sampled - loaded:.1f} s for {steps} steps")
