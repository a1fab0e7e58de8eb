"""The command line: python -m ddpm_lessons train | sample."""

import argparse
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torchvision.utils import save_image
from tqdm import tqdm

from . import recipes
from .data import batches
from .recipes import RECIPES, Recipe
from .train import Run, fast_precision, load_run, save_run, train
from .unet import parameters

SAVE_EVERY = 180  # seconds; what a power cut costs at most

TEACH = """\
A diffusion model learns to take noise off pictures, and then makes pictures from noise alone.

  python -m ddpm_lessons train digits --minutes 5 --out runs     teach a small network to write
  python -m ddpm_lessons sample runs/digits.safetensors          let it write: grid.png
  python -m ddpm_lessons sample data/flowers.safetensors         the same with the weights that came along
"""
TRAIN = f"""\
Train a network from scratch, or go on with one.  NAME is one of:

{chr(10).join(f"  {name:8} {f().about}; about {f().minutes:.0f} min on two CPU cores" for name, f in RECIPES.items())}

In the --out folder you find, at most {SAVE_EVERY // 60} minutes old:
  NAME.safetensors       the averaged weights, for `sample`
  NAME.run.safetensors   all of the run, for --resume: it goes on as if it had never stopped
  NAME.png               samples, one column for each class
"""
SAMPLE = """\
Make pictures from noise with trained weights: DDIM steps from x_T, pure noise, to x_0.

  --steps   more steps, finer pictures, proportionally slower; 10 to 50 is usual
  --scale   guidance: 1 = as trained, 2 to 4 = clearer and less varied, 0 = the class is ignored
"""


def arguments() -> argparse.ArgumentParser:
    """The options, and what --help says of them."""
    lines = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("python -m ddpm_lessons", description=TEACH, formatter_class=lines)
    commands = top.add_subparsers(dest="command", required=True, metavar="train | sample")
    t = commands.add_parser("train", help="train a network", description=TRAIN, formatter_class=lines)
    t.add_argument("name", metavar="NAME", help=", ".join(RECIPES))
    t.add_argument("--data", metavar="DIR", help="folder with the data set (default: download to a cache)")
    t.add_argument("--out", metavar="DIR", default="runs", help="where the weights go (default: runs)")
    t.add_argument("--minutes", metavar="M", type=float, help="how long to train (default: the recipe's time)")
    t.add_argument("--steps", metavar="N", type=int, help="train up to step N (then --minutes is only a limit)")
    t.add_argument("--batch", metavar="N", type=int, help="pictures a step and process (default: the recipe's)")
    t.add_argument("--resume", action="store_true", help="go on with the run that lies in --out")
    t.add_argument("--seed", type=int, default=0, help="another seed is another run (default: 0)")
    s = commands.add_parser("sample", help="make pictures", description=SAMPLE, formatter_class=lines)
    s.add_argument("weights", metavar="WEIGHTS", help="a .safetensors file that `train` wrote")
    s.add_argument("-n", type=int, default=16, help="how many pictures (default: 16)")
    s.add_argument("--steps", type=int, default=20, help="sampling steps (default: 20)")
    s.add_argument("--scale", type=float, help="guidance scale (default: the recipe's)")
    s.add_argument("--class", dest="label", metavar="NAME", help="one class only (default: all in turn)")
    s.add_argument("--seed", type=int, default=0, help="another seed, other pictures (default: 0)")
    s.add_argument("--out", metavar="FILE", default="grid.png", help="the picture file (default: grid.png)")
    return top


