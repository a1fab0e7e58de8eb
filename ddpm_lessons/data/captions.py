"""Captions for photographs: "a {colour} {species}", the colour read off the flower's own pixels."""

import torch
from torch import Tensor

COLOURS = ("white", "yellow", "orange", "red", "pink", "purple")
HUES = {"red": (-15, 18), "orange": (18, 42), "yellow": (42, 66), "purple": (245, 300), "pink": (300, 345)}  # degrees


def hsv(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in degrees, 0..360 (red is 0), saturation and value in 0..1.  x: (..., 3, H, W) in [-1, 1] -> (..., H, W)"""
    r, g, b = ((x.clamp(-1, 1) + 1) / 2).unbind(-3)
    value, low = torch.maximum(torch.maximum(r, g), b), torch.minimum(torch.minimum(r, g), b)
    chroma = (value - low).clamp(min=1e-6)
    hue = torch.where(value == g, (b - r) / chroma + 2, (r - g) / chroma + 4)
    hue = torch.where(value == r, (g - b) / chroma % 6, hue)
    return 60 * hue, (value - low) / value.clamp(min=1e-6), value


def colour_votes(x: Tensor) -> Tensor:
    """The share of a picture's pixels that each of COLOURS has, those near the middle counting more.  -> (N, 6)

    x: (N, 3, H, W) in [-1, 1]. Leaves, sky, earth and shadow have no vote, so that the shares may sum to less than 1.
    """
    hue, saturation, value = hsv(x)
    pale = saturation < 0.22
    found = {"white": pale & (value > 0.62)}
    for name, (low, high) in HUES.items():
        found[name] = ((hue - low) % 360 < high - low) & ~pale & (value > 0.3)
    pinkish = found["red"] & (saturation < 0.62) & (value > 0.55)  # light red
    found["pink"], found["red"] = found["pink"] | pinkish, found["red"] & ~pinkish
    found["orange"] &= (saturation > 0.55) & (value > 0.6)  # else brown
    found["yellow"] &= (saturation > 0.4) & (value > 0.5)  # else straw
    line = torch.linspace(-1, 1, x.shape[-1])
    middle = torch.exp(-2 * (line[:, None] ** 2 + line**2))
    return torch.stack([(found[name] * middle).sum((-2, -1)) for name in COLOURS], -1) / middle.sum()


def colours(x: Tensor) -> list[str]:
    """The colour with the most votes, picture by picture.  x: (N, 3, H, W) in [-1, 1]"""
    parts = x.split(1000)  # the votes take ten times the room of the pictures
    return [COLOURS[k] for part in parts for k in colour_votes(part).argmax(-1).tolist()]


def caption(colour: str, kind: str) -> str:
    """ "a pink rose", "an orange tulip", and "a rose" where the colour is empty."""
    thing = f"{colour} {kind}".strip()
    return f"{article(thing)} {thing}"


def article(thing: str) -> str:
    """ "a" or "an", by the sound of what follows: an orange tulip, an hour, a one, a unicorn."""
    vowel = thing.startswith(("a", "e", "i", "o", "u", "hour", "honest"))
    return "an" if vowel and not thing.startswith(("one", "once", "uni", "use", "eu")) else "a"


def prompts(colour: str, kind: str) -> list[str]:
    """What people write for such a picture, in several words; the colour may be empty."""
    whole = caption(colour, kind)
    bare = whole.partition(" ")[2]
    said = [whole, bare, f"{bare}s", f"a photo of {whole}", f"draw {whole}", f"{whole} in a garden"]
    return said + [f"a {kind} that is {colour}"] * bool(colour)


def names(kind: str) -> list[str]:
    """How people ask for a kind of thing, a digit as well as a flower."""
    whole = caption("", kind)
    return [whole, kind, f"draw {whole}", f"a picture of {whole}"]
