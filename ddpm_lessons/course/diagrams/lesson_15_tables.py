"""Lesson 15's records as tables of text, and a sheet of recorded pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from ...networks.unet import parameters
from ...systems import system
from ...systems.base import System

PUBLISHED = {  # millions of parameters, embedding and hidden size, tokens, steps, batch, of L. de Lellis Rossi
    "imagen_small": (4.87, "32 / 64", 64, 500, 32),
    "imagen_base": (9.75, "32 / 64", 128, 500, 64),
    "imagen_large": (19.5, "64 / 128", 256, 1000, 64),
    "imagen_full": (58.78, "512 / 256", 256, 1000, 32),
}


def percent(p: float, n: int) -> str:
    """A share of n with its standard error."""
    return f"{100 * p:5.1f} ± {100 * (p * (1 - p) / n) ** 0.5:.1f} %"


def scales(found: dict[str, Any], at: Sequence[int]) -> str:
    """Samples at each scale, the photographs themselves, and what a wrong text does to the loss."""
    n, floor = found["n"], found["floor"]
    lines = [f"n = {n} samples for each number; ± is one standard error"]
    lines += ["scale    kind asked for    colour asked for   kernel   Fréchet   recall"]
    for w in at:
        row = found[f"scale {w}"]
        shares = f"{w:5g} {percent(row['kind'], n):>17} {percent(row['colour'], n):>19}"
        lines += [f"{shares} {row['kernel']:8.3f} {row['frechet']:9.0f} {row['recall']:8.2f}"]
    photographs = f"photographs {percent(found['classifier'], n):>11} {'':19}"
    lines += [f"{photographs} {floor['kernel']:8.3f} {floor['frechet']:9.0f} {floor['recall']:8.2f}", ""]
    own, none, others = (found[f"loss_{name}"] for name in ("own", "none", "others"))
    raised = f"{found['loss_raised']:.5f} ± {found['loss_raised_error']:.5f}"
    lines += [
        f"P2 loss of photographs with their own text {own:.5f}, with none {none:.5f}, with another's {others:.5f}"
    ]
    return "\n".join(lines + [f"(another's - own: {raised})"])


def checkpoints(found: dict[str, Any]) -> str:
    """Checkpoints of one training: loss and distances."""
    lines = [
        f"step {row['step']:6}: P2 loss {row['held-out P2 loss']:.4f}   Fréchet {row['frechet']:4.0f}   "
        f"kernel {row['kernel']:.3f}   kind asked for {percent(row['kind'], found['n'])}"
        for row in found["rows"]
    ]
    return "\n".join(lines)


def words(found: dict[str, Any], readers: dict[str, str], prompts: Sequence[str]) -> str:
    """How often samples show what new words ask for, and plain ones for the same.  readers: network -> its reader"""
    each, lines = found["samples a prompt"], []
    rows = {"colour": "colour (12 prompts)", "kind, colour asked for": "kind (the same 12)"}
    rows |= {"kind, described": "kind, described (8 prompts)"}
    lines += [f"{each} samples a prompt; in new words (in plain words)" + "".join(f"{r:>20}" for r in readers.values())]
    for key, label in rows.items():
        shares = [f"{f['words']['all'][key]:.0%} ({f['plain']['all'][key]:.0%})" for f in (found[n] for n in readers)]
        lines += [f"{label:49}" + "".join(f"{share:>20}" for share in shares)]
    for prompt in prompts:
        shares = [" and ".join(f"{v:.0%}" for v in found[n]["words"][prompt]) for n in readers]
        lines += [f"“{prompt}”, kind and colour".ljust(49) + "".join(f"{share:>20}" for share in shares)]
    return "\n".join(lines)


def sizes() -> str:
    """The four published sizes beside ours, counted."""
    lines = ["parameters (millions):  his    ours   embedding / hidden   tokens      T   batch"]
    for name, (millions, widths, length, T, batch) in PUBLISHED.items():
        ours = counted(system(name))
        lines += [f"{name:14} {millions:13.2f} {ours:7.2f} {widths:>20} {length:8} {T:6} {batch:7}"]
    toy = system("imagen_toy")
    ours = counted(toy)
    hidden = f"- / {toy.net['words']}"
    lines += [f"{toy.name:14} {'-':>13} {ours:7.2f} {hidden:>20} {64:8} {toy.schedule.T:6} {toy.batch:7}"]
    return "\n".join(lines)


def counted(of: System) -> float:
    """Millions of parameters."""
    with torch.device("meta"):  # shapes without numbers
        return parameters(of.build()) / 1e6


def against(found: dict[str, Any], at: Sequence[int]) -> str:
    """Two networks of one size, trained for the same time."""
    lines = [f"64 px, each trained from nothing for {found['minutes']:g} minutes of one core; ± is one standard error"]
    lines += ["network      parameters  scale    kind asked for    colour asked for   kernel   Fréchet   recall"]
    for name in ("imagen_toy", "lesson 12"):
        of = found[name]
        for w in at:
            row = of[f"scale {w}"]
            shares = f"{percent(row['kind'], of['n']):>17} {percent(row['colour'], of['n']):>19}"
            distances = f"{row['kernel']:8.3f} {row['frechet']:9.0f} {row['recall']:8.2f}"
            lines += [f"{name:12} {of['millions']:9.2f} M {w:6} {shares} {distances}"]
    return "\n".join(lines)


def cut(path: Path, side: int, gap: int = 2) -> Tensor:
    """The pictures of a sheet that `save_image` wrote, row by row.  -> (N, 3, side, side) in [-1, 1]"""
    sheet = pil_to_tensor(Image.open(path).convert("RGB")).float() / 127.5 - 1
    step = side + gap
    corners = [(y, x) for y in range(gap, sheet.shape[1] - side, step) for x in range(gap, sheet.shape[2] - side, step)]
    return torch.stack([sheet[:, y : y + side, x : x + side] for y, x in corners])
