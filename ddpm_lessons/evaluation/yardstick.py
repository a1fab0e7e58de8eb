"""Samples measured against real pictures, with the floor that real pictures have against others."""

from typing import NamedTuple

import torch
from torch import Tensor

from .distances import frechet, kernel, precision_recall
from .features import Features


class Distance(NamedTuple):
    """What was measured, with all that makes it comparable. A floor is what photographs have against photographs."""

    features: str
    n: int
    frechet: float
    frechet_floor: float
    kernel: float
    kernel_floor: float
    precision: float
    precision_floor: float
    recall: float
    recall_floor: float

    def __str__(self) -> str:
        return (
            f"Fréchet {self.frechet:.0f} (floor {self.frechet_floor:.0f}), "
            f"kernel {self.kernel:.3f} (floor {self.kernel_floor:.3f}), "
            f"precision {self.precision:.2f} ({self.precision_floor:.2f}), "
            f"recall {self.recall:.2f} ({self.recall_floor:.2f}), {self.features}, n = {self.n}"
        )


class Yardstick:
    """Measure samples against n photographs; n others give the floor.  real: (at least 2 n, C, H, W) in [-1, 1]

    order: the places of the photographs, shuffled; the first n are measured against, the next n give the floor.
    Raises ValueError when there are fewer, when n < 5, and when other than n samples are measured.
    """

    def __init__(self, real: Tensor, n: int, features: Features, seed: int = 0):
        if len(real) < 10:
            raise ValueError(f"{len(real)} photographs are too few to measure with: at least 10 are needed")
        if not 5 <= n <= len(real) // 2:
            raise ValueError(
                f"n should lie in 5..{len(real) // 2}: the floor needs 2 n of the {len(real)} photographs, got {n}"
            )
        self.order = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))
        self.features, self.n = features, n
        self.real, self.other = features(real[self.order[: 2 * n]]).chunk(2)
        self.floor = self._measure(self.other)

    def __call__(self, samples: Tensor) -> Distance:
        """samples: (n, C, H, W) -> their Distance."""
        if len(samples) != self.n:
            raise ValueError(
                f"measure as many samples as photographs: the floor belongs to n = {self.n}, got {len(samples)}"
            )
        return self.of(self.features(samples))

    def of(self, a: Tensor) -> Distance:
        """The same of features that are known already.  a: (n, D)"""
        pairs = zip(self._measure(a), self.floor, strict=True)
        return Distance(self.features.name, self.n, *(number for pair in pairs for number in pair))

    def _measure(self, a: Tensor) -> tuple[float, ...]:
        return frechet(a, self.real), kernel(a, self.real), *precision_recall(self.real, a)