def train_command(a: argparse.Namespace) -> None:
    """Train until the minutes or steps are over, saving on the way; Ctrl-C saves and stops."""
    recipe = recipes.recipe(a.name)
    if a.batch is not None:
        recipe = replace(recipe, batch=a.batch)
    if recipe.batch < 1:
        raise ValueError(f"--batch should be at least 1, got {recipe.batch}")
    minutes = recipe.minutes if a.minutes is None else a.minutes
    if not 0 < minutes < float("inf"):
        raise ValueError(f"--minutes should be above 0 and finite, got {minutes:g}")
    if a.steps is not None:
        minutes = float("inf") if a.minutes is None else minutes
    out = Path(a.out)
    file = out / f"{recipe.name}.run.safetensors"
    run = recipe.run(a.seed)
    if a.resume:
        load_run(file, run)
    elif file.exists():
        raise ValueError(f"{file} holds a run: add --resume to go on with it, or name another --out")
    start, steps = run.step, 10**9 if a.steps is None else a.steps - run.step
    if steps < 1:
        raise ValueError(f"--steps should be above the {run.step} steps that the run has taken, got {a.steps}")
    out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made should cost no training
    pictures = recipe.pictures(a.data)
    if pictures.classes != recipe.classes:
        raise ValueError(f"the data hold {', '.join(pictures.classes)}; the recipe wants {', '.join(recipe.classes)}")
    accelerator = launched()
    first = accelerator is None or accelerator.is_main_process  # the others compute and keep quiet
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu") if accelerator is None else accelerator.device
    run.to(device)
    precision = fast_precision(device)
    if first:
        print(
            f"{recipe.name}: {pictures.source}, {parameters(run.net) / 1e6:.1f} M parameters, {device.type}, ", end=""
        )
        print("" if accelerator is None else f"{accelerator.num_processes} processes, ", end="")
        print(f"{precision or 'torch.float32'}".removeprefix("torch."), f"from step {run.step}, ", end="")
        print(f"{minutes:g} min" if a.steps is None else f"to step {a.steps}")

    stopped: list[int] = []  # Ctrl-C is heard between two steps, so that no half step is saved
    before = signal.signal(signal.SIGINT, lambda number, _: stopped.append(number))
    begin = saved = time.monotonic()
    total, unit = (round(60 * minutes), "s") if a.steps is None else (steps, "steps")
    form = "{l_bar}{bar}| {n_fmt} of {total_fmt} {unit}{postfix}"
    bar = tqdm(total=total, unit=unit, bar_format=form, disable=not first)
    mean = None
    try:
        batch = batches(pictures, recipe.batch, recipe.size, recipe.flip)
        for log in train(run, batch, recipe.loss, steps, precision, accelerator):
            mean = log.loss if mean is None else 0.98 * mean + 0.02 * log.loss
            now = time.monotonic()
            bar.set_postfix_str(f"step {log.step}, loss {mean:.4f}", refresh=False)
            done = round(now - begin) if a.steps is None else log.step - start
            bar.update(min(done, total) - bar.n)
            if together(accelerator, bool(stopped) or now - begin > 60 * minutes):
                break
            if first and now - saved > SAVE_EVERY:
                keep(out, file, recipe, run)
                saved = time.monotonic()
    finally:
        bar.close()
        signal.signal(signal.SIGINT, before)
    if not first:
        return
    if stopped:
        print("stopped; saving", file=sys.stderr)
    keep(out, file, recipe, run)
    n = len(recipe.classes)
    print("sampling", 4 * n, "pictures")
    grid(recipe, run.ema.module, torch.arange(4 * n) % n, out / f"{recipe.name}.png", n)
    print(f"step {run.step}; look at {out / f'{recipe.name}.png'}")


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


def keep(out: Path, file: Path, recipe: Recipe, run: Run) -> None:
    """Save the run, and the averaged weights for use."""
    save_run(file, run, {"run_of": recipe.name})
    recipes.save_weights(out / f"{recipe.name}.safetensors", recipe, run.ema.module, run.step)


def grid(recipe: Recipe, net, labels, file: Path, columns: int, steps: int = 20, scale=None, seed: int = 0) -> None:
    """Sample one picture a label and write them as one file. Raises OSError when it cannot be written."""
    if file.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"} or file.is_dir():
        raise ValueError(f"{file} should be a picture file, such as grid.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    done = []
    with tqdm(total=steps * len(labels), unit=" picture steps") as bar:
        for i, part in enumerate(labels.split(64)):  # so that any number fits into memory
            for step in recipe.sample(net, part, steps, scale, seed + i):
                bar.update(len(part))
            done.append(step.x.cpu())
    save_image(torch.cat(done), file, nrow=columns, normalize=True, value_range=(-1, 1))


def sample_command(a: argparse.Namespace) -> None:
    """Sample from a weights file into a picture file, and say what took the time."""
    if a.n < 1:
        raise ValueError(f"-n should be at least 1, got {a.n}")
    begin = time.monotonic()
    recipe, net = recipes.open_weights(a.weights)
    names = recipe.classes
    if a.label is not None and a.label not in names:
        raise ValueError(f"there is no class {a.label!r} in {recipe.name}; there are {', '.join(names)}")
    labels = torch.arange(a.n) % len(names) if a.label is None else torch.full((a.n,), names.index(a.label))
    net.to("cuda" if torch.cuda.is_available() else "cpu")
    columns = len(names) if a.label is None else round(a.n**0.5)
    loaded = time.monotonic()
    grid(recipe, net, labels, Path(a.out), columns, a.steps, a.scale, a.seed)
    sampled = time.monotonic()
    print(f"{a.n} pictures in {a.out}: {loaded - begin:.1f} s to load, {sampled - loaded:.1f} s for {a.steps} steps")


def main(argv: list[str] | None = None) -> int:
    """Run one command; what a user can put right is said in one line, without a traceback."""
    a = arguments().parse_args(argv)
    try:
        {"train": train_command, "sample": sample_command}[a.command](a)
    except (ValueError, OSError, FloatingPointError, torch.cuda.OutOfMemoryError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
