"""The command `train`: a run from its system to its files, stopped and resumed at will, on one machine or several."""

import argparse
import os
import shlex
import sys
import time
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from .. import __version__
from ..networks.unet import parameters
from ..systems import registry
from ..systems.base import System
from ..training.device import device, fast_precision
from ..training.files import load, load_run, load_weights, save_run
from ..training.loop import train
from ..training.run import Run
from .guard import listening, reserved, without_terminal

SAVE_EVERY = 180  # seconds; what a power cut costs at most


def train_command(a: argparse.Namespace) -> None:
    """Train until the minutes or steps are over, saving on the way; Ctrl-C and its like save and stop."""
    registry.system(a.name)  # a name that is none should make no folder
    accelerator = launched()
    first = accelerator is None or accelerator.is_main_process  # the others compute and keep quiet
    with without_terminal(), reserved(run_file(Path(a.out), a.name)) if first else nullcontext():
        train_here(a, accelerator, first)


def train_here(a: argparse.Namespace, accelerator, first: bool) -> None:
    """The same, in a folder that this training has for itself."""
    system, run, limits = asked(a, first)
    out = Path(a.out)
    if accelerator is not None and not system.parallel:
        raise ValueError(f"{system.name} trains in one process: start it without accelerate")
    with nullcontext() if accelerator is None else accelerator.main_process_first():  # one fetches, the others find
        pictures = system.pictures(a.data)
        # a system that is told texts takes pictures of anything, but goes on with those it began with
        system, shown = (system, system.fitting(pictures)) if a.resume else (system.fitting(pictures), None)
        if shown is not None and shown.classes != system.classes:
            began = ", ".join(system.classes)
            raise ValueError(f"the data hold {', '.join(pictures.classes)}; the run began with {began}")
        batch = system.batches(pictures)
    run.to(device() if accelerator is None else accelerator.device)
    made = {"command": command_line(a), "data": pictures.source, "seed": run.seed}
    precision = fast_precision(next(run.net.parameters()).device)
    announce(system, run, limits, pictures.source, accelerator, quiet=not first)
    refused = compiling() if a.compile else nullcontext()
    with refused, listening() as stopped, closing(Pace(run, limits, quiet=not first)) as pace:
        for log in train(run, batch, system.losses, limits.steps, precision, accelerator, a.compile):
            pace.show(log)
            if together(accelerator, bool(stopped) or pace.over()):
                break
            if first and pace.save_now():
                keep(out, system, run, made)
    if accelerator is not None:
        accelerator.end_training()  # a process that ends with its connections open is aborted now and then
    if not first:
        return
    if stopped:
        print("stopped; saving", file=sys.stderr)
    keep(out, system, run, made)
    print(f"step {run.step}; {system.report(run.ema.module, pictures, out)}")


class Limits(NamedTuple):
    """How long to train.  minutes: at most;  steps: at most, from here on;  by_steps: whether the user named steps."""

    minutes: float
    steps: int
    by_steps: bool


def asked(a: argparse.Namespace, first: bool = True) -> tuple[System, Run, Limits]:
    """What `train` was asked for: the system, a new run or the saved one, and for how long. Raises ValueError."""
    system, file = registry.system(a.name), run_file(Path(a.out), a.name)
    if a.resume and a.begin:
        raise ValueError("--resume goes on with a run and --from begins a new one: take one of them")
    if a.resume:
        info = load(file)[1]
        written = registry.card_of(info, file)
        if written["name"] != system.name:
            raise ValueError(f"{file} holds a run of {written['name']}, not of {system.name}")
        if first and (other := registry.differences(written)):
            print(f"note: the run goes on with its own choices; {other}")
        system = registry.from_card(written, file)
    elif file.exists():
        raise ValueError(f"{file} holds a run: add --resume to go on with it, or name another --out")
    if a.batch is not None:
        system = with_batch(system, a.batch)
    minutes = system.minutes if a.minutes is None else a.minutes
    if not 0 < minutes < float("inf"):
        raise ValueError(f"--minutes should be above 0 and finite, got {minutes:g}")
    run = system.run(a.seed)
    if a.resume:
        load_run(file, run)
    if a.begin:
        load_weights(run.net, load(a.begin)[0], a.begin)
        run.ema.module.load_state_dict(run.net.state_dict())
    steps = 10**9 if a.steps is None else a.steps - run.step
    if steps < 1:
        raise ValueError(f"--steps should be above the {run.step} steps that the run has taken, got {a.steps}")
    if a.steps is not None and a.minutes is None:
        minutes = float("inf")
    return system, run, Limits(minutes, steps, a.steps is not None)


