"""What people write for a photograph of a flower: other words for colours, one or many, near or under the sky."""

from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .captions import article, colour_votes, colours, hsv
from .files import Pictures, held_out
from .sets import flowers

WORDS = {  # what people call the colours that `captions` reads off the pixels
    "white": ("white", "snow-white", "ivory", "pure white"),
    "yellow": ("yellow", "golden", "bright yellow", "lemon yellow"),
    "orange": ("orange", "bright orange", "amber", "tangerine"),
    "red": ("red", "crimson", "scarlet", "deep red"),
    "pink": ("pink", "pale pink", "hot pink", "magenta"),
    "purple": ("purple", "violet", "lilac", "lavender"),
}
PLURALS = {"daisy": "daisies"}
ALWAYS = (
    "{a thing}",
    "{thing}",
    "a photo of {a thing}",
    "draw {a thing}",
    "{a thing} in a garden",
    "a picture of {a thing}",
)
OF_COLOUR = (
    "a {kind} that is {colour}",
    "{a kind} with {colour} petals",
    "{kind}, {colour}",
    "{colour} petals of {a kind}",
)
OF_MANY = ("{things}", "a bunch of {things}", "{things} in a field", "a field of {things}", "many {things}")
OF_NEAR = ("a close-up of {a thing}", "close-up of {thing}", "one big {thing}")
OF_SKY = ("{a thing} against the sky", "{a thing} under a blue sky", "{things} against the blue sky")


class Scene(NamedTuple):
    """What the pixels say of a picture: many flowers or one, near, under the sky."""

    many: bool
    near: bool
    sky: bool


def scenes(x: Tensor) -> list[Scene]:
    """Read off the pixels, roughly, of pictures shrunk to 36 px.  x: (N, 3, H, W) in [-1, 1]"""
    found = []
    for part in x.split(500):
        if part.shape[-1] != 36:
            part = F.interpolate(part, size=36, mode="bicubic", antialias=True).clamp(-1, 1)
        share = colour_votes(part).amax(-1)
        many = blobs(flowery(part)) >= 5
        hue, saturation, value = hsv(part[:, :, :12])  # the upper third
        blue = ((hue > 190) & (hue < 245) & (saturation > 0.15) & (value > 0.5)).flatten(1).double().mean(1)
        near = (share > 0.5) & ~many
        found += [Scene(*map(bool, row)) for row in zip(many.tolist(), near.tolist(), (blue > 0.4).tolist())]
    return found


def flowery(x: Tensor) -> Tensor:
    """Where a picture has one of the flowers' colours.  (N, 3, H, W) -> (N, H, W) bool"""
    n, _, h, w = x.shape
    dots = x.permute(0, 2, 3, 1).reshape(-1, 3, 1, 1)
    return (colour_votes(dots).sum(-1) > 0.5).view(n, h, w)


def blobs(mask: Tensor, least: int = 8) -> Tensor:
    """How many connected patches of at least so many pixels a mask has.  (N, H, W) bool -> (N,)"""
    n, h, w = mask.shape
    label = torch.arange(1, h * w + 1, dtype=torch.float32).view(1, 1, h, w) * mask[:, None]
    while True:  # each patch takes the largest number in it
        spread = F.max_pool2d(label, 3, 1, 1) * mask[:, None]
        if torch.equal(spread, label):
            break
        label = spread
    return torch.tensor([int((one[one > 0].unique(return_counts=True)[1] >= least).sum()) for one in label])


def wordings(colour: str, kind: str, scene: Scene = Scene(False, False, False)) -> list[str]:
    """All that people might write for such a picture; the colour may be empty."""
    patterns = list(ALWAYS) + list(OF_COLOUR) * bool(colour)
    for has, more in zip(scene, (OF_MANY, OF_NEAR, OF_SKY), strict=True):
        patterns += list(more) * has
    found = []
    for word in WORDS[colour] if colour else ("",):
        thing, things = f"{word} {kind}".strip(), f"{word} {PLURALS.get(kind, kind + 's')}".strip()
        filled = {"{a thing}": f"{article(thing)} {thing}", "{thing}": thing, "{things}": things}
        filled |= {"{a kind}": f"{article(kind)} {kind}", "{kind}": kind, "{colour}": word}
        for pattern in patterns:
            for name, value in filled.items():
                pattern = pattern.replace(name, value)
            found.append(pattern)
    return list(dict.fromkeys(found))


def worded(pictures: Pictures) -> Pictures:
    """The pictures with captions in many words, kind, colour and scene; half of them leave the colour out."""
    seen = zip(colours(pictures.x), scenes(pictures.x), pictures.y.tolist(), strict=True)
    captions = []
    for colour, scene, k in seen:
        long, short = (wordings(c, pictures.classes[k], scene) for c in (colour, ""))
        captions.append((*long, *islice(cycle(short), len(long))))
    return pictures._replace(captions=tuple(captions))


def worded_flowers(size: int, folder: str | Path | None = None, held: bool = False) -> Pictures:
    """`flowers` with several captions each, but one in ten; or, held, those, to choose a checkpoint by.

    Raises like `flowers`.
    """
    pictures = flowers(size, folder)
    return worded(pictures.at(held_out(pictures) == held))
