"""From a system and its network to pictures and picture files, with a bar, in the device's fastest precision."""

import io
import os
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.utils import save_image
from tqdm import tqdm

from ..training.device import fast_precision
from ..training.files import check_folder, whole
from .base import System

LOOK = 128  # pixels that a picture has at least, to be looked at
TOGETHER = 64  # pictures at a time, so that any number fits into memory


def samples(
    system: System,
    net: nn.Module,
    what: Tensor | list[str],
    steps: int | None = None,
    scale: float | None = None,
    seed: int = 0,
) -> Tensor:
    """One picture for each label or prompt, with a bar.  (N,) -> (N, C, H, W)

    All noise comes from one source, so that no two seeds share any of it. Raises ValueError like the system's `sample`,
    FloatingPointError when what comes out is no picture.
    """
    steps, device = system.steps if steps is None else steps, next(net.parameters()).device
    precision, rng, done = fast_precision(device), torch.Generator().manual_seed(seed), []
    with tqdm(total=steps * len(what), unit=" picture steps") as bar:
        for part in [what[i : i + TOGETHER] for i in range(0, len(what), TOGETHER)]:
            with torch.autocast(device.type, dtype=precision, enabled=precision is not None):
                for step in system.sample(net, part, steps, scale, rng=rng):
                    bar.update(len(part))
            with torch.no_grad():
                done.append(finite(system.decode(net, step.x.float()).cpu()))
    return torch.cat(done)


def finite(x: Tensor) -> Tensor:
    """The pictures themselves. Raises FloatingPointError when they hold NaN."""
    if not x.isfinite().all():
        raise FloatingPointError("the samples are no pictures but NaN: try another --scale, or other weights")
    return x


def large(x: Tensor, at_least: int = LOOK) -> Tensor:
    """Pictures enlarged smoothly by a whole factor, to at least so many pixels.  (N, C, H, W) -> (N, C, k H, k W)"""
    k = -(-at_least // x.shape[-1])
    return x if k <= 1 else F.interpolate(x, scale_factor=k, mode="bicubic").clamp(-1, 1)


def grid(
    system: System,
    net: nn.Module,
    what: Tensor | list[str],
    out: str | Path,
    columns: int,
    pixels: bool = False,
    **how: Any,
) -> None:
    """Sample one picture for each label or prompt and write them as one file, or, where `out` is a folder, one a file.

    A single file's pictures are enlarged to be looked at, unless `pixels` asks for them as they are; the files of a
    folder, 0000.png and so on, have the exact pixels. how: steps, scale, seed. Raises OSError when nothing can be
    written, ValueError for a file that is no picture.
    """
    out, folder = Path(out), str(out).endswith(("/", os.sep)) or Path(out).is_dir()
    if not folder:
        check_file(out)
    check_folder(out if folder else out.parent)  # said now, not after the sampling
    x = samples(system, net, what, **how)
    if not folder:
        x = x if pixels else large(x)
        return write(x, out, columns)
    for i, picture in enumerate(x):
        write(picture, out / f"{i:04d}.png")


def write(x: Tensor, out: Path, columns: int = 8) -> None:
    """Pictures in one file, side by side, which is written whole or not at all.  x: (N, C, H, W) or (C, H, W)

    Raises OSError like `whole`.
    """
    kind, content = Image.registered_extensions()[out.suffix.lower()], io.BytesIO()
    save_image(x, content, format=kind, nrow=columns, normalize=True, value_range=(-1, 1))
    with whole(out) as new:
        new.write_bytes(content.getvalue())


def check_file(out: Path) -> None:
    """Raise ValueError unless the name is that of a picture file."""
    if out.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"} or out.is_dir():
        raise ValueError(f"{out} should be a picture file, such as grid.png, or a folder, such as {out}/")


def film(
    system: System, net: nn.Module, what: Tensor | list[str], out: str | Path, moments: int = 8, **how: Any
) -> None:
    """Write one file that shows how pictures come out of noise: a row for each, at most so many moments up to x_0.

    how: steps, scale, seed. Raises like `grid`.
    """
    out = Path(out)
    check_file(out)
    check_folder(out.parent)
    steps = list(tqdm(system.sample(net, what, **how), desc="steps", total=how.get("steps") or system.steps))
    moments = min(moments, len(steps))
    chosen = [steps[round(i * (len(steps) - 1) / max(moments - 1, 1))] for i in range(moments)]
    with torch.no_grad():
        columns = torch.stack([large(finite(system.decode(net, step.x.float()).cpu())) for step in chosen], 1)
    write(columns.flatten(0, 1), out, moments)