def with_batch(system: System, batch: int) -> System:
    """The system with so many pictures a step. Raises ValueError where the system decides, or for none."""
    if system.batch is None:
        raise ValueError(f"{system.name} decides itself how many pictures a step takes: leave --batch out")
    if batch < 1:
        raise ValueError(f"--batch should be at least 1, got {batch}")
    return replace(system, batch=batch)


class Pace:
    """The bar of a training, and its clock."""

    def __init__(self, run: Run, limits: Limits, quiet: bool):
        self.limits, self.start, self.begin, self.mean = limits, run.step, time.monotonic(), None
        self.saved = self.begin
        total, unit = (limits.steps, "steps") if limits.by_steps else (round(60 * limits.minutes), "s")
        form = "{l_bar}{bar}| {n_fmt} of {total_fmt} {unit}{postfix}"
        self.bar = tqdm(total=total, unit=unit, bar_format=form, disable=quiet)

    def show(self, log) -> None:
        """One step more."""
        self.mean = log.loss if self.mean is None else 0.98 * self.mean + 0.02 * log.loss
        self.bar.set_postfix_str(f"step {log.step}, loss {self.mean:.4f}", refresh=False)
        done = log.step - self.start if self.limits.by_steps else round(time.monotonic() - self.begin)
        self.bar.update(min(done, self.bar.total) - self.bar.n)

    def over(self) -> bool:
        """Whether the minutes have passed."""
        return time.monotonic() - self.begin > 60 * self.limits.minutes

    def save_now(self) -> bool:
        """Whether it is time to save; the clock starts again."""
        due = time.monotonic() - self.saved > SAVE_EVERY
        if due:
            self.saved = time.monotonic()
        return due

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.bar.close()


def announce(system: System, run: Run, limits: Limits, source: str, accelerator, quiet: bool) -> None:
    """Say what begins, and for how long."""
    if quiet:
        return
    where = next(run.net.parameters()).device
    processes = "" if accelerator is None else f"{accelerator.num_processes} processes, "
    precision = str(fast_precision(where) or torch.float32).removeprefix("torch.")
    until = f"to step {run.step + limits.steps}" if limits.by_steps else f"{limits.minutes:g} min"
    print(
        f"{system.name}: {source}, {parameters(run.net) / 1e6:.1f} M parameters, {where.type}, {processes}{precision}, "
        f"from step {run.step}, {until}"
    )


def command_line(a: argparse.Namespace) -> str:
    """The command, as it could be typed again, without this machine's folders."""
    given = {"minutes": a.minutes, "steps": a.steps, "batch": a.batch, "seed": a.seed or None}
    options = [f"--{k} {v:g}" for k, v in given.items() if v is not None]
    options += [f"--from {shlex.quote(Path(a.begin).name)}"] if a.begin else []
    options += ["--compile"] * a.compile
    return " ".join(["python -m ddpm_lessons train", a.name, *options, *["--resume"] * a.resume])


@contextmanager
def compiling():
    """Say in one line that torch.compile cannot work on this machine: it needs a compiler, and Triton for a card."""
    from torch._dynamo.exc import TorchDynamoException  # seconds to load

    try:
        yield
    except TorchDynamoException as e:
        why = " ".join(str(e).split("\n\n")[0].split())  # what follows are hints for developers
        raise ValueError(f"torch.compile fails here, so leave --compile out: {why}") from e


def launched():
    """accelerate's Accelerator in a process that `accelerate launch` or `notebook_launcher` started; None otherwise."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return None
    from accelerate import Accelerator

    # the loop has its own precision and scaler: one in the user's configuration would come on top
    return Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="no")


def together(accelerator, stop: bool) -> bool:
    """Whether any process wants to stop: one that went on alone would wait for the others for ever."""
    if accelerator is None:
        return stop
    return accelerator.reduce(torch.tensor(float(stop), device=accelerator.device)).item() > 0


def run_file(out: Path, name: str) -> Path:
    """Where a run is kept."""
    return out / f"{name}.run.safetensors"


def keep(out: Path, system: System, run: Run, made: dict) -> None:
    """Save the run, and the averaged weights for use."""
    save_run(run_file(out, system.name), run, {"system": registry.card(system), "version": __version__} | made)
    registry.save_weights(out / f"{system.name}.safetensors", system, run.ema.module, run.step, **made)
