"""The drawn pictures of lesson 11: two towers that meet on a sphere, and a transformer in steps."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, picture
from .draw import arrow, box, circle, sheet, words


def inset(figure: Figure, x: Tensor, left: float, low: float, side: float) -> None:
    """A picture on a sheet, its lower left corner at so many inches."""
    width, height = figure.get_size_inches()
    picture(figure.add_axes((left / width, low / height, side / width, side / height)), x)


def towers(x: Tensor, captions: Sequence[str]) -> Figure:
    """Pictures go through one network, captions through another; both end as points of one sphere.  x: (3, C, H, W)"""
    figure, ax = sheet(10.4, 4.5)
    for k, (one, said) in enumerate(zip(x, captions)):
        inset(figure, one, 0.2 + 0.95 * k, 2.95, 0.88)
        words(ax, 1.5, 1.55 - 0.38 * k, f"“{said}”", fontsize=11)
    words(ax, 1.5, 4.15, "$N$ pictures", color=BLUE)
    words(ax, 1.5, 2.0, "$N$ captions", color=ORANGE)
    box(ax, 4.55, 3.4, "picture tower\n(transformer)", 1.7, 0.9, BLUE)
    box(ax, 4.55, 1.15, "text tower\n(transformer)", 1.7, 0.9, ORANGE)
    for y, colour in ((3.4, BLUE), (1.15, ORANGE)):
        arrow(ax, (3.1, y), (3.65, y), colour=colour)
    words(ax, 6.2, 3.75, "128 numbers,\nlength 1", fontsize=10, color=BLUE)
    words(ax, 6.2, 0.78, "128 numbers,\nlength 1", fontsize=10, color=ORANGE)
    middle, r = (8.45, 2.35), 1.45
    circle(ax, *middle, "", 2 * r, "#888888")
    for half, line in ((0, "--"), (180, "-")):  # an equator, so that the circle reads as a sphere
        ax.add_patch(
            Arc(middle, 2 * r, 0.62 * r, theta1=half, theta2=half + 180, color="#aaaaaa", lw=1.2, linestyle=line)
        )
    for k, turned in enumerate(((140, 106), (15, 46), (244, 279))):  # degrees, of the picture and its caption
        ends = [(middle[0] + r * math.cos(math.radians(a)), middle[1] + r * math.sin(math.radians(a))) for a in turned]
        for end, colour in zip(ends, (BLUE, ORANGE)):
            arrow(ax, middle, end, colour=colour)
        arrow(ax, *ends, colour=GREEN, bend=-0.18 if turned[0] < turned[1] else 0.18, style="<|-|>")
        beyond = [middle[i] + 1.36 * (ends[0][i] + ends[1][i] - 2 * middle[i]) / 2 for i in (0, 1)]
        words(
            ax, beyond[0] - 0.2 * (k == 1), beyond[1] + 0.2 * (k == 1), ("daisy", "sunflower", "rose")[k], fontsize=11
        )
    arrow(ax, (5.45, 3.35), (6.95, 2.75), colour=BLUE)
    arrow(ax, (5.45, 1.2), (6.95, 1.75), colour=ORANGE)
    words(ax, 7.75, 0.17, "training pulls a pair together (green) and the others apart", fontsize=11, color=GREEN)
    words(ax, 8.45, 4.3, "one sphere: here in 3 dimensions, in truth in 128", fontsize=11, color="#666666")
    return figure


def _tower(ax: Axes, left: float, names: Sequence[str], sees: Callable, out: int, colour: str, end: str) -> None:
    """A transformer from below: tokens, vectors, attention by lines, small networks, and the one state in use."""
    xs = [left + 0.86 * k for k in range(len(names))]
    for x, name in zip(xs, names):
        box(ax, x, 0.55, name, 0.78, 0.42, "#777777", fontsize=10)
        arrow(ax, (x, 0.78), (x, 1.12))
    levels = ((1.35, "#777777"), (2.75, colour), (3.65, colour))
    for y, shade in levels:
        for x in xs:
            box(ax, x, y, "", 0.62, 0.4, shade)
    for i, x in enumerate(xs):
        for j, other in enumerate(xs):
            if sees(i, j):
                used = i == out
                ax.plot((other, x), (1.57, 2.53), color=RED if used else "0.75", lw=1.8 if used else 1, zorder=3 * used)
        arrow(ax, (x, 2.97), (x, 3.43), colour=colour)
    arrow(ax, (xs[out], 3.87), (xs[out], 4.45), colour=RED)
    side = "left" if out == 0 else "right"
    words(ax, xs[out] + (-0.35 if out == 0 else 0.5), 4.65, end, fontsize=12, color=RED, ha=side)


def transformer() -> Figure:
    """Both towers in steps: what the tokens are, who may look at whom, and which state becomes the vector."""
    figure, ax = sheet(12.4, 5.4)
    pieces, patches = ("⟨start⟩", "a", "red", "rose", "⟨end⟩"), ("class", "1", "2", "...", "64")
    _tower(ax, 1.95, pieces, lambda i, j: j <= i, 4, ORANGE, "5  × matrix, length 1: the text's vector")
    _tower(ax, 7.85, patches, lambda i, j: True, 0, BLUE, "5  × matrix, length 1: the picture's vector")
    words(ax, 3.67, 5.15, "text tower: look back only (causal mask)", fontsize=13, weight="bold", color=ORANGE)
    words(ax, 9.57, 5.15, "picture tower: look everywhere (ViT)", fontsize=13, weight="bold", color=BLUE)
    steps = (
        "1  tokens",
        "2  vectors,\nplace added",
        "3  attention:\nlook at others",
        "4  small network:\neach for itself",
    )
    for y, step in zip((0.55, 1.35, 2.05, 3.2), steps):
        words(ax, 0.1, y, step, fontsize=11, ha="left")
    words(ax, 9.57, 0.13, "64 patches of $4\\times4$ pixels", fontsize=11)
    words(ax, 3.67, 0.13, "pieces of words (byte-pair encoding)", fontsize=11)
    ax.plot((6.55, 6.55), (0.2, 4.4), color="0.85", lw=1)
    for x, layers in ((5.98, 2), (11.86, 4)):  # back down to the next layer
        arrow(ax, (x - 0.12, 3.65), (x - 0.12, 1.4), colour=PURPLE, bend=0.12)
        words(ax, x + 0.2, 2.5, f"{layers} layers", fontsize=11, color=PURPLE, rotation=90)
    return figure
