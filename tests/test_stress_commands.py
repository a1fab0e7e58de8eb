"""Mended faults of the commands: terminals that close, folders that are taken, memory that is full, odd numbers."""

import io
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from processes import TINY, main
from test_systems import fails

from ddpm_lessons import __main__ as command
from ddpm_lessons.cli import train as command_train
from ddpm_lessons.cli.guard import listening, reserved
from ddpm_lessons.systems import sampling, save_weights
from ddpm_lessons.systems.registry import SYSTEMS
from ddpm_lessons.training import train
from ddpm_lessons.training.files import load, save


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """One more system, whose network is tiny."""
    monkeypatch.setitem(SYSTEMS, "tiny", lambda: TINY)


@pytest.fixture
def weights(tmp_path_factory):
    """Its weights, in a folder of their own."""
    file = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(file, TINY, TINY.run().net, 7)
    return file


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, text):
        raise OSError(5, "Input/output error")

    def flush(self):
        raise OSError(5, "Input/output error")

    def fileno(self):
        return 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_terminal_that_closes_saves_and_says_it_twice(tmp_path, monkeypatch):
    def closing(run, *args, **kw):
        for log in train(run, *args, **kw):
            signal.raise_signal(signal.SIGHUP), signal.raise_signal(signal.SIGHUP)
            yield log

    monkeypatch.setattr(command_train, "train", closing)
    before = signal.signal(signal.SIGHUP, lambda *a: pytest.fail("SIGHUP was not heard"))
    try:
        assert command.main(["train", "tiny", "--out", str(tmp_path)]) == 0
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup wants it
        with listening():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert load(tmp_path / "tiny.run.safetensors")[1]["step"] == 1


