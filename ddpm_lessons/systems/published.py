"""Published systems of text to flowers, at their full size."""

from dataclasses import replace

from torch import nn

from .. import data
from ..networks.layers import LearnedTime, MaxDown, Parts, StrideDown, TransposedUp
from ..predict import EPS
from ..samplers import ddpm
from ..schedules import linear
from ..text.captioning import NAMES, PICTURES
from .diffusion import Diffusion


def flowers_clip() -> Diffusion:
    """Takawale and Varma's flowers by prompt (Columbia University; github.com/vinitakawale/Diffusion_Model).

    The network is told CLIP ViT-B/32's vector of the picture itself, and of a text when sampling. T = 400, linear, eps,
    no attention, GELU. Their 100 epochs of TF-Flowers are 2,900 steps of 128; their w from -2 to 2 is our scale from -1
    to 3. They had 44.9 M parameters, ours has 52.2 M: their blocks and time embedding are not told.
    """
    return Diffusion(
        "flowers_clip",
        "photographs of five flowers, from a prompt, Takawale and Varma's at full size",
        data.flowers,
        data.FLOWERS,
        32,
        dict(channels=3, widths=(256, 256, 512), cond_dim=512, parts=Parts(act=nn.GELU, attention=False)),
        schedule=linear(400, 1e-4, 0.02),
        predict=EPS,
        batch=128,
        lr=1e-4,
        text=PICTURES,
        sampler=ddpm,
        steps=400,
        scale=3.0,
        minutes=60 * 11,
    )


def flowers_text_simple() -> Diffusion:
    """Saxena, Ray and Bandyopadhyay's first network (slides, 2025): learned time, the text's vector added to it.

    Max pooling, repeated pixels, two levels, 56 px, T = 1000, batch 128, 2e-4; 45 epochs of TF-Flowers are 1,300 steps.
    The vectors are our CLIP's, 128 numbers in place of 512.
    """
    return Diffusion(
        "flowers_text_simple",
        "photographs of five flowers at 56 px, from a prompt, Saxena, Ray and Bandyopadhyay's simple network",
        data.flowers,
        data.FLOWERS,
        56,
        dict(channels=3, widths=(64, 128), cond_dim=128, parts=Parts(time=LearnedTime, down=MaxDown, attention=False)),
        schedule=linear(1000),
        predict=EPS,
        batch=128,
        lr=2e-4,
        text=NAMES,
        sampler=ddpm,
        steps=1000,
        minutes=110,
    )


def flowers_text_guided() -> Diffusion:
    """Their second: cross-attention at each size, stride-2 and transposed convolutions, attention in the middle.

    Its text was one vector, to which attention has no choice; here it is the text's words.
    """
    parts = Parts(down=StrideDown, up=TransposedUp)
    return replace(
        flowers_text_simple(),
        name="flowers_text_guided",
        about="the same, their network that looks at the text",
        net=dict(channels=3, widths=(64, 128), blocks=2, attend=2, cond_dim=0, token_dim=64, cross=0, parts=parts),
        minutes=280,
    )
