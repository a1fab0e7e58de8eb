"""The command line: python -m ddpm_lessons train | sample | evaluate."""

import argparse
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torchvision.utils import save_image
from tqdm import tqdm

from . import recipes
from .data import Pictures, bundled
from .metrics import Yardstick, efficientnet, inception, linear_classifier
from .recipes import RECIPES, Recipe
from .samplers import ddim
from .text import ClipRecipe, load_clip
from .train import Run, fast_precision, load_run, save_run, train
from .unet import UNet, parameters

SAVE_EVERY = 180  # seconds; what a power cut costs at most


def lasts(minutes: float) -> str:
    """Minutes in words: 90 min, 30 days."""
    return f"{minutes:.0f} min" if minutes < 60 * 24 else f"{minutes / 60 / 24:.0f} days"


TEACH = """\
A diffusion model learns to take noise off pictures, and then makes pictures from noise alone.

  python -m ddpm_lessons train digits --minutes 5 --out runs     teach a small network to write
  python -m ddpm_lessons sample runs/digits.safetensors          let it write: grid.png
  python -m ddpm_lessons sample --prompt "a pink rose"            the same with the weights that came along
  python -m ddpm_lessons evaluate data/flowers.safetensors       how far its pictures are from photographs
"""
TRAIN = f"""\
Train a network from scratch, or go on with one.  NAME is one of:

{chr(10).join(f"  {name:14} {f().about}; about {lasts(f().minutes)} on two CPU cores" for name, f in RECIPES.items())}

In the --out folder you find, at most {SAVE_EVERY // 60} minutes old:
  NAME.safetensors       the averaged weights, for `sample`
  NAME.run.safetensors   all of the run, for --resume: it goes on as if it had never stopped
  NAME.png               samples, one column for each class
"""
SAMPLE = """\
Make pictures from noise with trained weights, step by step from x_T, pure noise, to x_0.

  --prompt  in words that the network was told in training; it says which ones were not among them
  --steps   more steps, finer pictures, proportionally slower; 10 to 50 is usual
  --scale   guidance: 1 = as trained, 2 to 4 = clearer and less varied, 0 = the prompt or class is ignored
"""
EVALUATE = """\
Measure samples against real pictures: how far they are, beside how far real pictures are from other real ones, the
floor. A smaller -n has a higher floor: compare numbers of the same features and the same n only.

  Fréchet, kernel    distances between the features of two sets: small is good, the floor is as good as it gets
  precision          the share of samples that lie among the real pictures: do they look real?
  recall             the share of real pictures that lie among the samples: is all of their variety there?
  agreement          the share of samples that a linear classifier, trained on real pictures, sees the right class in
"""


def arguments() -> argparse.ArgumentParser:
    """The options, and what --help says of them."""
    lines = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("python -m ddpm_lessons", description=TEACH, formatter_class=lines)
    commands = top.add_subparsers(dest="command", required=True, metavar="train | sample | evaluate")
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
    s.add_argument(
        "weights",
        metavar="WEIGHTS",
        nargs="?",
        help="a .safetensors file that `train` wrote (default: the bundled one)",
    )
    s.add_argument("-n", type=int, default=16, help="how many pictures (default: 16)")
    what = s.add_mutually_exclusive_group()
    what.add_argument("--prompt", metavar="TEXT", help='what to paint, such as "a pink rose"')
    what.add_argument("--class", dest="label", metavar="NAME", help="one class only (default: all in turn)")
    s.add_argument("--out", metavar="FILE", default="grid.png", help="the picture file (default: grid.png)")
    e = commands.add_parser("evaluate", help="measure samples", description=EVALUATE, formatter_class=lines)
    e.add_argument("weights", metavar="WEIGHTS", help="a .safetensors file that `train` wrote")
    e.add_argument("--against", metavar="DIR", help="folder with the real pictures (default: download to a cache)")
    e.add_argument("-n", type=int, default=500, help="how many samples and real pictures (default: 500)")
    e.add_argument("--inception", action="store_true", help="the features of papers' FID; downloads 96 MB")
    for command in (s, e):
        command.add_argument("--steps", type=int, help="sampling steps (default: the recipe's)")
        command.add_argument("--scale", type=float, help="guidance scale (default: the recipe's)")
        command.add_argument("--seed", type=int, default=0, help="another seed, other pictures (default: 0)")
    return top


