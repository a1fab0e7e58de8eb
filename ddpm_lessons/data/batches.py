"""Batches of a data set: cropped, mirrored, with what they show."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..conditions import Cond, classes
from ..forward import check_pictures
from .files import Pictures

Tell = Callable[[Tensor, torch.Generator], Cond]  # (places (B,) in a data set, rng) -> what their pictures show


def batches(
    pictures: Pictures, n: int, size: int, flip: bool = True, tell: Tell | None = None
) -> Callable[[torch.Generator], tuple[Tensor, Cond]]:
    """rng -> (x0, cond): n random pictures, cropped to `size` at a random place, mirrored half the time.

    x0: (n, C, size, size), cond: one-hot classes, or what `tell` says. Raises ValueError for pictures below `size`, or
    not in [-1, 1].
    """
    check_pictures(pictures.x)
    if pictures.x.shape[-1] < size:
        raise ValueError(f"pictures of {pictures.x.shape[-1]} px cannot be cropped to {size}: load them larger")

    def batch(rng):
        i = torch.randint(len(pictures.x), (n,), generator=rng)
        x0 = cropped(pictures.x, i, size, flip, rng)
        return x0, classes(pictures.y[i], len(pictures.classes)) if tell is None else tell(i, rng)

    return batch


def cropped(x: Tensor, i: Tensor, size: int, flip: bool, rng: torch.Generator) -> Tensor:
    """The pictures at the places i, all cropped at one random place, mirrored half the time.  -> (B, C, size, size)"""
    top, left = torch.randint(x.shape[-1] - size + 1, (2,), generator=rng).tolist()
    x0 = x[i, :, top : top + size, left : left + size]
    if flip:
        mirrored = torch.rand(len(i), generator=rng) < 0.5
        x0 = torch.where(mirrored[:, None, None, None], x0.flip(-1), x0)
    return x0
