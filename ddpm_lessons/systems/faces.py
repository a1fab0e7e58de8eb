"""Faces at 64 px, unconditional: a published system at full size, and the same choices small, on flowers."""

from dataclasses import replace

import torch.nn.functional as F

from ..data.sets import PICTURE, celeba, photographs
from ..predict import EPS
from ..samplers import ddim, ddpm
from ..schedules import linear
from .diffusion import Diffusion


def faces() -> Diffusion:
    """The choices of D. Ho and A. Zhu's blog post "Generating Images with Diffusion Models" (2023), on CelebA.

    64 px, linear schedule from 1e-4 to 0.02, T = 1000, eps, L1 (they name L2 as well: `distance`), a U-Net of blocks
    that are each told the time, no classes. Widths, attention, batch and learning rate are ours: none are given.
    """
    return Diffusion(
        "faces",
        "faces of celebrities at 64 px (CelebA), Ho and Zhu's choices at full size",
        celeba,
        PICTURE,
        64,
        dict(channels=3, widths=(64, 128, 256, 256), blocks=2, attend=2, cond_dim=0),
        schedule=linear(1000, 1e-4, 0.02),
        predict=EPS,
        distance=F.l1_loss,
        margin=0,
        batch=128,
        lr=2e-4,
        decay=0.9999,
        drop=0.0,
        sampler=ddpm,
        steps=1000,
        scale=1.0,
        minutes=60 * 24 * 30,
    )


def faces_small() -> Diffusion:
    """The same choices with 0.7 M parameters on photographs of flowers: the diffusion model of lesson 13."""
    return replace(
        faces(),
        name="faces_small",
        about="photographs of flowers at 64 px, the same choices with a small network",
        load=photographs,
        net=dict(channels=3, widths=(32, 40, 48), blocks=1, attend=2, cond_dim=0, patch=2),
        margin=6,
        batch=16,
        lr=3e-3,
        fall=2000,
        decay=0.999,
        sampler=ddim,
        steps=50,
        minutes=10,
    )
