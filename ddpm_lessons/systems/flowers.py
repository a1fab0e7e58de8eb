"""The course's own systems of flowers."""

from dataclasses import replace

from .. import data
from ..data.sets import drawn_flowers
from ..losses import snr_plus_1
from ..predict import X0
from ..samplers import ddpm
from ..text.captioning import WORDINGS
from .diffusion import Diffusion


def flowers() -> Diffusion:
    """Photographs of five flowers at 32 px, told which flower."""
    net = dict(channels=3, widths=(96, 160, 192), blocks=1, attend=1, patch=2)
    return Diffusion(
        "flowers",
        "photographs of five flowers",
        data.flowers,
        data.FLOWERS,
        32,
        net,
        batch=32,
        lr=1e-3,
        fall=500,
        minutes=90,
    )


def drawn() -> Diffusion:
    """Flowers that we draw, at 32 px: no download, captions that are always true."""
    net = dict(channels=3, widths=(64, 128), blocks=1, attend=1, patch=2)
    about = "five flowers, drawn by formulas"
    return Diffusion("drawn", about, drawn_flowers, data.FLOWERS, 32, net, margin=2, lr=1e-3, minutes=20)


def flowers_text() -> Diffusion:
    """The same photographs at 32 px, told in words: the text's vector, and cross-attention to each of its words.

    Half the network of `flowers`, and the answer x0: what learned fastest in tests/benchmarks/README.md. Samples are
    ancestral. At scale 2 both distances are lowest, agreement grows up to 5, and 3 lies between.
    """
    return replace(
        flowers(),
        name="flowers_text",
        about="photographs of five flowers, from a prompt",
        net=dict(channels=3, widths=(64, 96, 128), blocks=1, attend=1, patch=2, cond_dim=128, token_dim=64),
        predict=X0,
        weight=snr_plus_1,
        text=WORDINGS,
        sampler=ddpm,
        scale=3.0,
        minutes=170,
    )
