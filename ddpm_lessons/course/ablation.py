"""What does each part of the U-Net buy?  Train it with one part exchanged, same seed and budget, and compare."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..data import Pictures, batches
from ..forward import gauss, noisy
from ..losses import diffusion_loss
from ..networks.layers import LearnedTime, MaxDown, Parts
from ..networks.unet import UNet
from ..predict import EPS
from ..schedules import linear
from ..training import Run, train

SCHEDULE = linear(400)
VARIANTS = {  # name -> (parts, batch); the first is what the others are compared with
    "as built": (Parts(), 32),
    "ReLU for SiLU": (Parts(act=nn.ReLU), 32),
    "GELU for SiLU": (Parts(act=nn.GELU), 32),
    "max pooling for rearrange": (Parts(down=MaxDown), 32),
    "learned time for sinusoidal": (Parts(time=LearnedTime), 32),
    "no residual connections": (Parts(residual=False), 32),
    "no self-attention": (Parts(attention=False), 32),
    "batch norm for group norm": (Parts(norm=nn.BatchNorm2d), 32),
    "as built, batches of 4": (Parts(), 4),
    "batch norm, batches of 4": (Parts(norm=nn.BatchNorm2d), 4),
}


def small_unet(parts: Parts = Parts()) -> UNet:
    """The U-Net of the ablations: 0.4 M parameters for pictures of 16 px."""
    return UNet(channels=3, widths=(24, 48), blocks=1, attend=1, parts=parts)


def held_out_loss(net: Callable[..., Tensor], x0: Tensor, seed: int = 0) -> float:
    """L_simple on pictures that were not trained on, with t spread evenly and the same noise for every net."""
    rng = torch.Generator().manual_seed(seed)
    t = torch.linspace(1, SCHEDULE.T, len(x0)).long()
    eps = gauss(x0, rng)
    with torch.no_grad():
        return float(nn.functional.mse_loss(net(noisy(SCHEDULE, x0, t, eps), t, None), eps))


def ablate(name: str, pictures: Pictures, steps: int, seed: int, held_out: int = 400) -> tuple[float, list[float]]:
    """Train one of VARIANTS -> (its held-out loss, the training loss of every step).  pictures.x: (N, 3, H, W)

    The last `held_out` of the shuffled pictures are kept for the measurement. Raises ValueError for another name.
    """
    if name not in VARIANTS:
        raise ValueError(f"there is no variant {name!r}; there are {', '.join(VARIANTS)}")
    parts, n = VARIANTS[name]
    order = torch.randperm(len(pictures.x), generator=torch.Generator().manual_seed(0))
    seen, kept = order[:-held_out], order[-held_out:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        run = Run(small_unet(parts), lr=1e-3, decay=0.99, seed=seed)
    batch = batches(pictures._replace(x=pictures.x[seen], y=pictures.y[seen]), n, 16)

    def loss(net, x0, cond, rng):
        return diffusion_loss(net, SCHEDULE, EPS, x0, rng=rng)

    losses = [log.loss for log in train(run, batch, loss, steps)]
    net = run.ema.module.eval()
    return held_out_loss(net, pictures.x[kept][..., :16, :16]), losses
