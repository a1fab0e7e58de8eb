"""The commands `info` and `list`: what a file remembers, and what there is to train."""

import argparse
from pathlib import Path

import torch

from ..data import bundled
from ..networks.unet import parameters
from ..systems import registry
from ..systems.choices import in_words
from ..training.files import load


def info_command(a: argparse.Namespace) -> None:
    """Print the card of a weights or run file."""
    tensors, info = load(a.file)
    written = registry.card_of(info, a.file)
    kept = {k: v for k, v in tensors.items() if "n_averaged" not in info or k.startswith("ema.")}
    rows = {"system": f"{written['name']}: {written['about']}", "holds": "a run" if "n_averaged" in info else "weights"}
    rows["parameters"] = f"{sum(v.numel() for v in kept.values()) / 1e6:.1f} M"
    rows |= {k: in_words(v) for k, v in info.items() if k not in ("system", "n_averaged", "scaler")}
    rows |= {k: in_words(v) for k, v in written.items() if k not in ("name", "about", *registry.HOW)}
    rows["sampling"] = ", ".join(
        f"{k} {in_words(written[k])}" for k in sorted(registry.HOW & set(written)) if k != "about"
    )
    rows["today"] = registry.differences(written) or "the same choices"
    for name, value in rows.items():
        print(f"{name:12} {value}")


def list_command(a: argparse.Namespace) -> None:
    """Print all systems with parameters, size, data and minutes."""
    print(f"{'':19} {'parameters':>10} {'size':>6}  {'two cores':9} weights  data")
    for name in registry.SYSTEMS:
        system = registry.system(name)
        with torch.device("meta"):  # shapes without numbers
            millions = parameters(system.build()) / 1e6
        file = Path(bundled(f"{name}.safetensors"))
        here = f"{file.stat().st_size / 1e6:4.1f} MB" if file.exists() else ""
        size = f"{system.size} px"
        print(f"{name:19} {millions:8.1f} M {size:>6}  {lasts(system.minutes):9} {here:7}  {system.about}")


def lasts(minutes: float) -> str:
    """Minutes in words: 90 min, 30 days."""
    hours = minutes / 60
    return f"{minutes:.0f} min" if hours < 4 else f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
