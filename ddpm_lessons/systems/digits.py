"""The course's own systems of handwritten digits."""

from dataclasses import replace

from ..data.sets import SPELLED, spelled_digits
from ..data.sets import digits as mnist
from ..losses import snr_plus_1
from ..predict import X0
from ..text.captioning import NAMES
from .diffusion import Diffusion


def digits() -> Diffusion:
    """MNIST at 32 px, told which digit."""
    net = dict(channels=1, widths=(48, 96), blocks=1, attend=1, patch=2)
    return Diffusion(
        "digits",
        "handwritten digits (MNIST)",
        mnist,
        tuple("0123456789"),
        32,
        net,
        margin=2,
        flip=False,
        lr=1e-3,
        minutes=10,
    )


def mnist_text() -> Diffusion:
    """Digits by prompt, "draw a six", as in Saxena, Ray and Bandyopadhyay's slides (2025), in the small network of
    `digits` with both ways to the text, answering x0.
    """
    return replace(
        digits(),
        name="mnist_text",
        about="handwritten digits (MNIST), from a prompt",
        load=spelled_digits,
        classes=SPELLED,
        net=digits().net | dict(cond_dim=128, token_dim=64),
        predict=X0,
        weight=snr_plus_1,
        batch=32,
        fall=500,
        text=NAMES,
        scale=3.0,
        minutes=15,
    )
