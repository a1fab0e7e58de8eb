"""What the picture should show, as numbers; all zeros mean "anything"."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Cond(NamedTuple):
    """A condition for each picture; zeros are the null condition.

    vec: (B, D), a one-hot class or an embedding;  seq: (B, L, E), a vector for each token of a text, or None;
    mask: (B, L) bool, True for a real token, False for padding.
    """

    vec: Tensor
    seq: Tensor | None = None
    mask: Tensor | None = None

    def drop(self, p: float, rng: torch.Generator | None = None) -> "Cond":
        """Replace each *sample's* condition by zeros with probability p (arXiv 2207.12598, algorithm 1).  (9.7)"""
        # one draw a sample: a draw a feature would hardly ever give the all-zero row that guidance needs
        keep = torch.rand(len(self.vec), 1, generator=rng) >= p
        return self.each(lambda v: v * keep.to(v).view(-1, *[1] * (v.ndim - 1)))

    def null(self) -> "Cond":
        """The null condition for as many samples: zeros."""
        return self.each(torch.zeros_like)

    def each(self, change: Callable[[Tensor], Tensor]) -> "Cond":
        """The same change to all that is there, as `cond.each(lambda v: v[:3])`."""
        return Cond(*(None if v is None else change(v) for v in self))

    def to(self, device: torch.device | str) -> "Cond":
        """The same condition on another device."""
        return self.each(lambda v: v.to(device))


def classes(labels: Tensor, n: int) -> Cond:
    """One-hot rows.  labels: (B,) whole numbers in 0..n-1 -> Cond of (B, n)

    Raises ValueError when a label lies outside.
    """
    if len(labels) and (labels.min() < 0 or labels.max() >= n):
        raise ValueError(f"labels should lie in 0..{n - 1}, got {int(labels.min())}..{int(labels.max())}")
    return Cond(torch.nn.functional.one_hot(labels.long(), n).float())


def both(a: Cond, b: Cond) -> Cond:
    """Two batches of conditions, one after the other."""
    return Cond(*(None if v is None else torch.cat([v, w]) for v, w in zip(a, b, strict=True)))
