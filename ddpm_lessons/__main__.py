"""The command line: python -m ddpm_lessons train | sample | evaluate."""

import argparse
import sys
import time

import torch
from torch import Tensor

from .command_sample import here, opened, sample_command, samples
from .command_train import SAVE_EVERY, fitting, train_command
from .metrics import Yardstick, efficientnet, inception, linear_classifier
from .recipes import RECIPES


def lasts(minutes: float) -> str:
    """Minutes in words: 90 min, 30 days."""
    hours = minutes / 60
    return f"{minutes:.0f} min" if hours < 4 else f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


TEACH = """\
A diffusion model learns to take noise off pictures, and then makes pictures from noise alone.

  python -m ddpm_lessons train digits --minutes 5 --out runs     teach a small network to write
  python -m ddpm_lessons sample runs/digits.safetensors          let it write: grid.png
  python -m ddpm_lessons sample --prompt "a pink rose"            the same with the weights that came along
  python -m ddpm_lessons evaluate data/flowers.safetensors       how far its pictures are from photographs
"""
TRAIN = f"""\
Train a network from scratch, or go on with one.  NAME is one of:

{chr(10).join(f"  {name:19} {f().about}; about {lasts(f().minutes)} on two CPU cores" for name, f in RECIPES.items())}

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


def evaluate_command(a: argparse.Namespace) -> None:
    """Sample from a weights file and print how far the samples are from real pictures, and how long that took."""
    begin = time.monotonic()
    recipe, net = opened(a.weights)
    real = fitting(recipe, recipe.pictures(a.against, recipe.size))
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
