"""Small pictures of ten things: a published report's system, and the same in a network for two CPU cores."""

from dataclasses import replace
from functools import partial

from .. import data
from ..guidance import dynamic_threshold
from ..losses import snr_plus_1
from ..predict import EPS, X0
from ..samplers import beta, ddim, ddpm
from .diffusion import Diffusion


def cifar10() -> Diffusion:
    """The choices of an anonymous report, "Diffusion Models for Image Generation", on CIFAR-10.

    Cosine, eps, depth 3, dropout 0.1, an average from step 2000, dynamic thresholding, ancestral sampling with
    sigma_t^2 = beta_t. Its 400 epochs are 156,250 steps. The widths are ours: none are given.
    """
    return Diffusion(
        "cifar10",
        "small pictures of ten things (CIFAR-10), a report's choices at full size",
        data.cifar10,
        data.CIFAR10,
        32,
        dict(channels=3, widths=(128, 256, 256), blocks=2, attend=1, dropout=0.1),
        predict=EPS,
        margin=0,
        batch=128,
        lr=3e-4,
        average_from=2000,
        limit=dynamic_threshold,
        sampler=partial(ddpm, variance=beta),
        steps=1000,
        minutes=60 * 24 * 36,
    )


def cifar10_small() -> Diffusion:
    """The same choices in a network for two CPU cores: a quarter of the work a picture, x0 for eps, larger steps."""
    return replace(
        cifar10(),
        name="cifar10_small",
        about="the same with a small network",
        net=dict(channels=3, widths=(64, 128, 160), blocks=1, attend=1, patch=2, dropout=0.1),
        predict=X0,
        weight=snr_plus_1,
        batch=32,
        lr=1e-3,
        fall=500,
        sampler=ddim,
        steps=20,
        scale=3.0,
        minutes=130,
    )


def stl10() -> Diffusion:
    """The same report's STL-10, shrunk to 32 px: 13,000 pictures, so that crops are drawn from 36."""
    about = "pictures of ten things (STL-10 at 32 px), the report's choices at full size"
    return replace(cifar10(), name="stl10", about=about, load=data.stl10, classes=data.STL10, margin=4)
