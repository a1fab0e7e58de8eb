"""Faults of weights files: cut, foreign, pickled, flipped, of another net, and not finite."""

import os
import pickle
import random
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ddpm_lessons.systems import save_weights
from ddpm_lessons.training.files import load, save

from . import ROOT, TINY, Seen, command, fault, fine, one_line, raises

FLIPS = 300


def weights(there: Path, name: str = "w.safetensors") -> Path:
    """A tiny system's weights."""
    save_weights(there / name, TINY, TINY.run().net, 1, command="train", data="squares", seed=0)
    return there / name


def sampled(there: Path, file: Path, *words: str) -> str:
    """The line that `sample` prints of a file that it must refuse; nothing is made."""
    line = one_line(command(there, "sample", file, "-n", 2, "--steps", 2, "--out", there / "g.png"), *words)
    assert not (there / "g.png").exists()
    return line


@fault("weights cut at 40 places")
def truncated(there: Path) -> Seen:
    file, whole = weights(there), weights(there, "whole").read_bytes()
    for cut in [0, 1, 7, 8, 9, *random.Random(0).sample(range(10, len(whole)), 34), len(whole) - 1]:
        file.write_bytes(whole[:cut])
        raises(ValueError, lambda: load(file), "is cut short or no safetensors file", str(file))
    return Seen(sampled(there, file, "cut short"))


@fault("weights with more behind their end")
def appended(there: Path) -> Seen:
    file = weights(there)
    file.write_bytes(file.read_bytes() + b"more")
    return Seen(sampled(there, file, str(file)))


@fault(f"weights with one bit flipped, at {FLIPS} random places")
def flipped(there: Path) -> Seen:
    file, rng = weights(there), random.Random(1)
    whole, (tensors, info) = bytearray(file.read_bytes()), load(file)
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [rng.randrange(8 * header) for _ in range(FLIPS // 2)]  # the card, and the numbers
    places += [rng.randrange(8 * header, 8 * len(whole)) for _ in range(FLIPS // 2)]
    same, line = 0, ""
    for place in places:
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            got, told = load(file)
        except ValueError as e:
            assert "\n" not in str(e) and str(file) in str(e), e
            line = str(e) if place >= 8 * header else line
            continue
        same += 1  # a flip between a small and a capital hexadecimal digit, say
        assert told == info and all(torch.equal(got[k], tensors[k]) for k in tensors), f"bit {place} went unnoticed"
    return Seen(f"error: {line}" + f" ({same} changed nothing)" * bool(same))


@fault("every bundled file has a checksum, and it is right")
def bundled(there: Path) -> Seen:
    files = sorted((ROOT / "data").glob("*.safetensors"))
    for file in files:
        with safe_open(file, "pt") as f:
            assert len(f.metadata()["sha256"]) == 64, file
        load(file)
    return Seen(f"{len(files)} files are whole")


@fault("a file without its checksum")
def unchecked(there: Path) -> Seen:
    tensors, _ = load(weights(there))
    save_file(tensors, there / "x.safetensors", metadata={"ddpm_lessons": "{}"})
    return Seen(sampled(there, there / "x.safetensors", "x.safetensors"))


@fault("a foreign safetensors file")
def foreign(there: Path) -> Seen:
    save_file({"a": torch.zeros(2)}, there / "x.safetensors")
    return Seen(sampled(there, there / "x.safetensors", "was not written by ddpm_lessons"))


class Payload:
    """What runs when a pickle is opened."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@fault("a pickle that runs code when it is opened")
def pickled(there: Path) -> Seen:
    lines = []
    for name, write in (("old.pt", pickle.dump), ("new.safetensors", torch.save)):
        with open(there / name, "wb") as f, warnings.catch_warnings():
            write(Payload(there / "robbed"), f)
        lines.append(sampled(there, there / name, "is a pickle"))
        assert not (there / "robbed").exists(), "its code ran"
    return Seen(lines[-1])


@fault("a login page in place of weights")
def page(there: Path) -> Seen:
    (there / "w.safetensors").write_text("<!doctype html><html><body>Please log in</body></html>")
    return Seen(sampled(there, there / "w.safetensors", "no safetensors file"))


@fault("a folder, a device, a link to itself in place of weights")
def no_file(there: Path) -> Seen:
    (there / "loop").symlink_to(there / "loop")
    return Seen([sampled(there, f, "no weights at") for f in (there, Path("/dev/null"), there / "loop")][-1])


@fault("weights of another net, a run in place of weights")
def another(there: Path) -> Seen:
    large = replace(TINY, net=TINY.net | {"widths": (16,)})
    save_weights(there / "w", TINY, large.build(), 1)
    line = sampled(there, there / "w", "holds the weights of another net")
    fine(command(there, "train", "tiny", "--steps", 1, "--out", there))
    sampled(there, there / "tiny.run.safetensors", "holds a run")
    one_line(command(there, "train", "dropout", "--from", there / "w", "--out", there), "another net")
    return Seen(line)


@fault("weights that hold NaN")
def not_finite(there: Path) -> Seen:
    net = TINY.build()
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] = float("nan")
    save_weights(there / "w", TINY, net, 1)
    one_line(command(there, "train", "tiny", "--from", there / "w", "--out", there / "runs"), "not finite")
    return Seen(sampled(there, there / "w", "not finite"))


@fault("a card that names what this version does not know")
def newer(there: Path) -> Seen:
    file = weights(there)
    tensors, info = load(file)
    lines = []
    for change in ({"kind": "Flow"}, {"predict": {"predict": "score"}}, {"net": None}, {"classes": 3}):
        save(file, tensors, info | {"system": info["system"] | change})
        lines.append(sampled(there, file, str(file)))
    return Seen(lines[1])
