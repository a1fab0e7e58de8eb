"""Faults of the --out folder: full, read-only, no folder, taken."""

import os
import signal
from pathlib import Path

from ddpm_lessons.training.files import load

from . import Seen, begin, command, ended, fault, fine, main, one_line
from .places import full, limited_files, read_only
from .training import as_without_a_stop, begun, finished


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
