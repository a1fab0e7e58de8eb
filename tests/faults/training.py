"""Faults of training: killed, cut off, out of room, out of memory, not alone."""

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
from .places import full, limited_files, limited_memory, read_only

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
    assert sorted(f.suffix for f in file.parent.iterdir()) == [".png", ".safetensors", ".safetensors"]


def killed(there: Path, save_every: float, longest: float) -> str:
    """Kill a training with dropout at random moments, resume it each time, and at last compare."""
    file, steps, halves = there / "runs" / "dropout.run.safetensors", [], 0
    for _ in range(KILLS // 2):
        pid = begun(there, "dropout", "--steps", 10**6, save_every=save_every)
        time.sleep(random.uniform(0, longest))
        os.kill(pid, signal.SIGKILL)
        assert finished(there, pid).code == -9
        halves += bool(list(file.parent.glob("*.part")))
        steps.append(load(file)[1]["step"])  # whole, whatever the moment
    assert all(a < b for a, b in zip(steps, steps[1:])), steps
    as_without_a_stop(there, steps[-1] + 3)
    return f"last saves at steps {', '.join(map(str, steps))}, {halves} kills amid a write; then all bits as unkilled"


@fault(f"kill -9 while saving, {KILLS // 2} random moments, dropout")
def killed_in_saving(there: Path) -> Seen:
    return Seen(killed(there, 0, 0.2), "nothing that was saved")


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


@fault("a full disk while saving")
def disk_full(there: Path) -> Seen:
    with full(there, 4000) as disk:
        out = disk or there / "runs"
        fine(command(there, "train", "tiny", "--steps", 2, "--out", out))
        if disk:
            (disk / "ballast").write_bytes(bytes(1024 * max(0, free_kb(disk) - 8)))
        limit = (lambda: None) if disk else lambda: limited_files(8)
        said = command(there, "train", "tiny", "--steps", 9, "--resume", "--out", out, before=limit)
        line = one_line(said, "could not write", "is the disk full?")
        assert load(out / "tiny.run.safetensors")[1]["step"] == 2 == load(out / "tiny.safetensors")[1]["step"]
        assert not list(out.glob("*.part"))
        (out / "ballast").unlink(missing_ok=True)
        fine(command(there, "train", "tiny", "--steps", 9, "--resume", "--out", out))
    return Seen(line, "steps since the last save")


def free_kb(folder: Path) -> int:
    """Kilobytes that are free where a folder lies."""
    s = os.statvfs(folder)
    return s.f_bavail * s.f_frsize // 1024


@fault("a file that may not grow (ulimit -f)")
def file_limit(there: Path) -> Seen:
    fine(command(there, "train", "tiny", "--steps", 2, "--out", there / "runs"))
    argv = ["train", "tiny", "--steps", 9, "--resume", "--out", there / "runs"]
    line = one_line(command(there, *argv, before=lambda: limited_files(8)), "could not write", "File too large")
    assert load(there / "runs" / "tiny.run.safetensors")[1]["step"] == 2
    return Seen(line, "steps since the last save")


@fault("--out is a read-only folder")
def out_read_only(there: Path) -> Seen:
    with read_only(there / "runs") as out:
        said = command(there, "train", "tiny", "--steps", 3, "--out", out)
    assert " step 3" not in said.out + said.err, "found out after training"
    return Seen(one_line(said, str(out), "--out"))


@fault("--out lies in a read-only folder")
def out_in_read_only(there: Path) -> Seen:
    with read_only(there / "locked") as folder:
        return Seen(one_line(command(there, "train", "tiny", "--steps", 3, "--out", folder / "runs"), str(folder)))


@fault("--out is a file")
def out_is_a_file(there: Path) -> Seen:
    (there / "notes.txt").write_text("mine")
    line = one_line(command(there, "train", "tiny", "--out", there / "notes.txt"), "notes.txt")
    assert (there / "notes.txt").read_text() == "mine"
    return Seen(line)


@fault("--out is a link to itself")
def out_is_a_loop(there: Path) -> Seen:
    (there / "loop").symlink_to(there / "loop")
    return Seen(one_line(command(there, "train", "tiny", "--steps", 3, "--out", there / "loop"), "loop"))


@fault("two trainings of one system in one folder")
def two_runs(there: Path) -> Seen:
    pid = begun(there, "dropout", "--steps", 10**6)
    lines = set()
    for more in (["--resume"], []):
        second = Path(there, "second")
        second.mkdir(exist_ok=True)
        said = command(second, "train", "dropout", "--steps", 10**6, "--out", there / "runs", *more)
        lines.add(one_line(said, str(there / "runs"), "--out"))
    fine(command(second, "train", "tiny", "--steps", 3, "--out", there / "runs"))  # another system has room
    os.kill(pid, signal.SIGTERM)
    fine(finished(there, pid))
    for f in (there / "runs").glob("tiny*"):
        f.unlink()
    as_without_a_stop(there, load(there / "runs" / "dropout.run.safetensors")[1]["step"] + 3)
    return Seen(min(lines, key=len))


@fault("two trainings of one system in one folder, begun at the same moment")
def two_runs_at_once(there: Path) -> Seen:
    logs = [there / f"{k}.log" for k in range(4)]
    argv = ["train", "dropout", "--steps", 60, "--out", there / "runs"]
    pids = [begin(lambda: main(*argv), *logs[2 * k : 2 * k + 2]) for k in range(2)]
    said = [ended(pid, *logs[2 * k : 2 * k + 2]) for k, pid in enumerate(pids)]
    assert sorted(s.code for s in said) == [0, 1], [s.err[-300:] for s in said]
    line = one_line(next(s for s in said if s.code), str(there / "runs"))
    as_without_a_stop(there, 63)
    return Seen(line)


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
