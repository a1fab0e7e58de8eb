"""What every fault needs: a command in a process of its own, what it said, and a table to stand in."""

import io
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import processes
import torch

from ddpm_lessons.cli import evaluate, info, sample, train  # noqa: F401  imported once, before any process is forked
from ddpm_lessons.systems.registry import SYSTEMS
from ddpm_lessons.training.files import load

TINY = processes.TINY
DROPOUT = replace(TINY, name="dropout", net=processes.NET | {"dropout": 0.3})
ROOT = Path(__file__).parents[2]
FLOWER = ROOT / "data" / "dahlia.jpg"
TEXT = ROOT / "data" / "flowers_text.safetensors"


class Seen(NamedTuple):
    """What a fault led to.  line: what the user reads;  lost: what is gone that was there before."""

    line: str
    lost: str = "nothing"


class Fault(NamedTuple):
    """A row of the table.  work: an empty folder -> Seen; raises where what happens is not what should."""

    name: str
    work: Callable[[Path], Seen]


class Said(NamedTuple):
    """What a command said.  code: its exit code, -9 when it was killed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What stands on stderr but for progress bars."""
        found = [part.strip() for line in self.err.splitlines() for part in line.split("\r")]
        return [line for line in found if line and "%|" not in line]


FAULTS: list[Fault] = []
LIMIT = 240  # seconds; a command that hangs is killed


def fault(name: str) -> Callable:
    """A decorator: the function is a row of the table."""

    def add(work):
        FAULTS.append(Fault(name, work))
        return work

    return add


def begin(work: Callable[[], int | None], out: Path, err: Path) -> int:
    """Start a function in a forked process, its stdout and stderr in two files -> its process id."""
    sys.stdout.flush(), sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 99
    signal.alarm(LIMIT)
    try:
        for number, file in ((1, out), (2, err)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = (io.open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))  # noqa: UP020
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = work() or 0
    except SystemExit as e:  # argparse
        code = e.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)


def main(*argv, save_every: float = 0) -> int:
    """The command line with two tiny systems, one of them with dropout."""
    SYSTEMS["dropout"] = lambda: DROPOUT
    return processes.main([str(a) for a in argv], save_every)


def ended(pid: int, out: Path, err: Path) -> Said:
    """Wait for a process of `begin`."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Said(code, *(f.read_text(errors="replace") if f.exists() else "" for f in (out, err)))


def forked(work: Callable[[], int | None], there: Path) -> Said:
    """Run a function in a forked process to its end."""
    logs = there / ".said"
    logs.mkdir(exist_ok=True)
    out, err = logs / "out", logs / "err"
    return ended(begin(work, out, err), out, err)


def command(there: Path, *argv, before: Callable[[], object] = lambda: None) -> Said:
    """The command line in a forked process that stands in the folder.

    before: what is done to that process first, a mock or a limit.
    """
    return forked(lambda: (os.chdir(there), before(), main(*argv))[2], there)


def real(*argv, shell: str = "", **env: str | None) -> Said:
    """The command line in a Python of its own, with other variables (None takes one away) and a shell's tail."""
    there = {**os.environ, "DDPM_LESSONS_DATA": "none", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | env
    there = {k: v for k, v in there.items() if v is not None}
    argv = [sys.executable, "-m", "ddpm_lessons", *map(str, argv)]
    if shell:  # the command's own exit code, not that of what reads it
        argv = ["bash", "-c", f'"$@" {shell}; exit ${{PIPESTATUS[0]}}', "bash", *argv]
    done = subprocess.run(argv, env=there, capture_output=True, cwd="/")
    return Said(done.returncode, *(b.decode(errors="replace") for b in (done.stdout, done.stderr)))


def one_line(said: Said, *words: str) -> str:
    """The one line of an error that has all the words; AssertionError for anything else."""
    assert said.code == 1, f"exit code {said.code}: {said.err[-600:]}"
    assert len(said.lines) == 1 and said.lines[0].startswith("error: "), said.err[-600:]
    for word in words:
        assert word in said.lines[0], f"{word!r} is not in {said.lines[0]!r}"
    return said.lines[0]


def fine(said: Said, *words: str) -> str:
    """The last line of a command that succeeded, with all the words somewhere in what it said."""
    assert said.code == 0 and "Traceback" not in said.err, f"exit code {said.code}: {said.err[-600:]}"
    for word in words:
        assert word in said.out + said.err, f"{word!r} is not in {(said.out + said.err)[-600:]!r}"
    lines = [line for line in said.out.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def raises(kind: type[Exception], work: Callable[[], object], *words: str) -> str:
    """The one line of an exception, as the command line would print it."""
    try:
        work()
    except kind as e:
        line = str(e)
        assert "\n" not in line, line
        for word in words:
            assert word in line, f"{word!r} is not in {line!r}"
        return f"error: {line}"
    raise AssertionError(f"no {kind.__name__} was raised")


def equal_files(a: Path, b: Path) -> None:
    """Two runs' files hold the same numbers, bit by bit: weights, average, moments, losses, step."""
    (x, said), (y, too) = load(a), load(b)
    assert x.keys() == y.keys() and said["step"] == too["step"], (said["step"], too["step"])
    other = [k for k in x if not torch.equal(x[k], y[k])]
    assert not other, f"{len(other)} tensors differ: {other[:3]}"


def wait_for(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
