"""Faults of training: killed, cut off, out of time, out of memory."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from ddpm_lessons.systems import Diffusion
from ddpm_lessons.training.files import load

from . import Said, Seen, begin, command, ended, equal_files, fault, fine, main, one_line, wait_for
from .places import limited_memory

KILLS = 20


def begun(there: Path, *argv, before=lambda: None, save_every: float = 0) -> int:
    """Start a training in a process of its own, and wait until it has saved."""
    file = there / "runs" / f"{argv[0]}.run.safetensors"
    stamp = file.stat().st_mtime_ns if file.exists() else 0
    (there / ".said").mkdir(exist_ok=True)
    argv = ["train", *argv, "--out", there / "runs", *["--resume"] * file.exists()]
    work = lambda: (before(), main(*argv, save_every=save_every))[1]  # noqa: E731
    pid = begin(work, there / ".said" / "out", there / ".said" / "err")
    wait_for(lambda: file.exists() and file.stat().st_mtime_ns != stamp)
    return pid


def finished(there: Path, pid: int) -> Said:
    """What the training said that `begun` started."""
    return ended(pid, there / ".said" / "out", there / ".said" / "err")


def as_without_a_stop(there: Path, last: int) -> None:
    """Resume to step `last`; AssertionError unless each number is that of a run that was never stopped."""
    file = there / "runs" / "dropout.run.safetensors"
    fine(command(there, "train", "dropout", "--steps", last, "--resume", "--out", file.parent))
    fine(command(there, "train", "dropout", "--steps", last, "--out", there / "whole"))
    equal_files(file, there / "whole" / file.name)
    equal_files(file.with_name("dropout.safetensors"), there / "whole" / "dropout.safetensors")
    left = sorted(f.name for f in file.parent.iterdir())
    assert left == ["dropout.png", "dropout.run.safetensors", "dropout.safetensors"], left


def killed(there: Path, save_every: float, longest: float) -> str:
    """Kill a training with dropout at random moments, resume it each time, and at last compare."""
    file, steps, halves = there / "runs" / "dropout.run.safetensors", [], 0
    for k in range(KILLS // 2):
        pid = begun(there, "dropout", "--steps", 10**6, save_every=save_every)
        time.sleep(random.uniform(0, longest))
        if save_every == 0 and k % 2:  # else few of the moments would fall into a write
            wait_for(lambda: list(file.parent.glob("*.part")))
        os.kill(pid, signal.SIGKILL)
        said = finished(there, pid)
        assert said.code == -9, said
        halves += bool(list(file.parent.glob("*.part")))
        steps.append(load(file)[1]["step"])  # whole, whatever the moment
    assert all(a < b for a, b in zip(steps, steps[1:])), steps
    as_without_a_stop(there, steps[-1] + 3)
    return f"last saves at steps {', '.join(map(str, steps))}, {halves} kills amid a write; then all bits as unkilled"


@fault(f"kill -9 while saving, {KILLS // 2} random moments, dropout")
def killed_in_saving(there: Path) -> Seen:
    return Seen(killed(there, 0, 0.4), "nothing that was saved")


@fault(f"kill -9 while training, {KILLS // 2} random moments, dropout")
def killed_in_training(there: Path) -> Seen:
    return Seen(killed(there, 0.5, 0.6), "steps since the last save (3 minutes at most)")


@fault("SIGTERM, as a queue or a shutdown sends it")
def terminated(there: Path, number=signal.SIGTERM) -> Seen:
    pid = begun(there, "dropout", "--steps", 10**6, save_every=10**9 if number == 0 else 0.3)
    os.kill(pid, number)
    said = finished(there, pid)
    fine(said, "stopped; saving")
    step = load(there / "runs" / "dropout.run.safetensors")[1]["step"]
    assert f"step {step};" in said.out
    as_without_a_stop(there, step + 3)
    return Seen(f"stopped; saving ... step {step}")


@fault("the terminal is closed (SIGHUP)")
def hung_up(there: Path) -> Seen:
    return terminated(there, signal.SIGHUP)


@fault("the terminal is closed, and nothing can be written to it any more")
def hung_up_and_gone(there: Path) -> Seen:
    def deaf():
        read, write = os.pipe()
        os.close(read)
        os.dup2(write, 1), os.dup2(write, 2)  # from now on each print is a broken pipe
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)

    pid = begun(there, "dropout", "--steps", 40, before=deaf, save_every=0)
    said = finished(there, pid)
    assert said.code == 0, said
    assert load(there / "runs" / "dropout.run.safetensors")[1]["step"] == 40
    as_without_a_stop(there, 43)
    return Seen("nothing; training went on to its end")


@fault("Ctrl-C twice, at once")
def interrupted_twice(there: Path) -> Seen:
    pid = begun(there, "dropout", "--steps", 10**6)
    os.kill(pid, signal.SIGINT), os.kill(pid, signal.SIGINT)
    time.sleep(0.02)
    try:
        os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        pass
    said = finished(there, pid)
    assert said.code in (0, 130) and "Traceback" not in said.err, said.err[-500:]
    as_without_a_stop(there, load(there / "runs" / "dropout.run.safetensors")[1]["step"] + 3)
    return Seen(said.lines[-1], "nothing that was saved")


@fault("a clock that jumps an hour back and forth")
def clock(there: Path) -> Seen:
    def jumping():
        right, calls = time.time, iter(range(10**9))
        time.time = lambda: right() + 3600 * ((-1) ** next(calls))

    argv = ["train", "dropout", "--steps", 9, "--minutes", 10, "--out", there / "runs"]
    line = fine(command(there, *argv, before=jumping), "step 9;")
    assert load(there / "runs" / "dropout.run.safetensors")[1]["step"] == 9
    as_without_a_stop(there, 12)
    return Seen(line)


@fault("a clock that leaps a day on (the machine slept)")
def slept(there: Path) -> Seen:
    def leaping():
        right, calls = time.monotonic, iter(range(10**9))
        time.monotonic = lambda: right() + (86400 if next(calls) > 8 else 0)

    argv = ["train", "dropout", "--minutes", 10, "--out", there / "runs"]
    line = fine(command(there, *argv, before=leaping))
    step = load(there / "runs" / "dropout.run.safetensors")[1]["step"]
    assert f"step {step};" in line
    as_without_a_stop(there, step + 3)
    return Seen(f"{line.split(';')[0]}: the minutes are over; saved")


def from_step(k: int, do) -> None:
    """Let the tiny systems' loss do something else from its k-th call on."""
    right, calls = Diffusion.loss, iter(range(10**9))
    Diffusion.loss = lambda *a: do(right, *a) if next(calls) >= k else right(*a)


