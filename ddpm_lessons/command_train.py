"""The command `train`: a run from its recipe to its files, stopped and resumed at will, on one machine or several."""

import argparse
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from . import recipes
from .command_sample import grid, here
from .pictures import Pictures
from .recipe import Recipe
from .samplers import ddim
from .text import ClipRecipe
from .train import Run, fast_precision, load_run, save_run, train
from .unet import parameters

SAVE_EVERY = 180  # seconds; what a power cut costs at most


def train_command(a: argparse.Namespace) -> None:
    """Train until the minutes or steps are over, saving on the way; Ctrl-C saves and stops."""
    recipe, run, minutes, steps = asked(a)
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made should cost no training
    pictures = recipe.pictures(a.data)
    if not a.resume:  # a recipe that is told texts takes pictures of anything, but goes on with those it began with
        recipe = recipes.told_of(recipe, {"classes": pictures.classes})
    fitting(recipe, pictures)
    accelerator = launched()
    first = accelerator is None or accelerator.is_main_process  # the others compute and keep quiet
    device = here() if accelerator is None else accelerator.device
    run.to(device)
    precision = fast_precision(device)
    if first:
        processes = "" if accelerator is None else f"{accelerator.num_processes} processes, "
        print(
            f"{recipe.name}: {pictures.source}, {parameters(run.net) / 1e6:.1f} M parameters, {device.type}, "
            f"{processes}{precision or 'torch.float32'}, from step {run.step}, ".replace("torch.", "")
            + (f"{minutes:g} min" if a.steps is None else f"to step {a.steps}")
        )
    stopped: list[int] = []  # Ctrl-C is heard between two steps, so that no half step is saved
    before = signal.signal(signal.SIGINT, lambda number, _: stopped.append(number))
    start, begin = run.step, time.monotonic()
    saved = begin
    total, unit = (round(60 * minutes), "s") if a.steps is None else (steps, "steps")
    form = "{l_bar}{bar}| {n_fmt} of {total_fmt} {unit}{postfix}"
    bar = tqdm(total=total, unit=unit, bar_format=form, disable=not first)
    mean = None
    try:
        for log in train(run, recipe.batches(pictures), recipe.loss, steps, precision, accelerator):
            mean = log.loss if mean is None else 0.98 * mean + 0.02 * log.loss
            now = time.monotonic()
            bar.set_postfix_str(f"step {log.step}, loss {mean:.4f}", refresh=False)
            done = round(now - begin) if a.steps is None else log.step - start
            bar.update(min(done, total) - bar.n)
            if together(accelerator, bool(stopped) or now - begin > 60 * minutes):
                break
            if first and now - saved > SAVE_EVERY:
                keep(out, recipe, run)
                saved = time.monotonic()
    finally:
        bar.close()
        signal.signal(signal.SIGINT, before)
    if not first:
        return
    if stopped:
        print("stopped; saving", file=sys.stderr)
    keep(out, recipe, run)
    if isinstance(recipe, Recipe):
        n = len(recipe.classes)
        print("sampling", 4 * n, "pictures")
        quick = replace(recipe, sampler=ddim, steps=20)  # a look, where the recipe's own sampler may take an hour
        grid(quick, run.ema.module, torch.arange(4 * n) % n, out / f"{recipe.name}.png", n)
        print(f"step {run.step}; look at {out / f'{recipe.name}.png'}")
    else:
        print(f"step {run.step}; {recipe.report(run.ema.module, pictures)}")


def asked(a: argparse.Namespace) -> tuple[Recipe | ClipRecipe, Run, float, int]:
    """What `train` was asked for: the recipe, a new run or the saved one, at most so many minutes and so many steps."""
    recipe = recipes.recipe(a.name)
    if a.batch is not None:
        if not isinstance(recipe, Recipe):
            raise ValueError("a batch of CLIP's has one picture of each caption: leave --batch out")
        recipe = replace(recipe, batch=a.batch)
        if recipe.batch < 1:
            raise ValueError(f"--batch should be at least 1, got {recipe.batch}")
    minutes = recipe.minutes if a.minutes is None else a.minutes
    if not 0 < minutes < float("inf"):
        raise ValueError(f"--minutes should be above 0 and finite, got {minutes:g}")
    if a.steps is not None and a.minutes is None:
        minutes = float("inf")
    run, file = recipe.run(a.seed), run_file(Path(a.out), recipe)
    if a.resume:
        recipe = recipes.told_of(recipe, load_run(file, run))
    elif file.exists():
        raise ValueError(f"{file} holds a run: add --resume to go on with it, or name another --out")
    steps = 10**9 if a.steps is None else a.steps - run.step
    if steps < 1:
        raise ValueError(f"--steps should be above the {run.step} steps that the run has taken, got {a.steps}")
    return recipe, run, minutes, steps


def fitting(recipe: Recipe | ClipRecipe, pictures: Pictures) -> Pictures:
    """The pictures themselves. Raises ValueError when they show other things than the recipe's."""
    if pictures.classes != recipe.classes:
        raise ValueError(f"the data hold {', '.join(pictures.classes)}; the recipe wants {', '.join(recipe.classes)}")
    return pictures


def launched():
    """accelerate's Accelerator in a process that `accelerate launch` or `notebook_launcher` started; None otherwise."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return None
    from accelerate import Accelerator

    return Accelerator(cpu=not torch.cuda.is_available())


def together(accelerator, stop: bool) -> bool:
    """Whether any process wants to stop: one that went on alone would wait for the others for ever."""
    if accelerator is None:
        return stop
    return accelerator.reduce(torch.tensor(float(stop), device=accelerator.device)).item() > 0


def run_file(out: Path, recipe: Recipe) -> Path:
    """Where a run is kept."""
    return out / f"{recipe.name}.run.safetensors"


def keep(out: Path, recipe: Recipe, run: Run) -> None:
    """Save the run, and the averaged weights for use."""
    save_run(run_file(out, recipe), run, {"run_of": recipe.name, "classes": recipe.classes})
    recipes.save_weights(out / f"{recipe.name}.safetensors", recipe, run.ema.module, run.step)