def train_command(a: argparse.Namespace) -> None:
    """Train until the minutes or steps are over, saving on the way; Ctrl-C saves and stops."""
    recipe, run, minutes, steps = asked(a)
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made should cost no training
    recipe, pictures = fitting(recipe, recipe.pictures(a.data))
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
        load_run(file, run)
    elif file.exists():
        raise ValueError(f"{file} holds a run: add --resume to go on with it, or name another --out")
    steps = 10**9 if a.steps is None else a.steps - run.step
    if steps < 1:
        raise ValueError(f"--steps should be above the {run.step} steps that the run has taken, got {a.steps}")
    return recipe, run, minutes, steps


def opened(weights: str) -> tuple[Recipe, UNet]:
    """The recipe and the network in a file. Raises ValueError when it is none that makes pictures."""
    recipe, net = recipes.open_weights(weights)
    if not isinstance(recipe, Recipe):
        raise ValueError(f"{weights} holds CLIP, which compares pictures and makes none; take another file")
    return recipe, net


def fitting(recipe: Recipe | ClipRecipe, pictures: Pictures) -> tuple[Recipe | ClipRecipe, Pictures]:
    """The recipe, for the classes of the pictures where it is told texts, and the pictures.

    Raises ValueError when they show other things than a recipe that is told classes knows.
    """
    if isinstance(recipe, Recipe) and recipe.encode is not None:
        return replace(recipe, classes=pictures.classes), pictures
    if pictures.classes != recipe.classes:
        raise ValueError(f"the data hold {', '.join(pictures.classes)}; the recipe wants {', '.join(recipe.classes)}")
    return recipe, pictures


def here() -> torch.device:
    """The graphics card, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


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
    save_run(run_file(out, recipe), run, {"run_of": recipe.name})
    recipes.save_weights(out / f"{recipe.name}.safetensors", recipe, run.ema.module, run.step)


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


def evaluate_command(a: argparse.Namespace) -> None:
    """Sample from a weights file and print how far the samples are from real pictures, and how long that took."""
    begin = time.monotonic()
    recipe, net = opened(a.weights)
    recipe, real = fitting(recipe, recipe.pictures(a.against, recipe.size))
    features = inception() if a.inception else efficientnet()
    print(f"features of {2 * a.n} of the {real.source}, {a.n} samples of {a.weights} and their features")
    measure = Yardstick(real.x, a.n, features)
    labels, ready = torch.arange(a.n) % len(recipe.classes), time.monotonic()
    x = samples(recipe, net.to(here()), labels, a.steps, a.scale, 1000 + a.seed)
    sampled = time.monotonic()
    found = features(x)
    for line in str(measure.of(found)).split(", "):
        print(" ", line)
    others = measure.order[a.n :][:5000]  # not those that the agreement of real pictures is measured with
    seen = torch.cat([measure.other, features(real.x[others[a.n :]])]) if len(others) > a.n else measure.other
    classifier = linear_classifier(seen, real.y[others])
    right = agreement(classifier(found), labels)
    of_real = agreement(classifier(measure.real), real.y[measure.order[: a.n]])
    print(f"  agreement {right} (real pictures {of_real}, chance {100 / len(recipe.classes):.0f} %)")
    steps, scale = recipe.steps if a.steps is None else a.steps, recipe.scale if a.scale is None else a.scale
    took = f"{sampled - ready:.0f} s to sample, {time.monotonic() - sampled + ready - begin:.0f} s for the rest"
    print(f"  {steps} steps, guidance {scale:g}; {took}")


def agreement(logits: Tensor, labels: Tensor) -> str:
    """The share of right answers, with its standard error."""
    right = (logits.argmax(1) == labels).double()
    return f"{100 * right.mean():.0f} % +- {100 * right.std() / len(right) ** 0.5:.0f}"


COMMANDS = {"train": train_command, "sample": sample_command, "evaluate": evaluate_command}


def main(argv: list[str] | None = None) -> int:
    """Run one command; what a user can put right is said in one line, without a traceback."""
    a = arguments().parse_args(argv)
    try:
        COMMANDS[a.command](a)
    except (ValueError, OSError, ImportError, FloatingPointError, torch.cuda.OutOfMemoryError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