def test_a_terminal_that_is_gone_costs_no_training(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setattr(os, "dup2", lambda *a: None)
    assert command.main(["train", "tiny", "--steps", "2", "--out", str(tmp_path)]) == 0
    assert load(tmp_path / "tiny.run.safetensors")[1]["step"] == 2


def test_a_reader_who_has_read_enough_is_no_error(monkeypatch, capsys):
    def broken(a):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("ddpm_lessons.cli.info.list_command", broken)
    assert command.main(["list"]) == 0
    assert capsys.readouterr().err == ""


def test_a_terminal_without_accents_shows_question_marks(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit):
        command.main(["evaluate", "--help"])
    assert b"Fr?chet" in stream.buffer.getvalue()


def test_a_second_training_in_one_folder_is_refused(tmp_path, capsys):
    file = command_train.run_file(tmp_path, "tiny")
    with reserved(file):
        said = fails(capsys, "train", "tiny", "--steps", "1", "--out", tmp_path)
        assert said == f"error: another training is at work on {file}: name another --out"
        with reserved(command_train.run_file(tmp_path, "flowers")):
            pass  # another system has room
    assert not list(tmp_path.iterdir())
    assert main(["train", "tiny", "--steps", "1", "--out", str(tmp_path)]) == 0
    assert not list(tmp_path.glob("*.lock"))


def test_a_drive_without_locks_will_do(tmp_path, monkeypatch):
    def none(*a, **kw):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", none)
    assert main(["train", "tiny", "--steps", "1", "--out", str(tmp_path)]) == 0


def test_a_command_that_cannot_begin_leaves_no_folder(tmp_path, capsys):
    fails(capsys, "train", "tiny", "--minutes", "0", "--out", tmp_path / "new")
    fails(capsys, "train", "nothing", "--out", tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder in which nothing can be made, for root as well."""

    def refused(*a, **kw):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    return tmp_path


def test_a_read_only_out_is_found_out_before_the_work(locked, weights, capsys, monkeypatch):
    monkeypatch.setattr(command_train, "train", None)
    monkeypatch.setattr(sampling, "samples", None)  # would fail if it came so far
    line = f"error: nothing can be written in {locked} (Permission denied); name another --out"
    assert fails(capsys, "train", "tiny", "--out", locked) == line
    for more in ([], ["--film"]):
        assert fails(capsys, "sample", weights, "--out", locked / "g.png", *more) == line


CARD = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.75 GiB.\nSee"
CPU = "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


@pytest.mark.parametrize(
    "error, said",
    [
        (torch.cuda.OutOfMemoryError(CARD), "error: out of memory (for 2.00 GiB): try a smaller "),
        (RuntimeError(CPU), "error: out of memory (for 9 bytes): try a smaller "),
        (MemoryError(), "error: out of memory: try a smaller "),
    ],
)
def test_out_of_memory_says_what_to_make_smaller(error, said, weights, tmp_path, capsys, monkeypatch):
    def full(*a, **kw):
        raise error

    monkeypatch.setattr(command_train, "train", full)
    monkeypatch.setattr(sampling, "samples", full)
    assert fails(capsys, "train", "tiny", "--out", tmp_path) == said + "--batch"
    assert fails(capsys, "sample", weights, "--out", tmp_path / "g.png") == said + "-n"


def test_another_runtime_error_is_not_hidden(tmp_path, monkeypatch):
    def wrong(*a):
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(command_train, "train", wrong)
    with pytest.raises(RuntimeError, match="illegal"):
        command.main(["train", "tiny", "--out", str(tmp_path)])


def test_numbers_beyond_all_bounds_are_one_line(weights, tmp_path, capsys):
    for seed in (2**64, -(10**13)):
        said = fails(capsys, "train", "tiny", "--seed", seed, "--out", tmp_path)
        assert said.startswith("error: --seed should lie between -1000000000000 and 1000000000000")
    assert "too large" in fails(capsys, "sample", weights, "-n", 10**30, "--out", tmp_path / "g.png")
    assert main(["train", "tiny", "--seed", str(-(10**12)), "--steps", "1", "--out", str(tmp_path)]) == 0


# pictures


@pytest.mark.parametrize("more", [[], ["--film"]])
def test_a_disk_that_is_full_leaves_the_earlier_picture(more, weights, tmp_path, capsys, monkeypatch):
    (tmp_path / "g.png").write_text("mine")

    def full(self, content):
        with open(self, "wb") as f:
            f.write(content[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr("PIL.Image.Image.save", lambda self, fp, format=None: save_half(fp))
    said = fails(capsys, "sample", weights, "-n", "1", "--steps", "2", "--out", tmp_path / "g.png", *more)
    assert "could not write" in said and "unharmed" in said
    assert (tmp_path / "g.png").read_text() == "mine"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["g.png"]


def save_half(fp):
    """What Pillow does on a full disk, in a file or in memory."""
    if not hasattr(fp, "write"):
        Path(fp).open("wb").write(b"half")
        raise OSError(28, "No space left on device")
    fp.write(b"whole")


def test_a_film_into_a_folder_is_refused_before_the_work(weights, tmp_path, capsys, monkeypatch):
    (tmp_path / "a.png").mkdir()
    monkeypatch.setattr(TINY.__class__, "sample", None)
    said = fails(capsys, "sample", weights, "--film", "--out", tmp_path / "a.png")
    assert "should be a picture file" in said


@pytest.mark.parametrize("more", [[], ["--film"]])
def test_samples_that_are_nan_are_said_and_not_drawn(more, weights, tmp_path, capsys):
    said = fails(capsys, "sample", weights, "--scale", "nan", "-n", "1", "--out", tmp_path / "g.png", *more)
    assert "the samples are no pictures but NaN: try another --scale" in said
    assert not (tmp_path / "g.png").exists()


def test_weights_that_are_not_finite_are_refused(tmp_path, capsys):
    net = TINY.build()
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] = float("nan")
    save_weights(tmp_path / "w", TINY, net, 1)
    assert "holds numbers that are not finite" in fails(capsys, "sample", tmp_path / "w")


def test_a_card_that_this_version_cannot_read_is_one_line(weights, tmp_path, capsys):
    tensors, info = load(weights)
    save(tmp_path / "w", tensors, info | {"system": info["system"] | {"net": None}})
    assert "was written by another version of the course" in fails(capsys, "sample", tmp_path / "w")
