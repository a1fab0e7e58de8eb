"""The command line: python -m ddpm_lessons train | sample | evaluate | info | list."""

# nothing here imports PyTorch: `--help` answers at once

import argparse
import importlib
import os
import re
import sys

TEACH = """\
A diffusion model learns to take noise off pictures, and then makes pictures from noise alone.

  python -m ddpm_lessons sample --prompt "a pink rose"            a prompt becomes pictures: grid.png
  python -m ddpm_lessons list                                    all that can be trained
  python -m ddpm_lessons train digits --minutes 5 --out runs     teach a small network to write
  python -m ddpm_lessons sample runs/digits.safetensors          let it write
  python -m ddpm_lessons evaluate data/flowers.safetensors       how far its pictures are from photographs
  python -m ddpm_lessons info data/flowers.safetensors           what a file remembers of its making
"""
TRAIN = """\
Train a network from scratch, or go on with one.  `python -m ddpm_lessons list` shows the names, with what each takes.

In the --out folder you find, at most 3 minutes old:
  NAME.safetensors       the averaged weights, for `sample`
  NAME.run.safetensors   all of the run, for --resume: it goes on as if it had never stopped
  NAME.png               samples, one column for each class
Ctrl-C saves and stops, and so does a terminal that is closed; a second Ctrl-C stops at once.
"""
SAMPLE = """\
Make pictures from noise with trained weights, step by step from x_T, pure noise, to x_0.

  --prompt  in words that the network was told in training; it says which ones were not among them
  --steps   more steps, finer pictures, proportionally slower; 10 to 50 is usual
  --scale   guidance: 1 = as trained, 2 to 4 = clearer and less varied, 0 = the prompt or class is ignored
  --out     a file shows all pictures side by side, enlarged; a name that ends in / is a folder with a file for each
"""
EVALUATE = """\
Measure samples against real pictures: how far they are, beside how far real pictures are from other real ones, the
floor. A smaller -n has a higher floor: compare numbers of the same features and the same n only.

  Fréchet, kernel    distances between the features of two sets: small is good, the floor is as good as it gets
  precision          the share of samples that lie among the real pictures: do they look real?
  recall             the share of real pictures that lie among the samples: is all of their variety there?
  agreement          the share of samples that a linear classifier, trained on real pictures, sees the right class in
"""
COMMANDS = {c: c for c in ("train", "sample", "evaluate", "info", "estimate")} | {"list": "info"}  # -> module


def arguments() -> argparse.ArgumentParser:
    """The options, and what --help says of them."""
    lines = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("python -m ddpm_lessons", description=TEACH, formatter_class=lines)
    commands = top.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    t = commands.add_parser("train", help="train a network", description=TRAIN, formatter_class=lines)
    t.add_argument("name", metavar="NAME", help="what to train: `python -m ddpm_lessons list`")
    t.add_argument("--data", metavar="DIR", help="folder with the data set (default: download to a cache)")
    t.add_argument("--out", metavar="DIR", default="runs", help="where the weights go (default: runs)")
    t.add_argument("--minutes", metavar="M", type=float, help="how long to train (default: the system's time)")
    t.add_argument("--steps", metavar="N", type=int, help="train up to step N (then --minutes is only a limit)")
    t.add_argument("--batch", metavar="N", type=int, help="pictures a step and process (default: the system's)")
    t.add_argument("--resume", action="store_true", help="go on with the run that lies in --out")
    t.add_argument("--from", metavar="FILE", dest="begin", help="begin a new run with these weights")
    t.add_argument("--compile", action="store_true", help="torch.compile first: minutes at the start, faster on a card")
    t.add_argument("--seed", type=int, default=0, help="another seed is another run (default: 0)")
    s = commands.add_parser("sample", help="make pictures", description=SAMPLE, formatter_class=lines)
    weights = "a .safetensors file that `train` wrote"
    s.add_argument("weights", metavar="WEIGHTS", nargs="?", help=f"{weights} (default: the bundled one)")
    s.add_argument("-n", type=int, default=16, help="how many pictures (default: 16)")
    what = s.add_mutually_exclusive_group()
    what.add_argument("--prompt", metavar="TEXT", help='what to paint, such as "a pink rose"')
    what.add_argument("--class", dest="label", metavar="NAME", help="one class only (default: all in turn)")
    s.add_argument("--out", metavar="FILE", default="grid.png", help="a picture file, or a folder/ (default: grid.png)")
    s.add_argument("--film", action="store_true", help="show each picture at up to eight moments, from noise on")
    s.add_argument("--pixels", action="store_true", help="the file has the exact pixels, not enlarged")
    e = commands.add_parser("evaluate", help="measure samples", description=EVALUATE, formatter_class=lines)
    e.add_argument("weights", metavar="WEIGHTS", help=weights)
    e.add_argument("--against", metavar="DIR", help="folder with the real pictures (default: download to a cache)")
    e.add_argument("-n", type=int, default=500, help="how many samples and real pictures (default: 500)")
    e.add_argument("--inception", action="store_true", help="the features of papers' FID; downloads 96 MB")
    for command in (s, e):
        command.add_argument("--steps", type=int, help="sampling steps (default: the system's)")
        command.add_argument("--scale", type=float, help="guidance scale (default: the system's)")
        command.add_argument("--seed", type=int, default=0, help="another seed, other pictures (default: 0)")
    i = commands.add_parser("info", help="what a file remembers: every choice that made it")
    i.add_argument("file", metavar="FILE", help=weights)
    commands.add_parser("list", help="all systems, with parameters, size, data and minutes")
    lines_of = "what training asks of Colab's T4: memory and time, estimated; a minute or two for all systems"
    t4 = commands.add_parser("estimate", help="memory and minutes on a T4", description=lines_of)
    t4.add_argument("names", metavar="NAME", nargs="*", help="a system (default: all)")
    return top


LESS = {"train": "try a smaller --batch"}  # what needs less memory; elsewhere it is a smaller -n
FULL = ("OutOfMemoryError", "out of memory", "allocate memory", "not enough memory")
MOST = 10**12  # the largest seed: a training's draws are numbered by a thousand times as many numbers


def main(argv: list[str] | None = None) -> int:
    """Run one command; what a user can put right is said in one line, without a traceback."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no é shows a ? in its place
    try:
        return obey(arguments().parse_args(argv))
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # `| head` has read enough, or the terminal is gone: nothing is left to be said to it
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def obey(a: argparse.Namespace) -> int:
    """Run a command and say in one line what went wrong -> the exit code."""
    try:
        if abs(getattr(a, "seed", 0)) > MOST:
            raise ValueError(f"--seed should lie between {-MOST} and {MOST}, got {a.seed}")
        module = importlib.import_module(f".cli.{COMMANDS[a.command]}", __package__)
        getattr(module, f"{a.command}_command")(a)
    except BrokenPipeError:  # `| head`
        return 0
    except (ValueError, OSError, ImportError, FloatingPointError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except OverflowError as e:
        print(f"error: a number is too large: {e}", file=sys.stderr)
        return 1
    except (RuntimeError, MemoryError) as e:  # a graphics card's memory, PyTorch's, Python's
        if not isinstance(e, MemoryError) and not any(word in f"{type(e).__name__}: {e}" for word in FULL):
            raise
        asked = re.search(r"ried to allocate ([\d.]+ ?\w+)", str(e))
        what = f" (for {asked[1]})" if asked else ""
        print(f"error: out of memory{what}: {LESS.get(a.command, 'try a smaller -n')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