def not_finite(value: float):
    """A loss that is no number."""
    return lambda right, *a: right(*a) * value


def steep(right, *a):
    """A loss that is finite, with a slope that is not."""
    return (right(*a) * 0).abs().sqrt()


def no_memory(right, *a):
    """What a graphics card says."""
    raise torch.cuda.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.75 GiB of which 1.2 GiB is "
        "free. Including non-PyTorch memory, this process has 13.5 GiB memory in use.\nSee documentation"
    )


def stops(there: Path, do, *words: str) -> Seen:
    """A training whose fourth step fails: one line, and the last save is whole and goes on."""
    argv = ["train", "dropout", "--steps", 9, "--out", there / "runs"]
    line = one_line(command(there, *argv, before=lambda: from_step(3, do)), *words)
    saved = load(there / "runs" / "dropout.run.safetensors")
    assert saved[1]["step"] == 3 and all(v.isfinite().all() for v in saved[0].values())
    as_without_a_stop(there, 9)
    return Seen(line, "steps since the last save")


@fault("a loss that is NaN")
def nan(there: Path) -> Seen:
    return stops(there, not_finite(float("nan")), "the loss is nan at step 4", "smaller lr")


@fault("a gradient that is infinite")
def infinite(there: Path) -> Seen:
    return stops(there, steep, "no finite gradient at step 4")


@fault("out of a graphics card's memory")
def card_full(there: Path) -> Seen:
    return stops(there, no_memory, "memory", "smaller --batch")


@fault("out of memory (ulimit -v)")
def memory_full(there: Path) -> Seen:
    argv = ["train", "tiny", "--steps", 3, "--batch", 2_000_000, "--out", there / "runs"]
    return Seen(one_line(command(there, *argv, before=lambda: limited_memory(300)), "memory", "smaller --batch"))
