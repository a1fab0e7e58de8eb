"""All that a training run must remember, and the average of its weights."""

import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

WARM_UP = 200  # steps: Adam's first steps know nothing of the gradients' size


@dataclass
class Run:
    """All that a training run must remember, so that it can stop and go on: net, average, optimisers, step.

    lr: rises over the first 200 steps and, from step `fall` on, falls as sqrt(fall / step) (EDM2, arXiv 2312.02696):
    a rule that needs no end, so that a run can always go on.  decay: of the average, which is a copy up to step
    `average_from`;  seed: of all that is drawn;  parts: the submodules that have an optimiser each and take turns, as
    ("generator", "discriminator"); one optimiser for all of the net otherwise;  betas: AdamW's.
    """

    net: nn.Module
    lr: float = 1e-3
    decay: float = 0.999
    seed: int = 0
    fall: float = math.inf
    average_from: int = 0
    parts: tuple[str, ...] = ("",)
    betas: tuple[float, float] = (0.9, 0.99)
    step: int = 0
    losses: list[float] = field(default_factory=list)
    ema: AveragedModel = field(init=False)
    optimisers: list[torch.optim.Optimizer] = field(init=False)
    scaler: torch.amp.GradScaler | None = field(init=False, default=None)  # made by `train` for float16 alone

    def __post_init__(self):
        self.net = self.net.to(memory_format=torch.channels_last)  # twice as fast on a CPU, and on tensor cores
        self.ema = ema_of(self.net, self.decay, self.average_from)
        self.optimisers = [
            torch.optim.AdamW(self.net.get_submodule(p).parameters(), lr=self.lr, betas=self.betas, weight_decay=0.0)
            for p in self.parts
        ]

    def lr_now(self) -> float:
        """The learning rate of the coming step."""
        k = self.step + 1
        return self.lr * min(1.0, k / WARM_UP, (self.fall / k) ** 0.5)

    def to(self, device: torch.device | str) -> "Run":
        """Move the net, its average and the optimisers' moments; returns itself."""
        self.net.to(device), self.ema.to(device)
        for opt in self.optimisers:
            for p, state in opt.state.items():
                opt.state[p] = {k: v if k == "step" else v.to(device) for k, v in state.items()}
        return self


def ema_of(net: nn.Module, decay: float, start: int = 0) -> AveragedModel:
    """The moving average of the weights: a copy for `start` steps, then its decay warms up, (1 + n) / (10 + n).  (6.2)

    n counts the steps since then.
    """

    def average(averaged, current, n):
        n = float(n) - start
        d = min(decay, (1 + n) / (10 + n)) if n >= 0 else 0.0
        torch._foreach_lerp_(averaged, current, 1 - d)

    return AveragedModel(net, multi_avg_fn=average, use_buffers=False)
