"""What every system of the course can do, whatever it is made of: the shape that the commands work with."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..data import Pictures
from ..samplers import Step
from ..training.loop import Batch, Loss
from ..training.run import Run


class System(Protocol):
    """One system, whole: its data, network, training and sampling as one value.

    Implementations are frozen dataclasses whose fields are the choices; `choices.card` writes them into files.
    minutes: of training on two CPU cores before the result is worth a look;  batch: pictures a step, None where the
    system decides;  parallel: whether several processes may share the work, which needs a loss that is a mean over
    pictures.
    """

    name: str
    about: str
    classes: tuple[str, ...]
    size: int
    minutes: float
    batch: int | None
    parallel: bool
    steps: int
    scale: float

    def pictures(self, folder: str | Path | None = None, size: int | None = None) -> Pictures:
        """The data, in the size to train with, or in another one. Raises like `data.flowers`."""
        ...

    def fitting(self, pictures: Pictures) -> "System":
        """This system for these data. Raises ValueError when they show other things than it knows."""
        ...

    def build(self) -> nn.Module:
        """A new, untrained network."""
        ...

    def run(self, seed: int = 0) -> Run:
        """A new training run; the seed fixes the network's first weights as well."""
        ...

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (x0, cond), as `train` wants them."""
        ...

    @property
    def losses(self) -> Sequence[Loss]:
        """What is minimised: one loss for each of the run's optimisers, which take turns."""
        ...

    def sample(
        self,
        net: nn.Module,
        what: Tensor | list[str],
        steps: int | None = None,
        scale: float | None = None,
        seed: int = 0,
        rng: torch.Generator | None = None,
        x_T: Tensor | None = None,
    ) -> Iterator[Step]:
        """Samples of classes or prompts, step by step. Raises ValueError where the system makes none."""
        ...

    def decode(self, net: nn.Module, x: Tensor) -> Tensor:
        """The pictures that a sample stands for: the sample itself, but for latents.  (N, C, H, W) in [-1, 1]"""
        ...

    def notes(self, prompt: str) -> list[str]:
        """What a reader should know before trusting a prompt's picture. Raises ValueError without prompts."""
        ...

    def report(self, net: nn.Module, pictures: Pictures, out: Path) -> str:
        """What is shown when training ends, in words; pictures go to `out`, NAME.png."""
        ...


def seeded_run(system: Any, seed: int, **choices: Any) -> Run:
    """A run whose first weights come from the seed, and torch's own random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Run(system.build(), seed=seed, **choices)
