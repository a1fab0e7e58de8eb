"""A small Imagen: pictures of 64 px from sentences that a frozen, pretrained text encoder reads.

The published one is L. de Lellis Rossi's, "Text-to-image generation with diffusion models" (2022;
github.com/leolellisr/deep_learning_projects, folder 11_txt2img), after Imagen (arXiv 2205.11487).
"""

from typing import Any

from .. import data
from ..data.coco import coco
from ..data.wordings import worded_flowers
from ..losses import p2
from ..predict import EPS, X0
from ..samplers import ddim
from ..schedules import linear
from ..text.captioning import MINILM, T5
from .diffusion import Diffusion

DAY = 60 * 24


def published(name: str, T: int, batch: int, length: int, minutes: float, **net: Any) -> Diffusion:
    """One of the four sizes, on COCO.  T: steps of the diffusion;  length: tokens of a caption that are read, at most

    His: T5 v1.1 base, its pooled states added to the time's embedding, cross-attention at several sizes, layer norm on
    the text, linear schedule, eps, P2 loss, Adam at 3e-4, dropout 0.1, scale 5 or 8. The table of his report has an
    embedding and a hidden size and no widths. Here the first width is the embedding (for `full`: a quarter, so that the
    time's embedding has that size), the text is brought to the hidden size, and the other widths are chosen so that the
    parameters come within 5 % of his. He learned the variance too; here it is fixed.
    """
    return Diffusion(
        f"imagen_{name}",
        f"COCO's photographs at 64 px, from a caption: L. de Lellis Rossi's {name} Imagen",
        coco,
        ("picture",),
        64,
        dict(channels=3, blocks=2, attend=1, cond_dim=768, token_dim=768, dropout=0.1) | net,
        schedule=linear(T),
        predict=EPS,
        weight=p2,
        margin=0,
        batch=batch,
        lr=3e-4,
        text=T5[length],
        sampler=ddim,
        steps=50,
        scale=5.0,
        minutes=minutes,
    )


def imagen_small() -> Diffusion:
    """L. de Lellis Rossi's small Imagen: 4.87 M parameters; he tried the architecture with it."""
    return published("small", 500, 32, 64, DAY, widths=(32, 64, 128), words=64)


def imagen_base() -> Diffusion:
    """His base: 9.75 M parameters; he overfitted one batch with it, in 4,000 steps."""
    return published("base", 500, 64, 128, 3 * DAY, widths=(32, 64, 128, 160), words=64)


def imagen_large() -> Diffusion:
    """His large: 19.5 M parameters."""
    return published("large", 1000, 64, 256, 8 * DAY, widths=(64, 128, 256), words=128)


def imagen_full() -> Diffusion:
    """His full: 58.78 M parameters."""
    return published("full", 1000, 32, 256, 20 * DAY, widths=(128, 256, 432), words=256)


def imagen_toy() -> Diffusion:
    """The same architecture for a CPU: photographs of five flowers at 64 px, told in many words that MiniLM reads.

    Squares of four by four pixels become channels first, which makes it fast. It answers x0. At scale 5 both distances
    are lowest, of 1, 3, 5 and 8 (lesson 15).
    """
    return Diffusion(
        "imagen_toy",
        "photographs of five flowers at 64 px, from a sentence that MiniLM reads: a small Imagen",
        worded_flowers,
        data.FLOWERS,
        64,
        dict(channels=3, widths=(48, 64, 88), attend=1, cross=0, patch=4, cond_dim=384, token_dim=384, words=64),
        predict=X0,
        weight=p2,
        margin=8,
        batch=32,
        lr=1e-3,
        fall=1000,
        text=MINILM,
        sampler=ddim,
        scale=5.0,
        minutes=120,
    )
