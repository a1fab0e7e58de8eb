"""The command `sample`: prompts or classes into picture files."""

import argparse
import time
from pathlib import Path

import torch

from ..data import bundled
from ..systems import registry
from ..systems.sampling import film, grid
from ..training.device import device


def sample_command(a: argparse.Namespace) -> None:
    """Sample from a weights file into a picture file or a folder of them, and say what took the time."""
    if a.n < 1:
        raise ValueError(f"-n should be at least 1, got {a.n}")
    begin = time.monotonic()
    system, net = opened(a.weights or bundled("flowers_cascade.safetensors"))
    names = system.classes
    if a.label is not None and a.label not in names:
        raise ValueError(f"there is no class {a.label!r} in {system.name}; there are {', '.join(names)}")
    if a.prompt is not None:
        what = [a.prompt] * a.n
        for note in system.notes(a.prompt):
            print("note:", note)
    else:
        what = torch.arange(a.n) % len(names) if a.label is None else torch.full((a.n,), names.index(a.label))
    by_class = a.prompt is None and a.label is None and len(names) > 1
    columns = len(names) if by_class else round(a.n**0.5)
    net.to(device())
    loaded = time.monotonic()
    how = dict(steps=a.steps, scale=a.scale, seed=a.seed)
    film(system, net, what, a.out, **how) if a.film else grid(system, net, what, a.out, columns, a.pixels, **how)
    steps, sampled = system.steps if a.steps is None else a.steps, time.monotonic()
    print(f"{a.n} pictures in {a.out}: {loaded - begin:.1f} s to load, {sampled - loaded:.1f} s for {steps} steps")


def opened(weights: str | Path):
    """The system and the network in a file, and a line where today's system of that name would be another."""
    system, net = registry.open_weights(weights)
    if other := registry.differences(registry.card(system), registry.USE):
        print(f"note: {Path(weights).name} keeps its own choices; {other}")
    return system, net
